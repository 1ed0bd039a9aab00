/* All that a mount shows: names, attributes, content, targets, extended attributes, links. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


#define NAMES_MAX  256
#define PATH_LEN   300
#define PIECE      (128u << 10)
#define XATTR_ROOM (72u << 10)

/* One name and what is behind it. */
struct item {
	char path[PATH_LEN];
	struct store_attr attr;
	uint64_t attributes; /* its object of attributes */
	uint64_t content;
	uint64_t listed; /* extended attributes and further names */
	size_t below; /* items that follow it and lie below it */
};

struct truth {
	struct item *items;
	size_t count, room;
};

/* What is asked of a store, one answer after another. */
struct walk {
	struct store *store;
	struct truth *truth;      /* being made, or ... */
	const struct truth *twin; /* ... compared with */
	struct sight *sight;
	size_t at; /* in twin */
};

/* --- digests ---------------------------------------------------------------------------- */

/*
 * Nobody but the store chooses what is compared, so that 64 bits without a key
 * do; a hash that deserves the name took a third of the time.
 */
static void digest_more(uint64_t *digest, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t sum = *digest ^ len;

	while (len > 0) {
		size_t part = len < sizeof(uint64_t) ? len : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, bytes, part);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
		bytes += part;
		len -= part;
	}
	*digest = sum;
}

static enum err digest_range(struct store *store, uint64_t number, uint64_t from, uint64_t to,
			     uint64_t *digest)
{
	static _Thread_local uint8_t piece[PIECE];
	enum err err = ERR_OK;

	while (from < to && err == ERR_OK) {
		size_t got, len = to - from < PIECE ? (size_t)(to - from) : PIECE;

		err = store_read(store, number, from, piece, len, &got);
		if (err == ERR_OK && got == 0)
			return ERR_RANGE; /* shorter than it says */
		if (err == ERR_OK)
			digest_more(digest, piece, got);
		from += got;
	}
	return err;
}

/* Data where there is data; where it lies counts too. */
static enum err digest_file(struct store *store, uint64_t number, uint64_t size,
			    uint64_t *digest)
{
	uint64_t from = 0, to = 0;
	enum err err = ERR_OK;

	while (to < size) {
		err = store_seek(store, number, to, true, &from);
		if (err == ERR_NO_OFFSET)
			return ERR_OK;
		if (err == ERR_OK)
			err = store_seek(store, number, from, false, &to);
		if (err == ERR_OK && (to <= from || to > size))
			return ERR_RANGE;
		if (err == ERR_OK)
			err = digest_range(store, number, from, to, digest);
		if (err != ERR_OK)
			return err;
		digest_more(digest, &(uint64_t[2]){from, to}, 2 * sizeof(uint64_t));
	}
	return err;
}

static enum err digest_link(struct store *store, uint64_t number, uint64_t *digest)
{
	char target[STORE_TARGET_MAX + 1];
	enum err err = store_readlink(store, number, target, sizeof(target));

	if (err == ERR_OK)
		digest_more(digest, target, strlen(target) + 1);
	return err;
}

static enum err digest_xattrs(struct store *store, uint64_t number, uint64_t *digest)
{
	static _Thread_local uint8_t value[XATTR_ROOM];
	static _Thread_local char names[XATTR_ROOM];
	size_t len = sizeof(names);
	enum err err = store_listxattr(store, number, names, &len);

	for (const char *name = names; err == ERR_OK && name < names + len;
	     name += strlen(name) + 1) {
		size_t value_len = sizeof(value);

		err = store_getxattr(store, number, name, value, &value_len);
		if (err == ERR_OK) {
			digest_more(digest, name, strlen(name) + 1);
			digest_more(digest, value, value_len);
		}
	}
	return err;
}

static void digest_name(void *ctx, uint64_t dir, const char *name)
{
	digest_more(ctx, &dir, sizeof(dir));
	digest_more(ctx, name, strlen(name) + 1);
}

/* --- one item ------------------------------------------------------------------------------- */

static void note_error(struct walk *walk, uint64_t number, uint64_t directory, enum err err)
{
	struct sight *sight = walk->sight;

	if (err == ERR_OK)
		return;
	if (sight == NULL)
		must(err, "walking over the untouched volume");
	else if (sight->error_count < FINDINGS_MAX)
		sight->errors[sight->error_count++] = (struct finding){number, err, directory};
}

static void differ(struct walk *walk, const struct item *item, const char *what)
{
	if (walk->sight->why[0] == '\0')
		walk->sight->why_number = item->attr.number;
	if (walk->sight->why[0] == '\0')
		snprintf(walk->sight->why, sizeof(walk->sight->why), "%s of %.100s (object %llu) differs",
			 what, item->path, (unsigned long long)item->attr.number);
}

/* Content, and then what else can be asked.  What failed is not compared. */
static void look(struct walk *walk, struct item *item, const struct item *twin)
{
	uint64_t number = item->attr.number;
	uint32_t type = item->attr.object.mode & S_IFMT;
	enum err err = ERR_OK;

	if (type == S_IFREG)
		err = digest_file(walk->store, number, item->attr.object.size, &item->content);
	else if (type == S_IFLNK)
		err = digest_link(walk->store, number, &item->content);
	note_error(walk, number, 0, err);
	/* A directory's is its names, which walk_directory compares. */
	if (err == ERR_OK && type != S_IFDIR && twin != NULL &&
	    item->content != twin->content)
		differ(walk, item, "content");
	err = digest_xattrs(walk->store, number, &item->listed);
	if (err == ERR_OK && number != STORE_ROOT)
		err = store_names(walk->store, number, digest_name, &item->listed);
	note_error(walk, number, 0, err);
	if (err == ERR_OK && twin != NULL && item->listed != twin->listed)
		differ(walk, item, "extended attributes or names");
}

static bool same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool same_attr(const struct store_attr *one, const struct store_attr *other)
{
	const struct object_attr *a = &one->object, *b = &other->object;

	return one->number == other->number && a->size == b->size && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid && a->nlink == b->nlink &&
	       a->rdev == b->rdev && a->blocks == b->blocks && same_time(&a->atime, &b->atime) &&
	       same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime) &&
	       same_time(&a->btime, &b->btime);
}

/* --- directories --------------------------------------------------------------------------------- */

struct name {
	char name[STORE_NAME_MAX + 1];
	uint64_t number;
	uint32_t type;
};

struct names {
	struct name list[NAMES_MAX];
	size_t count;
};

static bool note_dirent(void *ctx, const struct store_dirent *entry, const struct store_attr *attr)
{
	struct names *names = ctx;

	(void)attr;
	if (names->count == NAMES_MAX)
		return false;
	snprintf(names->list[names->count].name, STORE_NAME_MAX + 1, "%s", entry->name);
	names->list[names->count].number = entry->number;
	names->list[names->count++].type = entry->type;
	return true;
}

static void digest_names(const struct names *names, uint64_t *digest)
{
	for (size_t i = 0; i < names->count; i++) {
		digest_name(digest, names->list[i].number, names->list[i].name);
		digest_more(digest, &names->list[i].type, sizeof(names->list[i].type));
	}
}

static void walk_item(struct walk *walk, const char *path, const struct store_attr *attr);

static void walk_names(struct walk *walk, const struct item *dir, const struct names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct item *twin = walk->twin == NULL ? NULL : &walk->twin->items[walk->at];
		char path[PATH_LEN + STORE_NAME_MAX + 2];
		struct store_attr attr;
		enum err err = store_lookup(walk->store, dir->attr.number, names->list[i].name, &attr);

		snprintf(path, sizeof(path), "%s/%s", dir->path, names->list[i].name);
		if (err == ERR_OK) {
			walk_item(walk, path, &attr);
			store_forget(walk->store, attr.number, 1);
			continue;
		}
		note_error(walk, names->list[i].number, dir->attr.number, err);
		walk->at += twin == NULL ? 0 : 1 + twin->below;
	}
}

static void walk_directory(struct walk *walk, struct item *item, const struct item *twin)
{
	struct names *names = calloc(1, sizeof(*names));
	enum err err;

	if (names == NULL)
		abort();
	err = store_readdir(walk->store, item->attr.number, 0, false, note_dirent, names);
	digest_names(names, &item->content);
	if (err == ERR_OK && twin != NULL && item->content != twin->content) {
		differ(walk, item, "names");
		err = ERR_NO;
	} else {
		note_error(walk, item->attr.number, 0, err);
	}
	if (err == ERR_OK)
		walk_names(walk, item, names);
	else if (twin != NULL)
		walk->at += twin->below;
	free(names);
}

static size_t add_item(struct truth *truth, const struct item *item)
{
	if (truth->count == truth->room) {
		truth->room = truth->room == 0 ? 64 : 2 * truth->room;
		truth->items = realloc(truth->items, truth->room * sizeof(*truth->items));
		if (truth->items == NULL)
			abort();
	}
	truth->items[truth->count] = *item;
	return truth->count++;
}

/* Attributes may be an old row's as long as the object is then found damaged; a type may not. */
static void note_differing(struct walk *walk, const struct item *item, const struct item *twin)
{
	struct sight *sight = walk->sight;

	if (item->attr.number != twin->attr.number ||
	    ((item->attr.object.mode ^ twin->attr.object.mode) & S_IFMT) != 0)
		differ(walk, item, "number or type");
	else if (sight->differing_count < FINDINGS_MAX)
		sight->differing[sight->differing_count++] = twin->attr.number;
}

static void walk_item(struct walk *walk, const char *path, const struct store_attr *attr)
{
	const struct item *twin = walk->twin == NULL ? NULL : &walk->twin->items[walk->at++];
	struct item item = {.attr = *attr};
	size_t place = 0;

	snprintf(item.path, sizeof(item.path), "%s", path);
	if (twin != NULL && !same_attr(attr, &twin->attr))
		note_differing(walk, &item, twin);
	if (twin == NULL)
		place = add_item(walk->truth, &item);
	if (twin == NULL ? S_ISDIR(attr->object.mode) : S_ISDIR(twin->attr.object.mode))
		walk_directory(walk, &item, twin);
	look(walk, &item, twin);
	if (twin == NULL) {
		item.below = walk->truth->count - place - 1;
		walk->truth->items[place] = item;
	}
}

static void walk_all(struct walk *walk)
{
	struct store_attr attr;
	enum err err = store_getattr(walk->store, STORE_ROOT, &attr);

	note_error(walk, STORE_ROOT, 0, err);
	if (err == ERR_OK)
		walk_item(walk, "", &attr);
}

/* --- truths --------------------------------------------------------------------------------------- */

struct truth *truth_new(struct store *store)
{
	struct walk walk = {.store = store};

	walk.truth = calloc(1, sizeof(*walk.truth));
	if (walk.truth == NULL)
		abort();
	walk_all(&walk);
	return walk.truth;
}

void truth_free(struct truth *truth)
{
	if (truth == NULL)
		return;
	free(truth->items);
	free(truth);
}

void truth_hold(const struct truth *truth, struct store *store)
{
	for (size_t i = 0; i < truth->count; i++) {
		const char *path = truth->items[i].path, *name = strrchr(path, '/');
		char parent[PATH_LEN];
		struct store_attr attr;

		if (name == NULL)
			continue; /* the root */
		snprintf(parent, sizeof(parent), "%.*s", (int)(name - path), path);
		must(store_lookup(store, truth_number(truth, parent), name + 1, &attr), path);
	}
}

void truth_compare(const struct truth *truth, struct store *store, struct sight *sight)
{
	struct walk walk = {.store = store, .twin = truth, .sight = sight};

	walk_all(&walk);
}

bool truth_equal(const struct truth *one, const struct truth *other)
{
	if (one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++)
		if (strcmp(one->items[i].path, other->items[i].path) != 0 ||
		    !same_attr(&one->items[i].attr, &other->items[i].attr) ||
		    one->items[i].content != other->items[i].content ||
		    one->items[i].listed != other->items[i].listed)
			return false;
	return true;
}

uint64_t truth_number(const struct truth *truth, const char *path)
{
	for (size_t i = 0; i < truth->count; i++)
		if (strcmp(truth->items[i].path, path) == 0)
			return truth->items[i].attr.number;
	return 0;
}

void truth_relate(struct truth *truth, uint64_t number, uint64_t attributes)
{
	for (size_t i = 0; i < truth->count; i++)
		if (truth->items[i].attr.number == number)
			truth->items[i].attributes = attributes;
}

uint64_t truth_attributes(const struct truth *truth, uint64_t number)
{
	for (size_t i = 0; i < truth->count; i++)
		if (truth->items[i].attr.number == number)
			return truth->items[i].attributes;
	return 0;
}
