#include "test_store_rules.h"

void rules_integrity(rules_add *add)
{
	(void)add;
}
