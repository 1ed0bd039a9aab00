/* The directory index, against a list that is searched from end to end. */
#include "unit.h"

#include <string.h>

#include "draw.h"
#include "store/dir_index.h"

static bool has(const struct dir_index *index, uint32_t hash, struct dir_place wanted)
{
	struct dir_place place;
	size_t cursor = 0;

	while (dir_index_find(index, hash, &cursor, &place))
		if (place.block == wanted.block && place.slot == wanted.slot)
			return true;
	return false;
}

static size_t matches(const struct dir_index *index, uint32_t hash)
{
	struct dir_place place;
	size_t cursor = 0, count = 0;

	while (dir_index_find(index, hash, &cursor, &place))
		count++;
	return count;
}

START_TEST(test_edges)
{
	static const struct dir_place places[] = {{0, 0},
						  {0, DIR_SLOTS_MAX - 1},
						  {DIR_BLOCKS_MAX - 1, 0},
						  {DIR_BLOCKS_MAX - 1, DIR_SLOTS_MAX - 1}};
	static const uint32_t hashes[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
	struct dir_index *index = NULL;

	ck_assert_ok(dir_index_new(&index));
	ck_assert_uint_eq(matches(index, 0), 0);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 4; j++)
			ck_assert_ok(dir_index_add(index, hashes[i], places[j]));
	ck_assert_uint_eq(dir_index_count(index), 20);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 4; j++) {
			ck_assert_uint_eq(matches(index, hashes[i]), 4 - j);
			ck_assert(has(index, hashes[i], places[j]));
			dir_index_remove(index, hashes[i], places[j]);
			ck_assert(!has(index, hashes[i], places[j]));
		}
	ck_assert_uint_eq(dir_index_count(index), 0);
	dir_index_remove(index, 5, places[0]);
	ck_assert_uint_eq(dir_index_count(index), 0);
	ck_assert_int_eq(dir_index_add(index, 0, (struct dir_place){DIR_BLOCKS_MAX, 0}),
			 ERR_INVALID);
	ck_assert_int_eq(dir_index_add(index, 0, (struct dir_place){0, DIR_SLOTS_MAX}),
			 ERR_INVALID);
	dir_index_free(index);
	dir_index_free(NULL);
}
END_TEST

/* --- model ----------------------------------------------------------------------- */

#define MODEL_MAX 400

struct model {
	uint32_t hash[MODEL_MAX];
	struct dir_place place[MODEL_MAX];
	size_t count;
};

static void model_check(const struct model *model, const struct dir_index *index, uint32_t hash)
{
	size_t expected = 0;

	for (size_t i = 0; i < model->count; i++)
		if (model->hash[i] == hash) {
			expected++;
			ck_assert(has(index, hash, model->place[i]));
		}
	ck_assert_uint_eq(matches(index, hash), expected);
	ck_assert_uint_eq(dir_index_count(index), model->count);
}

/* Few different hashes, and all close together: long runs that wrap around. */
static uint32_t draw_hash(int style)
{
	switch (style) {
	case 0:
		return (uint32_t)draw();
	case 1:
		return (uint32_t)(draw() % 8) * 0x20000001u;
	default:
		return 0xffffff00u + (uint32_t)(draw() % 256);
	}
}

static void run_model(int style, unsigned int steps)
{
	struct model model = {.count = 0};
	struct dir_index *index = NULL;
	uint32_t serial = 0;

	ck_assert_ok(dir_index_new(&index));
	for (unsigned int step = 0; step < steps; step++) {
		bool growing = step / 1500 % 2 == 0;
		uint32_t hash = draw_hash(style);

		if (model.count < MODEL_MAX && draw() % 8 < (growing ? 6 : 2)) {
			model.hash[model.count] = hash;
			model.place[model.count] = (struct dir_place){serial / 100, serial % 100};
			serial++;
			ck_assert_ok(dir_index_add(index, hash, model.place[model.count]));
			model.count++;
		} else if (model.count > 0) {
			size_t i = draw() % model.count;

			hash = model.hash[i];
			dir_index_remove(index, hash, model.place[i]);
			model.count--;
			model.hash[i] = model.hash[model.count];
			model.place[i] = model.place[model.count];
		}
		model_check(&model, index, hash);
		model_check(&model, index, draw_hash(style));
	}
	for (size_t i = 0; i < model.count; i++)
		model_check(&model, index, model.hash[i]);
	dir_index_free(index);
}

START_TEST(test_model)
{
	for (int style = 0; style < 3; style++)
		run_model(style, 12000);
}
END_TEST

/* --- a million -------------------------------------------------------------------- */

#define MILLION 1000000u

/* Uniform and repeatable, as the keyed hash is. */
static uint32_t hash_of(uint32_t i)
{
	uint64_t z = (i + 1ull) * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return (uint32_t)(z >> 32);
}

static struct dir_place place_of(uint32_t i)
{
	return (struct dir_place){i / 60, (uint16_t)(i % 60)};
}

START_TEST(test_million)
{
	struct dir_index *index = NULL;

	ck_assert_ok(dir_index_new(&index));
	for (uint32_t i = 0; i < MILLION; i++) {
		ck_assert_ok(dir_index_add(index, hash_of(i), place_of(i)));
		/* Never above 20 bytes an entry, once it is worth counting. */
		ck_assert(i < 1000 || dir_index_memory(index) <= 20 * (size_t)i + 64);
	}
	ck_assert_uint_le(dir_index_memory(index), (16u << 20) + 64);
	for (uint32_t i = 0; i < MILLION; i++)
		ck_assert(has(index, hash_of(i), place_of(i)));
	for (uint32_t i = 0; i < MILLION; i += 2)
		dir_index_remove(index, hash_of(i), place_of(i));
	ck_assert_uint_eq(dir_index_count(index), MILLION / 2);
	for (uint32_t i = 0; i < MILLION; i++)
		ck_assert(has(index, hash_of(i), place_of(i)) == (i % 2 == 1));
	for (uint32_t i = 1; i < MILLION; i += 2)
		dir_index_remove(index, hash_of(i), place_of(i));
	ck_assert_uint_eq(dir_index_count(index), 0);
	ck_assert_uint_lt(dir_index_memory(index), 1024);
	dir_index_free(index);
}
END_TEST

UNIT_MAIN("dir_index", test_edges, test_model, test_million)
