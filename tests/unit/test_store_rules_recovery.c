#include "test_store_rules.h"

void rules_recovery(rules_add *add)
{
	(void)add;
}
