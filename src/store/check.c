/* The offline check of a whole volume: objects, ledger, files, links. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/apply.h"
#include "store/committer.h"
#include "store/content.h"
#include "store/journal.h"
#include "store/node.h"

#define SETTLES_IN (60 * NS_PER_SECOND)
#define SHARDS     256
#define ID_HEX_LEN 32

/* A growing list of numbers. */
struct numbers {
	uint64_t *list;
	size_t count, room;
};

/* What the ledger says about an object's names. */
struct counted {
	struct object_id id;
	uint32_t names; /* how many should lead to it */
};

struct checking {
	struct store *store;
	store_check_report *report;
	store_check_progress *progress;
	void *ctx;
	struct store_check_counts *counts;
	uint64_t total;
	struct numbers found;     /* one for each name or reference met */
	struct numbers unknown;   /* files that were found to be so */
	struct counted *objects;
	size_t object_count, object_room;
	bool has_bad_rows;        /* some do not verify: which, nobody can say */
	bool has_lost_references; /* of something damaged: then nothing can be said about names */
	/* of the shard being listed */
	unsigned int shard;
	enum err err;
};

static void tell(struct checking *c, const struct object_id *id, enum err what, uint64_t block)
{
	if (what == ERR_DELETED)
		c->counts->missing++;
	else if (what == ERR_UNKNOWN)
		c->counts->unknown++;
	else if (what == ERR_ROLLBACK)
		c->counts->rolled_back++;
	else if (what == ERR_STALE)
		c->counts->unreferenced++;
	else
		c->counts->damaged++;
	c->report(c->ctx, id, what, block);
}

/* Findings are reported, and the check goes on; anything else ends it. */
static bool is_finding(enum err err)
{
	return err_exit_code(err) == 8 || err_exit_code(err) == 9;
}

static enum err add_number(struct numbers *numbers, uint64_t number)
{
	if (numbers->count == numbers->room) {
		size_t room = numbers->room == 0 ? 1024 : numbers->room * 2;
		uint64_t *list = realloc(numbers->list, room * sizeof(*list));

		if (list == NULL)
			return ERR_NO_MEMORY;
		numbers->list = list;
		numbers->room = room;
	}
	numbers->list[numbers->count++] = number;
	return ERR_OK;
}

static bool has_number(const struct numbers *numbers, uint64_t number)
{
	for (size_t i = 0; i < numbers->count; i++)
		if (numbers->list[i] == number)
			return true;
	return false;
}

/* --- one object ------------------------------------------------------------------ */

/* Every block that is not a hole, against its tag and the tree. */
static enum err read_blocks(struct checking *c, struct content *content, uint64_t *block)
{
	struct node *node = content->node;
	uint64_t blocks = layout_blocks(node->attr.size);
	uint8_t data[BLOCK_SIZE];
	enum err err = ERR_OK;

	for (*block = 0; *block < blocks && err == ERR_OK;) {
		uint64_t next;

		pthread_mutex_lock(&node->mutex);
		err = content_skip_holes(c->store, content, *block, &next);
		pthread_mutex_unlock(&node->mutex);
		if (err == ERR_OK && next > *block) {
			*block = next;
			continue;
		}
		if (err == ERR_OK)
			err = content_read_block(c->store, content, *block, data);
		if (err == ERR_OK) {
			c->counts->blocks++;
			*block += 1;
		}
	}
	secmem_wipe(data, sizeof(data));
	return err;
}

struct listing {
	struct checking *c;
	enum err err;
};

static bool add_entry(void *ctx, const struct store_dirent *entry, const struct store_attr *attr)
{
	struct listing *listing = ctx;

	(void)attr;
	listing->err = add_number(&listing->c->found, entry->number);
	return listing->err == ERR_OK;
}

/* What it refers to: names of a directory, the attributes object. */
static enum err add_references(struct checking *c, struct node *node)
{
	struct listing listing = {c, ERR_OK};
	struct object_id attributes;
	enum err err = ERR_OK;

	pthread_mutex_lock(&node->mutex);
	attributes = node->attributes;
	pthread_mutex_unlock(&node->mutex);
	if (!object_id_is_zero(&attributes))
		err = add_number(&c->found, object_id_number(&attributes));
	if (err == ERR_OK && S_ISDIR(node->type))
		err = store_readdir(c->store, node->number, 0, false, add_entry, &listing);
	return err == ERR_OK ? listing.err : err;
}

static enum err check_content(struct checking *c, struct node *node, uint64_t *block)
{
	struct content *content;
	enum err err = content_get(c->store, node, &content);

	if (err != ERR_OK) {
		c->has_lost_references = true;
		return err;
	}
	err = add_references(c, node);
	c->has_lost_references |= err != ERR_OK;
	if (err == ERR_OK)
		err = read_blocks(c, content, block);
	content_put(c->store, content);
	return err;
}

static enum err note_object(struct checking *c, const struct ledger_row *row)
{
	if (c->object_count == c->object_room) {
		size_t room = c->object_room == 0 ? 1024 : c->object_room * 2;
		struct counted *objects = realloc(c->objects, room * sizeof(*objects));

		if (objects == NULL)
			return ERR_NO_MEMORY;
		c->objects = objects;
		c->object_room = room;
	}
	c->objects[c->object_count++] = (struct counted){
		row->id, S_ISDIR(row->attr.mode) && row->attr.nlink > 0 ? 1 : row->attr.nlink};
	return ERR_OK;
}

static enum err check_row(void *ctx, const struct ledger_row *row)
{
	struct checking *c = ctx;
	struct node *node;
	uint64_t block = 0;
	enum err err = note_object(c, row);

	if (err == ERR_OK)
		err = node_get(c->store, object_id_number(&row->id), NULL, &node);
	if (err != ERR_OK)
		return err;
	err = check_content(c, node, &block);
	node_put(c->store, node);
	c->counts->objects++;
	c->counts->bytes += row->attr.size;
	if (c->progress != NULL)
		c->progress(c->ctx, c->counts->objects, c->total);
	if (!is_finding(err))
		return err;
	tell(c, &row->id, err, block);
	return ERR_OK;
}

/* --- files that the ledger does not know ------------------------------------------- */

static void check_file(void *ctx, const char *name)
{
	struct checking *c = ctx;
	struct object_id id = {{0}};
	struct ledger_row row;
	char path[OBJECT_PATH_LEN];
	unsigned int shard = SHARDS;
	enum err err = ERR_UNKNOWN;

	if (c->err != ERR_OK)
		return;
	if (strlen(name) == ID_HEX_LEN && hex_decode(name, id.bytes, sizeof(id.bytes))) {
		err = ledger_get(c->store->ledger, object_id_number(&id), &row);
		object_path(&id, path);
		shard = (unsigned int)strtoul(strchr(path, '/') + 1, NULL, 16);
		if (err == ERR_NOT_FOUND || (err == ERR_OK && memcmp(&row.id, &id, sizeof(id)) != 0))
			err = ERR_UNKNOWN;
	}
	if (err == ERR_UNKNOWN && !object_id_is_zero(&id) &&
	    add_number(&c->unknown, object_id_number(&id)) != ERR_OK)
		err = ERR_NO_MEMORY;
	/* In a shard that is not its own nothing would ever look for it. */
	if (err == ERR_OK && shard != c->shard)
		err = ERR_UNKNOWN;
	if (is_finding(err))
		tell(c, &id, err, 0);
	else
		c->err = err;
}

static enum err check_files(struct checking *c)
{
	struct backing *backing = c->store->ciphertext;
	enum err err = ERR_OK;

	for (c->shard = 0; c->shard < SHARDS && err == ERR_OK; c->shard++) {
		char path[OBJECT_PATH_LEN];

		snprintf(path, sizeof(path), "objects/%02x", c->shard);
		err = backing->ops->list(backing, path, check_file, c);
		if (err == ERR_NOT_FOUND)
			err = ERR_OK; /* what was in it is reported as missing */
		if (err == ERR_OK)
			err = c->err;
	}
	return err;
}

/* --- names ------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int by_counted_number(const void *key, const void *object)
{
	uint64_t number = object_id_number(&((const struct counted *)object)->id);

	return by_number(key, &number);
}

/* Names of what the ledger does not know: a directory among them has names that nobody can read. */
static void check_references(struct checking *c)
{
	for (size_t i = 0; i < c->found.count; i++) {
		const uint64_t *number = &c->found.list[i];
		struct object_id id = {{0}};

		if ((i > 0 && number[-1] == *number) ||
		    bsearch(number, c->objects, c->object_count, sizeof(*c->objects),
			    by_counted_number) != NULL)
			continue;
		c->has_lost_references = true;
		store_u64(id.bytes, *number);
		/* Once: not if its file was told of, or its row. */
		if (!has_number(&c->unknown, *number) && !c->has_bad_rows)
			tell(c, &id, ERR_UNKNOWN, 0);
	}
}

/* Both lists rise by number: the ledger's walk does, the found ones are sorted. */
static void check_names(struct checking *c)
{
	size_t at = 0;

	qsort(c->found.list, c->found.count, sizeof(*c->found.list), by_number);
	check_references(c);
	if (c->has_lost_references)
		return;
	for (size_t i = 0; i < c->object_count; i++) {
		const struct counted *object = &c->objects[i];
		uint64_t number = object_id_number(&object->id);
		uint32_t names = 0;

		while (at < c->found.count && c->found.list[at] < number)
			at++;
		while (at < c->found.count && c->found.list[at] == number) {
			names++;
			at++;
		}
		if (number != STORE_ROOT && object->names != names)
			tell(c, &object->id, ERR_STALE, 0);
	}
}

/*
 * What the unlock found without a name is being deleted (I23): memory has that, rows
 * and files not yet.  Of a disk that fails what there is is checked.
 */
static void settle(struct store *store)
{
	int64_t deadline_ns = clock_boot_ns() + SETTLES_IN;

	if (!store->read_only && committer_drain(store->committer, deadline_ns))
		(void)applier_wait(store->applier, journal_seq(store->journal), false, deadline_ns);
}

enum err store_check(struct store *store, store_check_report *report,
		     store_check_progress *progress, void *ctx, struct store_check_counts *counts)
{
	struct checking c = {.store = store, .report = report, .progress = progress, .ctx = ctx,
			     .counts = counts};
	static const struct object_id none;
	enum err err = store_may_read(store);

	memset(counts, 0, sizeof(*counts));
	if (err != ERR_OK)
		return err;
	settle(store);
	c.total = ledger_count(store->ledger);
	err = add_number(&c.found, STORE_ROOT);
	if (err == ERR_OK)
		err = ledger_walk(store->ledger, check_row, &c);
	if (err == ERR_TAMPERED) { /* rows that do not verify; the others were walked */
		tell(&c, &none, ERR_TAMPERED, 0);
		c.has_bad_rows = c.has_lost_references = true;
		err = ERR_OK;
	}
	if (err == ERR_OK)
		err = check_files(&c);
	if (err == ERR_OK)
		check_names(&c);
	free(c.found.list);
	free(c.unknown.list);
	free(c.objects);
	return err;
}
