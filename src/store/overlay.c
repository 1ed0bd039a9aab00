#include "store/overlay.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_BLOCKS TREE_FANOUT

struct overlay_group {
	atomic_uint refs;
	uint32_t used;
	uint64_t leaf;
	struct extent *slots[GROUP_BLOCKS];
};

static struct overlay_group *group_new(uint64_t leaf)
{
	struct overlay_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	atomic_init(&group->refs, 1);
	group->leaf = leaf;
	return group;
}

static void group_put(struct overlay_group *group)
{
	if (atomic_fetch_sub(&group->refs, 1) != 1)
		return;
	for (size_t i = 0; i < GROUP_BLOCKS; i++)
		extent_put(group->slots[i]);
	free(group);
}

static struct overlay_group *group_copy(const struct overlay_group *group)
{
	struct overlay_group *copy = group_new(group->leaf);

	if (copy == NULL)
		return NULL;
	copy->used = group->used;
	for (size_t i = 0; i < GROUP_BLOCKS; i++)
		if (group->slots[i] != NULL)
			copy->slots[i] = extent_get(group->slots[i]);
	return copy;
}

void overlay_init(struct overlay *overlay)
{
	*overlay = (struct overlay){0};
}

void overlay_clear(struct overlay *overlay)
{
	for (size_t i = 0; i < overlay->count; i++)
		group_put(overlay->groups[i]);
	free(overlay->groups);
	overlay_init(overlay);
}

bool overlay_is_empty(const struct overlay *overlay)
{
	return overlay->count == 0;
}

/* The position of `leaf`'s group, or where it would be. */
static size_t position_of(const struct overlay *overlay, uint64_t leaf)
{
	size_t low = 0, high = overlay->count;

	/* Files grow at their end. */
	if (high > 0 && overlay->groups[high - 1]->leaf < leaf)
		return high;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (overlay->groups[middle]->leaf < leaf)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct overlay_group *group_at(const struct overlay *overlay, size_t position,
				      uint64_t leaf)
{
	if (position < overlay->count && overlay->groups[position]->leaf == leaf)
		return overlay->groups[position];
	return NULL;
}

struct extent *overlay_find(const struct overlay *overlay, uint64_t block)
{
	uint64_t leaf = block / GROUP_BLOCKS;
	struct overlay_group *group;

	if (overlay->count == 0)
		return NULL;
	group = group_at(overlay, position_of(overlay, leaf), leaf);
	return group != NULL ? group->slots[block % GROUP_BLOCKS] : NULL;
}

uint64_t overlay_next(const struct overlay *overlay, uint64_t block)
{
	size_t i = position_of(overlay, block / GROUP_BLOCKS);

	for (; i < overlay->count; i++) {
		const struct overlay_group *group = overlay->groups[i];
		uint64_t start = group->leaf * GROUP_BLOCKS;

		for (size_t slot = block > start ? block - start : 0; slot < GROUP_BLOCKS; slot++)
			if (group->slots[slot] != NULL)
				return start + slot;
	}
	return UINT64_MAX;
}

static enum err grow(struct overlay *overlay)
{
	size_t room = overlay->room == 0 ? 4 : overlay->room * 2;
	struct overlay_group **groups;

	if (overlay->count < overlay->room)
		return ERR_OK;
	groups = realloc(overlay->groups, room * sizeof(*groups));
	if (groups == NULL)
		return ERR_NO_MEMORY;
	overlay->groups = groups;
	overlay->room = room;
	return ERR_OK;
}

/* The group of `leaf`, made if missing, copied if shared: safe to change. */
static enum err private_group(struct overlay *overlay, uint64_t leaf,
			      struct overlay_group **out)
{
	size_t position = position_of(overlay, leaf);
	struct overlay_group *group = group_at(overlay, position, leaf);
	enum err err;

	if (group == NULL) {
		err = grow(overlay);
		if (err != ERR_OK)
			return err;
		group = group_new(leaf);
		if (group == NULL)
			return ERR_NO_MEMORY;
		memmove(&overlay->groups[position + 1], &overlay->groups[position],
			(overlay->count - position) * sizeof(group));
		overlay->groups[position] = group;
		overlay->count++;
	} else if (atomic_load(&group->refs) > 1) {
		struct overlay_group *copy = group_copy(group);

		if (copy == NULL)
			return ERR_NO_MEMORY;
		overlay->groups[position] = copy;
		group_put(group);
		group = copy;
	}
	*out = group;
	return ERR_OK;
}

enum err overlay_reserve(struct overlay *overlay, uint64_t first, uint64_t count)
{
	uint64_t last_leaf = (first + count - 1) / GROUP_BLOCKS;
	struct overlay_group *group;
	enum err err = ERR_OK;

	for (uint64_t leaf = first / GROUP_BLOCKS; leaf <= last_leaf && err == ERR_OK; leaf++)
		err = private_group(overlay, leaf, &group);
	return err;
}

static void slot_set(struct overlay_group *group, size_t slot, struct extent *extent)
{
	if (group->slots[slot] == NULL)
		group->used++;
	extent_put(group->slots[slot]);
	group->slots[slot] = extent_get(extent);
}

enum err overlay_set(struct overlay *overlay, struct extent *extent)
{
	uint64_t end = extent->first + extent->count;
	enum err err;

	for (uint64_t block = extent->first; block < end;) {
		struct overlay_group *group;

		err = private_group(overlay, block / GROUP_BLOCKS, &group);
		if (err != ERR_OK)
			return err;
		do {
			slot_set(group, block % GROUP_BLOCKS, extent);
			block++;
		} while (block < end && block % GROUP_BLOCKS != 0);
	}
	return ERR_OK;
}

static void remove_group(struct overlay *overlay, size_t position)
{
	group_put(overlay->groups[position]);
	overlay->count--;
	memmove(&overlay->groups[position], &overlay->groups[position + 1],
		(overlay->count - position) * sizeof(overlay->groups[0]));
}

static void slot_clear(struct overlay_group *group, size_t slot)
{
	if (group->slots[slot] == NULL)
		return;
	extent_put(group->slots[slot]);
	group->slots[slot] = NULL;
	group->used--;
}

enum err overlay_drop_from(struct overlay *overlay, uint64_t block)
{
	uint64_t leaf = block / GROUP_BLOCKS;
	struct overlay_group *group;
	enum err err;

	while (overlay->count > 0 && overlay->groups[overlay->count - 1]->leaf > leaf)
		remove_group(overlay, overlay->count - 1);
	if (group_at(overlay, position_of(overlay, leaf), leaf) == NULL)
		return ERR_OK;
	err = private_group(overlay, leaf, &group);
	if (err != ERR_OK)
		return err;
	for (size_t slot = block % GROUP_BLOCKS; slot < GROUP_BLOCKS; slot++)
		slot_clear(group, slot);
	if (group->used == 0)
		remove_group(overlay, position_of(overlay, leaf));
	return ERR_OK;
}

enum err overlay_snapshot(const struct overlay *overlay, struct overlay *copy)
{
	overlay_init(copy);
	if (overlay->count == 0)
		return ERR_OK;
	copy->groups = malloc(overlay->count * sizeof(copy->groups[0]));
	if (copy->groups == NULL)
		return ERR_NO_MEMORY;
	copy->room = copy->count = overlay->count;
	for (size_t i = 0; i < overlay->count; i++) {
		atomic_fetch_add(&overlay->groups[i]->refs, 1);
		copy->groups[i] = overlay->groups[i];
	}
	return ERR_OK;
}

/* Forget in one group; false if the group could not be made private (no memory: kept). */
static void forget_group(struct overlay *overlay, size_t position,
			 const struct overlay_group *applied)
{
	struct overlay_group *group = overlay->groups[position];
	bool all_same = true;

	for (size_t i = 0; i < GROUP_BLOCKS && all_same; i++)
		all_same = group->slots[i] == NULL || group->slots[i] == applied->slots[i];
	if (all_same) {
		remove_group(overlay, position);
		return;
	}
	/* Keeping an applied extent in the overlay is harmless: out of memory, it stays. */
	if (private_group(overlay, applied->leaf, &group) != ERR_OK)
		return;
	for (size_t i = 0; i < GROUP_BLOCKS; i++)
		if (group->slots[i] != NULL && group->slots[i] == applied->slots[i])
			slot_clear(group, i);
}

void overlay_forget(struct overlay *overlay, const struct overlay *applied)
{
	for (size_t i = 0; i < applied->count && overlay->count > 0; i++) {
		size_t position = position_of(overlay, applied->groups[i]->leaf);

		if (group_at(overlay, position, applied->groups[i]->leaf) != NULL)
			forget_group(overlay, position, applied->groups[i]);
	}
}

enum err overlay_walk(const struct overlay *overlay, overlay_each *each, void *ctx)
{
	for (size_t i = 0; i < overlay->count; i++) {
		const struct overlay_group *group = overlay->groups[i];

		for (size_t slot = 0; slot < GROUP_BLOCKS; slot++) {
			enum err err;

			if (group->slots[slot] == NULL)
				continue;
			err = each(ctx, group->leaf * GROUP_BLOCKS + slot, group->slots[slot]);
			if (err != ERR_OK)
				return err;
		}
	}
	return ERR_OK;
}
