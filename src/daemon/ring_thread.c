/* A thread of the ring: takes requests, has them served, commits replies. */
#include <errno.h>
#include <linux/fuse.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"
#include "daemon/ring_private.h"
#include "fsops/reply_buffer.h"

/* A message, a wake-up, and room. */
#define SUBMISSIONS 4u
/* No processor has this number: a registration that must fail. */
#define NO_QUEUE UINT16_MAX

_Thread_local struct ring_thread *ring_this_thread;

/* --- what goes to the kernel ---------------------------------------------------- */

/* There are more places than a thread ever uses: NULL is for the compiler. */
static struct io_uring_sqe *place(struct ring_thread *thread)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->io);

	if (!sqe)
		log_error("an io_uring takes nothing any more");
	return sqe;
}

/* The place is of double size: a command lies in the second half. */
static struct io_uring_sqe *command(struct ring_thread *thread, enum ring_command_number number,
				    const struct ring_command *what)
{
	struct io_uring_sqe *sqe = place(thread);

	if (!sqe)
		return NULL;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->cmd_op = number;
	memcpy((uint8_t *)sqe + offsetof(struct io_uring_sqe, cmd), what, sizeof(*what));
	return sqe;
}

static void commit(struct ring_thread *thread)
{
	const struct ring_command what = {.commit_id = thread->unique,
					  .queue = (uint16_t)thread->group->processor};
	struct io_uring_sqe *sqe = command(thread, RING_COMMIT_AND_FETCH, &what);

	if (sqe)
		io_uring_sqe_set_data(sqe, &thread->message);
}

static void register_message(struct ring_thread *thread)
{
	const struct ring_command what = {.queue = (uint16_t)thread->group->processor};
	struct io_uring_sqe *sqe = command(thread, RING_REGISTER, &what);

	if (!sqe)
		return;
	sqe->addr = (uintptr_t)thread->iov;
	sqe->len = 2;
	io_uring_sqe_set_data(sqe, &thread->message);
}

/* After a registration that it cannot take the kernel waits for no further one. */
static void refuse(struct ring_thread *thread)
{
	const struct ring_command what = {.queue = NO_QUEUE};
	struct io_uring_sqe *sqe = command(thread, RING_REGISTER, &what);

	if (sqe)
		io_uring_sqe_set_data(sqe, NULL);
	(void)io_uring_submit(&thread->io);
}

static void arm_wake(struct ring_thread *thread)
{
	struct io_uring_sqe *sqe = place(thread);

	if (!sqe)
		return;
	io_uring_prep_read(sqe, thread->wake, &thread->wake_count, sizeof(thread->wake_count), 0);
	io_uring_sqe_set_data(sqe, thread);
}

/* --- a request -------------------------------------------------------------------- */

static void serve(struct ring_thread *thread, void *request, size_t len)
{
	struct ring *ring = thread->ring;
	struct reply_loan loan = {.data = thread->message.payload};

	/* A reply is built where it has to be, unless the request lies there. */
	if (thread->message.header->entry.payload_len == 0)
		reply_buffer_lend(&loan);
	thread->is_serving = true;
	ring->calls.request(ring->calls.ctx, request, len);
	thread->is_serving = false;
	reply_buffer_lend(NULL);
	ring_message_note(&thread->message, loan.used);
}

/* Others shall find a thread while this one takes no request. */
static void leave_play(struct ring_thread *thread)
{
	struct ring_group *group = thread->group;

	if (atomic_fetch_sub(&group->in_play, 1) - 1 < (int)group->threads_wanted)
		/* At the limit they wait for a parked one. */
		(void)!ring_thread_add(thread->ring, group);
}

/* True if a parked request has its reply, which goes out with the next system call. */
static bool take_handed(struct ring_thread *thread)
{
	if (!atomic_exchange(&thread->is_handed, false))
		return false;
	if (thread->is_parked)
		atomic_fetch_add(&thread->group->in_play, 1);
	thread->is_parked = false;
	commit(thread);
	return true;
}

static void take_request(struct ring_thread *thread)
{
	void *request;
	size_t len;

	thread->has_request = false;
	thread->unique = thread->message.header->entry.commit_id;
	thread->is_answered = false;
	if (ring_message_request(&thread->message, &request, &len) == ERR_OK) {
		atomic_store(&thread->ring->uniques[thread->number], thread->unique);
		serve(thread, request, len);
	} else {
		ring_message_reply_error(&thread->message, thread->unique, EIO);
		thread->is_answered = true;
	}
	if (thread->is_answered) {
		commit(thread);
	} else if (!take_handed(thread)) {
		thread->is_parked = true;
		leave_play(thread);
	}
}

static bool is_end_of_connection(int result)
{
	return result == -ENOTCONN || result == -ECONNABORTED || result == -ECANCELED ||
	       result == -ENODEV;
}

/* Another thread takes the place of one that the kernel does not know any more. */
static void lose(struct ring_thread *thread, int result)
{
	thread->is_lost = true;
	/* One that never had a request: ring_start says what there is to say. */
	if (is_end_of_connection(result) || thread->unique == 0)
		return;
	log_error("a thread of the ring is lost: %s", strerror(-result));
	leave_play(thread);
}

/* `what`: the message, the thread itself for a wake-up, NULL for nothing. */
static void complete(struct ring_thread *thread, const void *what, int result)
{
	if (what == thread)
		arm_wake(thread);
	else if (what && result < 0)
		lose(thread, result);
	else if (what)
		thread->has_request = true;
}

static void complete_all(struct ring_thread *thread)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&thread->io, &cqe) == 0) {
		complete(thread, io_uring_cqe_get_data(cqe), cqe->res);
		io_uring_cqe_seen(&thread->io, cqe);
	}
}

/*
 * Outside of a system call the kernel does not fill the message.  A request that has
 * come already is newer than the wish to wipe, not what lies behind it; one that is
 * parked is wiped when it has its reply.
 */
static void wipe_if_asked(struct ring_thread *thread)
{
	uint64_t generation = atomic_load(&thread->ring->generation);

	if (atomic_load_explicit(&thread->wiped, memory_order_relaxed) == generation)
		return;
	(void)take_handed(thread);
	/* A reply that is not sent yet has to be whole: then this is tried again. */
	(void)io_uring_submit(&thread->io);
	if (io_uring_sq_ready(&thread->io) > 0)
		return;
	complete_all(thread);
	if (thread->has_request)
		ring_message_wipe_older(&thread->message);
	else if (!thread->is_parked)
		ring_message_wipe(&thread->message);
	secmem_wipe_stack();
	if (!thread->is_parked)
		atomic_store(&thread->wiped, generation);
}

/* --- life --------------------------------------------------------------------------- */

/* Where this process may not run, or for a processor that is off, it stays where it is. */
static void stay_on_processor(const struct ring_group *group)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(group->processor, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* DEFER_TASKRUN: requests are copied when this thread waits, and never interrupt it. */
static enum err make_io(struct ring_thread *thread)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER |
						  IORING_SETUP_DEFER_TASKRUN};
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

/* If the kernel does not take it, it says so at once. */
static void enter(struct ring_thread *thread)
{
	struct ring *ring = thread->ring;

	arm_wake(thread);
	register_message(thread);
	(void)io_uring_submit(&thread->io);
	complete_all(thread);
	if (thread->is_lost)
		refuse(thread);
	pthread_mutex_lock(&ring->mutex);
	if (!thread->is_lost)
		ring->has_thread[thread->group->processor] = true;
	ring->threads_registered++;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->mutex);
}

/* An error that lasts is no reason to use up a processor. */
static void wait_for_something(struct ring_thread *thread)
{
	int result = io_uring_submit_and_wait(&thread->io, 1);

	if (result < 0 && result != -EINTR)
		clock_sleep_ns(NS_PER_MS);
	complete_all(thread);
}

static void run(struct ring_thread *thread)
{
	struct ring *ring = thread->ring;

	enter(thread);
	for (;;) {
		(void)take_handed(thread);
		wipe_if_asked(thread);
		if (atomic_load(&ring->is_stopping))
			break;
		if (!thread->has_request)
			wait_for_something(thread);
		if (thread->has_request)
			take_request(thread);
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
	if (!thread->is_parked)
		ring_message_wipe(&thread->message);
	secmem_wipe_stack();
	atomic_store(&thread->is_gone, true);
	return NULL;
}
