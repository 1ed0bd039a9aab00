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
		model_digest(data, got, digest);
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
	struct line *lines = model_lines_new();
	size_t last = model_list(model, 0, "", lines, 0);

	qsort(lines, last, sizeof(*lines), model_by_path);
	tell_lines("found", found, count);
	tell_lines("at the end of the run", lines, last);
	free(lines);
}

bool model_check(struct model *model, const struct model_bounds *bounds, struct store *store,
		 char *why, size_t size)
{
	struct listing listing = {.store = store, .lines = model_lines_new()};
	uint8_t digest[SHA256_LEN];
	uint64_t names_clock = 0;
	enum err err = list_store(&listing, STORE_ROOT, "");
	bool is_right = err == ERR_OK, is_known = false;

	if (!is_right) {
		snprintf(why, size, "the names cannot be listed: %s", err_text(err));
		free(listing.lines);
		return false;
	}
	model_digest_lines(listing.lines, listing.count, digest);
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

static enum err copy_content(struct model *model, size_t node, struct store *store)
{
	uint8_t *data = malloc(MODEL_SIZE_MAX);
	size_t got = 0;
	enum err err = data == NULL ? ERR_NO_MEMORY
				    : store_read(store, model_number(model, node), 0, data,
						 MODEL_SIZE_MAX, &got);

	if (err == ERR_OK && got > 0)
		model_write(model, node, 0, data, got);
	free(data);
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

static enum err copy_name(struct model *model, const struct line *line, struct store *store)
{
	const char *name = strrchr(line->path, '/') + 1;
	char above[sizeof(line->path)];
	size_t dir, node;
	enum err err = ERR_OK;

	snprintf(above, sizeof(above), "%.*s", (int)(name - 1 - line->path), line->path);
	dir = node_of_path(model, above);
	for (node = 1; node < model_node_count(model); node++) {
		if (model_number(model, node) != line->number)
			continue;
		model_link(model, node, dir, name);
		return ERR_OK;
	}
	node = model_create(model, dir, name, (enum model_type)line->type);
	model_set_number(model, node, line->number);
	if (line->type == MODEL_FILE)
		err = copy_content(model, node, store);
	return err == ERR_OK && line->type == MODEL_FILE ? copy_attribute(model, node, store) : err;
}

enum err model_from_store(struct model *model, struct store *store)
{
	struct listing listing = {.store = store, .lines = model_lines_new()};
	enum err err = list_store(&listing, STORE_ROOT, "");
	struct model_ticket ticket;

	for (size_t i = 0; i < listing.count && err == ERR_OK; i++)
		err = copy_name(model, &listing.lines[i], store);
	for (size_t i = 0; i < listing.count; i++)
		store_forget(store, listing.lines[i].number, 1);
	ticket = model_request(model, MODEL_NODES_MAX);
	if (err == ERR_OK)
		model_acknowledge(model, &ticket);
	free(listing.lines);
	return err;
}
