/*
 * The classes of nodes: the policy's places, worked out along the directories
 * and remembered for each node and policy generation.
 *
 * A directory's place cannot change while a policy is in force, because renames
 * that would change it are refused.  A file's can: place_moved is called when
 * a name was given, taken or moved, and whatever was worked out before that is
 * not believed any more.
 *
 * A file with several names has the classes of all of them (a reload can split
 * a link set): who wants it needs the right in each.
 *
 * Bounded: PLACES_CACHED nodes, the newer displaces the older.  Holds numbers
 * only, no names.  Thread-safe; no lock is held while the store is asked.
 */
#ifndef PHIFS_FSOPS_PLACE_H
#define PHIFS_FSOPS_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fsops/scope.h"
#include "policy/policy.h"
#include "store/store.h"

#define PLACES_CACHED     16384
#define PLACE_CLASSES_MAX 64 /* different classes of one link set; more: ERR_DENIED */

struct places;

struct place_set {
	policy_place place;   /* of the (first) name */
	int classes[PLACE_CLASSES_MAX];
	uint32_t count;       /* of different classes; at least 1 */
};

enum err places_new(struct store *store, struct places **places) MUST_CHECK;
void places_free(struct places *places);
void places_wipe(struct places *places);

/* Of a directory. */
enum err place_of_dir(struct places *places, const struct scope *scope, uint64_t dir,
		      policy_place *place) MUST_CHECK;
/* Of a name in a directory, existing or not. */
enum err place_of_name(struct places *places, const struct scope *scope, uint64_t dir,
		       const char *name, policy_place *place) MUST_CHECK;
/*
 * Of a node, by all its names; of one that has no name any more, by the last that it
 * had.  ERR_STALE: nobody knows that (the volume was locked since).
 */
enum err place_of_node(struct places *places, const struct scope *scope, uint64_t number,
		       struct place_set *set) MUST_CHECK;
/* Names of this file changed; before whoever changed them is answered. */
void place_moved(struct places *places, uint64_t number);

#endif
