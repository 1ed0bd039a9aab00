#include "format/dir_block.h"

#include <string.h>

#include "base/buf.h"

#define HEAD_LEN   20u /* record length u16, name length u8, type u8, id 16 */
#define RECORD_MIN 24u /* the shortest entry, and what is worth splitting off */
#define UNIT       4u

static uint16_t record_len(const uint8_t *record)
{
	return load_u16(record);
}

static uint8_t name_len(const uint8_t *record)
{
	return record[2];
}

static size_t needed(uint8_t len)
{
	return (HEAD_LEN + len + UNIT - 1) & ~(size_t)(UNIT - 1);
}

static void make_free(uint8_t *record, size_t len)
{
	memset(record, 0, len);
	store_u16(record, (uint16_t)len);
}

void dir_block_init(uint8_t block[BLOCK_SIZE])
{
	make_free(block, BLOCK_SIZE);
}

enum err dir_block_check(const uint8_t block[BLOCK_SIZE])
{
	size_t at = 0;

	while (at < BLOCK_SIZE) {
		size_t len;

		if (BLOCK_SIZE - at < UNIT)
			return ERR_FORMAT;
		len = record_len(block + at);
		if (len < UNIT || len % UNIT != 0 || len > BLOCK_SIZE - at)
			return ERR_FORMAT;
		if (name_len(block + at) != 0 &&
		    (needed(name_len(block + at)) > len ||
		     memchr(block + at + HEAD_LEN, '\0', name_len(block + at)) != NULL ||
		     memchr(block + at + HEAD_LEN, '/', name_len(block + at)) != NULL))
			return ERR_FORMAT;
		at += len;
	}
	return ERR_OK;
}

static void fill(const uint8_t *record, struct dir_entry *entry)
{
	memcpy(entry->id.bytes, record + 4, sizeof(entry->id.bytes));
	entry->type = record[3];
	entry->name_len = name_len(record);
	entry->name = (const char *)record + HEAD_LEN;
}

/* Walk to the record at `offset`, or the first behind it.  BLOCK_SIZE: none. */
static size_t seek(const uint8_t *block, size_t offset)
{
	size_t at = 0;

	while (at < offset && at < BLOCK_SIZE) {
		size_t len = record_len(block + at);

		/* A block that was not checked must not make this run away. */
		if (len < UNIT || len > BLOCK_SIZE - at)
			return BLOCK_SIZE;
		at += len;
	}
	return at;
}

static bool is_entry(const uint8_t *block, size_t at)
{
	size_t len = record_len(block + at);

	return name_len(block + at) != 0 && len <= BLOCK_SIZE - at &&
	       needed(name_len(block + at)) <= len;
}

bool dir_block_get(const uint8_t block[BLOCK_SIZE], uint16_t slot, struct dir_entry *entry)
{
	size_t at = seek(block, (size_t)slot * UNIT);

	if (at != (size_t)slot * UNIT || at >= BLOCK_SIZE || !is_entry(block, at))
		return false;
	fill(block + at, entry);
	return true;
}

uint16_t dir_block_next(const uint8_t block[BLOCK_SIZE], uint16_t slot, struct dir_entry *entry)
{
	size_t at = seek(block, (size_t)slot * UNIT);

	while (at < BLOCK_SIZE) {
		size_t len = record_len(block + at);

		if (len < UNIT || len > BLOCK_SIZE - at)
			break;
		if (is_entry(block, at)) {
			fill(block + at, entry);
			return (uint16_t)(at / UNIT);
		}
		at += len;
	}
	return DIR_SLOT_NONE;
}

uint16_t dir_block_insert(uint8_t block[BLOCK_SIZE], const struct dir_entry *entry)
{
	size_t want = needed(entry->name_len);
	size_t at, len;

	if (entry->name_len == 0)
		return DIR_SLOT_NONE;
	for (at = 0; at < BLOCK_SIZE; at += len) {
		len = record_len(block + at);
		if (len < UNIT || len > BLOCK_SIZE - at)
			return DIR_SLOT_NONE;
		if (name_len(block + at) == 0 && len >= want)
			break;
	}
	if (at >= BLOCK_SIZE)
		return DIR_SLOT_NONE;
	if (len - want >= RECORD_MIN) {
		make_free(block + at + want, len - want);
		len = want;
	}
	memset(block + at, 0, len);
	store_u16(block + at, (uint16_t)len);
	block[at + 2] = entry->name_len;
	block[at + 3] = entry->type;
	memcpy(block + at + 4, entry->id.bytes, sizeof(entry->id.bytes));
	memcpy(block + at + HEAD_LEN, entry->name, entry->name_len);
	return (uint16_t)(at / UNIT);
}

void dir_block_remove(uint8_t block[BLOCK_SIZE], uint16_t slot)
{
	size_t target = (size_t)slot * UNIT, at = 0, previous = BLOCK_SIZE, len;

	while (at < target && at < BLOCK_SIZE) {
		len = record_len(block + at);
		if (len < UNIT || len > BLOCK_SIZE - at)
			return;
		previous = name_len(block + at) == 0 ? at : BLOCK_SIZE;
		at += len;
	}
	if (at != target || at >= BLOCK_SIZE)
		return;
	len = record_len(block + at);
	if (at + len < BLOCK_SIZE && name_len(block + at + len) == 0)
		len += record_len(block + at + len);
	if (previous != BLOCK_SIZE) {
		len += at - previous;
		at = previous;
	}
	if (len <= BLOCK_SIZE - at)
		make_free(block + at, len);
}

void dir_block_replace(uint8_t block[BLOCK_SIZE], uint16_t slot, const struct object_id *id,
		       uint8_t type)
{
	struct dir_entry entry;
	uint8_t *record = block + (size_t)slot * UNIT;

	if (!dir_block_get(block, slot, &entry))
		return;
	record[3] = type;
	memcpy(record + 4, id->bytes, sizeof(id->bytes));
}

int dir_block_room(const uint8_t block[BLOCK_SIZE])
{
	int room = -1;

	for (size_t at = 0; at < BLOCK_SIZE;) {
		size_t len = record_len(block + at);

		if (len < UNIT || len > BLOCK_SIZE - at)
			return -1;
		if (name_len(block + at) == 0 && len > HEAD_LEN && (int)(len - HEAD_LEN) > room)
			room = (int)(len - HEAD_LEN);
		at += len;
	}
	return room;
}
