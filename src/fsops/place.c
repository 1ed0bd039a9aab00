#include "fsops/place.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"

#define SHARDS    64
#define PER_SHARD (PLACES_CACHED / SHARDS)
#define DEPTH_MAX 2048 /* deeper than any path of STORE_PATH_MAX bytes */

struct entry {
	uint64_t number;     /* 0: none */
	uint64_t generation; /* of the policy */
	policy_place place;
	int class_index;
};

struct shard {
	pthread_mutex_t mutex;
	struct entry entries[PER_SHARD];
};

struct places {
	struct store *store;
	/* Grows when names of files change: what was begun before is not remembered. */
	_Atomic uint64_t moves;
	struct shard shards[SHARDS];
};

enum err places_new(struct store *store, struct places **places)
{
	struct places *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NO_MEMORY;
	p->store = store;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&p->shards[i].mutex, NULL);
	*places = p;
	return ERR_OK;
}

void places_free(struct places *places)
{
	if (places == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&places->shards[i].mutex);
	free(places);
}

void places_wipe(struct places *places)
{
	atomic_fetch_add(&places->moves, 1);
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&places->shards[i].mutex);
		memset(places->shards[i].entries, 0, sizeof(places->shards[i].entries));
		pthread_mutex_unlock(&places->shards[i].mutex);
	}
}

static struct shard *shard_of(struct places *places, uint64_t number)
{
	return &places->shards[number % SHARDS];
}

static struct entry *entry_of(struct shard *shard, uint64_t number)
{
	return &shard->entries[(number / SHARDS) % PER_SHARD];
}

static bool cache_find(struct places *places, const struct scope *scope, uint64_t number,
		       struct entry *found)
{
	struct shard *shard = shard_of(places, number);

	pthread_mutex_lock(&shard->mutex);
	*found = *entry_of(shard, number);
	pthread_mutex_unlock(&shard->mutex);
	return found->number == number && found->generation == scope->generation;
}

static void cache_put(struct places *places, const struct scope *scope, uint64_t number,
		      policy_place place, uint64_t moves)
{
	struct shard *shard = shard_of(places, number);

	pthread_mutex_lock(&shard->mutex);
	if (atomic_load(&places->moves) == moves)
		*entry_of(shard, number) =
			(struct entry){number, scope->generation, place,
				       policy_class_at(scope->policy, place)};
	pthread_mutex_unlock(&shard->mutex);
}

void place_moved(struct places *places, uint64_t number)
{
	struct shard *shard = shard_of(places, number);
	struct entry *entry;

	pthread_mutex_lock(&shard->mutex);
	atomic_fetch_add(&places->moves, 1);
	entry = entry_of(shard, number);
	if (entry->number == number)
		entry->number = 0;
	pthread_mutex_unlock(&shard->mutex);
}

/* --- names -------------------------------------------------------------------------- */

struct name {
	uint64_t dir;
	char text[STORE_NAME_MAX + 1];
};

/* Of a link set, or of a directory on the way up. */
struct names {
	struct name *list;
	size_t count, room;
	enum err err;
};

static void keep_name(void *ctx, uint64_t dir, const char *text)
{
	struct names *names = ctx;
	struct name *list = names->list;

	if (names->err != ERR_OK)
		return;
	if (names->count == names->room) {
		size_t room = names->room * 2 + 1;

		list = malloc(room * sizeof(*list));
		if (list == NULL) {
			names->err = ERR_NO_MEMORY;
			return;
		}
		if (names->count > 0) {
			memcpy(list, names->list, names->count * sizeof(*list));
			secmem_wipe(names->list, names->count * sizeof(*list));
		}
		free(names->list);
		names->list = list;
		names->room = room;
	}
	list[names->count].dir = dir;
	strncpy(list[names->count].text, text, STORE_NAME_MAX);
	list[names->count].text[STORE_NAME_MAX] = '\0';
	names->count++;
}

static void names_free(struct names *names)
{
	if (names->list != NULL)
		secmem_wipe(names->list, names->room * sizeof(*names->list));
	free(names->list);
	*names = (struct names){0};
}

static enum err names_of(struct places *places, uint64_t number, struct names *names)
{
	enum err err;

	*names = (struct names){0};
	err = store_names(places->store, number, keep_name, names);
	return err != ERR_OK ? err : names->err;
}

/* --- places ------------------------------------------------------------------------- */

/*
 * Up to the first directory that is known, then down again.  The names on the
 * way are few: they stay in memory until the end.
 */
enum err place_of_dir(struct places *places, const struct scope *scope, uint64_t dir,
		      policy_place *place)
{
	uint64_t moves = atomic_load(&places->moves);
	struct names names, way = {0};
	enum err err = ERR_OK;
	struct entry known;
	uint64_t at = dir, below;

	while (err == ERR_OK && at != STORE_ROOT && !cache_find(places, scope, at, &known)) {
		err = way.count == DEPTH_MAX ? ERR_FORMAT : names_of(places, at, &names);
		if (err == ERR_OK) {
			keep_name(&way, names.list[0].dir, names.list[0].text);
			err = way.err;
			at = names.list[0].dir;
		}
		names_free(&names);
	}
	*place = at == STORE_ROOT ? policy_root(scope->policy) : known.place;
	for (size_t i = way.count; err == ERR_OK && i > 0; i--) {
		const char *text = way.list[i - 1].text;

		*place = policy_step(scope->policy, *place, text, strlen(text));
		below = i > 1 ? way.list[i - 2].dir : dir;
		cache_put(places, scope, below, *place, moves);
	}
	names_free(&way);
	return err;
}

enum err place_of_name(struct places *places, const struct scope *scope, uint64_t dir,
		       const char *name, policy_place *place)
{
	policy_place above;
	enum err err = place_of_dir(places, scope, dir, &above);

	if (err == ERR_OK)
		*place = policy_step(scope->policy, above, name, strlen(name));
	return err;
}

static enum err add_class(struct place_set *set, int class_index)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (set->classes[i] == class_index)
			return ERR_OK;
	if (set->count == PLACE_CLASSES_MAX)
		return ERR_DENIED;
	set->classes[set->count++] = class_index;
	return ERR_OK;
}

enum err place_of_node(struct places *places, const struct scope *scope, uint64_t number,
		       struct place_set *set)
{
	uint64_t moves = atomic_load(&places->moves);
	struct names names;
	struct entry known;
	policy_place place = 0;
	enum err err;

	set->count = 0;
	if (number == STORE_ROOT) {
		set->place = policy_root(scope->policy);
		return add_class(set, policy_class_at(scope->policy, set->place));
	}
	if (cache_find(places, scope, number, &known)) {
		set->place = known.place;
		return add_class(set, known.class_index);
	}
	err = names_of(places, number, &names);
	for (size_t i = 0; err == ERR_OK && i < names.count; i++) {
		err = place_of_name(places, scope, names.list[i].dir, names.list[i].text, &place);
		if (err != ERR_OK)
			break;
		if (i == 0)
			set->place = place;
		err = add_class(set, policy_class_at(scope->policy, place));
	}
	/* A set of several classes is worked out each time: it is rare. */
	if (err == ERR_OK && set->count == 1)
		cache_put(places, scope, number, set->place, moves);
	names_free(&names);
	return err;
}
