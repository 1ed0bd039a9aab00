#include "crash_model_private.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void model_digest(const void *data, size_t len, uint8_t digest[SHA256_LEN])
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
	model_content_digest(&node->content, state->digest);
}

int model_by_path(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->path, ((const struct line *)b)->path);
}

void model_digest_lines(struct line *lines, size_t count, uint8_t digest[SHA256_LEN])
{
	qsort(lines, count, sizeof(*lines), model_by_path);
	model_digest(lines, count * sizeof(*lines), digest);
}

size_t model_list(const struct model *model, size_t dir, const char *path,
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
			count = model_list(model, entry->node, line->path, lines, count);
	}
	return count;
}

struct line *model_lines_new(void)
{
	struct line *lines = calloc(LINES_MAX, sizeof(*lines));

	if (lines == NULL)
		abort();
	return lines;
}

static void digest_names(const struct model *model, uint8_t digest[SHA256_LEN])
{
	struct line *lines = model_lines_new();

	model_digest_lines(lines, model_list(model, 0, "", lines, 0), digest);
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

static void first_state(struct model *model)
{
	model->nodes[0].type = MODEL_DIRECTORY;
	model->nodes[0].number = STORE_ROOT;
	model->node_count = 1;
	add_names(model, -1);
}

struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	if (model == NULL)
		abort();
	/* What is not touched takes no memory, and no time to clear. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	pthread_mutex_init(&model->mutex, NULL);
	first_state(model);
	return model;
}

static void free_nodes(struct model_node *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		model_content_destroy(&nodes[i].content);
		free(nodes[i].states);
	}
}

static void free_before(struct model *model)
{
	free_nodes(model->before, model->before_count);
	free(model->before);
	model->before = NULL;
	model->before_count = 0;
}

void model_free(struct model *model)
{
	free_nodes(model->nodes, model->node_count);
	free_before(model);
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
	return model->nodes[node].content.size;
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

bool model_name(const struct model *model, size_t node, size_t *dir, char name[MODEL_NAME_MAX])
{
	for (size_t i = 0; i < model->entry_count; i++) {
		if (model->entries[i].node != node)
			continue;
		*dir = model->entries[i].dir;
		memcpy(name, model->entries[i].name, MODEL_NAME_MAX);
		return true;
	}
	return false;
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

void model_tell(struct model *model, model_told *told, void *ctx)
{
	pthread_mutex_lock(&model->mutex);
	model->told = told;
	model->told_ctx = ctx;
	pthread_mutex_unlock(&model->mutex);
}

static void tell(struct model *model, const struct model_change *change, const void *data)
{
	if (model->told != NULL)
		model->told(model->told_ctx, change, data);
}

static void tell_name(struct model *model, struct model_change change, const char *name)
{
	snprintf(change.name, sizeof(change.name), "%s", name);
	tell(model, &change, NULL);
}

size_t model_create(struct model *model, size_t dir, const char *name, enum model_type type)
{
	size_t index;

	pthread_mutex_lock(&model->mutex);
	tell_name(model, (struct model_change){.kind = MODEL_CREATE, .type = type, .dir = dir}, name);
	index = model->node_count++;
	model->nodes[index].type = type;
	if (type == MODEL_FILE) {
		model_content_init(&model->nodes[index].content);
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
	tell(model, &(struct model_change){.kind = MODEL_NUMBER, .node = node, .value = number}, NULL);
	model->nodes[node].number = number;
	digest_names(model, model->names[model->names_count - 1].digest);
	pthread_mutex_unlock(&model->mutex);
}

void model_link(struct model *model, size_t node, size_t dir, const char *name)
{
	pthread_mutex_lock(&model->mutex);
	tell_name(model, (struct model_change){.kind = MODEL_LINK, .node = node, .dir = dir}, name);
	add_entry(model, dir, name, node);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_unlink(struct model *model, size_t dir, const char *name)
{
	pthread_mutex_lock(&model->mutex);
	tell_name(model, (struct model_change){.kind = MODEL_UNLINK, .dir = dir}, name);
	remove_entry(model, dir, name);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_rename(struct model *model, size_t dir, const char *name, size_t new_dir,
		  const char *new_name, bool exchange)
{
	struct model_change change = {
		.kind = MODEL_RENAME, .dir = dir, .new_dir = new_dir, .exchange = exchange};
	struct entry *source, *target;
	size_t node;
	bool replaces;

	pthread_mutex_lock(&model->mutex);
	snprintf(change.new_name, sizeof(change.new_name), "%s", new_name);
	tell_name(model, change, name);
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
	tell(model, &(struct model_change){.kind = MODEL_XATTR, .node = node, .len = len}, value);
	model_digest(value, len, model->nodes[node].xattr);
	add_names(model, -1);
	pthread_mutex_unlock(&model->mutex);
}

void model_write(struct model *model, size_t node, uint64_t offset, const void *data, size_t len)
{
	struct model_node *file = &model->nodes[node];

	pthread_mutex_lock(&model->mutex);
	tell(model,
	     &(struct model_change){.kind = MODEL_WRITE, .node = node, .offset = offset, .len = len},
	     data);
	model_content_put(&file->content, offset, data, len);
	add_content(model, file);
	pthread_mutex_unlock(&model->mutex);
}

void model_truncate(struct model *model, size_t node, uint64_t size)
{
	struct model_node *file = &model->nodes[node];

	pthread_mutex_lock(&model->mutex);
	tell(model, &(struct model_change){.kind = MODEL_TRUNCATE, .node = node, .value = size}, NULL);
	model_content_resize(&file->content, size);
	add_content(model, file);
	pthread_mutex_unlock(&model->mutex);
}

/* --- going on ----------------------------------------------------------------------------------- */

void model_begin_again(struct model *model)
{
	pthread_mutex_lock(&model->mutex);
	tell(model, &(struct model_change){.kind = MODEL_BEGIN_AGAIN}, NULL);
	free_before(model);
	model->before = malloc(sizeof(model->nodes));
	if (model->before == NULL)
		abort();
	memcpy(model->before, model->nodes, sizeof(model->nodes));
	model->before_count = model->node_count;
	memset(model->nodes, 0, sizeof(model->nodes));
	model->entry_count = model->names_count = 0;
	model->clock = model->names_acknowledged = 0;
	first_state(model);
	pthread_mutex_unlock(&model->mutex);
}

static struct model_node *node_before(struct model *model, uint64_t number)
{
	for (size_t i = 0; i < model->before_count; i++)
		if (model->before[i].number == number)
			return &model->before[i];
	return NULL;
}

static void keep(struct model *model, size_t index)
{
	struct model_node *node = &model->nodes[index];
	struct model_node *before = node_before(model, node->number);
	struct model_content empty = node->content;

	pthread_mutex_lock(&model->mutex);
	tell(model, &(struct model_change){.kind = MODEL_KEEP, .node = index}, NULL);
	node->content = before->content;
	before->content = empty;
	add_content(model, node);
	pthread_mutex_unlock(&model->mutex);
}

bool model_keep(struct model *model, size_t node)
{
	const struct model_node *before = node_before(model, model->nodes[node].number);

	if (before == NULL || !before->is_found)
		return false;
	keep(model, node);
	return true;
}

void model_has_begun(struct model *model)
{
	pthread_mutex_lock(&model->mutex);
	tell(model, &(struct model_change){.kind = MODEL_HAS_BEGUN}, NULL);
	free_before(model);
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
	tell(model,
	     &(struct model_change){
		     .kind = MODEL_ACKNOWLEDGE, .node = ticket->node, .value = ticket->clock},
	     NULL);
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

/* --- told elsewhere ----------------------------------------------------------------------------------- */

void model_make(struct model *model, const struct model_change *change, const void *data)
{
	const struct model_ticket ticket = {change->node, change->value};

	switch (change->kind) {
	case MODEL_CREATE:
		(void)model_create(model, change->dir, change->name, (enum model_type)change->type);
		break;
	case MODEL_NUMBER:
		model_set_number(model, change->node, change->value);
		break;
	case MODEL_LINK:
		model_link(model, change->node, change->dir, change->name);
		break;
	case MODEL_UNLINK:
		model_unlink(model, change->dir, change->name);
		break;
	case MODEL_RENAME:
		model_rename(model, change->dir, change->name, change->new_dir, change->new_name,
			     change->exchange);
		break;
	case MODEL_XATTR:
		model_set_xattr(model, change->node, data, (size_t)change->len);
		break;
	case MODEL_WRITE:
		model_write(model, change->node, change->offset, data, (size_t)change->len);
		break;
	case MODEL_TRUNCATE:
		model_truncate(model, change->node, change->value);
		break;
	case MODEL_ACKNOWLEDGE:
		model_acknowledge(model, &ticket);
		break;
	case MODEL_BEGIN_AGAIN:
		model_begin_again(model);
		break;
	case MODEL_KEEP:
		keep(model, change->node);
		break;
	case MODEL_HAS_BEGUN:
		model_has_begun(model);
		break;
	}
}
