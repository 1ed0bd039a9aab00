#include "base/buf.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

void reader_init(struct reader *r, const void *data, size_t len)
{
	*r = (struct reader){.data = data, .len = len};
}

const uint8_t *reader_view(struct reader *r, size_t len)
{
	const uint8_t *view;

	if (r->failed || len > r->len - r->pos) {
		r->failed = true;
		return NULL;
	}
	view = r->data + r->pos;
	r->pos += len;
	return view;
}

void reader_bytes(struct reader *r, void *out, size_t len)
{
	const uint8_t *view = reader_view(r, len);

	if (view != NULL)
		memcpy(out, view, len);
	else
		memset(out, 0, len);
}

void reader_skip(struct reader *r, size_t len)
{
	(void)reader_view(r, len);
}

uint8_t reader_u8(struct reader *r)
{
	const uint8_t *view = reader_view(r, 1);

	return view != NULL ? view[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
	const uint8_t *view = reader_view(r, 2);

	return view != NULL ? load_u16(view) : 0;
}

uint32_t reader_u32(struct reader *r)
{
	const uint8_t *view = reader_view(r, 4);

	return view != NULL ? load_u32(view) : 0;
}

uint64_t reader_u64(struct reader *r)
{
	const uint8_t *view = reader_view(r, 8);

	return view != NULL ? load_u64(view) : 0;
}

size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : r->len - r->pos;
}

bool reader_done(const struct reader *r)
{
	return !r->failed && r->pos == r->len;
}

void writer_init(struct writer *w, void *data, size_t size)
{
	*w = (struct writer){.data = data, .size = size};
}

uint8_t *writer_space(struct writer *w, size_t len)
{
	uint8_t *space;

	if (w->failed || len > w->size - w->len) {
		w->failed = true;
		return NULL;
	}
	space = w->data + w->len;
	w->len += len;
	return space;
}

void writer_bytes(struct writer *w, const void *data, size_t len)
{
	uint8_t *space = writer_space(w, len);

	if (space != NULL && len > 0)
		memcpy(space, data, len);
}

void writer_zero(struct writer *w, size_t len)
{
	uint8_t *space = writer_space(w, len);

	if (space != NULL)
		memset(space, 0, len);
}

void writer_u8(struct writer *w, uint8_t value)
{
	writer_bytes(w, &value, 1);
}

void writer_u16(struct writer *w, uint16_t value)
{
	value = htole16(value);
	writer_bytes(w, &value, sizeof(value));
}

void writer_u32(struct writer *w, uint32_t value)
{
	value = htole32(value);
	writer_bytes(w, &value, sizeof(value));
}

void writer_u64(struct writer *w, uint64_t value)
{
	value = htole64(value);
	writer_bytes(w, &value, sizeof(value));
}

uint16_t load_u16(const void *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return le16toh(value);
}

uint32_t load_u32(const void *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

uint64_t load_u64(const void *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return le64toh(value);
}

void store_u16(void *p, uint16_t value)
{
	value = htole16(value);
	memcpy(p, &value, sizeof(value));
}

void store_u32(void *p, uint32_t value)
{
	value = htole32(value);
	memcpy(p, &value, sizeof(value));
}

void store_u64(void *p, uint64_t value)
{
	value = htole64(value);
	memcpy(p, &value, sizeof(value));
}

void hex_encode(const void *data, size_t len, char *out)
{
	sodium_bin2hex(out, 2 * len + 1, data, len);
}

bool hex_decode(const char *text, void *out, size_t len)
{
	size_t decoded;

	return strlen(text) == 2 * len &&
	       sodium_hex2bin(out, len, text, 2 * len, NULL, &decoded, NULL) == 0 && decoded == len;
}
