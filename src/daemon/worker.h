/*
 * The worker process: everything but mounting.  Start-up order: policy, store,
 * audit trail, MOUNT record, mount (by the parent), FUSE session, LOCKED,
 * control socket, ready.
 */
#ifndef PHIFS_DAEMON_WORKER_H
#define PHIFS_DAEMON_WORKER_H

#include "base/err.h"
#include "config/config.h"
#include "daemon/options.h"
#include "daemon/selftest.h"

struct worker_setup {
	const struct options *options;
	const struct config *config;
	const struct selftest *selftest;
	int link; /* to the parent */
};

/* Serves until it is told to stop or the file system is unmounted. */
enum err worker_run(const struct worker_setup *setup) MUST_CHECK;

#endif
