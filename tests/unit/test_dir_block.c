/* Directory blocks against a list that is kept beside them. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "format/dir_block.h"

#define NAMES_MAX 200
#define HEAD	  20 /* of a record: FORMAT.md */

struct name {
	bool is_there;
	uint16_t slot;
	uint8_t type;
	char text[256];
	struct object_id id;
};

static uint8_t block[BLOCK_SIZE];
static struct name names[NAMES_MAX];
static uint64_t state;

/* xorshift64 (Marsaglia 2003): the same numbers in every run. */
static uint64_t random_below(uint64_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % limit;
}

static void start(uint64_t seed)
{
	state = seed;
	memset(names, 0, sizeof(names));
	dir_block_init(block);
}

static struct dir_entry entry_of(const struct name *name)
{
	return (struct dir_entry){.id = name->id, .type = name->type, .name = name->text,
				  .name_len = (uint8_t)strlen(name->text)};
}

static void assert_entry(const struct dir_entry *entry, const struct name *name)
{
	ck_assert_uint_eq(entry->name_len, strlen(name->text));
	ck_assert_mem_eq(entry->name, name->text, entry->name_len);
	ck_assert_uint_eq(entry->type, name->type);
	ck_assert_mem_eq(&entry->id, &name->id, sizeof(entry->id));
}

/* Every entry is where it was put, and a walk meets these and no others, in order. */
static void assert_block(void)
{
	struct dir_entry entry;
	size_t there = 0, walked = 0;
	uint16_t slot;

	ck_assert_ok(dir_block_check(block));
	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (!names[i].is_there)
			continue;
		there++;
		ck_assert(dir_block_get(block, names[i].slot, &entry));
		assert_entry(&entry, &names[i]);
	}
	for (slot = dir_block_next(block, 0, &entry); slot != DIR_SLOT_NONE;
	     slot = dir_block_next(block, (uint16_t)(slot + 1), &entry))
		walked++;
	ck_assert_uint_eq(walked, there);
}

static void make_name(struct name *name)
{
	size_t len = 1 + random_below(random_below(4) == 0 ? 255 : 20);

	for (size_t i = 0; i < len; i++)
		name->text[i] = (char)('a' + random_below(26));
	name->text[len] = '\0';
	name->type = (uint8_t)(1 + random_below(15));
	for (size_t i = 0; i < sizeof(name->id.bytes); i++)
		name->id.bytes[i] = (uint8_t)random_below(256);
}

/* The room that is announced is the room there is. */
static void insert(struct name *name)
{
	struct dir_entry entry;
	int room = dir_block_room(block);

	make_name(name);
	entry = entry_of(name);
	name->slot = dir_block_insert(block, &entry);
	name->is_there = name->slot != DIR_SLOT_NONE;
	ck_assert_int_eq(name->is_there, room >= entry.name_len);
}

START_TEST(test_random)
{
	start(0x9e3779b97f4a7c15u);
	for (int round = 0; round < 1500; round++) {
		struct name *name = &names[random_below(NAMES_MAX)];

		if (!name->is_there) {
			insert(name);
		} else if (random_below(3) == 0) {
			name->type = (uint8_t)(1 + random_below(15));
			name->id.bytes[random_below(16)]++;
			dir_block_replace(block, name->slot, &name->id, name->type);
		} else {
			dir_block_remove(block, name->slot);
			name->is_there = false;
		}
		assert_block();
	}
}
END_TEST

START_TEST(test_all_removed_is_empty)
{
	uint8_t empty[BLOCK_SIZE];

	dir_block_init(empty);
	for (int order = 0; order < 3; order++) {
		size_t count = 0;

		start(77);
		while (count < NAMES_MAX && (insert(&names[count]), names[count].is_there))
			count++;
		ck_assert_uint_gt(count, 20);
		for (size_t i = 0; i < count; i++) {
			size_t which = order == 0 ? i : count - 1 - i;

			/* Every second first, so that neighbours are merged on both sides. */
			if (order == 2)
				which = i < (count + 1) / 2 ? 2 * i : 2 * (i - (count + 1) / 2) + 1;
			dir_block_remove(block, names[which].slot);
			names[which].is_there = false;
			assert_block();
		}
		ck_assert_mem_eq(block, empty, BLOCK_SIZE);
	}
}
END_TEST

/* What was removed leaves no name behind: the block is sealed whole. */
START_TEST(test_removed_names_are_gone)
{
	struct dir_entry entry = {.type = 8, .name = "Mustermann", .name_len = 10};
	uint16_t slot;

	start(1);
	slot = dir_block_insert(block, &entry);
	dir_block_remove(block, slot);
	for (size_t i = 0; i + 10 <= BLOCK_SIZE; i++)
		ck_assert_mem_ne(block + i, "Mustermann", 10);
}
END_TEST

START_TEST(test_limits)
{
	char longest[256];
	struct dir_entry entry = {.type = 8, .name = longest, .name_len = 255};
	int count = 0;

	start(1);
	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(dir_block_room(block), BLOCK_SIZE - HEAD);
	while (dir_block_insert(block, &entry) != DIR_SLOT_NONE)
		count++;
	/* 20 + 255 bytes are 276 in units of four. */
	ck_assert_int_eq(count, BLOCK_SIZE / 276);
	ck_assert_ok(dir_block_check(block));
	ck_assert_int_eq(dir_block_room(block), BLOCK_SIZE - count * 276 - HEAD);
	entry.name_len = 0;
	ck_assert_uint_eq(dir_block_insert(block, &entry), DIR_SLOT_NONE);
	/* Slots that are none. */
	ck_assert(!dir_block_get(block, 1, &entry));
	ck_assert(!dir_block_get(block, BLOCK_SIZE / 4, &entry));
	ck_assert(!dir_block_get(block, DIR_SLOT_NONE, &entry));
	ck_assert_uint_eq(dir_block_next(block, BLOCK_SIZE / 4, &entry), DIR_SLOT_NONE);
	ck_assert_uint_eq(dir_block_next(block, DIR_SLOT_NONE, &entry), DIR_SLOT_NONE);
	dir_block_remove(block, DIR_SLOT_NONE);
	dir_block_remove(block, 1);
	dir_block_replace(block, 1, &entry.id, 4);
	ck_assert_ok(dir_block_check(block));
}
END_TEST

static void put_record(size_t at, size_t len, uint8_t name_len, const char *name)
{
	store_u16(block + at, (uint16_t)len);
	block[at + 2] = name_len;
	memcpy(block + at + HEAD, name, strlen(name));
}

START_TEST(test_malformed)
{
	memset(block, 0, sizeof(block));
	ck_assert_int_eq(dir_block_check(block), ERR_FORMAT);
	for (size_t len = 0; len < 65536; len++) {
		memset(block, 0, sizeof(block));
		store_u16(block, (uint16_t)len);
		ck_assert_int_eq(dir_block_check(block), len == BLOCK_SIZE ? ERR_OK : ERR_FORMAT);
	}
	put_record(0, BLOCK_SIZE, 1, "a");
	ck_assert_ok(dir_block_check(block));
	put_record(0, BLOCK_SIZE, 1, "/");
	ck_assert_int_eq(dir_block_check(block), ERR_FORMAT);
	put_record(0, BLOCK_SIZE, 3, "a/b");
	ck_assert_int_eq(dir_block_check(block), ERR_FORMAT);
	memset(block, 0, sizeof(block));
	put_record(0, BLOCK_SIZE, 2, "a"); /* with a NUL in it */
	ck_assert_int_eq(dir_block_check(block), ERR_FORMAT);
	memset(block, 'n', sizeof(block));
	put_record(0, 24, 4, "");
	put_record(24, BLOCK_SIZE - 24, 0, "");
	ck_assert_ok(dir_block_check(block));
	put_record(0, 24, 5, ""); /* longer than its record */
	ck_assert_int_eq(dir_block_check(block), ERR_FORMAT);
}
END_TEST

/* Nothing that a block holds leads outside of it: sanitizers look on. */
START_TEST(test_edited)
{
	struct dir_entry entry;

	for (int round = 0; round < 20000; round++) {
		start((uint64_t)round + 1);
		for (int i = 0; i < 8; i++)
			insert(&names[i]);
		for (uint64_t edits = 1 + random_below(4); edits > 0; edits--)
			block[random_below(BLOCK_SIZE / 8)] = (uint8_t)random_below(256);
		if (dir_block_check(block) == ERR_OK)
			for (uint16_t slot = dir_block_next(block, 0, &entry);
			     slot != DIR_SLOT_NONE;
			     slot = dir_block_next(block, (uint16_t)(slot + 1), &entry))
				ck_assert(entry.name >= (char *)block &&
					  entry.name + entry.name_len <=
						  (char *)block + BLOCK_SIZE);
		(void)dir_block_room(block);
		entry = entry_of(&names[0]);
		(void)dir_block_insert(block, &entry);
		dir_block_remove(block, names[1].slot);
		dir_block_replace(block, names[2].slot, &entry.id, 4);
	}
}
END_TEST

UNIT_MAIN("dir block", test_random, test_all_removed_is_empty, test_removed_names_are_gone,
	  test_limits, test_malformed, test_edited)
