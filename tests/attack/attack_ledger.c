/* The ledger: the file's bytes, its schema, the position, and the whole of it. */
#include "attack.h"
#include "attack_kinds.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "temp_dir.h"

/* False: it did not do. */
static bool edit_file(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	bool done = sqlite3_open(path, &db) == SQLITE_OK &&
		    sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;

	sqlite3_close(db);
	return done;
}

bool edit_ledger(struct attack *attack, const char *sql)
{
	return edit_file(temp_path(attack->image.directory, "ledger.db"), sql);
}

static void write_all(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");

	if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0)
		abort();
}

static void put_ledger(struct attack *attack, const void *data, size_t len)
{
	write_all(temp_path(attack->image.directory, "ledger.db"), data, len);
}

void put_moments_ledger(struct attack *attack, const struct moment *moment)
{
	put_ledger(attack, moment->ledger, moment->ledger_len);
}

/* Some other moment's ledger is there as "other" for an edit's ATTACH. */
void attach_ledger(struct attack *attack, const struct moment *moment, char *path, size_t size)
{
	snprintf(path, size, "%s/other.db", attack->image.directory);
	write_all(path, moment->ledger, moment->ledger_len);
}

/* A locked volume's ledger is one file. */
void copy_ledger(struct attack *attack, const char *path)
{
	static uint8_t bytes[4u << 20];
	FILE *file = fopen(temp_path(attack->image.directory, "ledger.db"), "rb");
	size_t len = file == NULL ? 0 : fread(bytes, 1, sizeof(bytes), file);

	if (len == 0 || len == sizeof(bytes))
		abort();
	fclose(file);
	write_all(path, bytes, len);
}

/* --- bytes -------------------------------------------------------------------------------- */

#define DAMAGE (F_TAMPERED | F_UNKNOWN | F_FORMAT)

bool flip_ledger(struct attack *attack)
{
	const struct moment *base = attack->base;
	uint8_t *bytes = malloc(base->ledger_len);
	uint64_t at = below(attack, base->ledger_len);

	if (bytes == NULL)
		abort();
	memcpy(bytes, base->ledger, base->ledger_len);
	bytes[at] ^= (uint8_t)(1u << below(attack, 8));
	put_ledger(attack, bytes, base->ledger_len);
	free(bytes);
	describe(attack, "byte %llu of the ledger's file", (unsigned long long)at);
	expect(attack, NEED_EITHER, DAMAGE | F_LEDGER_OLD | F_ROLLBACK | F_DELETED, 0);
	/* Index and table may contradict each other; a row may have vanished from one of them. */
	attack->check_findings |= F_UNKNOWN | F_STALE;
	attack->refusals |= DAMAGE | F_VERSION | F_ROLLBACK | F_UNPROVEN;
	return true;
}

bool truncate_ledger(struct attack *attack)
{
	const struct moment *base = attack->base;
	uint64_t len = attack->turn % 2 == 0 ? below(attack, base->ledger_len)
					     : below(attack, base->ledger_len / 4096) * 4096;

	put_ledger(attack, base->ledger, len);
	describe(attack, "the ledger's file is cut to %llu bytes", (unsigned long long)len);
	/* The last page is that of the index of unlinked files, which is empty. */
	expect(attack, len > base->ledger_len - 4096 ? NEED_EITHER : NEED_SEEN, DAMAGE, 0);
	attack->refusals |= DAMAGE;
	return true;
}

bool delete_ledger(struct attack *attack)
{
	unlink(temp_path(attack->image.directory, "ledger.db"));
	describe(attack, "the ledger is removed");
	expect_refusal(attack, NEED_SEEN, F_NOT_FOUND | F_DELETED);
	return true;
}

bool add_stale_wal(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	char path[4096];

	snprintf(path, sizeof(path), "%s/ledger.db-%s", attack->image.directory,
		 attack->turn % 3 == 0 ? "wal" : attack->turn % 3 == 1 ? "journal" : "shm");
	write_all(path, moment->ledger, moment->ledger_len);
	describe(attack, "%s is junk", path + strlen(attack->image.directory) + 1);
	expect_refusal(attack, NEED_EITHER, F_FORMAT | F_TAMPERED);
	return true;
}

/* --- schema --------------------------------------------------------------------------------- */

static const struct {
	const char *sql;
	uint32_t refusals;
} schemas[] = {
	{"CREATE TRIGGER t AFTER INSERT ON objects BEGIN DELETE FROM objects; END", F_FORMAT},
	{"CREATE TRIGGER t AFTER UPDATE ON position BEGIN DELETE FROM objects; END", F_FORMAT},
	{"CREATE VIEW v AS SELECT 1", F_FORMAT},
	{"CREATE TABLE t(x)", F_FORMAT},
	{"CREATE INDEX i ON objects(size)", F_FORMAT},
	{"DROP INDEX unlinked", F_FORMAT},
	{"DROP TABLE objects", F_FORMAT},
	{"DROP TABLE position", F_FORMAT},
	{"ALTER TABLE objects ADD COLUMN x ANY", F_FORMAT},
	{"ALTER TABLE objects RENAME TO o; CREATE VIEW objects AS SELECT * FROM o", F_FORMAT},
	{"DELETE FROM volume", F_FORMAT},
	{"DELETE FROM position", F_FORMAT},
	{"UPDATE volume SET fs_id=x'00'", F_FORMAT},
	{"UPDATE volume SET fs_id=zeroblob(16)", F_TAMPERED},
	{"PRAGMA user_version=0", F_VERSION},
	{"PRAGMA user_version=2", F_VERSION},
	{"PRAGMA application_id=1", F_FORMAT},
};

bool edit_schema(struct attack *attack)
{
	size_t which = attack->turn % (sizeof(schemas) / sizeof(schemas[0]));

	if (!edit_ledger(attack, schemas[which].sql))
		return false;
	describe(attack, "%s", schemas[which].sql);
	expect_refusal(attack, NEED_SEEN, schemas[which].refusals);
	return true;
}

/* --- position ---------------------------------------------------------------------------------- */

static const char *const position_edits[] = {
	"start_seq=start_seq-1", "start_seq=start_seq+1", "start_seq=-1", "previous_mac=zeroblob(32)",
	"previous_mac=x'00'", "session=zeroblob(16)", "half=1-half", "half=2", "next_number=1",
	"next_number=next_number+1", "slots_generation=slots_generation+1", "objects=objects+1",
	"objects=0", "mac=zeroblob(32)", "mac=x''",
};

bool edit_position(struct attack *attack)
{
	size_t which = attack->turn % (sizeof(position_edits) / sizeof(position_edits[0]));
	char sql[128];

	snprintf(sql, sizeof(sql), "UPDATE position SET %s", position_edits[which]);
	if (!edit_ledger(attack, sql))
		return false;
	describe(attack, "%s", sql);
	expect_refusal(attack, NEED_SEEN, F_TAMPERED | F_FORMAT);
	return true;
}

/* Its journal is gone: another one begins where that one was, or nothing does. */
bool roll_back_position(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	char path[4096], sql[5000];

	attach_ledger(attack, moment, path, sizeof(path));
	snprintf(sql, sizeof(sql),
		 "ATTACH '%s' AS other; DELETE FROM main.position;"
		 "INSERT INTO main.position SELECT * FROM other.position",
		 path);
	if (!edit_ledger(attack, sql))
		return false;
	describe(attack, "the position as of \"%s\"", moment->name);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

/* --- the whole ------------------------------------------------------------------------------------ */

bool roll_back_ledger(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	put_ledger(attack, moment->ledger, moment->ledger_len);
	describe(attack, "the ledger as of \"%s\"", moment->name);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

/*
 * That of before the last checkpoint, whose transactions are all still in the
 * journal: as after a power cut in the checkpoint.
 */
bool roll_back_ledger_a_little(struct attack *attack)
{
	const struct history *history = attack->history;

	put_ledger(attack, history->applied->ledger, history->applied->ledger_len);
	describe(attack, "the ledger of before the checkpoint");
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}

bool put_branch_ledger(struct attack *attack)
{
	const struct moment *branch = attack->history->branch;

	put_ledger(attack, branch->ledger, branch->ledger_len);
	describe(attack, "the ledger of the branch");
	/* Its position is ours in number, not in MAC; or its objects are not ours. */
	expect(attack, NEED_SEEN, F_ROLLBACK | F_LEDGER_OLD | F_TAMPERED | F_UNKNOWN | F_DELETED, 0);
	attack->refusals |= F_ROLLBACK;
	return true;
}

bool put_foreign_ledger(struct attack *attack)
{
	const struct moment *foreign = attack->history->foreign;

	put_ledger(attack, foreign->ledger, foreign->ledger_len);
	describe(attack, "the ledger of another volume");
	expect_refusal(attack, NEED_SEEN, F_TAMPERED);
	return true;
}
