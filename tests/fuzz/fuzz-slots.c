/* The slot file. */
#include "fuzz.h"

#include "format/slot_record.h"

const unsigned int fuzz_iterations = 100000;
bool fuzz_accepted;

void fuzz_corpus(void)
{
	static struct slot_file file;
	static uint8_t bytes[SLOTS_FILE_MAX];

	file = (struct slot_file){.generation = 4, .changed = 1700000000, .signer = 1,
				  .next_id = 4, .slot_count = 3, .epoch_count = 2};
	for (uint32_t i = 0; i < 3; i++) {
		struct slot_record *slot = &file.slots[i];

		slot->id = i + 1;
		slot->kind = (uint8_t)(i + 1);
		slot->rights = SLOT_RIGHTS_ALL;
		slot->created = 1600000000;
		memcpy(slot->name, "custodian", 10);
		if (slot->kind == SLOT_PASSPHRASE) {
			slot->kdf_ops = 3;
			slot->kdf_mem = 256ull << 20;
		}
	}
	FUZZ_CHECK(slot_file_encode(&file, bytes) == ERR_OK);
	fuzz_seed(bytes, slot_file_len(&file));
	file.slot_count = 1;
	FUZZ_CHECK(slot_file_encode(&file, bytes) == ERR_OK);
	fuzz_seed(bytes, slot_file_len(&file));
}

/* One struct has exactly one encoding: what is accepted is written again in the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct slot_file file;
	static uint8_t again[SLOTS_FILE_MAX];

	if (slot_file_decode(data, size, &file) != ERR_OK)
		return 0;
	fuzz_accepted = true;
	FUZZ_CHECK(slot_file_len(&file) == size);
	FUZZ_CHECK(slot_file_encode(&file, again) == ERR_OK);
	FUZZ_CHECK(memcmp(again, data, size) == 0);
	for (uint32_t i = 0; i < file.slot_count; i++)
		FUZZ_CHECK(slot_file_find(&file, file.slots[i].id) == &file.slots[i]);
	return 0;
}
