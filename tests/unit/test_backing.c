/* What every backing promises, on a real disk and on the simulated one. */
#include "backing_unit.h"

#include <sys/stat.h>

#include "temp_dir.h"

START_TEST(test_real)
{
	char *dir = temp_dir_new();
	struct backing *b = NULL;
	struct stat st;

	ck_assert_int_eq(backing_real_new("/nonexistent", &b), ERR_NOT_FOUND);
	ck_assert_ok(backing_real_new(dir, &b));
	check_all(b);
	ck_assert_int_eq(stat(temp_path(dir, "content"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(stat(temp_path(dir, "objects"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0700);
	backing_free(b);
	temp_dir_free(dir);
}
END_TEST

START_TEST(test_sim)
{
	struct backing *b = sim_new();

	check_all(b);
	backing_free(b);
}
END_TEST

UNIT_MAIN("backing", test_real, test_sim)
