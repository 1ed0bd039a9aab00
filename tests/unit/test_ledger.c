/* The ledger: rows, overlay, commit and walks. */
#include "ledger_unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t other_key[32] = {1};

/* --- life --------------------------------------------------------------------- */

START_TEST(test_create)
{
	struct ledger_position position = position_at(1, 1), bad = position_at(1, 1);
	struct stat st;

	create();
	ck_assert_int_eq(ledger_create(dir, fs_id, key, &position), ERR_EXISTS);
	bad.half = 2;
	ck_assert_int_eq(ledger_create(dir, fs_id, key, &bad), ERR_INVALID);
	ck_assert_int_eq(ledger_create("/nonexistent/x", fs_id, key, &position), ERR_NOT_FOUND);
	ck_assert_int_eq(stat(temp_path(dir, "ledger.db"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(access(temp_path(dir, "ledger.db.new"), F_OK), -1);
	ck_assert_int_eq(access(temp_path(dir, "ledger.db-wal"), F_OK), -1);
	finish(NULL);
}
END_TEST

START_TEST(test_locked)
{
	struct ledger_position position;
	struct ledger_row row = row_of(1, 1);
	struct object_attr attr;
	struct ledger *ledger = create_with(3);

	ledger_close(ledger);
	ck_assert_ok(ledger_open(dir, false, &ledger));
	ck_assert_mem_eq(ledger_fs_id(ledger), fs_id, sizeof(fs_id));
	ck_assert_ok(ledger_root_attr(ledger, &attr));
	ck_assert_uint_eq(attr.mode, row.attr.mode);
	ck_assert_uint_eq(ledger_count(ledger), 3);
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_LOCKED);
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_LOCKED);
	ck_assert_int_eq(ledger_remove(ledger, 1), ERR_LOCKED);
	ck_assert_int_eq(ledger_position(ledger, &position), ERR_LOCKED);
	position = position_at(2, 100);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_LOCKED);
	ck_assert_int_eq(ledger_set_key(ledger, other_key), ERR_TAMPERED);
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_LOCKED);
	ck_assert_ok(ledger_set_key(ledger, key));
	put(ledger, 4, 1);
	ck_assert_int_eq(ledger_set_key(ledger, NULL), ERR_BUSY);
	commit(ledger, 2);
	ck_assert_ok(ledger_set_key(ledger, NULL));
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_LOCKED);
	finish(ledger);
}
END_TEST

START_TEST(test_round_trip)
{
	struct ledger_row row, expected = row_of(2, 1);
	struct ledger_position position;
	struct object_attr attr;
	struct ledger *ledger;

	create();
	ledger = open_ledger();
	ck_assert_int_eq(ledger_root_attr(ledger, &attr), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	put(ledger, 1, 1);
	put(ledger, 2, 1);
	ck_assert_ok(ledger_get(ledger, 2, &row));
	assert_row(&row, &expected);
	ck_assert_uint_eq(ledger_count(ledger), 2);
	commit(ledger, 9);
	ledger_close(ledger);

	ledger = open_ledger();
	ck_assert_ok(ledger_get(ledger, 2, &row));
	assert_row(&row, &expected);
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_ok(ledger_position(ledger, &position));
	ck_assert_uint_eq(position.start_seq, 9);
	ck_assert_uint_eq(position.half, 1);
	ck_assert_uint_eq(position.slots_generation, 7);
	ck_assert_uint_eq(position.previous_mac[31], 0x33);
	ck_assert_uint_eq(position.session[15], 0x44);
	ck_assert_int_eq(ledger_get(ledger, 0, &row), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_get(ledger, UINT64_MAX, &row), ERR_NOT_FOUND);
	finish(ledger);
}
END_TEST

/* Nothing of the overlay is on the disk before the commit. */
START_TEST(test_uncommitted)
{
	struct ledger_row row, old = row_of(1, 1);
	struct ledger *ledger = create_with(2);

	put(ledger, 1, 2);
	put(ledger, 3, 1);
	ck_assert_ok(ledger_remove(ledger, 2));
	ck_assert_ok(ledger_remove(ledger, 77));
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_ok(ledger_get(ledger, 1, &row));
	assert_row(&row, &old);
	ck_assert_ok(ledger_get(ledger, 2, &row));
	ck_assert_int_eq(ledger_get(ledger, 3, &row), ERR_NOT_FOUND);
	finish(ledger);
}
END_TEST

START_TEST(test_invalid_rows)
{
	struct ledger *ledger = create_with(1);
	struct ledger_row row = row_of(0, 1);
	struct ledger_position position = position_at(1, 5);

	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of((uint64_t)INT64_MAX + 1, 1);
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of(2, 1);
	row.attr.version = UINT64_MAX;
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of(2, 1);
	row.attr.size = FILE_SIZE_MAX + 1;
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of(2, 1);
	row.attr.mtime.tv_nsec = NS_PER_SECOND;
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	ck_assert_int_eq(ledger_remove(ledger, 0), ERR_INVALID);
	/* A number that is not below next_number would be taken again. */
	put(ledger, 5, 1);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_INVALID);
	position.next_number = 6;
	ck_assert_ok(ledger_commit(ledger, &position));
	finish(ledger);
}
END_TEST

/* --- commit ----------------------------------------------------------------------- */

struct committer {
	pthread_t thread;
	struct ledger *ledger;
	struct ledger_position position;
	enum err err;
};

static void *run_commit(void *ctx)
{
	struct committer *committer = ctx;

	committer->err = ledger_commit(committer->ledger, &committer->position);
	return NULL;
}

/* While a commit hangs, rows are looked up, changed and counted as usual. */
START_TEST(test_commit_does_not_block)
{
	struct ledger *ledger = create_with(2);
	struct committer committer = {.ledger = ledger, .position = position_at(2, 100)};
	struct ledger_row row;
	sqlite3 *blocker;

	put(ledger, 1, 2);
	put(ledger, 3, 1);
	ck_assert_ok(ledger_remove(ledger, 2));
	ck_assert_int_eq(sqlite3_open(temp_path(dir, "ledger.db"), &blocker), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(blocker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	pthread_create(&committer.thread, NULL, run_commit, &committer);
	for (size_t left = 1; left > 0;) {
		pthread_mutex_lock(&ledger->lock);
		left = ledger_changes_count(&ledger->changed);
		pthread_mutex_unlock(&ledger->lock);
	}
	ck_assert_ok(ledger_get(ledger, 1, &row));
	ck_assert_uint_eq(row.attr.version, 2);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	put(ledger, 2, 5);
	ck_assert_ok(ledger_remove(ledger, 3));
	put(ledger, 4, 1);
	ck_assert_uint_eq(ledger_count(ledger), 3);
	ck_assert_int_eq(sqlite3_exec(blocker, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(blocker);
	pthread_join(committer.thread, NULL);
	ck_assert_ok(committer.err);

	ck_assert_uint_eq(ledger_count(ledger), 3);
	ck_assert_int_eq(ledger_get(ledger, 3, &row), ERR_NOT_FOUND);
	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	ck_assert_ok(ledger_get(ledger, 3, &row));
	finish(ledger);
}
END_TEST

/* A full disk: everything stays in memory and the next commit brings it all. */
START_TEST(test_commit_fails)
{
	struct ledger *ledger = create_with(2);
	struct ledger_position position = position_at(2, 10000);
	struct ledger_row row;

	for (uint64_t number = 1; number < 3000; number++)
		put(ledger, number, 2);
	ck_assert_int_eq(sqlite3_exec(ledger->writer, "PRAGMA max_page_count=20", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_FULL);
	ck_assert_uint_eq(ledger_count(ledger), 2999);
	ck_assert_ok(ledger_remove(ledger, 1));
	put(ledger, 2, 3);
	put(ledger, 5000, 1);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_FULL);
	ck_assert_ok(ledger_remove(ledger, 2999));
	ck_assert_ok(ledger_position(ledger, &position));
	ck_assert_uint_eq(position.start_seq, 1);
	ck_assert_int_eq(
		sqlite3_exec(ledger->writer, "PRAGMA max_page_count=100000", NULL, NULL, NULL),
		SQLITE_OK);
	commit(ledger, 3);
	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_uint_eq(ledger_count(ledger), 2998);
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_get(ledger, 2999, &row), ERR_NOT_FOUND);
	ck_assert_ok(ledger_get(ledger, 2, &row));
	ck_assert_uint_eq(row.attr.version, 3);
	ck_assert_ok(ledger_get(ledger, 5000, &row));
	finish(ledger);
}
END_TEST

START_TEST(test_read_only)
{
	struct ledger *ledger = create_with(2), *reader = NULL;
	struct ledger_position position = position_at(2, 100);
	struct ledger_row row;

	put(ledger, 3, 1);
	commit(ledger, 2);
	ck_assert_ok(ledger_open(dir, true, &reader));
	ck_assert_ok(ledger_set_key(reader, key));
	ck_assert_ok(ledger_get(reader, 3, &row));
	put(reader, 3, 2);
	ck_assert_int_eq(ledger_commit(reader, &position), ERR_READ_ONLY);
	ck_assert_ok(ledger_get(reader, 3, &row));
	ck_assert_uint_eq(row.attr.version, 2);
	ledger_close(reader);
	finish(ledger);
}
END_TEST

/* --- walking ------------------------------------------------------------------------ */

START_TEST(test_walk)
{
	struct ledger *ledger = create_with(200);
	struct seen seen = {.count = 0};

	put(ledger, 50, 2);
	put(ledger, 300, 1);
	put(ledger, 250, 1);
	ck_assert_ok(ledger_remove(ledger, 64));
	ck_assert_ok(ledger_remove(ledger, 65));
	ck_assert_ok(ledger_walk(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 200);
	for (size_t i = 1; i < seen.count; i++)
		ck_assert_uint_lt(seen.numbers[i - 1], seen.numbers[i]);
	ck_assert_uint_eq(seen.numbers[63], 66);
	ck_assert_uint_eq(seen.numbers[198], 250);
	seen = (struct seen){.stop_after = 70};
	ck_assert_int_eq(ledger_walk(ledger, see, &seen), ERR_NO);
	ck_assert_uint_eq(seen.count, 70);

	edit("UPDATE objects SET size=size+1 WHERE number IN (10, 190)");
	seen = (struct seen){.count = 0};
	ck_assert_int_eq(ledger_walk(ledger, see, &seen), ERR_TAMPERED);
	ck_assert_uint_eq(seen.count, 198);
	finish(ledger);
}
END_TEST

START_TEST(test_walk_unlinked)
{
	struct ledger *ledger = create_with(500);
	struct ledger_row row;
	struct seen seen = {.count = 0};

	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 0);
	for (uint64_t number = 3; number <= 500; number += 3) {
		row = row_of(number, 2);
		row.attr.nlink = 0;
		ck_assert_ok(ledger_put(ledger, &row));
	}
	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 166);
	commit(ledger, 2);
	put(ledger, 6, 3);
	row = row_of(7, 2);
	row.attr.nlink = 0;
	ck_assert_ok(ledger_put(ledger, &row));
	seen = (struct seen){.remove_from = ledger};
	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 166);
	ck_assert_uint_eq(seen.numbers[1], 7);
	seen = (struct seen){.count = 0};
	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_eq(ledger_count(ledger), 334);
	finish(ledger);
}
END_TEST

/* A disk that fails is an error, not the SIGBUS that a mapped file of it would be. */
START_TEST(test_nothing_is_mapped)
{
	struct ledger *ledger = create_with(2);
	FILE *maps;
	char line[4096];

	put(ledger, 3, 1);
	commit(ledger, 2);
	maps = fopen("/proc/self/maps", "r");
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		ck_assert_msg(strstr(line, dir) == NULL, "mapped: %s", line);
	fclose(maps);
	finish(ledger);
}
END_TEST

static ssize_t fail_to_read(int fd, void *data, size_t len, off_t offset)
{
	(void)fd;
	(void)data;
	(void)len;
	(void)offset;
	errno = EIO;
	return -1;
}

/* Found by crash-shutdown: a disk that was gone made an alarm of it. */
START_TEST(test_a_failing_disk_is_no_damage)
{
	struct ledger *ledger = create_with(5000);
	struct ledger_row row;
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix-excl");

	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)fail_to_read),
			 SQLITE_OK);
	ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)fail_to_read),
			 SQLITE_OK);
	ck_assert_int_eq(ledger_get(ledger, 4321, &row), ERR_IO);
	vfs->xSetSystemCall(vfs, NULL, NULL);
	ck_assert_ok(ledger_get(ledger, 4321, &row));
	finish(ledger);
}
END_TEST

/*
 * phifs-key notes the slot file's generation beside a locked daemon; else an older
 * slot file would open the volume again.
 */
START_TEST(test_without_a_key_another_process_writes)
{
	struct ledger *ledger = create_with(2);
	struct ledger_position position;
	struct object_attr root;
	int status = -1;
	pid_t pid;

	ck_assert_ok(ledger_set_key(ledger, NULL));
	pid = fork();
	if (pid == 0) {
		struct ledger *other = NULL;

		position = position_at(9, 1000000);
		_exit(ledger_open(dir, false, &other) == ERR_OK &&
				      ledger_set_key(other, key) == ERR_OK &&
				      ledger_commit(other, &position) == ERR_OK
			      ? 0
			      : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_ok(ledger_root_attr(ledger, &root));
	ck_assert_uint_eq(root.version, 1);
	ck_assert_ok(ledger_set_key(ledger, key));
	ck_assert_ok(ledger_position(ledger, &position));
	ck_assert_uint_eq(position.start_seq, 9);
	finish(ledger);
}
END_TEST

UNIT_MAIN("ledger", test_create, test_locked, test_round_trip, test_uncommitted, test_invalid_rows,
	  test_commit_does_not_block, test_commit_fails, test_read_only, test_walk,
	  test_walk_unlinked, test_nothing_is_mapped, test_a_failing_disk_is_no_damage,
	  test_without_a_key_another_process_writes)
