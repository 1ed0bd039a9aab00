/*
 * What the running kernel guarantees about reads, found out by asking it: a
 * private, throw-away FUSE file system in a mount name space of its own, in a
 * child process with a time limit.
 *
 * read(2) is always exact on direct I/O.  sendfile, splice and mmap fill the
 * page cache on kernels 6.5 and later; whether invalidating after each fill
 * makes them exact again is what is probed, and whether shared mappings work.
 */
#ifndef PHIFS_DAEMON_SELFTEST_H
#define PHIFS_DAEMON_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#define SELFTEST_LIMIT_MS 5000
#define SELFTEST_TEXT_MAX 128

struct selftest {
	bool is_done;              /* false: it could not run, nothing is known */
	bool is_sendfile_exact;    /* each sendfile reaches the daemon by itself */
	bool is_exact_invalidated; /* each does after an invalidation */
	bool is_mmap_shared;       /* mmap(MAP_SHARED) works on direct I/O */
	char text[SELFTEST_TEXT_MAX]; /* "6.12: every read exact, shared mmap yes" */
};

/*
 * Runs it; `directory` (the run directory) gets a temporary mount point.
 * Call from a process with one thread.  Never fails: the text says what is known.
 */
void selftest_run(const char *directory, uint64_t masked_init_flags, struct selftest *result);

#endif
