#include <stdlib.h>
#include <string.h>

#include "store/break.h"

bool store_is_broken(const char *rule)
{
	static const char *broken;

	if (broken == NULL)
		broken = getenv("PHIFS_BREAK") != NULL ? getenv("PHIFS_BREAK") : "";
	return strcmp(broken, rule) == 0;
}
