/*
 * Bounded readers and writers of little-endian binary data.
 *
 * Everything that comes from a disk or a socket is taken apart with struct
 * reader and everything that goes there is put together with struct writer.
 * Neither ever touches a byte outside its buffer: the first access that would
 * marks it failed, reads give zeroes from then on, and the caller asks once at
 * the end.  No allocation, no locks.
 */
#ifndef PHIFS_BASE_BUF_H
#define PHIFS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *data;
	size_t len;
	size_t pos;
	bool failed;
};

void reader_init(struct reader *r, const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* Copies `len` bytes to `out`, zeroes if they are not there. */
void reader_bytes(struct reader *r, void *out, size_t len);
/* A pointer to the next `len` bytes, or NULL. */
const uint8_t *reader_view(struct reader *r, size_t len);
void reader_skip(struct reader *r, size_t len);
/* Bytes left. */
size_t reader_left(const struct reader *r);
/* True if nothing failed and nothing is left. */
bool reader_done(const struct reader *r);

struct writer {
	uint8_t *data;
	size_t size;
	size_t len;
	bool failed;
};

void writer_init(struct writer *w, void *data, size_t size);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bytes(struct writer *w, const void *data, size_t len);
void writer_zero(struct writer *w, size_t len);
/* A pointer to `len` fresh bytes to be filled by the caller, or NULL. */
uint8_t *writer_space(struct writer *w, size_t len);

/* Single values at a place that is known to be inside. */
uint16_t load_u16(const void *p);
uint32_t load_u32(const void *p);
uint64_t load_u64(const void *p);
void store_u16(void *p, uint16_t value);
void store_u32(void *p, uint32_t value);
void store_u64(void *p, uint64_t value);

/* `out` gets 2 * len hexadecimal digits and a NUL. */
void hex_encode(const void *data, size_t len, char *out);
/* Reads exactly 2 * len digits followed by NUL; false if it is anything else. */
bool hex_decode(const char *text, void *out, size_t len);

#endif
