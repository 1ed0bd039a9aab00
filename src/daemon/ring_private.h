/*
 * What ring.c (life, replies, kicks) and ring_thread.c (the loop) share.
 *
 * A thread's message is at any time one of: registered, and the kernel's while
 * the thread is in a system call; in the thread's hands; parked, and nobody's but
 * whose reply takes its number out of `uniques`; handed over, and the thread's again.
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

struct ring_group;

struct ring_thread {
	struct ring *ring;
	struct ring_group *group;
	unsigned int number;            /* of ring.threads */
	pthread_t thread;
	int wake;                       /* eventfd */
	struct ring_message message;
	struct iovec iov[2];            /* header and payload, for the kernel */
	_Atomic bool is_handed;         /* a parked request has its reply */
	_Atomic bool is_gone;
	_Atomic uint64_t wiped;         /* generation of the last wipe */
	/* Only its own: */
	uint64_t unique;                /* the request in the message; 0: none yet */
	bool is_serving;                /* that request, now */
	bool is_answered;               /* it has its reply */
	bool is_parked;
	bool has_request;               /* that was not looked at yet */
	bool is_lost;                   /* the kernel does not take the message any more */
	uint64_t wake_count;            /* where `wake` is read to */
#if HAVE_LIBURING
	struct io_uring io;
#endif
};

struct ring_group {
	unsigned int processor;
	unsigned int threads_wanted;    /* with requests that are not parked */
	_Atomic unsigned int threads;
	_Atomic int in_play;            /* threads whose request is not parked */
};

struct ring {
	int fd;
	struct ring_calls calls;
	unsigned int processors;        /* queues of the kernel */
	struct ring_group *groups;      /* one for each */
	_Atomic uint64_t generation;    /* of wipes asked for */
	_Atomic bool is_stopping;
	_Atomic unsigned int thread_count;
	struct ring_thread threads[RING_THREADS_MAX];
	/* The request that a thread's message has and that has no reply, or 0. */
	_Atomic uint64_t uniques[RING_THREADS_MAX];

	pthread_mutex_t mutex;          /* making threads, and: */
	pthread_cond_t changed;
	unsigned int threads_ready;     /* have their io_uring, or not: see err */
	unsigned int threads_registered;
	bool is_started;
	enum err err;
	bool has_thread[RING_THREADS_MAX]; /* queues of which the kernel took one */
};

/* One more, if there may be one; on an error there is none. */
enum err ring_thread_add(struct ring *ring, struct ring_group *group) MUST_CHECK;

void *ring_thread_main(void *thread);

/* This thread, if it is one of a ring. */
extern _Thread_local struct ring_thread *ring_this_thread;

#endif
