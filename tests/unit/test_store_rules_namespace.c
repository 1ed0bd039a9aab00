#include "test_store_rules.h"

void rules_namespace(rules_add *add)
{
	(void)add;
}
