/*
 * The store under eight threads, over real directories.
 *
 * Each thread has a directory of its own, and a model of what is in it that
 * every read is compared with; and all of them fight over the names and the
 * contents of one shared directory, where every block says what it is.
 *
 * STRESS_OPS: operations of each thread.  Built with --enable-sanitizers=thread
 * this is the test for data races.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store_fixture.h"
#include "unit.h"

#define THREADS     8
#define OPS_DEFAULT 300
#define FILES       6           /* of a thread */
#define SHARED      4
#define SIZE_MAX_   (384u << 10)
#define LEN_MAX     (160u << 10)
#define BLOCK       4096u

struct file {
	bool exists;
	uint64_t number;
	uint64_t size;
	uint8_t *content;
};

struct worker {
	pthread_t thread;
	struct fixture *fixture;
	unsigned int index;
	unsigned int ops;
	uint64_t random;
	uint64_t dir, shared_dir;
	struct file files[FILES];
	uint8_t *buffer;
	char why[128]; /* empty: all is well */
};

static uint64_t draw(struct worker *worker)
{
	uint64_t z = worker->random += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t below(struct worker *worker, uint64_t limit)
{
	return draw(worker) % limit;
}

static bool complain(struct worker *worker, const char *what, enum err err)
{
	if (worker->why[0] == '\0')
		snprintf(worker->why, sizeof(worker->why), "thread %u: %s: %s", worker->index,
			 what, err_text(err));
	return false;
}

static bool must(struct worker *worker, enum err err, const char *what)
{
	return err == ERR_OK || complain(worker, what, err);
}

static void name_of(size_t index, char name[16])
{
	snprintf(name, 16, "f%zu", index);
}

/* --- a thread's own files ------------------------------------------------------------------ */

static void create_own(struct worker *worker, size_t index)
{
	struct file *file = &worker->files[index];
	struct store_attr attr;
	char name[16];

	name_of(index, name);
	if (!must(worker,
		  store_create_node(worker->fixture->store, worker->dir, name, S_IFREG | 0600, 0, 0, 0,
				    &attr),
		  "create"))
		return;
	file->exists = true;
	file->number = attr.number;
	file->size = 0;
	memset(file->content, 0, SIZE_MAX_);
}

static void forget_own(struct worker *worker, struct file *file)
{
	store_forget(worker->fixture->store, file->number, 1);
	file->exists = false;
}

static void write_own(struct worker *worker, struct file *file)
{
	uint64_t offset = below(worker, 3) == 0 ? file->size : below(worker, file->size + 1);
	size_t len = 1 + below(worker, below(worker, 4) == 0 ? LEN_MAX : 6000);

	if (offset + len > SIZE_MAX_)
		return;
	memset(file->content + offset, (int)draw(worker), len);
	file->content[offset] = (uint8_t)worker->index;
	if (offset + len > file->size)
		file->size = offset + len;
	must(worker,
	     fixture_write(worker->fixture, file->number, offset, file->content + offset, len,
			   below(worker, 12) == 0),
	     "write");
}

static void truncate_own(struct worker *worker, struct file *file)
{
	struct store_setattr set = {.valid = STORE_SET_SIZE,
				    .size = below(worker, 3) == 0 ? 0 : below(worker, SIZE_MAX_)};
	struct store_attr attr;

	if (set.size < file->size)
		memset(file->content + set.size, 0, file->size - set.size);
	file->size = set.size;
	must(worker, store_setattr(worker->fixture->store, file->number, &set, &attr), "truncate");
}

static void read_own(struct worker *worker, const struct file *file)
{
	uint64_t offset = below(worker, file->size + 1);
	size_t len = 1 + below(worker, LEN_MAX), got = 0, expected = file->size - offset;

	if (expected > len)
		expected = len;
	if (!must(worker,
		  store_read(worker->fixture->store, file->number, offset, worker->buffer, len, &got),
		  "read"))
		return;
	if (got != expected || memcmp(worker->buffer, file->content + offset, got) != 0)
		complain(worker, "a read gives something else than was written", ERR_TAMPERED);
}

static void rename_own(struct worker *worker, size_t index)
{
	size_t to = below(worker, FILES);
	struct file *source = &worker->files[index], *target = &worker->files[to], old;
	char name[16], new_name[16];

	if (to == index)
		return;
	name_of(index, name);
	name_of(to, new_name);
	if (!must(worker,
		  fixture_rename(worker->fixture, worker->dir, name, worker->dir, new_name, 0),
		  "rename"))
		return;
	if (target->exists)
		forget_own(worker, target);
	old = *target;
	*target = *source;
	source->exists = false;
	source->content = old.content;
}

static void unlink_own(struct worker *worker, size_t index)
{
	char name[16];

	name_of(index, name);
	if (must(worker, store_unlink(worker->fixture->store, worker->dir, name), "unlink"))
		forget_own(worker, &worker->files[index]);
}

static bool count_entry(void *ctx, const struct store_dirent *entry, const struct store_attr *attr)
{
	(void)entry;
	(void)attr;
	++*(size_t *)ctx;
	return true;
}

static void list_own(struct worker *worker)
{
	size_t count = 0, expected = 0;

	for (size_t i = 0; i < FILES; i++)
		expected += worker->files[i].exists;
	if (must(worker,
		 store_readdir(worker->fixture->store, worker->dir, 0, false, count_entry, &count),
		 "readdir") &&
	    count != expected)
		complain(worker, "a directory has more or fewer names", ERR_TAMPERED);
}

static void do_own(struct worker *worker)
{
	size_t index = below(worker, FILES);
	struct file *file = &worker->files[index];
	uint64_t what = below(worker, 20);

	if (!file->exists)
		create_own(worker, index);
	else if (what < 7)
		write_own(worker, file);
	else if (what < 12)
		read_own(worker, file);
	else if (what < 14)
		truncate_own(worker, file);
	else if (what < 16)
		must(worker, fixture_fsync(worker->fixture, file->number), "fsync");
	else if (what < 18)
		rename_own(worker, index);
	else if (what < 19)
		unlink_own(worker, index);
	else
		list_own(worker);
}

/* --- the shared ones ------------------------------------------------------------------------ */

/* A block of a shared file: its sum makes any mixture visible. */
static void fill_block(struct worker *worker, uint8_t block[BLOCK])
{
	uint64_t sum = 0, word;

	for (size_t i = 8; i < BLOCK; i += 8) {
		word = draw(worker);
		sum += word;
		memcpy(block + i, &word, 8);
	}
	memcpy(block, &sum, 8);
}

static bool block_is_whole(const uint8_t block[BLOCK])
{
	uint64_t sum = 0, word;

	for (size_t i = 8; i < BLOCK; i += 8) {
		memcpy(&word, block + i, 8);
		sum += word;
	}
	memcpy(&word, block, 8);
	return sum == word; /* zeroes too: nothing was written there */
}

static void write_shared(struct worker *worker, uint64_t number)
{
	uint64_t first = below(worker, 64);
	size_t count = 1 + below(worker, 24);
	enum err err;

	for (size_t i = 0; i < count; i++)
		fill_block(worker, worker->buffer + i * BLOCK);
	err = fixture_write(worker->fixture, number, first * BLOCK, worker->buffer, count * BLOCK,
			    false);
	if (err != ERR_STALE) /* unlinked by another thread since */
		must(worker, err, "write to a shared file");
}

static void read_shared(struct worker *worker, uint64_t number)
{
	uint64_t first = below(worker, 64);
	size_t got = 0;
	enum err err = store_read(worker->fixture->store, number, first * BLOCK, worker->buffer,
				  24 * BLOCK, &got);

	if (err == ERR_STALE)
		return;
	must(worker, err, "read of a shared file");
	for (size_t i = 0; i + BLOCK <= got; i += BLOCK)
		if (!block_is_whole(worker->buffer + i))
			complain(worker, "half a block of one writer, half of another", ERR_TAMPERED);
}

static void truncate_shared(struct worker *worker, uint64_t number)
{
	struct store_setattr set = {.valid = STORE_SET_SIZE, .size = below(worker, 80) * BLOCK};
	struct store_attr attr;
	enum err err = store_setattr(worker->fixture->store, number, &set, &attr);

	if (err != ERR_STALE)
		must(worker, err, "truncate of a shared file");
}

/* Anything that two threads may do to one name may also find it gone, or there. */
static void change_name(struct worker *worker, const char *name)
{
	struct store *store = worker->fixture->store;
	struct store_attr attr;
	char new_name[16];
	uint64_t number;
	enum err err;

	switch (below(worker, 5)) {
	case 0:
		err = store_unlink(store, worker->shared_dir, name);
		break;
	case 1:
		name_of(below(worker, SHARED), new_name);
		err = fixture_rename(worker->fixture, worker->shared_dir, name,
				     worker->shared_dir, new_name, 0);
		break;
	case 2:
		name_of(below(worker, SHARED), new_name);
		err = fixture_rename(worker->fixture, worker->shared_dir, name,
				     worker->shared_dir, new_name, STORE_RENAME_EXCHANGE);
		break;
	case 3:
		name_of(below(worker, SHARED), new_name);
		err = store_lookup(store, worker->shared_dir, name, &attr);
		if (err != ERR_OK)
			break;
		number = attr.number;
		err = store_link(store, number, worker->shared_dir, new_name, &attr);
		store_forget(store, number, err == ERR_OK ? 2 : 1);
		if (err == ERR_STALE) /* deleted since the lookup */
			err = ERR_NOT_FOUND;
		break;
	default:
		err = store_create_node(store, worker->shared_dir, name, S_IFREG | 0600, 0, 0, 0,
					&attr);
		if (err == ERR_OK)
			store_forget(store, attr.number, 1);
		break;
	}
	if (err != ERR_NOT_FOUND && err != ERR_EXISTS)
		must(worker, err, "a change of a shared name");
}

static void use_shared(struct worker *worker, uint64_t number)
{
	struct store_setattr set = {.valid = STORE_SET_MODE | STORE_SET_MTIME};
	struct store_attr attr;
	char value[32];
	size_t len = sizeof(value);
	enum err err;

	switch (below(worker, 8)) {
	case 0:
	case 1:
		write_shared(worker, number);
		break;
	case 2:
	case 3:
		read_shared(worker, number);
		break;
	case 4:
		truncate_shared(worker, number);
		break;
	case 5:
		set.mode = (uint32_t)below(worker, 01000);
		err = store_setattr(worker->fixture->store, number, &set, &attr);
		if (err != ERR_STALE)
			must(worker, err, "chmod of a shared file");
		break;
	case 6:
		err = fixture_fsync(worker->fixture, number);
		if (err != ERR_STALE)
			must(worker, err, "fsync of a shared file");
		break;
	default:
		err = store_setxattr(worker->fixture->store, number, "user.note", "note", 4, 0);
		if (err == ERR_OK)
			err = store_getxattr(worker->fixture->store, number, "user.note", value, &len);
		if (err != ERR_STALE && err != ERR_NO_ATTR && err != ERR_NOT_FOUND)
			must(worker, err, "an attribute of a shared file");
		break;
	}
}

static void do_shared(struct worker *worker)
{
	struct store *store = worker->fixture->store;
	struct store_attr attr;
	char name[16];
	enum err err;

	name_of(below(worker, SHARED), name);
	if (below(worker, 3) == 0) {
		change_name(worker, name);
		return;
	}
	err = store_lookup(store, worker->shared_dir, name, &attr);
	if (err == ERR_NOT_FOUND)
		return;
	if (!must(worker, err, "lookup of a shared name"))
		return;
	err = store_open_node(store, attr.number, false);
	if (err == ERR_OK) {
		use_shared(worker, attr.number);
		store_release_node(store, attr.number);
	} else if (err != ERR_STALE && err != ERR_NOT_FOUND) {
		must(worker, err, "opening a shared file");
	}
	store_forget(store, attr.number, 1);
}

static void *work(void *ctx)
{
	struct worker *worker = ctx;

	for (unsigned int i = 0; i < worker->ops && worker->why[0] == '\0'; i++) {
		if (below(worker, 3) == 0)
			do_shared(worker);
		else
			do_own(worker);
		if (below(worker, 100) == 0)
			must(worker, fixture_sync(worker->fixture), "sync");
	}
	return NULL;
}

/* --- all together ------------------------------------------------------------------------------ */

static uint64_t make_dir(struct fixture *f, const char *name)
{
	struct store_attr attr;

	ck_assert_ok(store_create_node(f->store, STORE_ROOT, name, S_IFDIR | 0700, 0, 0, 0, &attr));
	return attr.number;
}

static void worker_begin(struct worker *worker, struct fixture *f, unsigned int index,
			 unsigned int ops, uint64_t shared_dir)
{
	char name[16];

	memset(worker, 0, sizeof(*worker));
	worker->fixture = f;
	worker->index = index;
	worker->ops = ops;
	worker->random = index * 7919 + 1;
	worker->shared_dir = shared_dir;
	snprintf(name, sizeof(name), "t%u", index);
	worker->dir = make_dir(f, name);
	worker->buffer = malloc(LEN_MAX);
	ck_assert_ptr_nonnull(worker->buffer);
	for (size_t i = 0; i < FILES; i++) {
		worker->files[i].content = malloc(SIZE_MAX_);
		ck_assert_ptr_nonnull(worker->files[i].content);
	}
}

static void worker_end(struct worker *worker)
{
	for (size_t i = 0; i < FILES; i++)
		free(worker->files[i].content);
	free(worker->buffer);
}

static void expect_own(struct worker *worker)
{
	char name[16];

	for (size_t i = 0; i < FILES; i++) {
		uint64_t number;

		name_of(i, name);
		number = fixture_find(worker->fixture, worker->dir, name);
		ck_assert_int_eq(number != 0, worker->files[i].exists);
		if (number != 0)
			fixture_expect(worker->fixture, number, worker->files[i].content,
				       (size_t)worker->files[i].size);
	}
}

static void expect_shared(struct worker *worker)
{
	for (size_t i = 0; i < SHARED; i++) {
		char name[16];
		uint64_t number;

		name_of(i, name);
		number = fixture_find(worker->fixture, worker->shared_dir, name);
		if (number != 0)
			for (int k = 0; k < 8; k++)
				read_shared(worker, number);
	}
	ck_assert_str_eq(worker->why, "");
}

START_TEST(eight_threads_see_what_they_wrote)
{
	static struct worker workers[THREADS];
	const char *wanted = getenv("STRESS_OPS");
	unsigned int ops = wanted != NULL ? (unsigned int)atoi(wanted) : OPS_DEFAULT;
	struct store_status status;
	struct fixture f;
	uint64_t shared_dir;

	fixture_new(&f);
	/* Everything as often as possible: commits, streaming, parked writers. */
	f.config.commit_interval_ms = 5;
	f.config.dirty_max = 2u << 20;
	f.config.stream_threshold = 32u << 10;
	fixture_reopen(&f);
	shared_dir = make_dir(&f, "shared");
	for (unsigned int i = 0; i < THREADS; i++)
		worker_begin(&workers[i], &f, i, ops, shared_dir);
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_str_eq(workers[i].why, "");
	for (unsigned int i = 0; i < THREADS; i++)
		expect_own(&workers[i]);
	store_status(f.store, &status);
	ck_assert_uint_eq(status.damaged, 0);
	fixture_reopen(&f);
	for (unsigned int i = 0; i < THREADS; i++)
		expect_own(&workers[i]);
	expect_shared(&workers[0]);
	for (unsigned int i = 0; i < THREADS; i++)
		worker_end(&workers[i]);
	fixture_free(&f);
}
END_TEST

UNIT_MAIN("store stress", eight_threads_see_what_they_wrote)
