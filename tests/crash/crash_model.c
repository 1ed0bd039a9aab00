#include "crash_model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/hash.h"

/* One content state: the time of the change and its digest. */
struct state {
	uint64_t clock;
	uint8_t digest[SHA256_LEN];
};

/* A namespace state; `floor_node` was renamed over another name by it (R3). */
struct names_state {
	uint64_t clock;
	uint8_t digest[SHA256_LEN];
	int floor_node; /* -1: none */
	uint64_t floor_clock;
};

struct model_node {
	enum model_type type;
	uint64_t number;
	uint8_t *content;
	uint64_t size;
	struct state *states;
	size_t state_count, state_room;
	uint64_t acknowledged; /* clock */
	uint8_t xattr[SHA256_LEN];
	bool has_xattr;
};

struct entry {
	size_t dir, node;
	char name[MODEL_NAME_MAX];
};

struct model {
	pthread_mutex_t mutex;
	uint64_t clock;
	struct model_node nodes[MODEL_NODES_MAX];
	size_t node_count;
	struct entry entries[MODEL_NODES_MAX * 2];
	size_t entry_count;
	struct names_state *names;
	size_t names_count, names_room;
	uint64_t names_acknowledged;
};

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room == 0 ? 32 : *room * 2;
	array = realloc(array, *room * size);
	if (array == NULL)
		abort();
	return array;
}

static void digest_of(const void *data, size_t len, uint8_t digest[SHA256_LEN])
{
	struct hash_part part = {data, len};

	sha256(&part, 1, digest);
}

/* --- digests ------------------------------------------------------------------------------ */

static void add_content(struct model *model, struct model_node *node)
{
	struct state *state;

	node->states = grow(node->states, node->state_count, &node->state_room, sizeof(*state));
	state = &node->states[node->state_count++];
	state->clock = ++model->clock;
	digest_of(node->content, (size_t)node->size, state->digest);
}

/* What a listing says of one name. */
struct line {
	char path[128];
	uint64_t number;
	uint32_t type, links;
	uint8_t xattr[SHA256_LEN];
};

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->path, ((const struct line *)b)->path);
}

static void digest_lines(struct line *lines, size_t count, uint8_t digest[SHA256_LEN])
{
	qsort(lines, count, sizeof(*lines), by_path);
	digest_of(lines, count * sizeof(*lines), digest);
}

static size_t list_model(const struct model *model, size_t dir, const char *path,
			 struct line *lines, size_t count)
{
	for (size_t i = 0; i < model->entry_count; i++) {
		const struct entry *entry = &model->entries[i];
		const struct model_node *node = &model->nodes[entry->node];
		struct line *line = &lines[count];

		if (entry->dir != dir)
			continue;
		memset(line, 0, sizeof(*line));
		snprintf(line->path, sizeof(line->path), "%s/%s", path, entry->name);
		line->number = node->number;
		line->type = node->type;
		line->links = node->type == MODEL_DIRECTORY ? 0 : model_links(model, entry->node);
		memcpy(line->xattr, node->xattr, SHA256_LEN);
		count++;
		if (node->type == MODEL_DIRECTORY)
			count = list_model(model, entry->node, line->path, lines, count);
	}
	return count;
}

static struct line *lines_new(void)
{
	struct line *lines = calloc(MODEL_NODES_MAX * 4, sizeof(*lines));

	if (lines == NULL)
		abort();
	return lines;
}

static void digest_names(const struct model *model, uint8_t digest[SHA256_LEN])
{
	struct line *lines = lines_new();

	digest_lines(lines, list_model(model, 0, "", lines, 0), digest);
	free(lines);
}

static void add_names(struct model *model, int floor_node)
{
	struct names_state *state;

	model->names = grow(model->names, model->names_count, &model->names_room, sizeof(*state));
	state = &model->names[model->names_count++];
	state->floor_node = floor_node;
	state->floor_clock = model->clock;
	state->clock = ++model->clock;
	digest_names(model, state->digest);
}

/* --- life ------------------------------------------------------------------------------------ */

struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	if (model == NULL)
		abort();
	pthread_mutex_init(&model->mutex, NULL);
	model->nodes[0].type = MODEL_DIRECTORY;
	model->nodes[0].number = STORE_ROOT;
	model->node_count = 1;
	add_names(model, -1);
	return model;
}

void model_free(struct model *model)
{
	for (size_t i = 0; i < model->node_count; i++) {
		free(model->nodes[i].content);
		free(model->nodes[i].states);
	}
	free(model->names);
	pthread_mutex_destroy(&model->mutex);
	free(model);
}

/* --- what it says ----------------------------------------------------------------------------- */

uint64_t model_number(const struct model *model, size_t node)
{
	return model->nodes[node].number;
}

enum model_type model_type(const struct model *model, size_t node)
{
	return model->nodes[node].type;
}

uint64_t model_size(const struct model *model, size_t node)
{
	return model->nodes[node].size;
}

const uint8_t *model_content(const struct model *model, size_t node)
{
	return model->nodes[node].content;
}

size_t model_node_count(const struct model *model)
{
	return model->node_count;
}

static struct entry *find_entry(const struct model *model, size_t dir, const char *name)
{
	for (size_t i = 0; i < model->entry_count; i++)
		if (model->entries[i].dir == dir && strcmp(model->entries[i].name, name) == 0)
			return (struct entry *)&model->entries[i];
	return NULL;
}

int model_find(const struct model *model, size_t dir, const char *name)
{
	const struct entry *entry = find_entry(model, dir, name);

	return entry == NULL ? -1 : (int)entry->node;
}

bool model_is_empty(const struct model *model, size_t dir)
{
	for (size_t i = 0; i < model->entry_count; i++)
		if (model->entries[i].dir == dir)
			return false;
	return true;
}

bool model_is_below(const struct model *model, size_t node, size_t ancestor)
{
	while (node != ancestor && node != 0) {
		size_t i = 0;

		while (i < model->entry_count && model->entries[i].node != node)
			i++;
		if (i == model->entry_count)
			return false;
		node = model->entries[i].dir;
	}
	return node == ancestor;
}

unsigned int model_links(const struct model *model, size_t node)
{
	unsigned int links = 0;

	for (size_t i = 0; i < model->entry_count; i++)
		links += model->entries[i].node == node;
	return links;
}

/* --- changes ------------------------------------------------------------------------------------ */

static void add_entry(struct model *model, size_t dir, const char *name, size_t node)
{
	struct entry *entry = &model->entries[model->entry_count++];

	entry->dir = dir;
	entry->node = node;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
}

static void remove_entry(struct model *model, size_t dir, const char *name)
{
	struct entry *entry = find_entry(model, dir, name);

	if (entry != NULL)
		*entry = model->entries[--model->entry_count];
}

size_t model_create(struct model *model, size_t dir, const char *name, enum model_type type)
{
	size_t index;

	pthread_mutex_lock(&model->mutex);
	index = model->node_count++;
	model->nodes[index].type = type;
	if (type == MODEL_FILE) {
		model->nodes[index].content = calloc(1, MODEL_SIZE_MAX);
		if (model->nodes[index].content == NULL)
			abort();
		add_content(model, &model->nodes[index]);
	}
	/* Its number is not known yet: model_set_number completes the state. */
	add_entry(model, dir, name, index);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
	return index;
}

void model_set_number(struct model *model, size_t node, uint64_t number)
{
	pthread_mutex_lock(&model->mutex);
	model->nodes[node].number = number;
	digest_names(model, model->names[model->names_count - 1].digest);
	pthread_mutex_unlock(&model->mutex);
}

void model_link(struct model *model, size_t node, size_t dir, const char *name)
{
	pthread_mutex_lock(&model->mutex);
	add_entry(model, dir, name, node);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_unlink(struct model *model, size_t dir, const char *name)
{
	pthread_mutex_lock(&model->mutex);
	remove_entry(model, dir, name);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_rename(struct model *model, size_t dir, const char *name, size_t new_dir,
		  const char *new_name, bool exchange)
{
	struct entry *source, *target;
	size_t node;
	bool replaces;

	pthread_mutex_lock(&model->mutex);
	source = find_entry(model, dir, name);
	target = find_entry(model, new_dir, new_name);
	node = source->node;
	replaces = target != NULL && target->node != node;
	if (target != NULL && target->node == node) {
		pthread_mutex_unlock(&model->mutex);
		return;
	}
	if (exchange) {
		source->node = target->node;
		target->node = node;
	} else if (target != NULL) {
		target->node = node;
		remove_entry(model, dir, name);
	} else {
		remove_entry(model, dir, name);
		add_entry(model, new_dir, new_name, node);
	}
	add_names(model, replaces && model->nodes[node].type == MODEL_FILE ? (int)node : -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_set_xattr(struct model *model, size_t node, const void *value, size_t len)
{
	pthread_mutex_lock(&model->mutex);
	digest_of(value, len, model->nodes[node].xattr);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_write(struct model *model, size_t node, uint64_t offset, const void *data, size_t len)
{
	struct model_node *file = &model->nodes[node];

	pthread_mutex_lock(&model->mutex);
	memcpy(file->content + offset, data, len);
	if (offset + len > file->size)
		file->size = offset + len;
	add_content(model, file);
	pthread_mutex_unlock(&model->mutex);
}

void model_truncate(struct model *model, size_t node, uint64_t size)
{
	struct model_node *file = &model->nodes[node];

	pthread_mutex_lock(&model->mutex);
	if (size < file->size)
		memset(file->content + size, 0, (size_t)(file->size - size));
	file->size = size;
	add_content(model, file);
	pthread_mutex_unlock(&model->mutex);
}

/* --- durability -------------------------------------------------------------------------------------- */

struct model_ticket model_request(struct model *model, size_t node)
{
	struct model_ticket ticket = {node, 0};

	pthread_mutex_lock(&model->mutex);
	ticket.clock = model->clock;
	pthread_mutex_unlock(&model->mutex);
	return ticket;
}

void model_acknowledge(struct model *model, const struct model_ticket *ticket)
{
	pthread_mutex_lock(&model->mutex);
	for (size_t i = 0; i < model->node_count; i++)
		if ((ticket->node == i || ticket->node == MODEL_NODES_MAX) &&
		    model->nodes[i].acknowledged < ticket->clock)
			model->nodes[i].acknowledged = ticket->clock;
	if (model->names_acknowledged < ticket->clock)
		model->names_acknowledged = ticket->clock;
	pthread_mutex_unlock(&model->mutex);
}

void model_bounds_begin(struct model *model, struct model_bounds *bounds)
{
	pthread_mutex_lock(&model->mutex);
	bounds->names_acknowledged = model->names_acknowledged;
	for (size_t i = 0; i < MODEL_NODES_MAX; i++)
		bounds->acknowledged[i] = model->nodes[i].acknowledged;
	pthread_mutex_unlock(&model->mutex);
}

void model_bounds_end(struct model *model, struct model_bounds *bounds)
{
	pthread_mutex_lock(&model->mutex);
	bounds->names_issued = model->names_count;
	for (size_t i = 0; i < MODEL_NODES_MAX; i++)
		bounds->issued[i] = model->nodes[i].state_count;
	pthread_mutex_unlock(&model->mutex);
}

/* --- a recovered volume -------------------------------------------------------------------------------- */

struct listing {
	struct store *store;
	struct line *lines;
	size_t count;
	enum err err;
	/* of the directory being read */
	const char *path;
	size_t first;
};

static bool list_entry(void *ctx, const struct store_dirent *entry, const struct store_attr *attr)
{
	struct listing *listing = ctx;
	struct line *line = &listing->lines[listing->count];

	(void)attr;
	if (listing->count == MODEL_NODES_MAX * 4)
		return false;
	memset(line, 0, sizeof(*line));
	snprintf(line->path, sizeof(line->path), "%s/%s", listing->path, entry->name);
	line->number = entry->number;
	line->type = S_ISREG(entry->type)   ? MODEL_FILE
		     : S_ISDIR(entry->type) ? MODEL_DIRECTORY
					    : MODEL_SYMLINK;
	listing->count++;
	return true;
}

static enum err describe(struct store *store, struct line *line)
{
	struct store_attr attr;
	uint8_t value[4096];
	size_t len = sizeof(value);
	enum err err = store_getattr(store, line->number, &attr);

	if (err != ERR_OK)
		return err;
	line->links = line->type == MODEL_DIRECTORY ? 0 : attr.object.nlink;
	err = store_getxattr(store, line->number, "user.state", value, &len);
	if (err == ERR_OK)
		digest_of(value, len, line->xattr);
	return err == ERR_NO_ATTR ? ERR_OK : err;
}

static enum err list_store(struct listing *listing, uint64_t dir, const char *path)
{
	size_t first = listing->count, end;
	enum err err;

	listing->path = path;
	err = store_readdir(listing->store, dir, 0, true, list_entry, listing);
	end = listing->count;
	for (size_t i = first; i < end && err == ERR_OK; i++) {
		err = describe(listing->store, &listing->lines[i]);
		if (err == ERR_OK && listing->lines[i].type == MODEL_DIRECTORY) {
			char below[128];

			snprintf(below, sizeof(below), "%s", listing->lines[i].path);
			err = list_store(listing, listing->lines[i].number, below);
		}
	}
	return err;
}

/* The clock of the oldest permitted namespace state that is this one; 0: none. */
static uint64_t match_names(const struct model *model, const struct model_bounds *bounds,
			    const uint8_t digest[SHA256_LEN], bool *is_known)
{
	uint64_t clock = 0;

	*is_known = false;
	for (size_t i = (size_t)bounds->names_issued; i-- > 0;) {
		const struct names_state *state = &model->names[i];
		/* A state is lost only once the next one is acknowledged. */
		bool is_old = i + 1 < bounds->names_issued &&
			      model->names[i + 1].clock <= bounds->names_acknowledged;

		if (memcmp(state->digest, digest, SHA256_LEN) != 0)
			continue;
		*is_known = true;
		if (!is_old)
			clock = state->clock;
	}
	return clock;
}

static uint64_t floor_of(const struct model *model, size_t node, uint64_t names_clock)
{
	uint64_t floor = 0;

	for (size_t i = 0; i < model->names_count; i++)
		if (model->names[i].floor_node == (int)node && model->names[i].clock <= names_clock)
			floor = model->names[i].floor_clock;
	return floor;
}

static bool check_content(struct model *model, const struct model_bounds *bounds, size_t index,
			  uint64_t names_clock, struct store *store, char *why, size_t size)
{
	const struct model_node *node = &model->nodes[index];
	uint64_t lower = bounds->acknowledged[index], floor = floor_of(model, index, names_clock);
	size_t count = (size_t)bounds->issued[index], i = count, got = 0;
	uint8_t digest[SHA256_LEN], *data = malloc(MODEL_SIZE_MAX + 1);
	enum err err = data == NULL ? ERR_NO_MEMORY
				    : store_read(store, node->number, 0, data, MODEL_SIZE_MAX + 1,
						 &got);

	if (err == ERR_OK)
		digest_of(data, got, digest);
	free(data);
	if (err != ERR_OK) {
		snprintf(why, size, "node %zu (%llu) cannot be read: %s", index,
			 (unsigned long long)node->number, err_text(err));
		return false;
	}
	while (i-- > 0) {
		bool is_old = i + 1 < count && node->states[i + 1].clock <= lower;
		bool is_below_floor = i + 1 < count && node->states[i + 1].clock <= floor;

		if (memcmp(node->states[i].digest, digest, SHA256_LEN) != 0)
			continue;
		if (!is_old && !is_below_floor)
			return true;
		snprintf(why, size, "node %zu (%llu): state %zu of %zu, %s", index,
			 (unsigned long long)node->number, i, count,
			 is_old ? "a newer one was acknowledged"
				: "older than the rename that shows it (R3, I22)");
		return false;
	}
	snprintf(why, size, "node %zu (%llu): %zu bytes that it never had", index,
		 (unsigned long long)node->number, got);
	return false;
}

static void tell_lines(const char *title, const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "%s: %s number %llu type %u links %u%s\n", title, lines[i].path,
			(unsigned long long)lines[i].number, lines[i].type, lines[i].links,
			lines[i].xattr[0] != 0 ? " xattr" : "");
}

/* For whoever has to find the reason. */
static void tell_names(const struct model *model, const struct line *found, size_t count)
{
	struct line *lines = lines_new();
	size_t last = list_model(model, 0, "", lines, 0);

	qsort(lines, last, sizeof(*lines), by_path);
	tell_lines("found", found, count);
	tell_lines("at the end of the run", lines, last);
	free(lines);
}

bool model_check(struct model *model, const struct model_bounds *bounds, struct store *store,
		 char *why, size_t size)
{
	struct listing listing = {.store = store, .lines = lines_new()};
	uint8_t digest[SHA256_LEN];
	uint64_t names_clock = 0;
	enum err err = list_store(&listing, STORE_ROOT, "");
	bool is_right = err == ERR_OK, is_known = false;

	if (!is_right) {
		snprintf(why, size, "the names cannot be listed: %s", err_text(err));
		free(listing.lines);
		return false;
	}
	digest_lines(listing.lines, listing.count, digest);
	names_clock = match_names(model, bounds, digest, &is_known);
	if (names_clock == 0) {
		tell_names(model, listing.lines, listing.count);
		snprintf(why, size, "%s (%zu names)",
			 is_known ? "names older than acknowledged" : "names as they never were",
			 listing.count);
		is_right = false;
	}
	for (size_t i = 0; i < model->node_count && is_right; i++) {
		bool is_there = false;

		for (size_t j = 0; j < listing.count; j++)
			is_there |= listing.lines[j].number == model->nodes[i].number;
		if (is_there && model->nodes[i].type == MODEL_FILE)
			is_right = check_content(model, bounds, i, names_clock, store, why, size);
	}
	for (size_t i = 0; i < listing.count; i++)
		store_forget(store, listing.lines[i].number, 1);
	free(listing.lines);
	return is_right;
}
