/* The simulated disk: what a power cut may leave of what was not flushed, and no more. */
#include "backing_unit.h"

#include "draw.h"

#define SEEDS 3000

static struct backing *crash(struct backing *b, uint64_t choice)
{
	struct backing *after = NULL;

	ck_assert_ok(backing_sim_crash(b, choice, &after));
	ck_assert_uint_eq(backing_sim_pending(after), 0);
	return after;
}

/* A file `path` of `len` bytes of `value`, durable with its name. */
static int durable_file(struct backing *b, const char *path, uint8_t value, size_t len)
{
	int file = make(b, path);

	fill(b, file, value, len, 0);
	ck_assert_ok(b->ops->sync_all(b));
	ck_assert_uint_eq(backing_sim_pending(b), 0);
	return file;
}

START_TEST(test_sim_sectors)
{
	struct backing *b = sim_new(), *after;
	int file = durable_file(b, "f", 1, 8192);
	unsigned int seen[3] = {0}, torn = 0, lost_one = 0, kept_one = 0;

	fill(b, file, 2, 8192, 0);
	fill(b, file, 3, 512, 1024);
	ck_assert_uint_eq(backing_sim_pending(b), 16);
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		unsigned int newest = 0;
		int copy;

		after = crash(b, choice);
		copy = get(after, "f");
		ck_assert_uint_eq(size_of(after, copy), 8192);
		for (uint64_t sector = 0; sector < 16; sector++) {
			uint8_t value = byte_at(after, copy, sector * 512);

			ck_assert_uint_eq(byte_at(after, copy, sector * 512 + 511), value);
			ck_assert(value == 1 || value == 2 || (value == 3 && sector == 2));
			newest += value == (sector == 2 ? 3 : 2);
			if (sector == 2)
				seen[value - 1]++;
		}
		ck_assert(choice != 0 || newest == 0);
		ck_assert(choice != 1 || newest == 16);
		torn += newest > 0 && newest < 16;
		lost_one += newest == 15;
		kept_one += newest == 1;
		after->ops->close(after, copy);
		backing_free(after);
	}
	ck_assert(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
	ck_assert(torn > 0 && lost_one > 0 && kept_one > 0);
	ck_assert_uint_eq(byte_at(b, file, 0), 2);
	ck_assert_uint_eq(byte_at(b, file, 1024), 3);
	ck_assert_ok(b->ops->fdatasync(b, file));
	after = crash(b, 0);
	b->ops->close(b, file);
	file = get(after, "f");
	ck_assert_uint_eq(byte_at(after, file, 0), 2);
	ck_assert_uint_eq(byte_at(after, file, 1024), 3);
	after->ops->close(after, file);
	backing_free(after);
	backing_free(b);
}
END_TEST

START_TEST(test_sim_sizes)
{
	struct backing *b = sim_new(), *after;
	int file = durable_file(b, "f", 1, 4096);
	unsigned int small = 0, large = 0, empty = 0;

	ck_assert_ok(b->ops->truncate(b, file, 0));
	fill(b, file, 2, 8192, 0);
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		uint64_t size;
		int copy;

		after = crash(b, choice);
		copy = get(after, "f");
		size = size_of(after, copy);
		small += size == 4096;
		large += size == 8192;
		empty += size == 0;
		/* Nothing shines through behind the end. */
		ck_assert_ok(after->ops->truncate(after, copy, 8192));
		for (uint64_t at = size; at < 8192; at += 512)
			ck_assert_uint_eq(byte_at(after, copy, at), 0);
		after->ops->close(after, copy);
		backing_free(after);
	}
	ck_assert(small > 0 && large > 0 && empty > 0);
	ck_assert_uint_eq(small + large + empty, SEEDS);
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

/* Of what was flushed only. */
static uint64_t size_after_cut(struct backing *b, const char *path)
{
	struct backing *after = crash(b, 0);
	int file = get(after, path);
	uint64_t size = size_of(after, file);

	after->ops->close(after, file);
	backing_free(after);
	return size;
}

/* Content and name become durable each on its own. */
START_TEST(test_sim_names)
{
	struct backing *b = sim_new(), *after;
	int file;

	ck_assert_ok(b->ops->mkdir(b, "d"));
	file = make(b, "d/f");
	fill(b, file, 1, 512, 0);
	ck_assert_ok(b->ops->fdatasync(b, file));
	after = crash(b, 0);
	ck_assert(!exists(after, "d/f"));
	backing_free(after);
	after = crash(b, 1);
	ck_assert(exists(after, "d/f"));
	backing_free(after);
	/* The name in d needs d itself. */
	ck_assert_ok(b->ops->sync_dir(b, "d"));
	fill(b, file, 2, 512, 0);
	after = crash(b, 0);
	b->ops->close(b, file);
	file = get(after, "d/f");
	ck_assert_uint_eq(byte_at(after, file, 0), 1);
	after->ops->close(after, file);
	backing_free(after);

	ck_assert_ok(b->ops->unlink(b, "d/f"));
	b->ops->close(b, make(b, "d/f"));
	ck_assert_uint_eq(size_after_cut(b, "d/f"), 512);
	ck_assert_ok(b->ops->sync_dir(b, "."));
	ck_assert_uint_eq(size_after_cut(b, "d/f"), 512);
	ck_assert_ok(b->ops->sync_dir(b, "d"));
	ck_assert_uint_eq(size_after_cut(b, "d/f"), 0);
	backing_free(b);
}
END_TEST

/* How often each combination {old name, new name} is found. */
static void rename_outcomes(bool in_two, unsigned int outcomes[4])
{
	struct backing *b = sim_new();

	backing_sim_rename_in_two(b, in_two);
	ck_assert_ok(b->ops->mkdir(b, "new"));
	ck_assert_ok(b->ops->mkdir(b, "00"));
	b->ops->close(b, durable_file(b, "new/x", 1, 512));
	ck_assert_ok(b->ops->rename(b, "new/x", "00/x"));
	memset(outcomes, 0, 4 * sizeof(*outcomes));
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		struct backing *after = crash(b, choice);

		outcomes[exists(after, "new/x") + 2 * exists(after, "00/x")]++;
		backing_free(after);
	}
	ck_assert_ok(b->ops->sync_dir(b, "00"));
	for (uint64_t choice = 0; choice < 100; choice++) {
		struct backing *after = crash(b, choice);

		ck_assert(exists(after, "00/x"));
		backing_free(after);
	}
	backing_free(b);
}

START_TEST(test_sim_rename)
{
	unsigned int outcomes[4];

	rename_outcomes(false, outcomes);
	ck_assert_uint_eq(outcomes[0], 0);
	ck_assert_uint_gt(outcomes[1], 0);
	ck_assert_uint_gt(outcomes[2], 0);
	ck_assert_uint_eq(outcomes[3], 0);
	rename_outcomes(true, outcomes);
	ck_assert_uint_eq(outcomes[0], 0);
	ck_assert_uint_gt(outcomes[1], 0);
	ck_assert_uint_gt(outcomes[2], 0);
	ck_assert_uint_gt(outcomes[3], 0);
}
END_TEST

/* Two new names are lost and kept independently. */
START_TEST(test_sim_names_independent)
{
	struct backing *b = sim_new();
	unsigned int outcomes[4] = {0};

	b->ops->close(b, make(b, "a"));
	b->ops->close(b, make(b, "b"));
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		struct backing *after = crash(b, choice);

		outcomes[exists(after, "a") + 2 * exists(after, "b")]++;
		backing_free(after);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_uint_gt(outcomes[i], 0);
	backing_free(b);
}
END_TEST

struct intruder {
	struct backing *b;
	int file;
	unsigned int calls;
};

/* Plays another thread: it writes while somebody's fdatasync is under way. */
static void write_meanwhile(void *ctx)
{
	struct intruder *intruder = ctx;

	intruder->calls++;
	backing_sim_set_hook(intruder->b, NULL, NULL);
	fill(intruder->b, intruder->file, 3, 512, 512);
	intruder->b->ops->close(intruder->b, make(intruder->b, "late"));
}

START_TEST(test_sim_sync_window)
{
	struct backing *b = sim_new(), *after;
	struct intruder intruder = {.b = b, .file = durable_file(b, "f", 1, 1024)};
	uint64_t calls = backing_sim_calls(b);
	int copy;

	fill(b, intruder.file, 2, 1024, 0);
	backing_sim_set_hook(b, write_meanwhile, &intruder);
	ck_assert_ok(b->ops->fdatasync(b, intruder.file));
	ck_assert_uint_eq(backing_sim_calls(b), calls + 4);
	ck_assert_uint_eq(intruder.calls, 1);
	after = crash(b, 0);
	copy = get(after, "f");
	ck_assert_uint_eq(byte_at(after, copy, 0), 2);
	ck_assert_uint_eq(byte_at(after, copy, 512), 2);
	after->ops->close(after, copy);
	backing_free(after);
	ck_assert_ok(b->ops->unlink(b, "late"));
	backing_sim_set_hook(b, write_meanwhile, &intruder);
	ck_assert_ok(b->ops->sync_dir(b, "."));
	after = crash(b, 0);
	ck_assert(!exists(after, "late"));
	backing_free(after);
	b->ops->close(b, intruder.file);
	backing_free(b);
}
END_TEST

START_TEST(test_sim_full)
{
	struct backing *b = sim_new();
	struct backing_space space;
	uint8_t data[4096] = {1};
	int file = make(b, "f");

	backing_sim_set_space(b, 8192, 2);
	fill(b, file, 1, 8192, 0);
	ck_assert_int_eq(b->ops->pwrite(b, file, data, 1, 8192), ERR_FULL);
	ck_assert_ok(b->ops->pwrite(b, file, data, 4096, 4096));
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_eq(space.free_bytes, 0);
	ck_assert_uint_eq(space.free_inodes, 1);
	b->ops->close(b, make(b, "g"));
	ck_assert_int_eq(try_open(b, "h", BACKING_CREATE), ERR_FULL);
	ck_assert_ok(b->ops->truncate(b, file, 100));
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_eq(space.free_bytes, 8092);
	/* A removed file's room comes back when it cannot return any more. */
	ck_assert_ok(b->ops->unlink(b, "f"));
	b->ops->close(b, file);
	ck_assert_ok(b->ops->sync_all(b));
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_eq(space.free_bytes, 8192);
	ck_assert_uint_eq(space.free_inodes, 1);
	backing_free(b);
}
END_TEST

/* --- against a naive model of one file ----------------------------------------------- */

#define MODEL_SECTORS  24
#define MODEL_VERSIONS 64

/* Values each sector may have after a crash; the last is the newest. */
struct model {
	uint8_t values[MODEL_SECTORS][MODEL_VERSIONS];
	size_t count[MODEL_SECTORS];
};

static void model_write(struct model *model, struct backing *b, int file)
{
	uint8_t data[8 * 512];
	size_t first = draw() % MODEL_SECTORS;
	size_t count = 1 + draw() % 8;

	if (count > MODEL_SECTORS - first)
		count = MODEL_SECTORS - first;
	for (size_t i = 0; i < count; i++) {
		uint8_t value = (uint8_t)(draw() % 4);

		memset(data + i * 512, value, 512);
		if (model->count[first + i] < MODEL_VERSIONS)
			model->values[first + i][model->count[first + i]++] = value;
		else
			model->values[first + i][MODEL_VERSIONS - 1] = value;
	}
	ck_assert_ok(b->ops->pwrite(b, file, data, count * 512, first * 512));
}

static void model_sync(struct model *model)
{
	for (size_t i = 0; i < MODEL_SECTORS; i++) {
		model->values[i][0] = model->values[i][model->count[i] - 1];
		model->count[i] = 1;
	}
}

static void model_check(const struct model *model, struct backing *b, uint64_t choice)
{
	struct backing *after = crash(b, choice);
	uint8_t data[MODEL_SECTORS * 512];
	int file = get(after, "f");

	ck_assert_ok(after->ops->pread(after, file, data, sizeof(data), 0));
	for (size_t i = 0; i < MODEL_SECTORS; i++) {
		const uint8_t *values = model->values[i];
		size_t count = model->count[i];

		ck_assert_ptr_nonnull(memchr(values, data[i * 512], count));
		ck_assert(choice != 0 || data[i * 512] == values[0]);
		ck_assert(choice != 1 || data[i * 512] == values[count - 1]);
	}
	after->ops->close(after, file);
	backing_free(after);
}

START_TEST(test_sim_model)
{
	struct backing *b = sim_new();
	struct model model;
	int file = durable_file(b, "f", 0, MODEL_SECTORS * 512);

	memset(&model, 0, sizeof(model));
	for (size_t i = 0; i < MODEL_SECTORS; i++)
		model.count[i] = 1;
	for (int step = 0; step < 5000; step++) {
		if (draw() % 40 == 0) {
			ck_assert_ok(b->ops->fdatasync(b, file));
			model_sync(&model);
		} else {
			model_write(&model, b, file);
		}
		model_check(&model, b, 0);
		model_check(&model, b, 1);
		model_check(&model, b, draw());
	}
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

/* A journal of zeroes costs nothing, and a crash of a small volume little. */
START_TEST(test_sim_sparse)
{
	static uint8_t zeroes[1 << 20];
	struct backing *b = sim_new();
	int file = make(b, "journal");
	char path[32];

	for (uint64_t i = 0; i < 128; i++)
		ck_assert_ok(b->ops->pwrite(b, file, zeroes, sizeof(zeroes), i << 20));
	ck_assert_uint_eq(size_of(b, file), 128u << 20);
	ck_assert_uint_eq(backing_sim_pending(b), 2);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "%d", i);
		b->ops->close(b, durable_file(b, path, 1, 8192));
	}
	fill(b, file, 7, 65536, 1 << 20);
	for (uint64_t choice = 2; choice < 2000; choice++)
		backing_free(crash(b, choice));
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

UNIT_MAIN("backing sim", test_sim_sectors, test_sim_sizes, test_sim_names, test_sim_rename,
	  test_sim_names_independent, test_sim_sync_window, test_sim_full, test_sim_model,
	  test_sim_sparse)
