/*
 * The table of places: a deterministic automaton over path components.
 *
 * All patterns begin at the root and take one component a step, so a pattern
 * that is alive at depth d waits for its component d.  A place is {best class,
 * depth, patterns alive}; equal ones are made once, so equal numbers mean equal
 * futures.  When no pattern is alive the depth makes no difference and is 0.
 *
 * A name that no pattern spells out leads to `other`; only names that some
 * alive pattern waits for have an edge of their own.  Steps read two hash
 * tables that never change after the load.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

/* Bounds of what a hostile or careless policy can make us build. */
#define EDGES_MAX (1u << 20)
#define ALIVE_MAX (1u << 22) /* patterns alive, summed over all places */
#define NO_PLACE  UINT32_MAX
#define NO_NAME	  UINT32_MAX

struct place {
	int class_index;    /* -1: none */
	policy_place other; /* where any name without an edge leads */
	bool has_edges;
	/* only while building: */
	int depth;
	uint32_t alive_start, alive_count;
};

struct edge {
	policy_place from; /* NO_PLACE: free */
	uint32_t name;
	policy_place to;
};

/* A component that a pattern spells out. */
struct spelled {
	const char *text; /* in a class's parts_text; NULL: free */
	size_t len;
	uint32_t hash;
	uint32_t id;
};

struct policy_places {
	struct place *places;
	size_t count, room;
	struct edge *edges; /* open addressing, edge_mask + 1 slots */
	size_t edge_count, edge_mask;
	struct spelled *names; /* open addressing, name_mask + 1 slots */
	size_t name_count, name_mask;
};

/* --- names and edges --------------------------------------------------------------- */

/* FNV-1a.  Only the policy's own words are in the table: no one can flood it. */
static uint32_t hash_bytes(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static struct spelled *name_slot(const struct policy_places *places, const char *text, size_t len)
{
	uint32_t hash = hash_bytes(text, len);
	size_t at = hash & places->name_mask;

	while (places->names[at].text != NULL &&
	       (places->names[at].hash != hash || places->names[at].len != len ||
		memcmp(places->names[at].text, text, len) != 0))
		at = (at + 1) & places->name_mask;
	return &places->names[at];
}

static struct edge *edge_slot(const struct policy_places *places, policy_place from, uint32_t name)
{
	uint64_t mixed = ((uint64_t)from << 32 | name) * 0x9e3779b97f4a7c15u;
	size_t at = (size_t)(mixed >> 32) & places->edge_mask;

	while (places->edges[at].from != NO_PLACE &&
	       (places->edges[at].from != from || places->edges[at].name != name))
		at = (at + 1) & places->edge_mask;
	return &places->edges[at];
}

static bool grow_edges(struct policy_places *places)
{
	struct edge *old = places->edges;
	size_t old_slots = old == NULL ? 0 : places->edge_mask + 1;
	size_t slots = old == NULL ? 64 : old_slots * 2;
	struct edge *edges = malloc(slots * sizeof(*edges));

	if (edges == NULL)
		return false;
	for (size_t i = 0; i < slots; i++)
		edges[i].from = NO_PLACE;
	places->edges = edges;
	places->edge_mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].from != NO_PLACE)
			*edge_slot(places, old[i].from, old[i].name) = old[i];
	free(old);
	return true;
}

/* --- stepping ------------------------------------------------------------------------ */

policy_place policy_root(const struct policy *policy)
{
	(void)policy;
	return 0;
}

policy_place policy_step(const struct policy *policy, policy_place dir, const char *name,
			 size_t len)
{
	const struct policy_places *places = policy->places;
	const struct spelled *spelled;
	const struct edge *edge;

	if (dir >= places->count)
		return 0;
	if (!places->places[dir].has_edges)
		return places->places[dir].other;
	spelled = name_slot(places, name, len);
	if (spelled->text == NULL)
		return places->places[dir].other;
	edge = edge_slot(places, dir, spelled->id);
	return edge->from == NO_PLACE ? places->places[dir].other : edge->to;
}

policy_place policy_place_of_path(const struct policy *policy, const char *path)
{
	policy_place place = policy_root(policy);

	while (*(path += strspn(path, "/")) != '\0') {
		size_t len = strcspn(path, "/");

		place = policy_step(policy, place, path, len);
		path += len;
	}
	return place;
}

int policy_class_at(const struct policy *policy, policy_place place)
{
	return place < policy->places->count ? policy->places->places[place].class_index : -1;
}

size_t policy_place_count(const struct policy *policy)
{
	return policy->places->count;
}

void policy_free_places(struct policy_places *places)
{
	if (places == NULL)
		return;
	free(places->places);
	free(places->edges);
	free(places->names);
	free(places);
}

/* --- building ------------------------------------------------------------------------ */

struct builder {
	struct policy_load *load;
	const struct policy *policy;
	struct policy_places *places;
	uint32_t *part_ids; /* class * POLICY_DEPTH_MAX + depth: id of the name; NO_NAME: '*' */
	uint16_t *alive;    /* the sets of all places, one after the other */
	size_t alive_len, alive_room;
	policy_place *known; /* open addressing: places by content; NO_PLACE: free */
	size_t known_mask;
	uint32_t *stamps; /* for each name: the last place that made an edge of it, + 1 */
};

static bool is_too_large(struct builder *builder)
{
	const struct policy_places *places = builder->places;

	if (places->count < POLICY_PLACES_MAX && places->edge_count < EDGES_MAX &&
	    builder->alive_len + builder->policy->class_count <= ALIVE_MAX)
		return false;
	policy_complain(builder->load, 0,
			"the paths with '*' overlap in too many ways: use fewer of them");
	return true;
}

static bool no_memory(struct builder *builder)
{
	builder->load->no_memory = true;
	return false;
}

/* Room for one more place and its set at the end of `alive`, which is then never NULL. */
static bool make_room(struct builder *builder)
{
	size_t wanted = builder->alive_len + builder->policy->class_count + 1;
	struct place *places =
		policy_grow(builder->load, builder->places->places, builder->places->count,
			    &builder->places->room, sizeof(*places));

	if (places == NULL)
		return false;
	builder->places->places = places;
	if (wanted > builder->alive_room) {
		uint16_t *alive = reallocarray(builder->alive, wanted * 2, sizeof(*alive));

		if (alive == NULL)
			return no_memory(builder);
		builder->alive = alive;
		builder->alive_room = wanted * 2;
	}
	return true;
}

static bool same_content(const struct builder *builder, const struct place *a,
			 const struct place *b)
{
	return a->class_index == b->class_index && a->depth == b->depth &&
	       a->alive_count == b->alive_count &&
	       memcmp(builder->alive + a->alive_start, builder->alive + b->alive_start,
		      a->alive_count * sizeof(builder->alive[0])) == 0;
}

static size_t content_slot(const struct builder *builder, const struct place *place)
{
	uint32_t hash = hash_bytes(builder->alive + place->alive_start,
				   place->alive_count * sizeof(builder->alive[0]));
	size_t at = (hash ^ (uint32_t)place->class_index * 2654435761u ^ (uint32_t)place->depth) &
		    builder->known_mask;

	while (builder->known[at] != NO_PLACE &&
	       !same_content(builder, place, &builder->places->places[builder->known[at]]))
		at = (at + 1) & builder->known_mask;
	return at;
}

/* `class_index` beats `best`: both end at this component, so the leftmost literal decides. */
static bool is_more_specific(const struct policy *policy, int class_index, int best)
{
	const struct policy_class_entry *a = &policy->classes[class_index];
	const struct policy_class_entry *b = &policy->classes[best];

	for (int i = 0; i < a->part_count; i++)
		if ((a->parts[i] == NULL) != (b->parts[i] == NULL))
			return a->parts[i] != NULL;
	return false;
}

/*
 * Adds a pattern to the place being made: it is complete, or waits for more.
 * What completes here has more components than the class inherited from above.
 */
static void add_pattern(struct builder *builder, struct place *place, int class_index, int depth,
			bool *has_completed)
{
	const struct policy *policy = builder->policy;

	if (policy->classes[class_index].part_count > depth) {
		builder->alive[place->alive_start + place->alive_count++] = (uint16_t)class_index;
		return;
	}
	if (!*has_completed || is_more_specific(policy, class_index, place->class_index))
		place->class_index = class_index;
	*has_completed = true;
}

/* The number of a place with this content, made if it is new. */
static policy_place intern(struct builder *builder, struct place *place)
{
	size_t at;

	if (place->alive_count == 0)
		place->depth = 0;
	at = content_slot(builder, place);
	if (builder->known[at] != NO_PLACE)
		return builder->known[at];
	builder->alive_len = place->alive_start + place->alive_count;
	builder->known[at] = (policy_place)builder->places->count;
	builder->places->places[builder->places->count] = *place;
	return (policy_place)builder->places->count++;
}

/* Where `name` (NO_NAME: one that nobody waits for) leads from `from`. */
static bool make_step(struct builder *builder, policy_place from, uint32_t name, policy_place *to)
{
	const struct place *dir;
	struct place place = {0};
	bool has_completed = false;

	if (is_too_large(builder) || !make_room(builder))
		return false;
	dir = &builder->places->places[from];
	place.class_index = dir->class_index;
	place.depth = dir->depth + 1;
	place.alive_start = (uint32_t)builder->alive_len;
	for (uint32_t i = 0; i < dir->alive_count; i++) {
		uint16_t class_index = builder->alive[dir->alive_start + i];
		uint32_t part = builder->part_ids[class_index * POLICY_DEPTH_MAX + dir->depth];

		if (part == NO_NAME || part == name)
			add_pattern(builder, &place, class_index, place.depth, &has_completed);
	}
	*to = intern(builder, &place);
	return true;
}

static bool make_edge(struct builder *builder, policy_place from, uint32_t name)
{
	struct policy_places *places = builder->places;
	policy_place to;

	if (!make_step(builder, from, name, &to))
		return false;
	if ((places->edge_count + 1) * 2 > places->edge_mask && !grow_edges(places))
		return no_memory(builder);
	*edge_slot(places, from, name) = (struct edge){from, name, to};
	places->edge_count++;
	places->places[from].has_edges = true;
	return true;
}

/* All steps out of one place. */
static bool expand(struct builder *builder, policy_place from)
{
	struct place place = builder->places->places[from];
	policy_place other;

	if (!make_step(builder, from, NO_NAME, &other))
		return false;
	builder->places->places[from].other = other;
	for (uint32_t i = 0; i < place.alive_count; i++) {
		uint16_t class_index = builder->alive[place.alive_start + i];
		uint32_t name = builder->part_ids[class_index * POLICY_DEPTH_MAX + place.depth];

		if (name == NO_NAME || builder->stamps[name] == from + 1)
			continue;
		builder->stamps[name] = from + 1;
		if (!make_edge(builder, from, name))
			return false;
	}
	return true;
}

static bool make_root(struct builder *builder)
{
	struct place root = {.class_index = -1};
	bool has_completed = false;

	if (!make_room(builder))
		return false;
	for (size_t i = 0; i < builder->policy->class_count; i++)
		add_pattern(builder, &root, (int)i, 0, &has_completed);
	intern(builder, &root);
	return true;
}

/* Number all names that patterns spell out. */
static void number_names(struct builder *builder)
{
	struct policy_places *places = builder->places;

	for (size_t i = 0; i < builder->policy->class_count; i++) {
		const struct policy_class_entry *class = &builder->policy->classes[i];

		for (int depth = 0; depth < class->part_count; depth++) {
			uint32_t *id = &builder->part_ids[i * POLICY_DEPTH_MAX + (size_t)depth];
			const char *text = class->parts[depth];
			struct spelled *slot;

			*id = NO_NAME;
			if (text == NULL)
				continue;
			slot = name_slot(places, text, strlen(text));
			if (slot->text == NULL)
				*slot = (struct spelled){text, strlen(text),
							 hash_bytes(text, strlen(text)),
							 (uint32_t)places->name_count++};
			*id = slot->id;
		}
	}
}

/* A power of two at least twice `count`. */
static size_t slots_for(size_t count)
{
	size_t slots = 16;

	while (slots < count * 2)
		slots *= 2;
	return slots;
}

static size_t count_names(const struct policy *policy)
{
	size_t count = 1;

	for (size_t i = 0; i < policy->class_count; i++)
		count += (size_t)policy->classes[i].part_count;
	return count;
}

static bool allocate(struct builder *builder)
{
	size_t parts = builder->policy->class_count * POLICY_DEPTH_MAX + 1;
	struct policy_places *places = calloc(1, sizeof(*places));
	size_t known_slots = slots_for(POLICY_PLACES_MAX);

	builder->load->policy->places = places;
	builder->places = places;
	builder->part_ids = calloc(parts, sizeof(builder->part_ids[0]));
	builder->stamps = calloc(parts, sizeof(builder->stamps[0]));
	builder->known = malloc(known_slots * sizeof(builder->known[0]));
	if (places == NULL || builder->part_ids == NULL || builder->stamps == NULL ||
	    builder->known == NULL)
		return no_memory(builder);
	memset(builder->known, 0xff, known_slots * sizeof(builder->known[0]));
	builder->known_mask = known_slots - 1;
	places->name_mask = slots_for(count_names(builder->policy)) - 1;
	places->names = calloc(places->name_mask + 1, sizeof(places->names[0]));
	return (places->names != NULL && grow_edges(places)) || no_memory(builder);
}

enum err policy_build_places(struct policy_load *load)
{
	struct builder builder = {.load = load, .policy = load->policy};
	bool done = allocate(&builder);

	if (done) {
		number_names(&builder);
		done = make_root(&builder);
	}
	for (size_t i = 0; done && i < builder.places->count; i++)
		done = expand(&builder, (policy_place)i);
	free(builder.part_ids);
	free(builder.stamps);
	free(builder.known);
	free(builder.alive);
	if (load->no_memory)
		return ERR_NO_MEMORY;
	return done ? ERR_OK : ERR_CONFIG;
}
