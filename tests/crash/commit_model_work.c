/* The workers: requests at random. */
#include "commit_model.h"

static int any_file(struct model *m)
{
	bool first = m->style != STYLE_ANY;

	for (int i = 1; i < 2 * OBJECTS; i++) {
		int object = first && i < OBJECTS ? i : below(m, OBJECTS);
		const struct node *node = &m->node[object];

		if (node->is_used && node->kind == KIND_FILE && node->nlink > 0 && !node->is_gone)
			return object;
	}
	return 0;
}

static int any_directory(struct model *m)
{
	for (int i = 0; i < OBJECTS; i++) {
		int object = below(m, OBJECTS);

		if (names_is_directory(m, object) && m->node[object].nlink > 0)
			return object;
	}
	return 0;
}

static void write_some(struct model *m, int object)
{
	int offset = below(m, BLOCKS * UNITS), len = 1 + below(m, 4);
	bool is_large = draw(m) % 3 != 0;

	if (is_large) {
		offset -= offset % UNITS;
		len += len % UNITS;
	}
	if (offset + len > BLOCKS * UNITS)
		len = BLOCKS * UNITS - offset;
	trace(m, is_large ? "write, may stream: object, offset, len" : "write: object, offset, len",
	      object, offset, len);
	content_write(m, object, offset, len, is_large, 0);
	trace(m, "written: object, op, streamed op", object, (int)m->node[object].op,
	      (int)m->node[object].streamed_op);
}

static void truncate_some(struct model *m, int worker, int object)
{
	bool is_small = m->style == STYLE_SIZES ? draw(m) % 2 == 0 : draw(m) % 3 == 0;
	int size = is_small ? below(m, INLINE_MAX + 1) : below(m, BLOCKS * UNITS + 1);

	content_truncate(m, object, size);
	trace(m, "truncated: object, size, op", object, size, (int)m->node[object].op);
	if (draw(m) % 4 == 0)
		committer_wait_settled(m, worker, object);
}

/* What was asked for is acknowledged, as of the request. */
static void fsync_some(struct model *m, int worker, int object)
{
	uint32_t names_op = m->names_op, op[OBJECTS];

	for (int i = 0; i < OBJECTS; i++)
		op[i] = i == object || object < 0 ? m->node[i].op : 0;
	trace(m, "fsync: object, op, names", object, (int)op[object < 0 ? 0 : object],
	      (int)names_op);
	if (!committer_wait(m, worker, object))
		return;
	for (int i = 0; i < OBJECTS; i++)
		if (op[i] > m->acknowledged[i] && m->node[i].kind != KIND_ATTRIBUTES)
			m->acknowledged[i] = op[i];
	if (names_op > m->acknowledged_names)
		m->acknowledged_names = names_op;
	trace(m, "fsync answered: object, op, names", object, (int)op[object < 0 ? 0 : object],
	      (int)names_op);
	m->has_changed = true;
}

static void use_file(struct model *m, int worker)
{
	int object = any_file(m);

	if (object == 0)
		return;
	m->node[object].opens++;
	switch (below(m, m->style == STYLE_SIZES ? 8 : 12)) {
	case 0:
	case 1:
		truncate_some(m, worker, object);
		break;
	case 2:
		content_punch(m, object, below(m, BLOCKS));
		break;
	case 3:
	case 4:
	case 5:
		fsync_some(m, worker, object);
		break;
	default:
		write_some(m, object);
		break;
	}
	/* Some hold it open for a while. */
	for (int i = draw(m) % 4 == 0 ? below(m, 60) : 0; i > 0; i--)
		step(m);
	names_release(m, object);
}

static void change_names(struct model *m)
{
	int dir = any_directory(m), slot = below(m, BLOCKS), file = any_file(m);

	switch (below(m, 10)) {
	case 0:
		names_create(m, dir, slot, KIND_DIRECTORY);
		break;
	case 1:
	case 2:
	case 3:
		names_create(m, dir, slot, KIND_FILE);
		break;
	case 4:
		if (file != 0)
			names_link(m, file, dir, slot);
		break;
	case 5:
		names_unlink(m, dir, slot);
		break;
	default:
		names_rename(m, any_directory(m), below(m, BLOCKS), dir, slot);
		break;
	}
}

static bool never(struct model *m, int arg)
{
	(void)m;
	(void)arg;
	return false;
}

void worker_main(struct model *m)
{
	int worker = m->current - THREAD_WORKER;

	while (m->ops_left > 0 && !m->is_frozen) {
		m->ops_left--;
		if (draw(m) % 16 == 0)
			fsync_some(m, worker, -1);
		else if (draw(m) % 3 == 0)
			change_names(m);
		else
			use_file(m, worker);
		step(m);
	}
	m->idle_workers++;
	wait_for(m, never, 0);
}
