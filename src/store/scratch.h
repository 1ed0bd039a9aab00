/*
 * This thread's working memory, made at its first use and wiped and freed when
 * the thread ends: no allocation on the hot path.
 */
#ifndef PHIFS_STORE_SCRATCH_H
#define PHIFS_STORE_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

/* CHUNK_LEN bytes, page-aligned, for ciphertext.  NULL: no memory. */
uint8_t *scratch_cipher(void);
/* BLOCK_SIZE bytes for plaintext, locked; the user wipes it after use. */
uint8_t *scratch_plain(void);
/* `size` bytes (the same at every call) for the description of a read. */
void *scratch_plan(size_t size);

#endif
