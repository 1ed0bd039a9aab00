/*
 * Segment files: names, and reading one from front to back in bounded memory.
 * Used by recovery, the forwarder and the verifier.  Not locked.
 */
#ifndef PHIFS_AUDIT_SEGMENT_FILE_H
#define PHIFS_AUDIT_SEGMENT_FILE_H

#include <stdint.h>

#include "audit/segment.h"
#include "base/err.h"

#define SEGMENT_NAME_MAX 24 /* "4294967295.seg" and a NUL */
#define SEGMENT_NO_LIMIT UINT64_MAX

void segment_name(uint32_t number, char name[SEGMENT_NAME_MAX]);
/* 0 unless `name` is exactly what segment_name gives. */
uint32_t segment_name_parse(const char *name);

/* First and last number present and how many, 0 if none. */
struct segment_range {
	uint32_t first, last, count;
};
enum err segment_range_read(int dir_fd, struct segment_range *range) MUST_CHECK;

struct segment_reader {
	int fd;
	struct segment_header header;
	size_t header_len;
	uint8_t header_bytes[SEGMENT_HEADER_MAX];
	uint64_t offset;        /* of the next record */
	uint8_t *buffer;
	uint64_t start;         /* what the buffer holds: [start, start + filled) */
	size_t filled;
};

/* ERR_NOT_FOUND, or what segment_header_decode finds wrong. */
enum err segment_reader_open(int dir_fd, uint32_t number, struct segment_reader **reader) MUST_CHECK;
void segment_reader_close(struct segment_reader *reader);
void segment_reader_seek(struct segment_reader *reader, uint64_t offset);

/*
 * The next record, valid until the next call; bytes at and after `limit` are
 * not looked at.  ERR_NOT_FOUND: the records end here (limit, end of file or
 * zeroes); ERR_FORMAT: something that is no whole record stands here.
 */
enum err segment_reader_next(struct segment_reader *reader, uint64_t limit,
			     struct record_header *header, const uint8_t **record) MUST_CHECK;

/* Bytes from the current offset to the last that is not zero. */
enum err segment_reader_rest(struct segment_reader *reader, uint64_t *len) MUST_CHECK;

#endif
