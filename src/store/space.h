#ifndef PHIFS_STORE_SPACE_H
#define PHIFS_STORE_SPACE_H
#include "store/backing.h"
struct space;
enum err space_new(struct backing *ciphertext, struct backing *state, bool read_only, struct space **space) MUST_CHECK;
void space_free(struct space *space);
enum err space_admit(struct space *space, uint64_t bytes, uint64_t inodes) MUST_CHECK;
#endif
