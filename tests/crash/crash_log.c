#include "crash_log.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HALF_LEN (1ull << 30) /* of addresses; memory is taken as it is used */
#define MARGIN	 (8ull << 20)

struct crash_log {
	uint8_t *halves[2];
	atomic_uint_least64_t len[2];
	atomic_uint current; /* the half that counts */
	unsigned int written; /* the half that is appended to */
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

	log->halves[0] = map_shared(HALF_LEN);
	log->halves[1] = map_shared(HALF_LEN);
	return log;
}

void crash_log_free(struct crash_log *log)
{
	munmap(log->halves[0], HALF_LEN);
	munmap(log->halves[1], HALF_LEN);
	munmap(log, sizeof(*log));
}

void crash_log_append(void *ctx, const struct model_change *change, const void *data)
{
	struct crash_log *log = ctx;
	uint64_t at = atomic_load(&log->len[log->written]);
	uint8_t *entry = log->halves[log->written] + at;
	uint64_t len = sizeof(*change) + (data == NULL ? 0 : change->len);

	if (at + len > HALF_LEN) {
		fputs("crash log: full\n", stderr);
		abort();
	}
	memcpy(entry, change, sizeof(*change));
	if (data != NULL)
		memcpy(entry + sizeof(*change), data, change->len);
	/* Only now it is there; entries stay aligned. */
	atomic_store(&log->len[log->written], at + (len + 7) / 8 * 8);
}

bool crash_log_is_full(const struct crash_log *log)
{
	return atomic_load(&log->len[log->written]) + MARGIN > HALF_LEN / 2;
}

void crash_log_replay(struct crash_log *log, struct model *model)
{
	unsigned int half = atomic_load(&log->current);
	uint64_t len = atomic_load(&log->len[half]);

	for (uint64_t at = 0; at < len;) {
		struct model_change change;

		memcpy(&change, log->halves[half] + at, sizeof(change));
		at += sizeof(change);
		model_make(model, &change, log->halves[half] + at);
		at += (change.len + 7) / 8 * 8;
	}
	log->written = half;
	model_tell(model, crash_log_append, log);
}

void crash_log_begin(struct crash_log *log)
{
	log->written = 1 - atomic_load(&log->current);
	atomic_store(&log->len[log->written], 0);
	madvise(log->halves[log->written], HALF_LEN, MADV_REMOVE);
}

void crash_log_switch(struct crash_log *log)
{
	atomic_store(&log->current, log->written);
}
