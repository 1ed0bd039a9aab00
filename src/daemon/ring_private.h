/*
 * What ring.c (life, replies, kicks) and ring_thread.c (the loop) share.
 *
 * An entry is at any time one of: registered, and then `holder` has it; in the
 * hands of the thread whose `current` it is; parked, and nobody's but whose reply
 * takes it out of `uniques`; handed over, in its group's list.
 */
#ifndef PHIFS_DAEMON_RING_PRIVATE_H
#define PHIFS_DAEMON_RING_PRIVATE_H

#include "daemon/ring.h"

#if HAVE_LIBURING
#include <liburing.h>
#endif
#include <pthread.h>
#include <stdatomic.h>

#include "daemon/ring_message.h"

struct ring_thread;
struct ring_group;

struct ring_entry {
	struct ring_message message;
	struct iovec iov[2];            /* header and payload, for the kernel */
	uint64_t commit_id;
	struct ring_group *group;
	struct ring_entry *next;        /* in group.handed */
	_Atomic(struct ring_thread *) holder;
	uint16_t queue;                 /* number of a processor */
	bool is_fresh;                  /* the holder's: has a request that was not looked at yet */
};

struct ring_thread {
	struct ring *ring;
	struct ring_group *group;
	pthread_t thread;
	int wake;                       /* eventfd */
	_Atomic bool is_waiting;        /* may be in the kernel */
	_Atomic bool is_gone;
	_Atomic unsigned int available; /* entries of which it is the holder */
	_Atomic uint64_t wiped;         /* generation of the last wipe */
	/* Only its own: */
	uint64_t wake_count;            /* where `wake` is read to */
	struct ring_entry *current;
	uint64_t unique;                /* the request in it */
	bool is_answered;               /* `current` has its reply */
#if HAVE_LIBURING
	struct io_uring io;
#endif
};

struct ring_group {
	int processor;                  /* its threads stay there; -1: anywhere */
	unsigned int thread_count;
	unsigned int entries_max;
	_Atomic unsigned int entries;
	_Atomic int in_play;            /* entries that are not parked */
	_Atomic(struct ring_entry *) handed; /* replied to elsewhere, to be committed */
	struct ring_thread threads[RING_THREADS_MAX];
};

struct ring {
	int fd;
	struct ring_calls calls;
	unsigned int processors;        /* queues of the kernel */
	unsigned int group_count;
	unsigned int threads_made;
	struct ring_group *groups;
	_Atomic uint64_t generation;    /* of wipes asked for */
	_Atomic bool is_stopping;
	_Atomic unsigned int entry_count;
	struct ring_entry entries[RING_ENTRIES_MAX];
	/* The request that an entry has and that has no reply, or 0. */
	_Atomic uint64_t uniques[RING_ENTRIES_MAX];

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under `mutex`, for the start: */
	unsigned int threads_ready;     /* io_uring made, or not: see err */
	unsigned int threads_registered;
	bool is_started;
	enum err err;
	bool has_entry[RING_ENTRIES_MAX]; /* queues in which the kernel took one */
};

/* Another entry of a queue, not registered yet; NULL: there may be no more, or no memory. */
struct ring_entry *ring_entry_new(struct ring_group *group, struct ring *ring, unsigned int queue);

void *ring_thread_main(void *thread);

/* This thread, if it is one of a ring. */
extern _Thread_local struct ring_thread *ring_this_thread;

#endif
