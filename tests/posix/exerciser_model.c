/* What the files hold, as it should be; and what to say if they do not. */
#include "exerciser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SHOWN 24

static void *shared(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("exerciser: mmap");
		exit(2);
	}
	return memory;
}

struct model *model_new(void)
{
	struct model *model = shared(sizeof(*model));
	pthread_mutexattr_t mutex;
	pthread_rwlockattr_t gate;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	pthread_rwlockattr_init(&gate);
	pthread_rwlockattr_setpshared(&gate, PTHREAD_PROCESS_SHARED);
	pthread_rwlockattr_setkind_np(&gate, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&model->gate, &gate);
	for (int i = 0; i < FILES; i++) {
		pthread_mutex_init(&model->files[i].mutex, &mutex);
		model->files[i].content = shared(FILE_SIZE_MAX);
	}
	model->files[DIVIDED].size = FILE_SIZE_MAX;
	return model;
}

unsigned int pick(struct worker *w, unsigned int below)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(w->random >> 33) % below;
}

static size_t pick_len(struct worker *w)
{
	static const unsigned int most[] = {100, 100, 5000, 5000, 5000, 9000, 70000, 70000, 70000, 270000};
	unsigned int len = 1 + pick(w, most[pick(w, 10)]);

	return pick(w, 4) == 0 ? (len + 4095u) & ~4095u : len;
}

void pick_range(struct worker *w, int file, off_t end, off_t *offset, size_t *len)
{
	unsigned int first = 0, room = end > 0 ? (unsigned int)end : FILE_SIZE_MAX;

	if (file == DIVIDED) {
		first = (unsigned int)w->process * REGION;
		room = REGION;
	}
	*offset = pick(w, room);
	if (pick(w, 3) == 0)
		*offset &= ~(off_t)4095;
	*len = pick_len(w);
	if (*len > room - (size_t)*offset)
		*len = room - (size_t)*offset;
	*offset += first;
}

void fill(struct worker *w, uint8_t *data, off_t offset, size_t len)
{
	uint64_t x = (w->number + 1) * 0x9e3779b97f4a7c15u + (uint64_t)offset;

	for (size_t i = 0; i < len; i += 8) {
		size_t piece = len - i < 8 ? len - i : 8;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, piece);
	}
}

void log_done(struct worker *w, int file, off_t offset, size_t len, long result)
{
	struct log_entry *entry =
		&w->model->log[w->process].entries[w->model->log[w->process].count++ % LOG_ENTRIES];

	*entry = (struct log_entry){w->number, w->what, file, offset, len, result};
}

/* --- reports ---------------------------------------------------------------------- */

static bool is_about(const struct log_entry *entry, int file, off_t offset)
{
	return entry->what && entry->file == file &&
	       (entry->len == 0 ||
		(entry->offset <= offset && offset < entry->offset + (off_t)entry->len));
}

/* The newest entry older than `before`. */
static const struct log_entry *find_older(struct worker *w, int file, off_t offset, uint64_t before)
{
	const struct log_entry *found = NULL;

	for (int process = 0; process < w->processes; process++)
		for (size_t i = 0; i < LOG_ENTRIES; i++) {
			const struct log_entry *entry = &w->model->log[process].entries[i];

			if (is_about(entry, file, offset) && entry->number < before &&
			    (!found || entry->number > found->number))
				found = entry;
		}
	return found;
}

static void print_log(struct worker *w, int file, off_t offset)
{
	uint64_t before = UINT64_MAX;

	printf("#   the last operations there, newest first:\n");
	for (int i = 0; i < SHOWN; i++) {
		const struct log_entry *entry = find_older(w, file, offset, before);

		if (!entry)
			break;
		printf("#   operation %llu: %s at %lld, %zu bytes = %ld\n",
		       (unsigned long long)entry->number, entry->what, (long long)entry->offset,
		       entry->len, entry->result);
		before = entry->number;
	}
}

static void begin_report(struct worker *w, int file, off_t offset, size_t len)
{
	atomic_fetch_add(&w->model->violations, 1);
	printf("# VIOLATION: seed %u, %d processes, process %d, operation %llu: %s of file %d at %lld, "
	       "%zu bytes\n",
	       w->seed, w->processes, w->process, (unsigned long long)w->number, w->what, file,
	       (long long)offset, len);
}

void violation(struct worker *w, int file, off_t offset, size_t len, const char *what)
{
	const char *why = strerror(errno);

	begin_report(w, file, offset, len);
	printf("#   %s: %s\n", what, why);
	print_log(w, file, offset);
	fflush(stdout);
}

void compare(struct worker *w, int file, off_t offset, const uint8_t *data, size_t len)
{
	const uint8_t *right = w->model->files[file].content + offset;
	size_t first = 0, count = 0, last = 0;

	if (memcmp(data, right, len) == 0)
		return;
	while (data[first] == right[first])
		first++;
	for (size_t i = first; i < len; i++)
		if (data[i] != right[i]) {
			count++;
			last = i;
		}
	begin_report(w, file, offset, len);
	printf("#   at %lld: is %02x, should be %02x; %zu bytes differ, the last at %lld\n",
	       (long long)offset + (long long)first, data[first], right[first], count,
	       (long long)offset + (long long)last);
	print_log(w, file, offset + (off_t)first);
	fflush(stdout);
}
