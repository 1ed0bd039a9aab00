#include "test_store_rules.h"

#include <unistd.h>

#include "base/log.h"
#include "crypto/crypto.h"

#define CASES_MAX 128

static const TTest *cases[CASES_MAX];
static size_t case_count;
static const char *wanted; /* NULL: all */

static void add(const TTest *test)
{
	if (wanted != NULL && strcmp(test->name, wanted) != 0)
		return;
	if (case_count == CASES_MAX)
		abort();
	cases[case_count++] = test;
}

int main(int argc, char **argv)
{
	int result;

	/* Ledgers are SQLite's on a real file system; none of these tests is about that. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	wanted = argc > 1 ? argv[1] : NULL;
	rules_journal(add);
	rules_streaming(add);
	rules_flushing(add);
	rules_recovery(add);
	rules_history(add);
	rules_objects(add);
	rules_namespace(add);
	rules_integrity(add);
	rules_failure(add);
	rules_limits(add);
	if (case_count == 0)
		return 2;
	if (secmem_init() != ERR_OK || crypto_init() != ERR_OK)
		return 2;
	log_set_name("test_store_rules");
	world_template(); /* once: every case is a fork and shares it */
	result = unit_run("store rules", cases, case_count);
	world_forget_template();
	return result;
}
