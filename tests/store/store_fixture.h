/* A volume for one test case: on real directories or on the simulated disk. */
#ifndef PHIFS_TESTS_STORE_FIXTURE_H
#define PHIFS_TESTS_STORE_FIXTURE_H

#include "store/store.h"

struct fixture {
	char *dir;                   /* temp_dir_new: state (and ciphertext, if real) */
	struct backing *ciphertext, *state; /* owned by the store while it is open */
	struct keyring *keyring;
	struct store *store;
	struct store_config config;
	struct store_recovery recovery;
};

/* Makes a volume with root 0755 and unlocks it. */
void fixture_new(struct fixture *f);
/* Lock, close, open and unlock again: what is read then comes from disk. */
void fixture_reopen(struct fixture *f);
void fixture_free(struct fixture *f);

/* The waiting calls, waited for. */
enum err fixture_write(struct fixture *f, uint64_t number, uint64_t offset, const void *data,
		       size_t len, bool durable);
enum err fixture_fsync(struct fixture *f, uint64_t number);
enum err fixture_sync(struct fixture *f);
enum err fixture_rename(struct fixture *f, uint64_t dir, const char *name, uint64_t new_dir,
			const char *new_name, uint32_t flags);

/* A new regular file, opened; the number. */
uint64_t fixture_create(struct fixture *f, uint64_t dir, const char *name);
/* Looks up and forgets; 0 if it is not there. */
uint64_t fixture_find(struct fixture *f, uint64_t dir, const char *name);
/* Fails the case unless the content is these bytes. */
void fixture_expect(struct fixture *f, uint64_t number, const void *data, size_t len);

#endif
