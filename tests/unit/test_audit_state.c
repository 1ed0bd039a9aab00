/* The state file: two slots, and secrets that are gone once they are past. */
#include "audit/state.h"
#include "tests/unit/audit_unit.h"

static off_t state_size(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

START_TEST(test_state_two_slots)
{
	struct audit_state *state, *again;
	struct state_file *file;
	int dir_fd, fd;
	uint8_t byte;
	uint64_t generation;
	off_t size;

	set_up();
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_open(dir_fd, &file, &state));
	ck_assert_int_eq(state_open(dir_fd, &file, &again), ERR_BUSY);
	state->epoch = 77;
	ck_assert_ok(state_commit(file, state));
	generation = state->generation;
	state_close(file, state);
	/* Whichever slot is damaged, the other one serves. */
	fd = openat(dir_fd, "state", O_RDWR);
	size = state_size(fd);
	for (off_t at = 100; at < size; at += size / 2) {
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		ck_assert_ok(state_peek(dir_fd, &again));
		ck_assert(again->epoch == 77 && again->generation == generation);
		state_close(NULL, again);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	/* Both: nothing is guessed. */
	for (off_t at = 100; at < size; at += size / 2) {
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	ck_assert_int_eq(state_peek(dir_fd, &again), ERR_TAMPERED);
	close(fd);
	close(dir_fd);
	tear_down();
}
END_TEST

START_TEST(test_state_erases)
{
	char path[128];
	uint8_t secret[SIGN_SECRET_LEN], key[AUDIT_KEY_LEN];
	struct audit_state *state;
	struct state_file *file;
	int dir_fd;

	set_up();
	snprintf(path, sizeof(path), "%s/state", f.journal);
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_open(dir_fd, &file, &state));
	for (uint32_t i = 1; i <= 1500; i++) {
		memset(key, (int)i | 1, sizeof(key));
		ck_assert_ok(state_add_key(state, i, key));
	}
	memcpy(secret, state->current.secret, sizeof(secret));
	ck_assert_ok(state_commit(file, state));
	ck_assert(file_has(path, secret, sizeof(secret)) && file_has(path, key, sizeof(key)));
	state_next_epoch(state);
	state_drop_keys(state, 1500);
	ck_assert_uint_eq(state->key_count, 1);
	state_drop_keys(state, UINT32_MAX);
	ck_assert_ptr_null(state_key(state, 1500));
	ck_assert_ok(state_commit(file, state));
	/* Gone from both slots at once. */
	ck_assert(!file_has(path, secret, sizeof(secret)) && !file_has(path, key, sizeof(key)));
	state_close(file, state);
	close(dir_fd);
	tear_down();
}
END_TEST

START_TEST(test_keys_are_erased)
{
	struct audit_state *state;
	int dir_fd;

	/* Without a forwarder nobody needs them once a segment is finished. */
	set_up();
	run_once(&f, 40000);
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_peek(dir_fd, &state));
	ck_assert(state->is_clean);
	ck_assert_uint_eq(state->key_count, 0);
	state_close(NULL, state);
	close(dir_fd);
	tear_down();
}
END_TEST

UNIT_MAIN("audit state", test_state_two_slots, test_state_erases, test_keys_are_erased)
