/* Memory for secrets: what is given back or wiped holds nothing any more. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLOT 64u

static bool is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0)
			return false;
	return true;
}

START_TEST(test_alloc_is_zeroed)
{
	uint8_t *mem = secmem_alloc(4097);

	ck_assert_ptr_nonnull(mem);
	ck_assert(is_zero(mem, 4097));
	memset(mem, 0xa5, 4097);
	secmem_wipe(mem, 4097);
	ck_assert(is_zero(mem, 4097));
	secmem_free(mem);
	secmem_free(NULL);
}
END_TEST

START_TEST(test_equal)
{
	uint8_t a[32], b[32];

	memset(a, 7, sizeof(a));
	memset(b, 7, sizeof(b));
	ck_assert(secmem_equal(a, b, sizeof(a)));
	ck_assert(secmem_equal(a, b, 0));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 1;
		ck_assert(!secmem_equal(a, b, sizeof(a)));
		b[i] ^= 1;
	}
}
END_TEST

START_TEST(test_no_core_and_no_ptrace)
{
	struct rlimit limit;

	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 0);
	ck_assert_uint_eq(limit.rlim_max, 0);
}
END_TEST

/* The kernel's own view of the mapping that holds `address`: its VmFlags. */
static void flags_of(const void *address, char *flags, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool inside = false;

	*flags = '\0';
	ck_assert_ptr_nonnull(maps);
	while (*flags == '\0' && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, size, "%s", line + 8);
	}
	fclose(maps);
	ck_assert_str_ne(flags, "");
}

/* Sanitizers make mlock do nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKED_FLAG ""
#else
#define LOCKED_FLAG " lo"
#endif

START_TEST(test_left_out_of_core_files)
{
	uint8_t *mem = secmem_alloc(100);
	struct slab *slab;
	void *slot;
	char flags[512];

	ck_assert_ok(slab_new(SLOT, 64, 0, &slab));
	slot = slab_get(slab);
	flags_of(mem, flags, sizeof(flags));
	ck_assert_ptr_nonnull(strstr(flags, " dd"));
	ck_assert(!secmem_is_locked() || strstr(flags, LOCKED_FLAG) != NULL);
	flags_of(slot, flags, sizeof(flags));
	ck_assert_ptr_nonnull(strstr(flags, " dd"));
	ck_assert(!secmem_is_locked() || strstr(flags, LOCKED_FLAG) != NULL);
	slab_put(slab, slot);
	slab_free(slab);
	secmem_free(mem);
}
END_TEST

/* --- slabs ---------------------------------------------------------------------- */

START_TEST(test_slots_do_not_overlap)
{
	struct slab *slab;
	uint8_t *slots[33];

	ck_assert_ok(slab_new(SLOT - 5, 8, 0, &slab));
	for (int i = 0; i < 33; i++) {
		slots[i] = slab_get(slab);
		ck_assert_ptr_nonnull(slots[i]);
		ck_assert_uint_eq((uintptr_t)slots[i] % 16, 0);
		memset(slots[i], i + 1, SLOT - 5);
	}
	ck_assert_uint_eq(slab_used(slab), 33);
	for (int i = 0; i < 33; i++)
		for (size_t k = 0; k < SLOT - 5; k++)
			ck_assert_uint_eq(slots[i][k], i + 1);
	for (int i = 0; i < 33; i++)
		slab_put(slab, slots[i]);
	slab_put(slab, NULL);
	ck_assert_uint_eq(slab_used(slab), 0);
	slab_free(slab);
	slab_free(NULL);
}
END_TEST

/* Used slots lose every byte, the free list stays whole. */
START_TEST(test_wipe_all)
{
	struct slab *slab;
	uint8_t *slots[16];

	ck_assert_ok(slab_new(SLOT, 8, 16, &slab));
	for (int i = 0; i < 16; i++) {
		slots[i] = slab_get(slab);
		memset(slots[i], 0xff, SLOT);
	}
	for (int i = 0; i < 16; i += 3)
		slab_put(slab, slots[i]);
	slab_wipe_all(slab);
	for (int i = 0; i < 16; i++)
		ck_assert(i % 3 == 0 || is_zero(slots[i], SLOT));
	ck_assert_uint_eq(slab_used(slab), 10);
	for (int i = 0; i < 6; i++)
		ck_assert_ptr_nonnull(slab_get(slab));
	ck_assert_ptr_null(slab_get(slab));
	slab_free(slab);
}
END_TEST

#define ROUNDS 2000

static void *take_and_give(void *arg)
{
	struct slab *slab = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint8_t *a = slab_get(slab), *b = slab_get(slab);

		if (a == NULL || b == NULL || a == b)
			return (void *)(uintptr_t)"no slot";
		memset(a, 1, SLOT);
		memset(b, 2, SLOT);
		if (a[SLOT - 1] != 1 || b[0] != 2)
			return (void *)(uintptr_t)"shared slot";
		slab_put(slab, a);
		slab_put(slab, b);
	}
	return NULL;
}

START_TEST(test_threads)
{
	pthread_t threads[4];
	struct slab *slab;
	void *fault;

	ck_assert_ok(slab_new(SLOT, 4, 8, &slab));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, slab), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &fault), 0);
		ck_assert_msg(fault == NULL, "%s", (char *)fault);
	}
	ck_assert_uint_eq(slab_used(slab), 0);
	slab_free(slab);
}
END_TEST

UNIT_MAIN("secmem", test_alloc_is_zeroed, test_equal, test_no_core_and_no_ptrace,
	  test_left_out_of_core_files, test_slots_do_not_overlap, test_wipe_all, test_threads)
