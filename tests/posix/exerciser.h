/*
 * exerciser: random operations on a few files, compared with what memory says they
 * hold.  All processes share the model; a file is either locked for each operation,
 * or divided into regions that one process each changes.
 */
#ifndef PHIFS_TESTS_POSIX_EXERCISER_H
#define PHIFS_TESTS_POSIX_EXERCISER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILES         5           /* the last is divided into regions */
#define DIVIDED       (FILES - 1)
#define FILE_SIZE_MAX (1 << 20)
#define PROCESSES_MAX 16
#define REGION        (FILE_SIZE_MAX / PROCESSES_MAX)
#define LOG_ENTRIES   4096

/* What was done, for the report of a mismatch. */
struct log_entry {
	uint64_t number;
	const char *what; /* NULL: unused */
	int file;
	off_t offset;
	size_t len;
	long result;
};

struct model_file {
	pthread_mutex_t mutex; /* not of the divided one */
	off_t size;
	uint8_t *content;      /* FILE_SIZE_MAX bytes, zero behind size */
};

struct model {
	struct model_file files[FILES];
	/* Mappings are touched with it held for reading; a lock of the volume takes it whole. */
	pthread_rwlock_t gate;
	_Atomic uint64_t next_number, done, locks;
	_Atomic int violations;
	struct {
		uint64_t count;
		struct log_entry entries[LOG_ENTRIES];
	} log[PROCESSES_MAX];
};

struct worker {
	struct model *model;
	int process, processes;
	bool has_direct;       /* O_DIRECT takes any alignment here */
	unsigned int seed;     /* as given */
	uint64_t random;       /* state */
	uint64_t number;       /* of the operation under way */
	const char *what;
	int fds[FILES];
	uint8_t *maps[FILES];  /* kept over operations; NULL: none */
	uint8_t *buffer;       /* FILE_SIZE_MAX bytes, aligned */
	uint8_t *other;
};

/* --- the model (exerciser_model.c) ------------------------------------------------- */

struct model *model_new(void);
unsigned int pick(struct worker *w, unsigned int below);
/* A range of the file that this process may change, and not beyond `end` if that is not 0. */
void pick_range(struct worker *w, int file, off_t end, off_t *offset, size_t *len);
/* Bytes that say which operation wrote them. */
void fill(struct worker *w, uint8_t *data, off_t offset, size_t len);
/* Remember what was done. */
void log_done(struct worker *w, int file, off_t offset, size_t len, long result);
/* Report a mismatch at the first byte that differs. */
void compare(struct worker *w, int file, off_t offset, const uint8_t *data, size_t len);
/* Report something else that is wrong; errno says why. */
void violation(struct worker *w, int file, off_t offset, size_t len, const char *what);

/* --- operations (exerciser_operations.c) --------------------------------------------- */

void name_of_file(int file, char name[32]);
/* Everything of a file against the model. */
void check_file(struct worker *w, int file);
/* One random operation. */
void operate(struct worker *w);
/* Open what is closed; false, having said so, if that cannot be. */
bool reopen(struct worker *w, int file);
/* One byte of a file is changed, and the model not told. */
void sabotage(struct worker *w);
/* How often each operation was done, by this process and those that share the memory. */
void print_counts(void);
void counts_shared(void);

#endif
