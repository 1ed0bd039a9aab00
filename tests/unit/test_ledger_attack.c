/* What an intruder may do to the ledger's file, and what a damaged one is taken for. */
#include "ledger_unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "draw.h"

/* --- an intruder --------------------------------------------------------------------------- */

/*
 * The row's HMAC as a few lines of Python compute it from FORMAT.md: so the
 * canonical bytes cannot change unnoticed.
 */
START_TEST(test_known_answer)
{
	static const char expected[] =
		"80ccc39d64229234c3bfad2601223eddc5635f0a2a0e0f484ddf8f8b0d285d79";
	struct ledger *ledger = create_with(2);
	sqlite3_stmt *statement;
	char text[2 * 32 + 1];

	ck_assert_int_eq(sqlite3_prepare_v2(ledger->writer,
					    "SELECT mac FROM objects WHERE number=2", -1,
					    &statement, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	hex_encode(sqlite3_column_blob(statement, 0), 32, text);
	ck_assert_str_eq(text, expected);
	sqlite3_finalize(statement);
	finish(ledger);
}
END_TEST

static const char *const row_edits[] = {
	"tail=x'0000000000000000'",
	"version=version-1",
	"size=size+1",
	"root=zeroblob(32)",
	"mode=mode|4",
	"uid=0",
	"gid=0",
	"nlink=2",
	"rdev=0",
	"atime=atime+1",
	"atime_ns=0",
	"mtime=0",
	"mtime_ns=5",
	"ctime=1",
	"ctime_ns=1",
	"btime=9",
	"btime_ns=9",
	"blocks=0",
	"epoch=1",
	"mac=zeroblob(32)",
	"mac=x''",
	"root=x'00'",
	"root=zeroblob(5000)",
	"mode=-1",
	"mode=4294967296",
	"size=-1",
	"size=9223372036854775807",
	"atime_ns=1000000000",
	/* the row of another object, whole */
	"(tail,version,size,root,blocks,mac)="
	"(SELECT tail,version,size,root,blocks,mac FROM objects WHERE number=1)",
};

START_TEST(test_edited_row)
{
	struct ledger *ledger = create_with(2);
	struct ledger_row row, expected = row_of(1, 1);
	char sql[512];

	ledger_close(ledger);
	for (size_t i = 0; i < sizeof(row_edits) / sizeof(row_edits[0]); i++) {
		snprintf(sql, sizeof(sql), "UPDATE objects SET %s WHERE number=2", row_edits[i]);
		edit(sql);
		ledger = open_ledger();
		ck_assert_msg(ledger_get(ledger, 2, &row) == ERR_TAMPERED, "%s", row_edits[i]);
		ck_assert_ok(ledger_get(ledger, 1, &row));
		assert_row(&row, &expected);
		put(ledger, 2, 1);
		commit(ledger, i + 2);
		ck_assert_ok(ledger_get(ledger, 2, &row));
		ledger_close(ledger);
	}
	finish(NULL);
}
END_TEST

static const char *const position_edits[] = {
	"start_seq=start_seq-1",
	"previous_mac=zeroblob(32)",
	"session=zeroblob(16)",
	"half=1-half",
	"next_number=1",
	"slots_generation=6",
	"objects=objects+1",
	"mac=zeroblob(32)",
	"half=2",
	"start_seq=-1",
};

START_TEST(test_edited_position)
{
	struct ledger_position position = position_at(5, 100);
	struct ledger *ledger;
	char sql[128];

	for (size_t i = 0; i < sizeof(position_edits) / sizeof(position_edits[0]); i++) {
		ledger = create_with(2);
		ck_assert_ok(ledger_commit(ledger, &position));
		ledger_close(ledger);
		snprintf(sql, sizeof(sql), "UPDATE position SET %s", position_edits[i]);
		edit(sql);
		ledger = NULL;
		if (ledger_open(dir, false, &ledger) == ERR_OK)
			ck_assert_msg(ledger_set_key(ledger, key) == ERR_TAMPERED, "%s", sql);
		finish(ledger);
	}
	ledger = create_with(2);
	ledger_close(ledger);
	edit("DELETE FROM position");
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_FORMAT);
	finish(NULL);
}
END_TEST

struct hostile {
	const char *sql;
	enum err err;
};

static const struct hostile hostile[] = {
	{"CREATE TRIGGER t AFTER INSERT ON objects BEGIN DELETE FROM objects; END", ERR_FORMAT},
	{"CREATE VIEW v AS SELECT 1", ERR_FORMAT},
	{"CREATE TABLE t(x)", ERR_FORMAT},
	{"DROP INDEX unlinked", ERR_FORMAT},
	{"DROP TABLE objects", ERR_FORMAT},
	{"ALTER TABLE objects ADD COLUMN x ANY", ERR_FORMAT},
	{"ALTER TABLE objects RENAME TO o; CREATE VIEW objects AS SELECT * FROM o", ERR_FORMAT},
	{"DELETE FROM volume", ERR_FORMAT},
	{"UPDATE volume SET fs_id=x'00'", ERR_FORMAT},
	{"PRAGMA user_version=2", ERR_VERSION},
	{"PRAGMA application_id=1", ERR_FORMAT},
};

START_TEST(test_hostile_schema)
{
	struct ledger *ledger = NULL;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		create();
		edit(hostile[i].sql);
		ck_assert_msg(ledger_open(dir, false, &ledger) == hostile[i].err, "%s",
			      hostile[i].sql);
		ck_assert_int_eq(ledger_open(dir, true, &ledger), hostile[i].err);
		finish(NULL);
	}
	/* The fs id is covered by the MACs. */
	create();
	edit("UPDATE volume SET fs_id=zeroblob(16)");
	ck_assert_ok(ledger_open(dir, false, &ledger));
	ck_assert_int_eq(ledger_set_key(ledger, key), ERR_TAMPERED);
	finish(ledger);
}
END_TEST

/* --- damaged files ----------------------------------------------------------------------- */

static uint8_t *load(size_t *len)
{
	struct stat st;
	uint8_t *data;
	int fd = open(temp_path(dir, "ledger.db"), O_RDONLY);

	ck_assert_int_eq(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	ck_assert_int_eq(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return data;
}

static void save(const uint8_t *data, size_t len)
{
	int fd;

	unlink(temp_path(dir, "ledger.db-wal"));
	unlink(temp_path(dir, "ledger.db-shm"));
	fd = open(temp_path(dir, "ledger.db"), O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

/* Whatever opens must either refuse or give exactly what was written. */
static bool is_damage_noticed(uint64_t count)
{
	struct ledger *ledger = NULL;
	bool noticed =
		ledger_open(dir, false, &ledger) != ERR_OK || ledger_set_key(ledger, key) != ERR_OK;

	for (uint64_t number = 1; !noticed && number <= count; number++) {
		struct ledger_row row, expected = row_of(number, 1);

		if (ledger_get(ledger, number, &row) != ERR_OK)
			noticed = true;
		else
			assert_row(&row, &expected);
	}
	if (!noticed) {
		struct seen seen = {.count = 0};

		noticed = ledger_walk(ledger, see, &seen) != ERR_OK || seen.count != count ||
			  ledger_walk_unlinked(ledger, see, &seen) != ERR_OK || seen.count != count;
	}
	ledger_close(ledger);
	return noticed;
}

START_TEST(test_damaged_file)
{
	struct ledger *ledger = create_with(30);
	size_t len, noticed = 0;
	uint8_t *data, *copy;

	ledger_close(ledger);
	data = load(&len);
	copy = malloc(len);
	ck_assert(!is_damage_noticed(30));
	for (int i = 0; i < 600; i++) {
		size_t at = draw() % len;

		memcpy(copy, data, len);
		copy[at] ^= (uint8_t)(1u << draw() % 8);
		save(copy, len);
		noticed += is_damage_noticed(30);
	}
	/* Most of the file is rows; the rest is unused space. */
	ck_assert_uint_gt(noticed, 100);
	for (size_t cut = 0; cut < len; cut += 509) {
		bool is_noticed;

		save(data, cut);
		is_noticed = is_damage_noticed(30);
		/* The last page is the empty index: its end may be missing. */
		ck_assert(is_noticed || cut > len - 4096);
	}
	free(copy);
	free(data);
	finish(NULL);
}
END_TEST

START_TEST(test_not_a_ledger)
{
	struct ledger *ledger = NULL;
	uint8_t noise[8192];

	create();
	memset(noise, 0xa5, sizeof(noise));
	save(noise, sizeof(noise));
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_FORMAT);
	save(noise, 0);
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_FORMAT);
	unlink(temp_path(dir, "ledger.db"));
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_open(dir, true, &ledger), ERR_NOT_FOUND);
	ck_assert_int_eq(access(temp_path(dir, "ledger.db"), F_OK), -1);
	ck_assert_int_eq(symlink("/etc/passwd", temp_path(dir, "ledger.db")), 0);
	ck_assert_int_ne(ledger_open(dir, false, &ledger), ERR_OK);
	finish(NULL);
}
END_TEST

UNIT_MAIN("ledger attack", test_known_answer, test_edited_row, test_edited_position,
	  test_hostile_schema, test_damaged_file, test_not_a_ledger)
