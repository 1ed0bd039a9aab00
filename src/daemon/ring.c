#include "daemon/ring.h"

#include <errno.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secmem.h"
#include "daemon/ring_private.h"

#define POSSIBLE "/sys/devices/system/cpu/possible"

bool ring_is_built(void)
{
	return true;
}

/* --- entries ------------------------------------------------------------------------ */

/* True if the counter was below the limit, and is one more now. */
static bool count_up(_Atomic unsigned int *counter, unsigned int limit, unsigned int *before)
{
	*before = atomic_load(counter);
	while (*before < limit)
		if (atomic_compare_exchange_weak(counter, before, *before + 1))
			return true;
	return false;
}

struct ring_entry *ring_entry_new(struct ring_group *group, struct ring *ring, unsigned int queue)
{
	struct ring_entry *entry;
	unsigned int number, ignored;
	void *memory;

	if (!count_up(&group->entries, group->entries_max, &ignored))
		return NULL;
	memory = secmem_alloc(RING_MESSAGE_SIZE);
	if (!memory || !count_up(&ring->entry_count, RING_ENTRIES_MAX, &number)) {
		secmem_free(memory);
		atomic_fetch_sub(&group->entries, 1);
		return NULL;
	}
	entry = &ring->entries[number];
	ring_message_init(&entry->message, memory);
	entry->iov[0] = (struct iovec){entry->message.header, sizeof(*entry->message.header)};
	entry->iov[1] = (struct iovec){entry->message.payload, RING_PAYLOAD_MAX};
	entry->group = group;
	entry->queue = (uint16_t)queue;
	atomic_fetch_add(&group->in_play, 1);
	return entry;
}

/* The entry with this request is taken, once; NULL: there is none. */
static struct ring_entry *claim(struct ring *ring, uint64_t unique)
{
	struct ring_thread *thread = ring_this_thread;
	unsigned int count = atomic_load_explicit(&ring->entry_count, memory_order_acquire);
	unsigned int i = 0;

	if (unique == 0)
		return NULL;
	if (thread && thread->current)
		i = (unsigned int)(thread->current - ring->entries);
	if (atomic_compare_exchange_strong(&ring->uniques[i], &(uint64_t){unique}, 0))
		return &ring->entries[i];
	for (i = 0; i < count; i++)
		if (atomic_load_explicit(&ring->uniques[i], memory_order_relaxed) == unique &&
		    atomic_compare_exchange_strong(&ring->uniques[i], &(uint64_t){unique}, 0))
			return &ring->entries[i];
	return NULL;
}

/* --- replies ------------------------------------------------------------------------- */

static void wake(const struct ring_thread *thread)
{
	const uint64_t one = 1;

	(void)!write(thread->wake, &one, sizeof(one));
}

/* Who waits, and has the fewest entries: best one that parked its own. */
static const struct ring_thread *idlest(const struct ring_group *group)
{
	const struct ring_thread *best = NULL;

	for (unsigned int i = 0; i < group->thread_count; i++) {
		const struct ring_thread *thread = &group->threads[i];

		if (atomic_load(&thread->is_waiting) &&
		    (!best || atomic_load(&thread->available) < atomic_load(&best->available)))
			best = thread;
	}
	return best;
}

/* A thread that does not wait now will look at the list before it does. */
static void hand_over(struct ring_entry *entry)
{
	struct ring_group *group = entry->group;
	const struct ring_thread *thread;

	atomic_fetch_add(&group->in_play, 1);
	entry->next = atomic_load(&group->handed);
	while (!atomic_compare_exchange_weak(&group->handed, &entry->next, entry))
		;
	thread = idlest(group);
	if (thread)
		wake(thread);
}

bool ring_reply(struct ring *ring, const struct iovec *iov, int count)
{
	struct ring_thread *thread = ring_this_thread;
	struct fuse_out_header header;
	struct ring_entry *entry;

	if (count < 1 || iov[0].iov_len != sizeof(header))
		return false;
	memcpy(&header, iov[0].iov_base, sizeof(header));
	entry = claim(ring, header.unique);
	if (!entry)
		return false;
	if (ring_message_reply(&entry->message, iov, count))
		ring_message_reply_error(&entry->message, header.unique, EIO);
	if (thread && entry == thread->current && header.unique == thread->unique)
		thread->is_answered = true;
	else
		hand_over(entry);
	return true;
}

/* --- making --------------------------------------------------------------------------- */

/* The kernel has a queue for each possible processor, whether it is there or not. */
static unsigned int count_processors(void)
{
	FILE *file = fopen(POSSIBLE, "re");
	unsigned int first, last, count = 0;

	if (!file)
		return 0;
	while (fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) < 0)
			last = first;
		count += last - first + 1;
		if (fgetc(file) != ',')
			break;
	}
	fclose(file);
	return count;
}

static unsigned int threads_of_group(unsigned int processors)
{
	unsigned int threads = RING_ENTRIES_MAX / 2 / processors;

	if (threads > RING_THREADS_MAX)
		return RING_THREADS_MAX;
	return threads > 0 ? threads : 1;
}

static enum err make_thread(struct ring *ring, struct ring_group *group,
			    struct ring_thread *thread)
{
	thread->ring = ring;
	thread->group = group;
	thread->wake = eventfd(0, EFD_CLOEXEC);
	if (thread->wake < 0)
		return err_from_errno(errno);
	if (pthread_create(&thread->thread, NULL, ring_thread_main, thread)) {
		close(thread->wake);
		return ERR_NO_MEMORY;
	}
	group->thread_count++;
	ring->threads_made++;
	return ERR_OK;
}

static enum err make_entry(struct ring_group *group, struct ring *ring, unsigned int queue,
			   unsigned int thread)
{
	struct ring_entry *entry = ring_entry_new(group, ring, queue);

	if (!entry)
		return ERR_NO_MEMORY;
	atomic_store(&entry->holder, &group->threads[thread]);
	return ERR_OK;
}

static enum err make_threads(struct ring *ring, struct ring_group *group, int processor)
{
	enum err err = ERR_OK;

	group->processor = processor;
	for (unsigned int i = 0; !err && i < threads_of_group(ring->processors); i++)
		err = make_thread(ring, group, &group->threads[i]);
	return err;
}

static enum err make_group(struct ring *ring, unsigned int processor)
{
	struct ring_group *group = &ring->groups[ring->group_count++];
	enum err err = make_threads(ring, group, (int)processor);

	group->entries_max = RING_GROUP_ENTRIES_MAX;
	for (unsigned int i = 0; !err && i < group->thread_count; i++)
		err = make_entry(group, ring, processor, i);
	return err;
}

/* An entry for each of the processors that are left, all with the same threads. */
static enum err make_rest(struct ring *ring, const cpu_set_t *allowed)
{
	struct ring_group *group = &ring->groups[ring->group_count];
	unsigned int count = 0;
	enum err err = ERR_OK;

	group->entries_max = RING_ENTRIES_MAX;
	for (unsigned int i = 0; !err && i < ring->processors; i++) {
		if (CPU_ISSET(i, allowed))
			continue;
		if (count == 0) {
			ring->group_count++;
			err = make_threads(ring, group, -1);
		}
		if (!err)
			err = make_entry(group, ring, i, count++ % group->thread_count);
	}
	return err;
}

static enum err make_groups(struct ring *ring)
{
	cpu_set_t allowed;
	enum err err = ERR_OK;

	ring->processors = count_processors();
	if (ring->processors == 0 || ring->processors > RING_ENTRIES_MAX)
		return ERR_TOO_LARGE;
	ring->groups = calloc(ring->processors + 1, sizeof(*ring->groups));
	if (!ring->groups)
		return ERR_NO_MEMORY;
	CPU_ZERO(&allowed);
	(void)sched_getaffinity(0, sizeof(allowed), &allowed);
	for (unsigned int i = 0; !err && i < ring->processors; i++)
		if (CPU_ISSET(i, &allowed))
			err = make_group(ring, i);
	return err ? err : make_rest(ring, &allowed);
}

static enum err wait_until_ready(struct ring *ring)
{
	enum err err;

	pthread_mutex_lock(&ring->mutex);
	while (ring->threads_ready < ring->threads_made)
		pthread_cond_wait(&ring->changed, &ring->mutex);
	err = ring->err;
	pthread_mutex_unlock(&ring->mutex);
	return err;
}

enum err ring_new(int fd, const struct ring_calls *calls, struct ring **ring)
{
	struct ring *r = calloc(1, sizeof(*r));
	enum err err;

	if (!r)
		return ERR_NO_MEMORY;
	r->fd = fd;
	r->calls = *calls;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->changed, NULL);
	err = make_groups(r);
	if (!err)
		err = wait_until_ready(r);
	if (err)
		ring_free(r);
	else
		*ring = r;
	return err;
}

static void free_group(struct ring_group *group)
{
	for (unsigned int i = 0; i < group->thread_count; i++) {
		pthread_join(group->threads[i].thread, NULL);
		close(group->threads[i].wake);
	}
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	ring_stop(ring);
	(void)ring_kick(ring, UINT64_MAX);
	for (unsigned int i = 0; i < ring->group_count; i++)
		free_group(&ring->groups[i]);
	for (unsigned int i = 0; i < atomic_load(&ring->entry_count); i++)
		secmem_free(ring->entries[i].message.header);
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->mutex);
	free(ring->groups);
	free(ring);
}

/* --- start, wipe, stop ------------------------------------------------------------------ */

/* Whether the kernel uses the ring: an entry for every processor. */
static bool is_complete(const struct ring *ring)
{
	for (unsigned int i = 0; i < ring->processors; i++)
		if (!ring->has_entry[i])
			return false;
	return true;
}

enum err ring_start(struct ring *ring)
{
	bool is_in_use;

	pthread_mutex_lock(&ring->mutex);
	ring->is_started = true;
	pthread_cond_broadcast(&ring->changed);
	while (ring->threads_registered < ring->threads_made && !atomic_load(&ring->is_stopping))
		pthread_cond_wait(&ring->changed, &ring->mutex);
	is_in_use = is_complete(ring);
	pthread_mutex_unlock(&ring->mutex);
	return is_in_use ? ERR_OK : ERR_UNSUPPORTED;
}

void ring_wipe(struct ring *ring, uint64_t generation)
{
	atomic_store(&ring->generation, generation);
}

void ring_stop(struct ring *ring)
{
	pthread_mutex_lock(&ring->mutex);
	atomic_store(&ring->is_stopping, true);
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->mutex);
}

unsigned int ring_kick(struct ring *ring, uint64_t generation)
{
	unsigned int lagging = 0;

	for (unsigned int i = 0; i < ring->group_count; i++)
		for (unsigned int j = 0; j < ring->groups[i].thread_count; j++) {
			struct ring_thread *thread = &ring->groups[i].threads[j];

			if (atomic_load(&thread->is_gone) ||
			    atomic_load(&thread->wiped) >= generation)
				continue;
			lagging++;
			wake(thread);
		}
	return lagging;
}
