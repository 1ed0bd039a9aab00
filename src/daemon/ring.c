#include "daemon/ring.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/secmem.h"
#include "daemon/ring_private.h"

#define PROCESSORS "/sys/devices/system/cpu/"

bool ring_is_built(void)
{
	return true;
}

/* --- replies ------------------------------------------------------------------------- */

static bool take_from(struct ring *ring, unsigned int number, uint64_t unique)
{
	return atomic_load_explicit(&ring->uniques[number], memory_order_relaxed) == unique &&
	       atomic_compare_exchange_strong(&ring->uniques[number], &unique, 0);
}

/* The thread whose request this is; it is found once.  NULL: there is none. */
static struct ring_thread *claim(struct ring *ring, uint64_t unique)
{
	struct ring_thread *this = ring_this_thread;
	unsigned int count = atomic_load(&ring->thread_count);

	if (unique == 0)
		return NULL;
	if (this && take_from(ring, this->number, unique))
		return this;
	for (unsigned int i = 0; i < count; i++)
		if (take_from(ring, i, unique))
			return &ring->threads[i];
	return NULL;
}

static void wake(const struct ring_thread *thread)
{
	const uint64_t one = 1;

	(void)!write(thread->wake, &one, sizeof(one));
}

bool ring_reply(struct ring *ring, const struct iovec *iov, int count)
{
	struct fuse_out_header header;
	struct ring_thread *thread;

	if (count < 1 || iov[0].iov_len != sizeof(header))
		return false;
	memcpy(&header, iov[0].iov_base, sizeof(header));
	thread = claim(ring, header.unique);
	if (!thread)
		return false;
	if (ring_message_reply(&thread->message, iov, count))
		ring_message_reply_error(&thread->message, header.unique, EIO);
	if (thread == ring_this_thread && thread->is_serving) {
		thread->is_answered = true;
	} else {
		atomic_store(&thread->is_handed, true);
		wake(thread);
	}
	return true;
}

/* --- making --------------------------------------------------------------------------- */

/* How many a file of /sys/devices/system/cpu names: "0-3,6"; 0: it cannot be read. */
static unsigned int count_processors(const char *path, unsigned int *highest)
{
	FILE *file = fopen(path, "re");
	unsigned int first, last, count = 0;

	*highest = 0;
	if (!file)
		return 0;
	while (fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) < 0)
			last = first;
		count += last - first + 1;
		*highest = last;
		if (fgetc(file) != ',')
			break;
	}
	fclose(file);
	return count;
}

static enum err make_thread(struct ring *ring, struct ring_group *group, struct ring_thread *thread)
{
	void *memory = secmem_alloc(RING_MESSAGE_SIZE);
	enum err err = ERR_NO_MEMORY;

	thread->ring = ring;
	thread->group = group;
	thread->wake = eventfd(0, EFD_CLOEXEC);
	if (!memory || thread->wake < 0)
		goto out;
	ring_message_init(&thread->message, memory);
	thread->iov[0] = (struct iovec){thread->message.header, sizeof(*thread->message.header)};
	thread->iov[1] = (struct iovec){thread->message.payload, RING_PAYLOAD_MAX};
	atomic_store(&thread->wiped, atomic_load(&ring->generation));
	if (pthread_create(&thread->thread, NULL, ring_thread_main, thread) == 0)
		err = ERR_OK;
out:
	if (err) {
		if (thread->wake >= 0)
			close(thread->wake);
		secmem_free(memory);
	}
	return err;
}

enum err ring_thread_add(struct ring *ring, struct ring_group *group)
{
	unsigned int count;
	enum err err = ERR_FULL;

	pthread_mutex_lock(&ring->mutex);
	count = atomic_load(&ring->thread_count);
	if (!atomic_load(&ring->is_stopping) && count < RING_THREADS_MAX &&
	    group->threads < RING_GROUP_THREADS_MAX) {
		ring->threads[count].number = count;
		err = make_thread(ring, group, &ring->threads[count]);
	}
	if (!err) {
		group->threads++;
		atomic_fetch_add(&group->in_play, 1);
		atomic_store(&ring->thread_count, count + 1);
	}
	pthread_mutex_unlock(&ring->mutex);
	return err;
}

/* Half of all threads at the most: the rest is for those whose request is parked. */
static unsigned int threads_wanted(unsigned int processors)
{
	unsigned int threads = RING_THREADS_MAX / 2 / processors;

	if (threads > RING_GROUP_THREADS)
		return RING_GROUP_THREADS;
	return threads > 0 ? threads : 1;
}

/* The kernel has a queue for each possible processor; those that are off need the least. */
static enum err make_groups(struct ring *ring)
{
	unsigned int highest, online, ignored;
	enum err err = ERR_OK;

	ring->processors = count_processors(PROCESSORS "possible", &ignored);
	if (ring->processors == 0 || ring->processors > RING_THREADS_MAX)
		return ERR_TOO_LARGE;
	online = count_processors(PROCESSORS "online", &highest);
	ring->groups = calloc(ring->processors, sizeof(*ring->groups));
	if (!ring->groups || online == 0)
		return ERR_NO_MEMORY;
	for (unsigned int i = 0; !err && i < ring->processors; i++) {
		struct ring_group *group = &ring->groups[i];

		group->processor = i;
		group->threads_wanted = i <= highest ? threads_wanted(online) : 1;
		for (unsigned int j = 0; !err && j < group->threads_wanted; j++)
			err = ring_thread_add(ring, group);
	}
	return err;
}

static enum err wait_until_ready(struct ring *ring)
{
	enum err err;

	pthread_mutex_lock(&ring->mutex);
	while (ring->threads_ready < atomic_load(&ring->thread_count))
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

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	ring_stop(ring);
	(void)ring_kick(ring, UINT64_MAX);
	for (unsigned int i = 0; i < atomic_load(&ring->thread_count); i++) {
		struct ring_thread *thread = &ring->threads[i];

		pthread_join(thread->thread, NULL);
		close(thread->wake);
		secmem_free(thread->message.header);
	}
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->mutex);
	free(ring->groups);
	free(ring);
}

/* --- start, wipe, stop ------------------------------------------------------------------ */

/* Whether the kernel uses the ring: it has a thread of every processor. */
static bool is_complete(const struct ring *ring)
{
	for (unsigned int i = 0; i < ring->processors; i++)
		if (!ring->has_thread[i])
			return false;
	return true;
}

enum err ring_start(struct ring *ring)
{
	bool is_in_use;

	pthread_mutex_lock(&ring->mutex);
	ring->is_started = true;
	pthread_cond_broadcast(&ring->changed);
	while (ring->threads_registered < atomic_load(&ring->thread_count) &&
	       !atomic_load(&ring->is_stopping))
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
	unsigned int lagging = 0, count = atomic_load(&ring->thread_count);

	for (unsigned int i = 0; i < count; i++) {
		struct ring_thread *thread = &ring->threads[i];

		if (atomic_load(&thread->is_gone) || atomic_load(&thread->wiped) >= generation)
			continue;
		lagging++;
		wake(thread);
	}
	return lagging;
}
