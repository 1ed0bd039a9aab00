#include "test_store_rules.h"

void rules_failure(rules_add *add)
{
	(void)add;
}
