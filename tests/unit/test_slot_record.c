/* The slot file's bytes: one encoding for each struct, and every rule refused. */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "format/slot_record.h"

static struct slot_file file;
static uint8_t bytes[SLOTS_FILE_MAX];
static size_t len;

static void fill(void *data, size_t size, uint8_t value)
{
	memset(data, value, size);
}

static void add_slot(uint32_t id, uint8_t kind, uint8_t rights, const char *name)
{
	struct slot_record *slot = &file.slots[file.slot_count++];

	memset(slot, 0, sizeof(*slot));
	slot->id = id;
	slot->kind = kind;
	slot->rights = rights;
	slot->created = 1764061200;
	strcpy(slot->name, name);
	if (kind == SLOT_PASSPHRASE) {
		slot->kdf_ops = 3;
		slot->kdf_mem = 256ull << 20;
	}
	fill(slot->salt, sizeof(slot->salt), 0x11);
	fill(slot->box_public, sizeof(slot->box_public), 0x12);
	fill(slot->nonce, sizeof(slot->nonce), 0x14);
	fill(slot->sealed, sizeof(slot->sealed), 0x15);
	if (rights & SLOT_RIGHT_KEY_ADMIN)
		fill(slot->sign_public, sizeof(slot->sign_public), 0x13);
	if (rights & SLOT_RIGHT_UNLOCK)
		fill(slot->vk_box, sizeof(slot->vk_box), 0x16);
}

static void make_sample(void)
{
	memset(&file, 0, sizeof(file));
	fill(file.fs_id, sizeof(file.fs_id), 0xf5);
	file.generation = 0x0102030405060708;
	file.changed = 1764061234;
	file.signer = 1;
	file.next_id = 9;
	add_slot(1, SLOT_PASSPHRASE, SLOT_RIGHTS_ALL, "root@pacs1");
	add_slot(2, SLOT_KEYFILE, SLOT_RIGHT_UNLOCK, "boot");
	add_slot(8, SLOT_RECOVERY, SLOT_RIGHT_KEY_ADMIN, "r\xc3\xa9serve");
	file.epoch_count = 2;
	fill(file.epochs, 2 * sizeof(file.epochs[0]), 0x21);
	fill(file.mac, sizeof(file.mac), 0x31);
	fill(file.signature, sizeof(file.signature), 0x32);
}

static void encode_sample(void)
{
	make_sample();
	ck_assert_ok(slot_file_encode(&file, bytes));
	len = slot_file_len(&file);
}

START_TEST(encoding_is_as_written_down)
{
	const uint8_t *slot = bytes + SLOTS_HEADER_LEN;

	encode_sample();
	ck_assert_uint_eq(len, 64 + 3 * 376 + 2 * 60 + 96);
	ck_assert_mem_eq(bytes, "phifsSLT\1\0\0\0\xf5", 13);
	ck_assert_uint_eq(load_u64(bytes + 28), file.generation);
	ck_assert_uint_eq(load_u64(bytes + 36), 1764061234);
	ck_assert_uint_eq(load_u32(bytes + 44), 1);
	ck_assert_uint_eq(load_u32(bytes + 48), 9);
	ck_assert_uint_eq(load_u32(bytes + 52), 3);
	ck_assert_uint_eq(load_u32(bytes + 56), 2);
	ck_assert_uint_eq(load_u32(slot), 1);
	ck_assert_mem_eq(slot + 4, "\1\3\0\0", 4);
	ck_assert_str_eq((const char *)slot + 16, "root@pacs1");
	ck_assert_uint_eq(load_u32(slot + 80), 3);
	ck_assert_uint_eq(load_u64(slot + 84), 256ull << 20);
	ck_assert_uint_eq(slot[92], 0x11);
	ck_assert_uint_eq(slot[108], 0x12);
	ck_assert_uint_eq(slot[140], 0x13);
	ck_assert_uint_eq(slot[172], 0x14);
	ck_assert_uint_eq(slot[184], 0x15);
	ck_assert_uint_eq(slot[296], 0x16);
	ck_assert_uint_eq(slot[375], 0x16);
	ck_assert_uint_eq(bytes[len - 97], 0x21);
	ck_assert_uint_eq(bytes[len - 96], 0x31);
	ck_assert_uint_eq(bytes[len - 64], 0x32);
}
END_TEST

START_TEST(what_was_encoded_comes_back)
{
	static struct slot_file decoded;

	encode_sample();
	ck_assert_ok(slot_file_decode(bytes, len, &decoded));
	ck_assert_uint_eq(decoded.slot_count, 3);
	ck_assert_uint_eq(decoded.epoch_count, 2);
	ck_assert_uint_eq(decoded.generation, file.generation);
	ck_assert_str_eq(slot_file_find(&decoded, 8)->name, "r\xc3\xa9serve");
	ck_assert_int_eq(slot_file_find(&decoded, 2)->rights, SLOT_RIGHT_UNLOCK);
	ck_assert_ptr_null(slot_file_find(&decoded, 3));
}
END_TEST

START_TEST(largest_file_fits)
{
	static struct slot_file decoded;

	make_sample();
	file.slot_count = 0;
	file.next_id = SLOTS_MAX + 1;
	file.epoch_count = SLOTS_EPOCHS_MAX;
	for (uint32_t i = 1; i <= SLOTS_MAX; i++)
		add_slot(i, SLOT_KEYFILE, SLOT_RIGHTS_ALL, "slot");
	ck_assert_uint_eq(slot_file_len(&file), SLOTS_FILE_MAX);
	ck_assert_ok(slot_file_encode(&file, bytes));
	ck_assert_ok(slot_file_decode(bytes, SLOTS_FILE_MAX, &decoded));
	file.epoch_count++;
	ck_assert_int_eq(slot_file_encode(&file, bytes), ERR_INVALID);
}
END_TEST

START_TEST(every_truncation_is_malformed)
{
	static struct slot_file decoded;

	encode_sample();
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut + 1); /* so that the sanitizer sees the end */

		memcpy(copy, bytes, cut);
		ck_assert_int_eq(slot_file_decode(copy, cut, &decoded), ERR_FORMAT);
		free(copy);
	}
	bytes[len] = 0;
	ck_assert_int_eq(slot_file_decode(bytes, len + 1, &decoded), ERR_FORMAT);
}
END_TEST

/* What is accepted has no other encoding: nothing escapes MAC and signature. */
START_TEST(every_flipped_bit_is_refused_or_kept)
{
	static struct slot_file decoded;
	static uint8_t again[SLOTS_FILE_MAX];
	size_t refused = 0;

	encode_sample();
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (slot_file_decode(bytes, len, &decoded) == ERR_OK) {
			ck_assert_ok(slot_file_encode(&decoded, again));
			ck_assert_mem_eq(again, bytes, len);
		} else {
			refused++;
		}
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_uint_gt(refused, 1000);
}
END_TEST

static void refuse(const char *what)
{
	ck_assert_msg(slot_file_encode(&file, bytes) == ERR_INVALID, "encodes: %s", what);
	make_sample();
}

START_TEST(broken_rules_are_not_encoded)
{
	make_sample();
#define REFUSE(change) do { change; refuse(#change); } while (0)
	REFUSE(file.generation = 0);
	REFUSE(file.generation = SLOTS_GENERATION_MAX + 1);
	REFUSE(file.changed = -1);
	REFUSE(file.signer = 0);
	REFUSE(file.slot_count = 0);
	REFUSE(file.slot_count = SLOTS_MAX + 1);
	REFUSE(file.epoch_count = 0);
	REFUSE(file.next_id = 8);
	REFUSE(file.slots[0].id = 0);
	REFUSE(file.slots[1].id = 1);
	REFUSE(file.slots[1].id = 8);
	REFUSE(file.slots[0].kind = 0);
	REFUSE(file.slots[0].kind = 4);
	REFUSE(file.slots[0].rights = 0);
	REFUSE(file.slots[0].rights = 7);
	REFUSE(file.slots[0].created = -1);
	REFUSE(file.slots[0].name[0] = '\0');
	REFUSE(file.slots[0].name[3] = '\n');
	REFUSE(file.slots[0].name[3] = 0x1b);
	REFUSE(file.slots[0].name[3] = 0x7f);
	REFUSE(file.slots[0].name[3] = '\0');
	REFUSE(fill(file.slots[0].name, sizeof(file.slots[0].name), 'x'));
	REFUSE(file.slots[0].kdf_ops = PASSPHRASE_KDF_OPS_MIN - 1);
	REFUSE(file.slots[0].kdf_ops = PASSPHRASE_KDF_OPS_MAX + 1);
	REFUSE(file.slots[0].kdf_mem = PASSPHRASE_KDF_MEM_MIN - 1);
	REFUSE(file.slots[0].kdf_mem = PASSPHRASE_KDF_MEM_MAX + 1);
	REFUSE(file.slots[1].kdf_ops = 3);
	REFUSE(file.slots[1].kdf_mem = 1);
	REFUSE(file.slots[1].sign_public[31] = 1);
	REFUSE(file.slots[2].vk_box[0] = 1);
#undef REFUSE
	ck_assert_ok(slot_file_encode(&file, bytes));
}
END_TEST

/* The same over bytes, which the encoder would never write. */
START_TEST(broken_rules_are_not_decoded)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum err err;
	} edits[] = {
		{0, 'P', ERR_FORMAT},
		{8, 2, ERR_VERSION},
		{10, 1, ERR_FORMAT},
		{55, 1, ERR_FORMAT},  /* 16 million slots */
		{59, 0x80, ERR_FORMAT}, /* 2 thousand million epochs */
		{60, 1, ERR_FORMAT},
		{52, 2, ERR_FORMAT},
		{64 + 4, 9, ERR_FORMAT},
		{64 + 5, 0x83, ERR_FORMAT},
		{64 + 6, 1, ERR_FORMAT},
		{64 + 15, 0x80, ERR_FORMAT}, /* made before 1970 */
		{64 + 16 + 63, 'x', ERR_FORMAT},
		{64 + 80, 0, ERR_FORMAT}, /* Argon2 without a pass */
		{64 + 87, 0, ERR_FORMAT}, /* no memory: below its floor */
		{64 + 91, 1, ERR_FORMAT}, /* above its ceiling */
	};
	static struct slot_file decoded;

	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		enum err err;

		encode_sample();
		bytes[edits[i].at] = edits[i].value;
		err = slot_file_decode(bytes, len, &decoded);
		ck_assert_msg(err == edits[i].err, "byte %zu: %s", edits[i].at, err_name(err));
	}
}
END_TEST

UNIT_MAIN("slot_record", encoding_is_as_written_down, what_was_encoded_comes_back,
	  largest_file_fits, every_truncation_is_malformed, every_flipped_bit_is_refused_or_kept,
	  broken_rules_are_not_encoded, broken_rules_are_not_decoded)
