/* A directory block, and work on one that was accepted. */
#include "fuzz.h"

#include "format/dir_block.h"

const unsigned int fuzz_iterations = 60000;
bool fuzz_accepted;

void fuzz_corpus(void)
{
	static const char text[] = "a name that is longer than most names are, for the corpus";
	uint8_t block[BLOCK_SIZE];

	dir_block_init(block);
	fuzz_seed(block, sizeof(block));
	for (size_t i = 1; i < 50; i++) {
		struct dir_entry entry = {.type = 8, .name = text, .name_len = (uint8_t)i};

		entry.id.bytes[0] = (uint8_t)i;
		(void)dir_block_insert(block, &entry);
		if (i % 3 == 0)
			dir_block_remove(block, (uint16_t)(i * 7));
	}
	fuzz_seed(block, sizeof(block));
}

static unsigned int walk(const uint8_t block[BLOCK_SIZE])
{
	struct dir_entry entry;
	unsigned int count = 0;

	for (uint16_t slot = dir_block_next(block, 0, &entry); slot != DIR_SLOT_NONE;
	     slot = dir_block_next(block, (uint16_t)(slot + 1), &entry)) {
		const char *end = (const char *)block + BLOCK_SIZE;

		FUZZ_CHECK(entry.name >= (const char *)block && entry.name_len > 0);
		FUZZ_CHECK(entry.name + entry.name_len <= end);
		count++;
	}
	return count;
}

/* A well-formed block stays so. */
static void work(uint8_t block[BLOCK_SIZE])
{
	struct dir_entry entry = {.type = 4, .name = "new", .name_len = 3};
	unsigned int before = walk(block);
	int room = dir_block_room(block);
	uint16_t slot = dir_block_insert(block, &entry);

	FUZZ_CHECK((slot != DIR_SLOT_NONE) == (room >= 3));
	FUZZ_CHECK(dir_block_check(block) == ERR_OK);
	FUZZ_CHECK(walk(block) == before + (slot != DIR_SLOT_NONE));
	slot = dir_block_next(block, 0, &entry);
	if (slot == DIR_SLOT_NONE)
		return;
	before = walk(block);
	dir_block_remove(block, slot);
	FUZZ_CHECK(dir_block_check(block) == ERR_OK);
	FUZZ_CHECK(walk(block) == before - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *block = calloc(1, BLOCK_SIZE); /* its end is watched */

	FUZZ_CHECK(block != NULL);
	memcpy(block, data, size < BLOCK_SIZE ? size : BLOCK_SIZE);
	fuzz_accepted = dir_block_check(block) == ERR_OK;
	if (fuzz_accepted)
		work(block);
	else
		(void)walk(block);
	free(block);
	return 0;
}
