/*
 * What must hold after a power cut, and how the run goes on after one.
 *
 * The recovered state is the one after the last transaction of the chain, of
 * all objects; that state was, once, the state of every file and of all names;
 * and nothing that somebody was told is durable is missing.
 */
#include <string.h>

#include "commit_model.h"

#define RANDOM_IMAGES  8
#define EXHAUSTIVE_MAX 5   /* pending sectors of which all subsets are looked at */
#define RECUT_ONE_IN   4

uint64_t states;

/* --- the state after a transaction ----------------------------------------- */

static uint32_t meaning(const struct model *m, uint16_t header, int block)
{
	return m->extent[m->header[header].content[block]].meaning;
}

static const char *check_names(const struct model *m, const struct txn *txn, int object,
			       const struct names *names)
{
	uint16_t number = txn->expected[object];
	const struct header *header = &m->header[number];
	bool is_dir = m->node[object].kind == KIND_DIRECTORY;
	uint32_t links;

	if (m->node[object].kind == KIND_ATTRIBUTES)
		return NULL;
	if (number == 0)
		return names->nlink[object] == 0 ? NULL : "a name without an object";
	if (header->nlink != names->nlink[object] || (!is_dir && header->nlink > 0 &&
						      header->primary != names->primary[object]))
		return "link count or name of another time than the names";
	links = header->attributes == 0 ? 0 : meaning(m, txn->expected[header->attributes], 0);
	if (header->nlink > 0 && links != names->links[object])
		return "further names of another time than the names";
	for (int slot = 0; slot < BLOCKS && is_dir; slot++)
		if (meaning(m, number, slot) != names->slot[object][slot])
			return "directories that never were so at one time";
	return NULL;
}

static const char *check_content(const struct model *m, uint16_t number)
{
	const struct header *header = &m->header[number];
	const struct state *state = state_at(&m->node[header->object], header->op);

	if (number == 0)
		return NULL;
	return header->size == state->size &&
			       memcmp(header->content, state->content, sizeof(state->content)) == 0
		       ? NULL
		       : "a content that never was so";
}

const char *check_appended(const struct model *m, const struct txn *txn)
{
	const struct names *names = names_at(m, txn->names_op);
	const char *wrong = NULL;

	for (int object = 0; object < m->object_count && wrong == NULL; object++) {
		wrong = check_names(m, txn, object, names);
		if (wrong == NULL)
			wrong = check_content(m, txn->expected[object]);
	}
	for (int i = 0; i < m->replaced_count && wrong == NULL; i++) {
		uint16_t number = txn->expected[m->replaced[i].object];

		if (txn->names_op >= m->replaced[i].names_op && number != 0 &&
		    m->header[number].op < m->replaced[i].op)
			wrong = "a name that replaced another shows an older content";
	}
	return wrong;
}

/* --- a recovered volume ----------------------------------------- */

/* I16, I17: header against row, tree against header, data against tree. */
static const char *read_object(const struct model *m, const struct recovery *r, int object)
{
	const uint64_t *sector = &r->image->sector[at_object(object, 0)];
	const struct header *header = &m->header[r->ledger.row[object]];
	const uint64_t *top = sector + SECTOR_PAGES + (header->levels == 1 ? PAGE_LEAF0 : PAGE_TOP) *
							      PAGE_SECTORS;

	if (sector[SECTOR_HEADER] != sector_value(SECTOR_IS_HEADER, r->ledger.row[object], 0))
		return "header and ledger row differ";
	if (tree_hash(header->levels == 1 ? PAGE_LEAF0 : PAGE_TOP, top) != header->root)
		return "a root does not fit";
	for (int page = PAGE_LEAF0; page <= PAGE_LEAF1 && header->levels == 2; page++)
		if (top[page] != 0 &&
		    tree_hash(page, sector + SECTOR_PAGES + page * PAGE_SECTORS) != top[page])
			return "a leaf does not fit";
	for (int block = 0; block < BLOCKS && !header->is_inline; block++)
		for (int i = 0; i < PAGE_SECTORS && header->content[block] != 0; i++)
			if (sector[SECTOR_DATA + block * PAGE_SECTORS + i] !=
			    sector_value(SECTOR_IS_DATA, header->content[block], (uint64_t)i))
				return "a block does not open";
	return NULL;
}

static const char *read_volume(const struct model *m, const struct recovery *r)
{
	const char *wrong = NULL;

	for (int object = 0; object < OBJECTS && wrong == NULL; object++) {
		uint64_t entry = r->image->sector[AT_ENTRIES + object];

		if (r->ledger.row[object] == 0)
			wrong = entry == ENTRY_ABSENT ? NULL
				: entry == ENTRY_NEW  ? "something is left in new"
						      : "an object that the ledger does not have";
		else
			wrong = entry == ENTRY_SHARD ? read_object(m, r, object)
						     : "an object is gone";
	}
	return wrong;
}

/* What somebody was told is durable. */
static const char *check_acknowledged(const struct model *m, const struct txn *txn)
{
	const struct names *names = names_at(m, txn->names_op);

	if (txn->names_op < m->acknowledged_names)
		return "an acknowledged change of names is missing";
	for (int object = 0; object < m->object_count; object++) {
		uint16_t number = txn->expected[object];

		if (number == 0 && m->acknowledged[object] > 0 && names->nlink[object] > 0)
			return "an acknowledged object is missing";
		if (number != 0 && m->header[number].op < m->acknowledged[object])
			return "an acknowledged content is missing";
	}
	return NULL;
}

static const char *check_recovered(const struct model *m, const struct recovery *r)
{
	const struct txn *txn = &m->txn[r->last];

	if (r->damage != NULL)
		return r->damage;
	if (r->seq > m->seq + 1 || m->by_seq[r->seq] != r->last)
		return "a state that is not of this history";
	if (memcmp(r->ledger.row, txn->expected, sizeof(txn->expected)) != 0)
		return "not the state after the last transaction";
	if (txn->wrong != NULL)
		return txn->wrong;
	if (check_acknowledged(m, txn) != NULL)
		return check_acknowledged(m, txn);
	return read_volume(m, r);
}

/* --- a cut inside the recovery ----------------------------------------- */

/* Some of what the recovery wrote is durable. */
static void mix(struct model *m, const struct image *before, struct image *after)
{
	unsigned int keep = (unsigned int)below(m, 3);

	for (int at = 0; at < SECTORS && keep < 2; at++)
		if (before->sector[at] != after->sector[at] && (keep == 0 || draw(m) % 2 == 0))
			after->sector[at] = before->sector[at];
	for (int object = 0; object < OBJECTS; object++)
		if (after->sector[AT_ENTRIES + object] == ENTRY_ABSENT)
			memset(&after->sector[at_object(object, 0)], 0,
			       OBJECT_SECTORS * sizeof(uint64_t));
}

static bool is_same(const struct recovery *a, const struct recovery *b)
{
	return b->damage == NULL && a->last == b->last &&
	       memcmp(a->ledger.row, b->ledger.row, sizeof(a->ledger.row)) == 0;
}

static const char *cut_recovery(struct model *m, const struct image *cut, const struct recovery *whole)
{
	static struct image before, after;
	struct recovery r = {.image = &after, .ledger = m->ledger};

	before = *cut;
	for (int again = below(m, 3); again >= 0; again--) {
		after = before;
		r = (struct recovery){.image = &after, .ledger = m->ledger,
				      .writes_left = draw(m) % 4 == 0 ? -1 : below(m, 60)};
		recover(m, &r);
		mix(m, &before, &after);
		before = after;
		states++;
	}
	/* I12: without it the ledger may be ahead of what is durable. */
	if (IS_BROKEN(m, I12_NO_SYNC)) {
		r.ledger = whole->ledger;
		r.ledger.position.session = m->session + 1;
	} else {
		r.ledger = m->ledger;
	}
	r.writes_left = -1;
	r.damage = NULL;
	recover(m, &r);
	if (r.damage != NULL || !is_same(whole, &r))
		return r.damage != NULL ? r.damage : "a second recovery ends elsewhere";
	return read_volume(m, &r);
}

static void look(struct model *m, enum choice choice, uint64_t bits)
{
	static struct image cut, image;
	struct recovery r = {.image = &image, .writes_left = -1, .ledger = m->ledger};
	const char *wrong;

	if (m->violation != NULL)
		return;
	disk_image(m, choice, bits, &cut);
	image = cut;
	states++;
	recover(m, &r);
	wrong = check_recovered(m, &r);
	if (wrong == NULL && draw(m) % RECUT_ONE_IN == 0)
		wrong = cut_recovery(m, &cut, &r);
	if (wrong != NULL)
		violate(m, wrong);
}

static void look_at_live(struct model *m)
{
	for (int object = 0; object < m->object_count; object++) {
		const struct node *node = &m->node[object];

		/* I23: a file that is open is there, with a name or without. */
		if ((node->opens > 0 || (node->nlink > 0 && !node->is_gone)) && !node->is_stuck &&
		    !content_reads_well(m, object))
			violate(m, "a live file reads wrong");
	}
}

void explore(struct model *m)
{
	/* Frozen, everything stays readable (I24). */
	if (!m->is_over && (m->has_changed || m->is_frozen))
		look_at_live(m);
	if (!m->has_changed || m->is_over)
		return;
	m->has_changed = false;
	look(m, CHOOSE_OLDEST, 0);
	if (m->pending_count == 0)
		return;
	look(m, draw(m) % 4 == 0 ? CHOOSE_KILLED : CHOOSE_NEWEST, 0);
	if (m->pending_count <= EXHAUSTIVE_MAX) {
		for (uint64_t bits = 1; bits + 1 < 1u << m->pending_count; bits++)
			look(m, CHOOSE_BITS, bits);
		return;
	}
	for (int i = 0; i < RANDOM_IMAGES; i++)
		look(m, CHOOSE_BITS + (enum choice)(i % 5), draw(m));
}

/* --- after a cut ----------------------------------------- */

/* An object as a mount finds it. */
static void load_node(struct model *m, int object, uint16_t number)
{
	const struct header *header = &m->header[number];
	struct node *node = &m->node[object], old = *node;
	const struct state *state = state_at(node, header->op);

	memset(node, 0, offsetof(struct node, states));
	node->kind = old.kind;
	node->parent = old.parent;
	node->is_used = true;
	node->epoch = header->epoch;
	node->version = header->version;
	node->op = node->appended_op = header->op;
	node->flushed_op = header->op;
	node->nlink = header->nlink;
	node->was_nameless = header->nlink == 0;
	node->size = node->tree_size = header->size;
	node->attributes = header->attributes;
	node->primary = header->primary;
	node->shrink = node->sealing_shrink = NO_SHRINK;
	node->high_block = blocks_of(header->size);
	node->is_inline = header->is_inline;
	node->exists = node->name_durable = true;
	tree_build(&node->tree, header->size, header->is_inline, header->content);
	node->state_count = (int)(state - node->states) + 1;
}

static void forget_node(struct node *node)
{
	enum kind kind = node->kind;

	memset(node, 0, offsetof(struct node, states));
	node->kind = kind;
	node->is_gone = true;
	node->flushed_op = UINT64_MAX;
}

/* Which directory has a name of it. */
static void find_parents(struct model *m)
{
	for (int dir = 0; dir < m->object_count; dir++)
		for (int slot = 0; slot < BLOCKS && names_is_directory(m, dir); slot++)
			m->node[names_find(m, dir, slot)].parent = (uint8_t)dir;
	m->node[0].parent = 0;
}

/* What came after the recovered state never happened. */
static void forget_future(struct model *m, const struct txn *txn)
{
	int kept = 0;

	while (m->names_count > 1 && m->names[m->names_count - 1].op > txn->names_op)
		m->names_count--;
	for (int i = 0; i < m->replaced_count; i++)
		if (m->replaced[i].names_op <= txn->names_op)
			m->replaced[kept++] = m->replaced[i];
	m->replaced_count = kept;
	for (uint32_t seq = txn->seq + 1; seq < TXNS; seq++)
		m->by_seq[seq] = 0;
}

static void begin_journal(struct model *m, const struct recovery *r)
{
	int half = r->ledger.position.half;

	m->seq = m->gathered_seq = m->applied_seq = m->flushed_seq = r->seq;
	m->last = r->last;
	m->session = r->ledger.position.session;
	m->current_half = half;
	m->offset = 0;
	m->half[half] = (struct half){.first = r->seq + 1, .last = r->seq, .before = r->last};
	m->half[1 - half] = (struct half){.is_free = true};
	m->ledger = r->ledger;
	memcpy(m->row, r->ledger.row, sizeof(m->row));
	m->anchor_dirty = m->is_checkpoint_wanted = m->is_applier_wanted = false;
	m->is_urgent = m->is_everything = m->is_idle_checkpoint = m->is_frozen = false;
	m->job_count = 0;
	m->names_busy = false;
	m->idle_workers = 0;
	memset(m->waiter, 0, sizeof(m->waiter));
}

/* I23: what a cut left without a name is deleted. */
static void delete_unlinked(struct model *m)
{
	for (int object = 0; object < m->object_count; object++)
		if (m->row[object] != 0 && m->node[object].nlink == 0 && !IS_BROKEN(m, I23_KEEP))
			node_changed(m, object);
}

void remount(struct model *m)
{
	static struct image cut, image;
	struct recovery r = {.image = &image, .writes_left = -1, .ledger = m->ledger};
	const struct txn *txn;

	disk_image(m, CHOOSE_NEWEST + (enum choice)below(m, 7), draw(m), &cut);
	image = cut;
	/* The key may have been renewed before the volume is unlocked again. */
	m->epoch += draw(m) % 2;
	recover(m, &r);
	states++;
	if (check_recovered(m, &r) != NULL) {
		violate(m, check_recovered(m, &r));
		return;
	}
	txn = &m->txn[r.last];
	trace(m, "remount: seq, names", (int)r.seq, (int)txn->names_op, 0);
	/* The slot of the last transaction may be torn; the next one goes over the other. */
	if (!IS_BROKEN(m, I14_TORN_ANCHOR))
		image.sector[AT_ANCHOR + (r.seq & 1)] = cut.sector[AT_ANCHOR + (r.seq & 1)] =
			sector_value(SECTOR_IS_ANCHOR, r.last, 0);
	/* With nothing to replay nothing else is flushed. */
	disk_begin(m, r.count > 0 ? &image : &cut);
	disk_add(m, &image);
	forget_future(m, txn);
	begin_journal(m, &r);
	m->names_op = m->flushed_names_op = txn->names_op;
	for (int object = 0; object < m->object_count; object++)
		if (r.ledger.row[object] != 0)
			load_node(m, object, r.ledger.row[object]);
		else
			forget_node(&m->node[object]);
	find_parents(m);
	delete_unlinked(m);
	threads_begin(m);
}
