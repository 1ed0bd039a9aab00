#include "daemon/tries.h"

#include <stddef.h>

#include "base/clock.h"

/* The entry of a caller and slot, or the one that is longest unused. */
static size_t find(const struct tries *tries, uid_t uid, uint32_t slot)
{
	size_t oldest = 0;

	for (size_t i = 0; i < TRIES_MAX; i++) {
		if (tries->entries[i].wrong > 0 && tries->entries[i].uid == uid &&
		    tries->entries[i].slot == slot)
			return i;
		if (tries->entries[i].last_ns < tries->entries[oldest].last_ns)
			oldest = i;
	}
	return oldest;
}

static int64_t pause_ms(uint32_t wrong)
{
	int64_t pause = TRIES_PAUSE_MS;

	if (wrong < TRIES_FREE)
		return 0;
	for (uint32_t i = TRIES_FREE; i < wrong && pause < TRIES_PAUSE_MAX_MS; i++)
		pause *= 2;
	return pause < TRIES_PAUSE_MAX_MS ? pause : TRIES_PAUSE_MAX_MS;
}

enum err tries_begin(struct tries *tries, uid_t uid, uint32_t slot, int64_t now_ns,
		     int64_t *wait_ms)
{
	size_t i = find(tries, uid, slot);
	int64_t due_ns;

	if (tries->entries[i].uid != uid || tries->entries[i].slot != slot)
		tries->entries[i].wrong = 0;
	due_ns = tries->entries[i].last_ns + pause_ms(tries->entries[i].wrong) * NS_PER_MS;
	if (tries->entries[i].wrong > 0 && now_ns < due_ns) {
		*wait_ms = (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
		return ERR_AGAIN;
	}
	tries->entries[i].uid = uid;
	tries->entries[i].slot = slot;
	tries->entries[i].last_ns = now_ns;
	tries->entries[i].wrong++;
	return ERR_OK;
}

void tries_forget(struct tries *tries, uid_t uid, uint32_t slot)
{
	size_t i = find(tries, uid, slot);

	if (tries->entries[i].uid == uid && tries->entries[i].slot == slot)
		tries->entries[i].wrong = 0;
}
