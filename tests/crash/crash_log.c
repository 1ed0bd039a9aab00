#include "crash_log.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LOG_LEN (1ull << 30) /* of addresses; memory is taken as it is used */
#define KEPT	(64ull << 20) /* of memory, from one life to the next */
#define MARGIN	(8ull << 20)

struct crash_log {
	uint8_t *entries;
	atomic_uint_least64_t len;
};

static void *map_shared(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("crash log");
		abort();
	}
	return memory;
}

struct crash_log *crash_log_new(void)
{
	struct crash_log *log = map_shared(sizeof(*log));

	log->entries = map_shared(LOG_LEN);
	return log;
}

void crash_log_free(struct crash_log *log)
{
	munmap(log->entries, LOG_LEN);
	munmap(log, sizeof(*log));
}

/* Entries stay aligned. */
static uint64_t room_of(uint64_t len)
{
	return (len + 7) / 8 * 8;
}

void crash_log_append(void *ctx, const struct model_change *change, const void *data)
{
	struct crash_log *log = ctx;
	uint64_t at = atomic_load(&log->len);
	uint64_t len = sizeof(*change) + (data == NULL ? 0 : change->len);

	if (at + len > LOG_LEN) {
		fputs("crash log: full\n", stderr);
		abort();
	}
	memcpy(log->entries + at, change, sizeof(*change));
	if (data != NULL)
		memcpy(log->entries + at + sizeof(*change), data, change->len);
	/* Only now it is there. */
	atomic_store(&log->len, at + room_of(len));
}

bool crash_log_is_full(const struct crash_log *log)
{
	return atomic_load(&log->len) + MARGIN > LOG_LEN / 2;
}

static uint64_t entry_at(const struct crash_log *log, uint64_t at, struct model_change *change)
{
	memcpy(change, log->entries + at, sizeof(*change));
	return at + sizeof(*change) + room_of(change->len);
}

/* Where what counts ends: a model that was begun again and is not complete does not. */
static uint64_t valid_len(const struct crash_log *log)
{
	uint64_t len = atomic_load(&log->len), valid = len;
	struct model_change change;

	for (uint64_t at = 0, next; at < len; at = next) {
		next = entry_at(log, at, &change);
		if (change.kind == MODEL_BEGIN_AGAIN)
			valid = at;
		else if (change.kind == MODEL_HAS_BEGUN)
			valid = len;
	}
	return valid;
}

void crash_log_replay(struct crash_log *log, struct model *model)
{
	uint64_t len = valid_len(log);
	struct model_change change;

	for (uint64_t at = 0, next; at < len; at = next) {
		next = entry_at(log, at, &change);
		model_make(model, &change, log->entries + at + sizeof(change));
	}
	if (atomic_load(&log->len) > KEPT)
		madvise(log->entries, LOG_LEN, MADV_REMOVE);
	atomic_store(&log->len, 0);
}
