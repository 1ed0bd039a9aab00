#include "audit/segment_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define READ_BUFFER (256u << 10)
_Static_assert(READ_BUFFER > 2 * RECORD_MAX, "a record fits into the buffer");

void segment_name(uint32_t number, char name[SEGMENT_NAME_MAX])
{
	snprintf(name, SEGMENT_NAME_MAX, "%06u.seg", number);
}

uint32_t segment_name_parse(const char *name)
{
	char again[SEGMENT_NAME_MAX];
	uint64_t number = 0;
	size_t digits = strspn(name, "0123456789");

	if (digits < 6 || digits > 10)
		return 0;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(name[i] - '0');
	if (number > UINT32_MAX)
		return 0;
	segment_name((uint32_t)number, again);
	return strcmp(name, again) == 0 ? (uint32_t)number : 0;
}

enum err segment_range_read(int dir_fd, struct segment_range *range)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	enum err err;

	if (dir == NULL) {
		err = err_from_errno(errno);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*range = (struct segment_range){.first = 0};
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		uint32_t number = segment_name_parse(entry->d_name);

		if (number == 0)
			continue;
		if (range->count == 0 || number < range->first)
			range->first = number;
		if (number > range->last)
			range->last = number;
		range->count++;
	}
	err = errno != 0 ? err_from_errno(errno) : ERR_OK;
	closedir(dir);
	return err;
}

/* Make the buffer hold `want` bytes at the current offset, or as many as there are. */
static enum err fill(struct segment_reader *reader, size_t want, uint64_t limit,
		     const uint8_t **data, size_t *available)
{
	uint64_t end = reader->start + reader->filled;
	size_t have;

	if (reader->offset < reader->start || reader->offset > end) {
		reader->start = reader->offset;
		reader->filled = 0;
	}
	have = (size_t)(reader->start + reader->filled - reader->offset);
	if (have < want) {
		memmove(reader->buffer, reader->buffer + (reader->offset - reader->start), have);
		reader->start = reader->offset;
		reader->filled = have;
	}
	while (reader->filled < want) {
		uint64_t at = reader->start + reader->filled;
		size_t room = READ_BUFFER - reader->filled;
		ssize_t got;

		if (at >= limit)
			break;
		if (room > limit - at)
			room = (size_t)(limit - at);
		got = pread(reader->fd, reader->buffer + reader->filled, room, (off_t)at);
		if (got < 0 && errno != EINTR)
			return err_from_errno(errno);
		if (got == 0)
			break;
		reader->filled += got > 0 ? (size_t)got : 0;
	}
	*data = reader->buffer + (reader->offset - reader->start);
	*available = (size_t)(reader->start + reader->filled - reader->offset);
	return ERR_OK;
}

static enum err read_header(struct segment_reader *reader)
{
	const uint8_t *data;
	size_t available;
	enum err err = fill(reader, SEGMENT_HEADER_MAX, SEGMENT_NO_LIMIT, &data, &available);

	if (err == ERR_OK)
		err = segment_header_decode(data, available, &reader->header, &reader->header_len);
	if (err == ERR_OK) {
		memcpy(reader->header_bytes, data, reader->header_len);
		/* A live segment grows: what lies behind the header is read again. */
		segment_reader_seek(reader, reader->header_len);
	}
	return err;
}

enum err segment_reader_open(int dir_fd, uint32_t number, struct segment_reader **out)
{
	struct segment_reader *reader = calloc(1, sizeof(*reader));
	char name[SEGMENT_NAME_MAX];
	struct stat st;
	enum err err = ERR_OK;

	if (reader == NULL || (reader->buffer = malloc(READ_BUFFER)) == NULL) {
		free(reader);
		return ERR_NO_MEMORY;
	}
	segment_name(number, name);
	reader->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (reader->fd < 0)
		err = err_from_errno(errno);
	else if (fstat(reader->fd, &st) < 0 || !S_ISREG(st.st_mode))
		err = ERR_FORMAT;
	else
		err = read_header(reader);
	if (err != ERR_OK) {
		segment_reader_close(reader);
		return err;
	}
	*out = reader;
	return ERR_OK;
}

void segment_reader_close(struct segment_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->buffer);
	free(reader);
}

void segment_reader_seek(struct segment_reader *reader, uint64_t offset)
{
	reader->offset = offset;
	reader->filled = 0;
	reader->start = offset;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

enum err segment_reader_next(struct segment_reader *reader, uint64_t limit,
			     struct record_header *header, const uint8_t **record)
{
	const uint8_t *data;
	size_t available;
	enum err err = fill(reader, RECORD_HEADER_LEN, limit, &data, &available);

	if (err != ERR_OK)
		return err;
	if (available < RECORD_HEADER_LEN)
		return is_zero(data, available) ? ERR_NOT_FOUND : ERR_FORMAT;
	if (is_zero(data, RECORD_HEADER_LEN)) {
		/* Zeroes that were read ahead may be records by the next call. */
		segment_reader_seek(reader, reader->offset);
		return ERR_NOT_FOUND;
	}
	err = fill(reader, load_u16(data), limit, &data, &available);
	if (err != ERR_OK)
		return err;
	if (!record_header_decode(data, available, header))
		return ERR_FORMAT;
	*record = data;
	reader->offset += header->len;
	return ERR_OK;
}

enum err segment_reader_rest(struct segment_reader *reader, uint64_t *len)
{
	uint64_t offset = reader->offset, last = offset;
	const uint8_t *data;
	size_t available;
	enum err err;

	for (;;) {
		err = fill(reader, READ_BUFFER, SEGMENT_NO_LIMIT, &data, &available);
		if (err != ERR_OK || available == 0)
			break;
		for (size_t i = available; i > 0; i--) {
			if (data[i - 1] != 0) {
				last = reader->offset + i;
				break;
			}
		}
		reader->offset += available;
	}
	segment_reader_seek(reader, offset);
	*len = last - offset;
	return err;
}
