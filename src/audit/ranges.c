#include "audit/ranges.h"

#include <stdlib.h>
#include <string.h>

/* The first range that ends at or behind `number`. */
static size_t search(const struct ranges *ranges, uint64_t number)
{
	size_t low = 0, high = ranges->count;

	/* The usual case: the last range grows. */
	if (high > 0 && ranges->list[high - 1].first <= number)
		return ranges->list[high - 1].last >= number ? high - 1 : high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].last >= number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static enum err make_room(struct ranges *ranges)
{
	size_t room = ranges->room == 0 ? 16 : 2 * ranges->room;
	struct range *list;

	if (ranges->count < ranges->room)
		return ERR_OK;
	if (room > RANGES_MAX)
		return ERR_FULL;
	list = realloc(ranges->list, room * sizeof(*list));
	if (list == NULL)
		return ERR_NO_MEMORY;
	ranges->list = list;
	ranges->room = room;
	return ERR_OK;
}

enum err ranges_add(struct ranges *ranges, uint64_t first, uint64_t last)
{
	/* A neighbour that ends just before is joined too. */
	size_t at = search(ranges, first == 0 ? 0 : first - 1), end = at;
	struct range *list = ranges->list, joined = {first, last};
	enum err err;

	while (end < ranges->count && (last == UINT64_MAX || list[end].first <= last + 1)) {
		if (list[end].first <= first && list[end].last >= last)
			return ERR_EXISTS;
		if (list[end].first < joined.first)
			joined.first = list[end].first;
		if (list[end].last > joined.last)
			joined.last = list[end].last;
		end++;
	}
	if (end == at) {
		err = make_room(ranges);
		if (err != ERR_OK)
			return err;
		list = ranges->list;
		memmove(list + at + 1, list + at, (ranges->count - at) * sizeof(*list));
		ranges->count++;
	} else {
		memmove(list + at + 1, list + end, (ranges->count - end) * sizeof(*list));
		ranges->count -= end - at - 1;
	}
	list[at] = joined;
	return ERR_OK;
}

bool ranges_touch(const struct ranges *ranges, uint64_t first, uint64_t last)
{
	size_t at = search(ranges, first);

	return at < ranges->count && ranges->list[at].first <= last;
}

void ranges_clear(struct ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct ranges){.list = NULL};
}
