/*
 * Names.  A directory has BLOCKS of them, each in a block of its own; a name is
 * known by its code.  Further names of a file are in its attributes object.
 */
#include <string.h>

#include "commit_model.h"

#define CODE_BITS 6

static int code_of(int dir, int slot)
{
	return dir * BLOCKS + slot + 1;
}

bool names_is_directory(const struct model *m, int object)
{
	return m->node[object].is_used && m->node[object].kind == KIND_DIRECTORY;
}

static uint32_t meaning_now(const struct model *m, int object, int block)
{
	const struct node *node = &m->node[object];

	return m->extent[node->states[node->state_count - 1].content[block]].meaning;
}

int names_find(const struct model *m, int dir, int slot)
{
	return (int)meaning_now(m, dir, slot);
}

uint32_t names_links(const struct model *m, int object)
{
	int attributes = m->node[object].attributes;

	return attributes == 0 ? 0 : meaning_now(m, attributes, 0);
}

void names_snapshot(struct model *m)
{
	struct names *names = &m->names[m->names_count];

	if (m->names_count == STATES) {
		m->is_over = true;
		return;
	}
	memset(names, 0, sizeof(*names));
	names->op = m->names_op;
	for (int object = 0; object < m->object_count; object++) {
		names->nlink[object] = (uint8_t)m->node[object].nlink;
		names->primary[object] = m->node[object].primary;
		names->links[object] = names_links(m, object);
		for (int slot = 0; slot < BLOCKS && names_is_directory(m, object); slot++)
			names->slot[object][slot] = (uint8_t)names_find(m, object, slot);
	}
	m->names_count++;
}

const struct names *names_at(const struct model *m, uint32_t op)
{
	int i = m->names_count - 1;

	while (i > 0 && m->names[i].op > op)
		i--;
	return &m->names[i];
}

/* --- the lock that a change of names holds shared, and gathering alone ----------------- */

static bool is_free(struct model *m, int arg)
{
	(void)arg;
	return !m->names_busy;
}

static bool names_begin(struct model *m)
{
	if (m->is_frozen)
		return false;
	wait_for(m, is_free, 0);
	m->names_busy = true;
	return true;
}

static void names_end(struct model *m)
{
	if (m->names[m->names_count - 1].op != m->names_op)
		names_snapshot(m);
	m->names_busy = false;
}

/* --- parts of a change ----------------------------------------- */

static void set_slot(struct model *m, int dir, int slot, int object)
{
	content_write(m, dir, slot * UNITS, UNITS, false, (uint32_t)object);
}

static void set_links(struct model *m, int object, uint32_t links)
{
	struct node *node = &m->node[object];

	if (node->attributes == 0) {
		node->attributes = (uint8_t)node_new(m, KIND_ATTRIBUTES);
		m->node[node->attributes].nlink = 1;
		node_changed(m, node->attributes);
	}
	if (links == 0)
		content_truncate(m, node->attributes, 0);
	else
		content_write(m, node->attributes, 0, 1, false, links);
	node_names_changed(m, object);
}

static void add_link(struct model *m, int object, int code)
{
	set_links(m, object, names_links(m, object) << CODE_BITS | (uint32_t)code);
}

/* Without that name: the header's name is replaced by the first further one. */
static void remove_link(struct model *m, int object, int code)
{
	uint32_t links = names_links(m, object), kept = 0;
	struct node *node = &m->node[object];

	if (node->primary == code) {
		node->primary = links & ((1 << CODE_BITS) - 1);
		kept = links >> CODE_BITS;
	} else {
		for (int shift = 0; links >> shift != 0; shift += CODE_BITS) {
			uint32_t one = links >> shift & ((1 << CODE_BITS) - 1);

			if (one != (uint32_t)code)
				kept = kept << CODE_BITS | one;
		}
	}
	set_links(m, object, kept);
}

/* What no transaction has and nobody can reach leaves no trace but a file in new. */
static void discard(struct model *m, int object)
{
	struct node *node = &m->node[object];

	if (!node->is_new || node->is_gone || node->nlink > 0 || node->opens > 0)
		return;
	node->is_gone = true;
	node->is_dirty = false;
	node->flushed_op = UINT64_MAX;
	if (node->exists)
		(void)disk_set(m, AT_ENTRIES + object, ENTRY_ABSENT);
}

static void drop_attributes(struct model *m, int object)
{
	int attributes = m->node[object].attributes;

	if (attributes == 0)
		return;
	m->node[attributes].nlink = 0;
	node_changed(m, attributes);
	discard(m, attributes);
}

static void drop_name(struct model *m, int object, int code)
{
	struct node *node = &m->node[object];
	bool is_last;

	node->nlink = node->kind == KIND_DIRECTORY ? 0 : node->nlink - 1;
	node_names_changed(m, object);
	is_last = node->nlink == 0 && node->opens == 0;
	step(m);
	if (node->nlink > 0)
		remove_link(m, object, code);
	if (IS_BROKEN(m, R8_UNLINK_EARLY) && is_last && node->exists)
		(void)disk_set(m, AT_ENTRIES + object, ENTRY_ABSENT);
	if (is_last) {
		drop_attributes(m, object);
		discard(m, object);
	}
}

static void count_subdirectory(struct model *m, int dir, int change)
{
	m->node[dir].nlink += change;
	node_names_changed(m, dir);
}

/* --- the changes ----------------------------------------- */

static bool can_have_name(const struct model *m, int dir, int slot)
{
	return m->node[dir].nlink > 0 && names_find(m, dir, slot) == 0;
}

void names_create(struct model *m, int dir, int slot, enum kind kind)
{
	int object;

	if (!names_begin(m))
		return;
	if (can_have_name(m, dir, slot) && m->object_count + 1 < OBJECTS) {
		object = node_new(m, kind);
		m->node[object].primary = (uint8_t)code_of(dir, slot);
		m->node[object].parent = (uint8_t)dir;
		m->node[object].nlink = kind == KIND_DIRECTORY ? 2 : 1;
		set_slot(m, dir, slot, object);
		step(m);
		node_names_changed(m, object);
		if (kind == KIND_DIRECTORY)
			count_subdirectory(m, dir, 1);
		trace(m, "create", dir, slot, object);
	}
	names_end(m);
}

void names_link(struct model *m, int object, int dir, int slot)
{
	struct node *node = &m->node[object];

	if (!names_begin(m))
		return;
	if (can_have_name(m, dir, slot) && node->nlink > 0 && node->nlink < 4 &&
	    (node->attributes != 0 || m->object_count < OBJECTS)) {
		add_link(m, object, code_of(dir, slot));
		step(m);
		set_slot(m, dir, slot, object);
		step(m);
		node->nlink++;
		node_names_changed(m, object);
		trace(m, "link", dir, slot, object);
	}
	names_end(m);
}

static bool is_empty(const struct model *m, int dir)
{
	for (int slot = 0; slot < BLOCKS; slot++)
		if (names_find(m, dir, slot) != 0)
			return false;
	return true;
}

void names_unlink(struct model *m, int dir, int slot)
{
	int object;

	if (!names_begin(m))
		return;
	object = names_find(m, dir, slot);
	if (object != 0 && (!names_is_directory(m, object) || is_empty(m, object))) {
		trace(m, "unlink", dir, slot, object);
		set_slot(m, dir, slot, 0);
		step(m);
		drop_name(m, object, code_of(dir, slot));
		if (names_is_directory(m, object))
			count_subdirectory(m, dir, -1);
	}
	names_end(m);
}

/* The last handle is closed. */
void names_release(struct model *m, int object)
{
	if (--m->node[object].opens == 0 && m->node[object].nlink == 0)
		names_bury(m, object);
}

void names_bury(struct model *m, int object)
{
	if (!names_begin(m))
		return;
	drop_attributes(m, object);
	node_changed(m, object);
	discard(m, object);
	names_end(m);
}

/* --- rename ----------------------------------------- */

struct renaming {
	int dir, slot, new_dir, new_slot;
	int source, target;
	uint32_t cut_op;              /* 0: no cut was asked for yet */
};

static bool is_below(const struct model *m, int object, int ancestor)
{
	while (object != 0 && object != ancestor)
		object = m->node[object].parent;
	return object == ancestor;
}

static bool is_allowed(const struct model *m, const struct renaming *r)
{
	bool is_dir = r->source != 0 && names_is_directory(m, r->source);

	if (r->source == 0 || r->source == r->target || m->node[r->new_dir].nlink == 0)
		return false;
	if (is_dir && is_below(m, r->new_dir, r->source))
		return false;
	return r->target == 0 || (is_dir == names_is_directory(m, r->target) &&
				  (!is_dir || is_empty(m, r->target)));
}

/* R3: before a name replaces another, what is behind it must be ready to go with it. */
static bool source_is_ready(struct model *m, struct renaming *r)
{
	struct node *node = &m->node[r->source];

	if (r->target == 0 || node->kind != KIND_FILE)
		return true;
	if (r->cut_op == 0)
		r->cut_op = node->op;
	if (IS_BROKEN(m, R3_NOT_PARKED))
		return true;
	content_cut_now(m, r->source);
	if (content_has_unflushed(m, node) && node->appended_op < r->cut_op &&
	    (!node->ready.is_set || node->ready.op < r->cut_op))
		return false;
	if (r->cut_op > node->appended_op && r->cut_op > node->must_op &&
	    !IS_BROKEN(m, I22_NO_MUST))
		node->must_op = r->cut_op;
	return true;
}

/* The header's name, or one of the further names, follows. */
static void follow_name(struct model *m, const struct renaming *r)
{
	struct node *node = &m->node[r->source];
	bool is_dir = node->kind == KIND_DIRECTORY;

	if (!is_dir && node->nlink > 1) {
		add_link(m, r->source, code_of(r->new_dir, r->new_slot));
		remove_link(m, r->source, code_of(r->dir, r->slot));
	} else {
		node->primary = (uint8_t)code_of(r->new_dir, r->new_slot);
		node->parent = (uint8_t)r->new_dir;
	}
	node_names_changed(m, r->source);
	if (is_dir && r->dir != r->new_dir) {
		count_subdirectory(m, r->dir, -1);
		count_subdirectory(m, r->new_dir, 1);
	}
}

static void move(struct model *m, const struct renaming *r)
{
	bool replaces_dir = r->target != 0 && names_is_directory(m, r->target);

	trace(m, "rename: from, to, object", code_of(r->dir, r->slot),
	      code_of(r->new_dir, r->new_slot), r->source);
	set_slot(m, r->new_dir, r->new_slot, r->source);
	step(m);
	set_slot(m, r->dir, r->slot, 0);
	step(m);
	follow_name(m, r);
	if (r->target == 0)
		return;
	drop_name(m, r->target, code_of(r->new_dir, r->new_slot));
	if (replaces_dir)
		count_subdirectory(m, r->new_dir, -1);
	if (m->node[r->source].kind == KIND_FILE && m->replaced_count < RENAMES)
		m->replaced[m->replaced_count++] =
			(struct replaced){m->names_op, r->cut_op, (uint8_t)r->source};
}

/* One try.  False: a cut of the source must be made first. */
static bool try_once(struct model *m, struct renaming *r)
{
	bool is_done = true;

	if (!names_begin(m))
		return true;
	r->source = names_find(m, r->dir, r->slot);
	r->target = names_find(m, r->new_dir, r->new_slot);
	if (is_allowed(m, r)) {
		is_done = source_is_ready(m, r);
		if (is_done)
			move(m, r);
	}
	names_end(m);
	return is_done;
}

static bool is_flushed(struct model *m, int worker)
{
	return m->is_frozen || m->waiter[worker].is_flushed;
}

void names_rename(struct model *m, int dir, int slot, int new_dir, int new_slot)
{
	struct renaming r = {.dir = dir, .slot = slot, .new_dir = new_dir, .new_slot = new_slot};

	int worker = m->current - THREAD_WORKER;

	while (!try_once(m, &r)) {
		m->waiter[worker].is_flushed = false;
		flusher_request_then(m, r.source, &m->waiter[worker].is_flushed);
		wait_for(m, is_flushed, worker);
		if (m->is_frozen)
			return;
	}
}
