/* The key of `unlock-with`: where it is read from, and what is not one. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "keys/keyfile.h"
#include "keys/slots.h"
#include "tests/store/temp_dir.h"

static uint8_t content[SLOTS_KEYFILE_MAX + 1];
static char *directory;

static void start(void)
{
	directory = temp_dir_new();
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)i;
}

static const char *make(const char *name, size_t len, mode_t mode)
{
	const char *path = temp_path(directory, name);

	ck_assert_ok(io_create_file(AT_FDCWD, path, content, len, 0600));
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static void assert_reads(const char *where, size_t expected)
{
	uint8_t *bytes;
	size_t len;

	ck_assert_ok(keyfile_load(where, &bytes, &len));
	ck_assert_uint_eq(len, expected);
	ck_assert_mem_eq(bytes, content, len);
	secmem_free(bytes);
}

static void assert_refused(const char *where, enum err expected)
{
	uint8_t *bytes = NULL;
	size_t len;
	enum err err = keyfile_load(where, &bytes, &len);

	ck_assert_msg(err == expected, "%s: %s", where, err_name(err));
	ck_assert_ptr_null(bytes);
}

START_TEST(key_file_is_read_whole)
{
	start();
	assert_reads(make("short", SLOTS_KEYFILE_MIN, 0600), SLOTS_KEYFILE_MIN);
	assert_reads(make("long", SLOTS_KEYFILE_MAX, 0440), SLOTS_KEYFILE_MAX);
	temp_dir_free(directory);
}
END_TEST

START_TEST(what_is_no_key_file_is_refused)
{
	start();
	assert_refused(make("shorter", SLOTS_KEYFILE_MIN - 1, 0600), ERR_INVALID);
	assert_refused(make("longer", SLOTS_KEYFILE_MAX + 1, 0600), ERR_INVALID);
	assert_refused(make("public", SLOTS_KEYFILE_MIN, 0604), ERR_DENIED);
	assert_refused(make("writable", SLOTS_KEYFILE_MIN, 0620), ERR_DENIED);
	assert_refused(temp_path(directory, "none"), ERR_NOT_FOUND);
	assert_refused(directory, ERR_INVALID);
	ck_assert_int_eq(mkfifo(temp_path(directory, "fifo"), 0600), 0);
	assert_refused(temp_path(directory, "fifo"), ERR_INVALID);
	temp_dir_free(directory);
}
END_TEST

START_TEST(credential_is_found_where_the_service_manager_puts_it)
{
	start();
	ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	make("phifs-ehr", 64, 0400);
	assert_refused("credential:phifs-ehr", ERR_NOT_FOUND);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
	assert_refused("credential:phifs-ehr", ERR_NOT_FOUND);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
	assert_reads("credential:phifs-ehr", 64);
	assert_refused("credential:other", ERR_NOT_FOUND);
	assert_refused("credential:", ERR_INVALID);
	assert_refused("credential:..", ERR_INVALID);
	assert_refused("credential:../phifs-ehr", ERR_INVALID);
	temp_dir_free(directory);
}
END_TEST

UNIT_MAIN("keyfile", key_file_is_read_whole, what_is_no_key_file_is_refused,
	  credential_is_found_where_the_service_manager_puts_it)
