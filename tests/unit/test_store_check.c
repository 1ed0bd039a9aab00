#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_fixture.h"
#include "temp_dir.h"
#include "unit.h"

/* A volume with something of everything; the object under attack is `victim`. */
struct volume {
	struct fixture f;
	uint64_t victim;
	char path[256]; /* of its file */
	struct store_check_counts counts;
	struct object_id id; /* of the last finding */
	enum err what;
	uint64_t block;
	unsigned int findings;
};

#define VICTIM_BLOCKS 300u

static void volume_new(struct volume *v)
{
	static const uint8_t data[VICTIM_BLOCKS * 4096] = {1, 2, 3};
	struct store_attr attr;
	struct object_id id;
	char path[OBJECT_PATH_LEN];

	memset(v, 0, sizeof(*v));
	fixture_new(&v->f);
	ck_assert_ok(store_create_node(v->f.store, STORE_ROOT, "ward", S_IFDIR | 0755, 0, 0, 0,
				       &attr));
	v->victim = fixture_create(&v->f, attr.number, "scan");
	for (size_t at = 0; at < sizeof(data); at += 409600)
		ck_assert_ok(fixture_write(&v->f, v->victim, at, data + at, 409600, false));
	ck_assert_ok(store_link(v->f.store, v->victim, STORE_ROOT, "second name", &attr));
	ck_assert_ok(store_setxattr(v->f.store, v->victim, "user.x", "y", 1, 0));
	ck_assert_ok(store_symlink(v->f.store, STORE_ROOT, "link", "ward/scan", 0, 0, &attr));
	ck_assert_ok(store_object_id(v->f.store, v->victim, &id));
	ck_assert_ok(fixture_write(&v->f, fixture_create(&v->f, STORE_ROOT, "sparse"), 1ull << 40,
				   "z", 1, true));
	fixture_reopen(&v->f);
	object_path(&id, path);
	snprintf(v->path, sizeof(v->path), "%s/c/%s", v->f.dir, path);
}

static void note(void *ctx, const struct object_id *id, enum err what, uint64_t block)
{
	struct volume *v = ctx;

	v->id = *id;
	v->what = what;
	v->block = block;
	v->findings++;
}

static void check(struct volume *v)
{
	fixture_reopen(&v->f);
	ck_assert_ok(store_check(v->f.store, note, NULL, v, &v->counts));
}

/* One finding, and it is of that object. */
static void check_finds_number(struct volume *v, enum err what, uint64_t number)
{
	check(v);
	ck_assert_uint_eq(v->findings, 1);
	ck_assert_int_eq(v->what, what);
	ck_assert_uint_eq(object_id_number(&v->id), number);
}

static void check_finds(struct volume *v, enum err what)
{
	check_finds_number(v, what, v->victim);
}

static void xor_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void copy_file(const char *from, const char *to)
{
	char command[600];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_sound_volume_has_no_findings)
{
	struct volume v;

	volume_new(&v);
	check(&v);
	ck_assert_uint_eq(v.findings, 0);
	/* root, ward, scan, its attributes, link, sparse */
	ck_assert_uint_eq(v.counts.objects, 6);
	ck_assert_uint_ge(v.counts.blocks, VICTIM_BLOCKS);
	fixture_free(&v.f);
}
END_TEST

START_TEST(one_bit_of_one_block)
{
	struct volume v;

	volume_new(&v);
	xor_byte(v.path, (off_t)layout_page_of_block(200) * 4096 + 17);
	check_finds(&v, ERR_TAMPERED);
	ck_assert_uint_eq(v.block, 200);
	ck_assert_uint_eq(v.counts.damaged, 1);
	fixture_free(&v.f);
}
END_TEST

START_TEST(one_bit_of_the_tree)
{
	struct volume v;

	volume_new(&v);
	xor_byte(v.path, (off_t)layout_page_of_node(1, 1) * 4096 + 600);
	check_finds(&v, ERR_TAMPERED);
	fixture_free(&v.f);
}
END_TEST

START_TEST(a_missing_file)
{
	struct volume v;

	volume_new(&v);
	ck_assert_int_eq(unlink(v.path), 0);
	check_finds(&v, ERR_DELETED);
	ck_assert_uint_eq(v.counts.missing, 1);
	fixture_free(&v.f);
}
END_TEST

START_TEST(an_older_version_of_a_file)
{
	struct volume v;
	const char *old;

	volume_new(&v);
	old = temp_path(v.f.dir, "old");
	copy_file(v.path, old);
	ck_assert_ok(fixture_write(&v.f, v.victim, 0, "new", 3, true));
	fixture_reopen(&v.f);
	copy_file(temp_path(v.f.dir, "old"), v.path);
	check_finds(&v, ERR_ROLLBACK);
	ck_assert_uint_eq(v.counts.rolled_back, 1);
	fixture_free(&v.f);
}
END_TEST

START_TEST(files_the_ledger_does_not_know)
{
	struct volume v;
	char other[300];

	volume_new(&v);
	/* Its own content under another number, and a name that is no id at all. */
	snprintf(other, sizeof(other), "%s/c/objects/00/ff000000000000000102030405060700",
		 v.f.dir);
	copy_file(v.path, other);
	snprintf(other, sizeof(other), "%s/c/objects/07/README", v.f.dir);
	copy_file(v.path, other);
	check(&v);
	ck_assert_uint_eq(v.findings, 2);
	ck_assert_int_eq(v.what, ERR_UNKNOWN);
	ck_assert_uint_eq(v.counts.unknown, 2);
	fixture_free(&v.f);
}
END_TEST

/* An edit of the ledger while nobody has it. */
static void edit_ledger(struct volume *v, const char *sql)
{
	struct store_lock_report report;
	sqlite3 *db;

	store_lock(v->f.store, 30000, &report);
	ck_assert_ok(report.err);
	ck_assert_int_eq(sqlite3_open(temp_path(v->f.dir, "s/ledger.db"), &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_assert_ok(store_unlock(v->f.store, v->f.keyring, &v->f.recovery));
}

/* Names in a directory that cannot be read are not held against the files they are of. */
START_TEST(a_directory_without_a_row)
{
	struct volume v;

	volume_new(&v);
	edit_ledger(&v, "DELETE FROM objects WHERE number=2");
	check_finds_number(&v, ERR_UNKNOWN, 2);
	fixture_free(&v.f);
}
END_TEST

START_TEST(a_root_without_a_row)
{
	struct volume v;

	volume_new(&v);
	edit_ledger(&v, "DELETE FROM objects WHERE number=1");
	check_finds_number(&v, ERR_UNKNOWN, STORE_ROOT);
	fixture_free(&v.f);
}
END_TEST

START_TEST(a_directory_whose_row_was_edited)
{
	struct volume v;

	volume_new(&v);
	edit_ledger(&v, "UPDATE objects SET uid=7 WHERE number=2");
	check(&v);
	/* The row, whose number cannot be believed, and the file that has none. */
	ck_assert_uint_eq(v.findings, 2);
	ck_assert_int_eq(v.what, ERR_TAMPERED);
	ck_assert_uint_eq(object_id_number(&v.id), 2);
	fixture_free(&v.f);
}
END_TEST

START_TEST(a_name_of_nothing)
{
	struct volume v;
	char sql[100];

	volume_new(&v);
	snprintf(sql, sizeof(sql), "DELETE FROM objects WHERE number=%d", (int)v.victim);
	edit_ledger(&v, sql);
	ck_assert_int_eq(unlink(v.path), 0);
	check_finds(&v, ERR_UNKNOWN);
	fixture_free(&v.f);
}
END_TEST

START_TEST(two_files_exchanged)
{
	struct volume v;
	struct object_id id;
	char path[OBJECT_PATH_LEN], other[300];

	volume_new(&v);
	ck_assert_ok(store_object_id(v.f.store, fixture_find(&v.f, STORE_ROOT, "sparse"), &id));
	object_path(&id, path);
	snprintf(other, sizeof(other), "%s/c/%s", v.f.dir, path);
	copy_file(other, v.path);
	check_finds(&v, ERR_TAMPERED);
	fixture_free(&v.f);
}
END_TEST

UNIT_MAIN("store_check", a_sound_volume_has_no_findings, one_bit_of_one_block, one_bit_of_the_tree,
	  a_missing_file, an_older_version_of_a_file, files_the_ledger_does_not_know,
	  two_files_exchanged, a_directory_without_a_row, a_root_without_a_row,
	  a_directory_whose_row_was_edited,
	  a_name_of_nothing)
