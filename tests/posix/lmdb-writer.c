/*
 * lmdb-writer DIR FIRST COUNT: that many rows, in transactions of ten, through a
 * writable mapping (MDB_WRITEMAP); or with COUNT 0: check FIRST rows.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_EACH 10
#define VALUE_LEN 700

static void must(int result, const char *what)
{
	if (result != 0) {
		fprintf(stderr, "lmdb-writer: %s: %s\n", what, mdb_strerror(result));
		exit(1);
	}
}

static void value_of(int row, char *value)
{
	for (int i = 0; i < VALUE_LEN; i++)
		value[i] = (char)('a' + (row * 31 + i) % 26);
}

static void put_rows(MDB_env *env, int first, int count)
{
	for (int row = first; row < first + count; row += ROWS_EACH) {
		MDB_txn *txn;
		MDB_dbi dbi;

		must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
		must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), "open");
		for (int i = row; i < row + ROWS_EACH; i++) {
			char value[VALUE_LEN];
			MDB_val key = {sizeof(i), &i}, data = {sizeof(value), value};

			value_of(i, value);
			must(mdb_put(txn, dbi, &key, &data, 0), "put");
		}
		must(mdb_txn_commit(txn), "commit");
	}
}

static void check_rows(MDB_env *env, int count)
{
	MDB_txn *txn;
	MDB_dbi dbi;

	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
	must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), "open");
	for (int i = 0; i < count; i++) {
		char value[VALUE_LEN];
		MDB_val key = {sizeof(i), &i}, data;

		value_of(i, value);
		must(mdb_get(txn, dbi, &key, &data), "get");
		if (data.mv_size != VALUE_LEN || memcmp(data.mv_data, value, VALUE_LEN) != 0) {
			fprintf(stderr, "lmdb-writer: row %d is wrong\n", i);
			exit(1);
		}
	}
	mdb_txn_abort(txn);
}

int main(int argc, char **argv)
{
	MDB_env *env;

	if (argc != 4)
		return 2;
	must(mdb_env_create(&env), "create");
	must(mdb_env_set_mapsize(env, 64 << 20), "mapsize");
	must(mdb_env_open(env, argv[1], MDB_WRITEMAP, 0600), "open");
	if (atoi(argv[3]) > 0)
		put_rows(env, atoi(argv[2]), atoi(argv[3]));
	else
		check_rows(env, atoi(argv[2]));
	mdb_env_close(env);
	return 0;
}
