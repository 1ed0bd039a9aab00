/* A recovered volume against what the model permits. */
#include "crash_model_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct listing {
	struct store *store;
	struct line *lines;
	size_t count;
	const char *path; /* of the directory being read */
};

static bool list_entry(void *ctx, const struct store_dirent *entry, const struct store_attr *attr)
{
	struct listing *listing = ctx;
	struct line *line = &listing->lines[listing->count];

	(void)attr;
	if (listing->count == LINES_MAX)
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
		model_digest(value, len, line->xattr);
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

/* Some file's content, and what is wrong with it. */
struct reading {
	struct store *store;
	uint8_t *data; /* READING_MAX */
	size_t len;
	char *why;
	size_t size;
};

/* A byte more than a file can have. */
#define READING_MAX (MODEL_SIZE_MAX + 1)

static uint8_t *reading_data_new(void)
{
	uint8_t *data = malloc(READING_MAX);

	if (data == NULL)
		abort();
	return data;
}

static bool read_content(struct reading *reading, const struct model *model, size_t index)
{
	uint64_t number = model->nodes[index].number;
	enum err err = store_read(reading->store, number, 0, reading->data, READING_MAX,
				  &reading->len);

	if (err != ERR_OK)
		snprintf(reading->why, reading->size, "node %zu (%llu) cannot be read: %s", index,
			 (unsigned long long)number, err_text(err));
	return err == ERR_OK;
}

/* The state that it is. */
static bool check_content(const struct model *model, const struct model_bounds *bounds,
			  size_t index, uint64_t names_clock, struct reading *reading, size_t *state)
{
	const struct model_node *node = &model->nodes[index];
	uint64_t lower = bounds->acknowledged[index], floor = floor_of(model, index, names_clock);
	size_t count = (size_t)bounds->issued[index], i = count;
	uint8_t digest[SHA256_LEN];

	if (!read_content(reading, model, index))
		return false;
	model_content_digest_bytes(reading->data, reading->len, digest);
	while (i-- > 0) {
		bool is_old = i + 1 < count && node->states[i + 1].clock <= lower;
		bool is_below_floor = i + 1 < count && node->states[i + 1].clock <= floor;

		if (memcmp(node->states[i].digest, digest, SHA256_LEN) != 0)
			continue;
		*state = i;
		if (!is_old && !is_below_floor)
			return true;
		snprintf(reading->why, reading->size, "node %zu (%llu): state %zu of %zu, %s", index,
			 (unsigned long long)node->number, i, count,
			 is_old ? "a newer one was acknowledged"
				: "older than the rename that shows it (R3, I22)");
		return false;
	}
	snprintf(reading->why, reading->size, "node %zu (%llu): %zu bytes that it never had", index,
		 (unsigned long long)node->number, reading->len);
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
	struct line *lines = model_lines_new();
	size_t last = model_list(model, 0, "", lines, 0);

	qsort(lines, last, sizeof(*lines), model_by_path);
	tell_lines("found", found, count);
	tell_lines("at the end of the run", lines, last);
	free(lines);
}

static bool check_names(const struct model *model, const struct model_bounds *bounds,
			struct listing *listing, uint64_t *names_clock, char *why, size_t size)
{
	uint8_t digest[SHA256_LEN];
	bool is_known = false;
	enum err err = list_store(listing, STORE_ROOT, "");

	if (err != ERR_OK) {
		snprintf(why, size, "the names cannot be listed: %s", err_text(err));
		return false;
	}
	model_digest_lines(listing->lines, listing->count, digest);
	*names_clock = match_names(model, bounds, digest, &is_known);
	if (*names_clock != 0)
		return true;
	tell_names(model, listing->lines, listing->count);
	snprintf(why, size, "%s (%zu names)",
		 is_known ? "names older than acknowledged" : "names as they never were",
		 listing->count);
	return false;
}

static bool is_listed(const struct listing *listing, uint64_t number)
{
	for (size_t i = 0; i < listing->count; i++)
		if (listing->lines[i].number == number)
			return true;
	return false;
}

static void forget_all(const struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		store_forget(listing->store, listing->lines[i].number, 1);
}

/* Of the files that are there. */
static bool check_contents(struct model *model, const struct model_bounds *bounds,
			   const struct listing *listing, uint64_t names_clock,
			   struct reading *reading)
{
	for (size_t i = 0; i < model->node_count; i++) {
		struct model_node *node = &model->nodes[i];
		size_t state;

		node->is_found = false;
		if (node->type != MODEL_FILE || !is_listed(listing, node->number))
			continue;
		if (!check_content(model, bounds, i, names_clock, reading, &state))
			return false;
		node->is_found = state + 1 == node->state_count;
	}
	return true;
}

bool model_check(struct model *model, const struct model_bounds *bounds, struct store *store,
		 char *why, size_t size)
{
	struct listing listing = {.store = store, .lines = model_lines_new()};
	struct reading reading = {store, reading_data_new(), 0, why, size};
	uint64_t names_clock = 0;
	bool is_right = check_names(model, bounds, &listing, &names_clock, why, size) &&
			check_contents(model, bounds, &listing, names_clock, &reading);

	forget_all(&listing);
	free(reading.data);
	free(listing.lines);
	return is_right;
}

/* --- going on ------------------------------------------------------------------------------- */

/* The node of directory `path`; "": the root.  Parents are listed before what is in them. */
static size_t node_of_path(const struct model *model, const char *path)
{
	size_t dir = 0;

	while (*path == '/') {
		char name[MODEL_NAME_MAX];
		size_t len = strcspn(path + 1, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, path + 1);
		dir = (size_t)model_find(model, dir, name);
		path += 1 + len;
	}
	return dir;
}

static enum err copy_content(struct model *model, size_t node, struct reading *reading)
{
	enum err err = store_read(reading->store, model_number(model, node), 0, reading->data,
				  MODEL_SIZE_MAX, &reading->len);

	if (err == ERR_OK && reading->len > 0)
		model_write(model, node, 0, reading->data, reading->len);
	return err;
}

static enum err copy_attribute(struct model *model, size_t node, struct store *store)
{
	uint8_t value[4096];
	size_t len = sizeof(value);
	enum err err = store_getxattr(store, model_number(model, node), "user.state", value, &len);

	if (err == ERR_OK)
		model_set_xattr(model, node, value, len);
	return err == ERR_NO_ATTR ? ERR_OK : err;
}

/* The node of that number; node_count: there is none. */
static size_t node_of_number(const struct model *model, uint64_t number)
{
	size_t node = 0;

	while (node < model->node_count && model_number(model, node) != number)
		node++;
	return node;
}

/* Without its content. */
static enum err copy_name(struct model *model, const struct line *line, struct store *store)
{
	const char *name = strrchr(line->path, '/') + 1;
	char above[sizeof(line->path)];
	size_t dir, node = node_of_number(model, line->number);

	snprintf(above, sizeof(above), "%.*s", (int)(name - 1 - line->path), line->path);
	dir = node_of_path(model, above);
	if (node < model->node_count) {
		model_link(model, node, dir, name);
		return ERR_OK;
	}
	node = model_create(model, dir, name, (enum model_type)line->type);
	model_set_number(model, node, line->number);
	return line->type == MODEL_FILE ? copy_attribute(model, node, store) : ERR_OK;
}

static enum err copy_names(struct model *model, const struct listing *listing)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < listing->count && err == ERR_OK; i++)
		err = copy_name(model, &listing->lines[i], listing->store);
	return err;
}

static void acknowledge_all(struct model *model)
{
	struct model_ticket ticket = model_request(model, MODEL_NODES_MAX);

	model_acknowledge(model, &ticket);
}

enum err model_from_store(struct model *model, struct store *store)
{
	struct listing listing = {.store = store, .lines = model_lines_new()};
	struct reading reading = {.store = store, .data = reading_data_new()};
	enum err err = list_store(&listing, STORE_ROOT, "");

	model_begin_again(model);
	if (err == ERR_OK)
		err = copy_names(model, &listing);
	for (size_t i = 0; i < model->node_count && err == ERR_OK; i++)
		if (model->nodes[i].type == MODEL_FILE && !model_keep(model, i))
			err = copy_content(model, i, &reading);
	if (err == ERR_OK) {
		acknowledge_all(model);
		model_has_begun(model);
	}
	forget_all(&listing);
	free(reading.data);
	free(listing.lines);
	return err;
}
