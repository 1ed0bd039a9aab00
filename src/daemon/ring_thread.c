/* A thread of the ring: takes requests, has them served, commits replies. */
#include <errno.h>
#include <linux/fuse.h>
#include <sched.h>
#include <string.h>

#include "base/log.h"
#include "base/secmem.h"
#include "daemon/ring_private.h"
#include "fsops/reply_buffer.h"

/* More than entries and the wake-up: a place is never missing for long. */
#define SUBMISSIONS 64u
/* Answers that the kernel owes at one time. */
#define COMPLETIONS 256u
/* No processor has this number: a registration that must fail. */
#define NO_QUEUE    UINT16_MAX

_Thread_local struct ring_thread *ring_this_thread;

/* --- what goes to the kernel ---------------------------------------------------- */

static struct io_uring_sqe *place(struct ring_thread *thread)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->io);

	if (!sqe) {
		(void)io_uring_submit(&thread->io);
		sqe = io_uring_get_sqe(&thread->io);
	}
	return sqe;
}

/* The place is of double size: a command lies in the second half. */
static void prepare(struct io_uring_sqe *sqe, enum ring_command_number number,
		    const struct ring_command *what)
{
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->cmd_op = number;
	memcpy((uint8_t *)sqe + offsetof(struct io_uring_sqe, cmd), what, sizeof(*what));
}

static void command(struct ring_thread *thread, struct ring_entry *entry,
		    enum ring_command_number number)
{
	struct io_uring_sqe *sqe = place(thread);
	const struct ring_command what = {.commit_id = entry->commit_id, .queue = entry->queue};

	if (!sqe) {
		log_error("an io_uring takes nothing any more");
		return;
	}
	prepare(sqe, number, &what);
	if (number == RING_REGISTER) {
		sqe->addr = (uintptr_t)entry->iov;
		sqe->len = 2;
	}
	io_uring_sqe_set_data(sqe, entry);
	entry->is_fresh = false;
	atomic_store(&entry->holder, thread);
	atomic_fetch_add(&thread->available, 1);
}

static void commit(struct ring_thread *thread, struct ring_entry *entry)
{
	command(thread, entry, RING_COMMIT_AND_FETCH);
}

static void arm_wake(struct ring_thread *thread)
{
	struct io_uring_sqe *sqe = place(thread);

	if (!sqe)
		return;
	io_uring_prep_read(sqe, thread->wake, &thread->wake_count, sizeof(thread->wake_count), 0);
	io_uring_sqe_set_data(sqe, thread);
}

static void add_entry(struct ring_thread *thread, unsigned int queue)
{
	struct ring_entry *entry = ring_entry_new(thread->group, thread->ring, queue);

	if (entry)
		command(thread, entry, RING_REGISTER);
}

/* Those that other threads replied to.  The first to look takes all. */
static void take_handed(struct ring_thread *thread)
{
	struct ring_entry *entry = NULL;

	if (atomic_load(&thread->group->handed))
		entry = atomic_exchange(&thread->group->handed, NULL);
	while (entry) {
		struct ring_entry *next = entry->next;

		commit(thread, entry);
		entry = next;
	}
}

/* --- a request -------------------------------------------------------------------- */

static void serve(struct ring_thread *thread, struct ring_entry *entry, void *request, size_t len)
{
	struct ring *ring = thread->ring;
	struct reply_loan loan = {.data = entry->message.payload};

	/* A reply is built where it has to be, unless the request lies there. */
	if (entry->message.header->entry.payload_len == 0)
		reply_buffer_lend(&loan);
	ring->calls.request(ring->calls.ctx, request, len);
	reply_buffer_lend(NULL);
	ring_message_note(&entry->message, loan.used);
}

/* Others shall find an entry while this request waits. */
static void replace(struct ring_thread *thread, unsigned int queue)
{
	int in_play = atomic_fetch_sub(&thread->group->in_play, 1) - 1;

	if (in_play < (int)thread->group->thread_count)
		add_entry(thread, queue);
}

static void take_request(struct ring_thread *thread, struct ring_entry *entry)
{
	const unsigned int queue = entry->queue;
	const uint64_t unique = entry->message.header->entry.commit_id;
	void *request;
	size_t len;

	entry->commit_id = unique;
	thread->current = entry;
	thread->unique = unique;
	thread->is_answered = false;
	if (ring_message_request(&entry->message, &request, &len) == ERR_OK) {
		atomic_store(&thread->ring->uniques[entry - thread->ring->entries], unique);
		serve(thread, entry, request, len);
	} else {
		ring_message_reply_error(&entry->message, unique, EIO);
		thread->is_answered = true;
	}
	thread->current = NULL;
	if (thread->is_answered)
		commit(thread, entry);
	else
		replace(thread, queue);
}

static bool is_end_of_connection(int result)
{
	return result == -ENOTCONN || result == -ECONNABORTED || result == -ECANCELED ||
	       result == -ENODEV;
}

/* The kernel does not have it any more, and nobody will. */
static void lose(struct ring_thread *thread, struct ring_entry *entry, int result)
{
	/* It never had a request: ring_start has said what there is to say. */
	if (is_end_of_connection(result) || entry->commit_id == 0) {
		atomic_fetch_sub(&thread->group->in_play, 1);
		return;
	}
	log_error("an entry of the ring is lost: %s", strerror(-result));
	replace(thread, entry->queue);
}

/* `what`: the thread itself for a wake-up, NULL for nothing. */
static void complete(struct ring_thread *thread, void *what, int result)
{
	struct ring_entry *entry = what;

	if (!what)
		return;
	if (what == thread) {
		arm_wake(thread);
		return;
	}
	atomic_store(&entry->holder, NULL);
	atomic_fetch_sub(&thread->available, 1);
	if (result < 0)
		lose(thread, entry, result);
	else
		take_request(thread, entry);
}

/* One after the other, and each reply goes out before the next request is looked at. */
static void complete_all(struct ring_thread *thread)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&thread->io, &cqe) == 0) {
		void *what = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&thread->io, cqe);
		complete(thread, what, result);
		if (io_uring_cq_ready(&thread->io) > 0)
			(void)io_uring_submit(&thread->io);
	}
}

/* --- wiping ------------------------------------------------------------------------ */

/* Entries of which the kernel has said something: a request, or that it did not take it. */
static bool mark_fresh(struct ring_thread *thread)
{
	struct io_uring_cqe *cqe;
	unsigned int head;
	bool has_failed = false;

	io_uring_for_each_cqe(&thread->io, head, cqe) {
		void *what = io_uring_cqe_get_data(cqe);

		if (what && what != thread) {
			((struct ring_entry *)what)->is_fresh = true;
			has_failed = has_failed || cqe->res < 0;
		}
	}
	return has_failed;
}

/* Outside of a system call the kernel fills nothing of this thread's. */
static void wipe_if_asked(struct ring_thread *thread)
{
	struct ring *ring = thread->ring;
	uint64_t generation = atomic_load(&ring->generation);
	unsigned int count = atomic_load(&ring->entry_count);

	if (atomic_load_explicit(&thread->wiped, memory_order_relaxed) == generation)
		return;
	/* What was handed over before this was asked for is somebody's now: perhaps ours. */
	take_handed(thread);
	/* Replies that are not sent yet have to be whole. */
	(void)io_uring_submit(&thread->io);
	(void)mark_fresh(thread);
	for (unsigned int i = 0; i < count; i++) {
		struct ring_entry *entry = &ring->entries[i];

		if (atomic_load(&entry->holder) == thread && !entry->is_fresh)
			ring_message_wipe(&entry->message);
	}
	secmem_wipe_stack();
	atomic_store(&thread->wiped, generation);
}

/* --- life --------------------------------------------------------------------------- */

static void stay_on_processor(const struct ring_group *group)
{
	cpu_set_t set;

	if (group->processor < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)group->processor, &set);
	/* Elsewhere it works, too. */
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* DEFER_TASKRUN: requests are copied when this thread waits, and never interrupt it. */
static enum err make_io(struct ring_thread *thread)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = COMPLETIONS,
	};
	int result = io_uring_queue_init_params(SUBMISSIONS, &thread->io, &params);

	if (result == 0) {
		result = io_uring_register_files(&thread->io, &thread->ring->fd, 1);
		if (result < 0)
			io_uring_queue_exit(&thread->io);
	}
	if (result < 0)
		return err_from_errno(-result);
	/* Saves the kernel a look-up; without it works, too. */
	(void)io_uring_register_ring_fd(&thread->io);
	return ERR_OK;
}

/* Tells ring_new how it went, and waits for ring_start or the end.  True: started. */
static bool wait_for_start(struct ring_thread *thread, enum err err)
{
	struct ring *ring = thread->ring;
	bool is_started;

	pthread_mutex_lock(&ring->mutex);
	ring->threads_ready++;
	if (err)
		ring->err = err;
	pthread_cond_broadcast(&ring->changed);
	while (!err && !ring->is_started && !atomic_load(&ring->is_stopping))
		pthread_cond_wait(&ring->changed, &ring->mutex);
	is_started = ring->is_started && !err;
	pthread_mutex_unlock(&ring->mutex);
	return is_started;
}

/* After a registration that it cannot take the kernel waits for no further one. */
static void refuse(struct ring_thread *thread)
{
	struct io_uring_sqe *sqe = place(thread);
	const struct ring_command what = {.queue = NO_QUEUE};

	if (!sqe)
		return;
	prepare(sqe, RING_REGISTER, &what);
	io_uring_sqe_set_data(sqe, NULL);
	(void)io_uring_submit(&thread->io);
}

/* What the kernel did not take is there at once. */
static void look_at_registrations(struct ring_thread *thread)
{
	struct ring *ring = thread->ring;
	unsigned int count = atomic_load(&ring->entry_count);

	if (mark_fresh(thread))
		refuse(thread);
	pthread_mutex_lock(&ring->mutex);
	for (unsigned int i = 0; i < count; i++)
		if (atomic_load(&ring->entries[i].holder) == thread && !ring->entries[i].is_fresh)
			ring->has_entry[ring->entries[i].queue] = true;
	ring->threads_registered++;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->mutex);
}

/* Those that ring_new made for this thread. */
static void register_entries(struct ring_thread *thread)
{
	struct ring *ring = thread->ring;
	unsigned int count = atomic_load(&ring->entry_count);

	arm_wake(thread);
	for (unsigned int i = 0; i < count; i++)
		if (atomic_load(&ring->entries[i].holder) == thread)
			command(thread, &ring->entries[i], RING_REGISTER);
	(void)io_uring_submit(&thread->io);
	look_at_registrations(thread);
}

static void run(struct ring_thread *thread)
{
	struct ring *ring = thread->ring;

	register_entries(thread);
	for (;;) {
		take_handed(thread);
		wipe_if_asked(thread);
		if (atomic_load(&ring->is_stopping))
			break;
		/* After this store nobody hands over without a wake-up. */
		atomic_store(&thread->is_waiting, true);
		if (!atomic_load(&thread->group->handed))
			(void)io_uring_submit_and_wait(&thread->io, 1);
		atomic_store(&thread->is_waiting, false);
		complete_all(thread);
	}
	(void)io_uring_submit(&thread->io);
}

void *ring_thread_main(void *arg)
{
	struct ring_thread *thread = arg;
	enum err err;

	ring_this_thread = thread;
	stay_on_processor(thread->group);
	err = make_io(thread);
	if (wait_for_start(thread, err))
		run(thread);
	if (!err)
		io_uring_queue_exit(&thread->io);
	secmem_wipe_stack();
	atomic_store(&thread->is_gone, true);
	return NULL;
}
