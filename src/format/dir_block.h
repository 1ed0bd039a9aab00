/*
 * Directory content: 4 KiB blocks of entries that never move while they live.
 *
 * A block is a chain of records {record length u16, name length u8, type u8,
 * object id 16 bytes, name, padding to 4}; name length 0 is free space.  The
 * chain covers the block exactly.  The slot of an entry is its offset / 4, so
 * {block, slot} identifies it for ever: the readdir cookie.  Pure; every field
 * from disk is checked.  FORMAT.md, "Directories".
 */
#ifndef PHIFS_FORMAT_DIR_BLOCK_H
#define PHIFS_FORMAT_DIR_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "format/layout.h"
#include "format/object_header.h"

#define DIR_SLOT_NONE 0xffffu

struct dir_entry {
	struct object_id id;
	uint8_t type; /* S_IF* >> 12, as in d_type */
	uint8_t name_len;
	const char *name; /* not NUL-terminated; points into the block */
};

/* Make an empty block (one free record). */
void dir_block_init(uint8_t block[BLOCK_SIZE]);
/* Walk the whole chain once; ERR_FORMAT if it is not well-formed. */
enum err dir_block_check(const uint8_t block[BLOCK_SIZE]) MUST_CHECK;
/* The entry at `slot`; false if the slot holds none.  The block is checked. */
bool dir_block_get(const uint8_t block[BLOCK_SIZE], uint16_t slot, struct dir_entry *entry);
/* The first entry at or behind `slot`; DIR_SLOT_NONE behind the last. */
uint16_t dir_block_next(const uint8_t block[BLOCK_SIZE], uint16_t slot, struct dir_entry *entry);
/* Put an entry where it fits; DIR_SLOT_NONE if it does not fit. */
uint16_t dir_block_insert(uint8_t block[BLOCK_SIZE], const struct dir_entry *entry);
/* Free the slot, merging free neighbours. */
void dir_block_remove(uint8_t block[BLOCK_SIZE], uint16_t slot);
/* Point the entry at `slot` to another object (rename over an existing name). */
void dir_block_replace(uint8_t block[BLOCK_SIZE], uint16_t slot, const struct object_id *id,
		       uint8_t type);
/* The longest name an insert would still take; -1 if none. */
int dir_block_room(const uint8_t block[BLOCK_SIZE]);

#endif
