#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "unit.h"

START_TEST(reader_past_the_end_fails_and_gives_zeroes)
{
	const uint8_t data[] = {1, 2, 3};
	struct reader r;

	reader_init(&r, data, sizeof(data));
	ck_assert_uint_eq(reader_u16(&r), 0x0201);
	ck_assert_uint_eq(reader_u32(&r), 0);
	ck_assert(r.failed);
	ck_assert_uint_eq(reader_u8(&r), 0);
	ck_assert(!reader_done(&r));
}
END_TEST

START_TEST(writer_never_writes_outside)
{
	uint8_t data[6] = {0};
	struct writer w;

	writer_init(&w, data, 4);
	writer_u16(&w, 0x1122);
	writer_u32(&w, 0xffffffff);
	ck_assert(w.failed);
	ck_assert_uint_eq(w.len, 2);
	ck_assert_uint_eq(data[0], 0x22);
	ck_assert_uint_eq(data[4], 0);
}
END_TEST

START_TEST(hex_round_trip_and_bad_digits)
{
	char text[9];
	uint8_t out[4];

	hex_encode("\x00\xff\x10\xab", 4, text);
	ck_assert_str_eq(text, "00ff10ab");
	ck_assert(hex_decode(text, out, 4));
	ck_assert_uint_eq(out[3], 0xab);
	ck_assert(!hex_decode("00ff10a", out, 4));
	ck_assert(!hex_decode("00ff10ag", out, 4));
}
END_TEST

START_TEST(every_error_has_text_errno_and_exit_code)
{
	ck_assert_int_eq(err_errno(ERR_LOCKED), ENOKEY);
	ck_assert_int_eq(err_exit_code(ERR_PASSPHRASE), 5);
	ck_assert_str_eq(err_name(ERR_TAMPERED), "TAMPERED");
	ck_assert_int_eq(err_from_errno(ENOSPC), ERR_FULL);
	ck_assert_int_eq(err_errno((enum err)-9999), EIO);
}
END_TEST

START_TEST(slab_slots_are_wiped_when_put_back)
{
	struct slab *slab;
	uint8_t *slot;

	ck_assert_ok(slab_new(64, 4, 8, &slab));
	slot = slab_get(slab);
	memset(slot, 0x5a, 64);
	slab_put(slab, slot);
	for (size_t i = sizeof(void *); i < 64; i++)
		ck_assert_uint_eq(slot[i], 0);
	slab_free(slab);
}
END_TEST

START_TEST(slab_stops_at_its_limit)
{
	struct slab *slab;

	ck_assert_ok(slab_new(32, 4, 8, &slab));
	for (int i = 0; i < 8; i++)
		ck_assert_ptr_nonnull(slab_get(slab));
	ck_assert_ptr_null(slab_get(slab));
	ck_assert_uint_eq(slab_used(slab), 8);
	slab_free(slab);
}
END_TEST

START_TEST(replace_file_is_whole_and_read_file_has_a_limit)
{
	char path[] = "/tmp/phifs-test-XXXXXX";
	uint8_t *data;
	size_t len;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_ok(io_replace_file(AT_FDCWD, path, "hello", 5, 0600));
	ck_assert_ok(io_read_file(AT_FDCWD, path, 5, &data, &len));
	ck_assert_uint_eq(len, 5);
	ck_assert_str_eq((char *)data, "hello");
	free(data);
	ck_assert_int_eq(io_read_file(AT_FDCWD, path, 4, &data, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(io_create_file(AT_FDCWD, path, "x", 1, 0600), ERR_EXISTS);
	unlink(path);
}
END_TEST

static void capture(void *ctx, enum log_level level, const char *text)
{
	(void)level;
	snprintf(ctx, 64, "%s", text);
}

START_TEST(log_goes_to_the_hook_and_respects_the_level)
{
	char text[64] = "";

	log_set_hook(capture, text);
	log_debug("dropped");
	ck_assert_str_eq(text, "");
	log_error("number %d", 7);
	ck_assert_str_eq(text, "number 7");
	log_set_hook(NULL, NULL);
}
END_TEST

UNIT_MAIN("base", reader_past_the_end_fails_and_gives_zeroes, writer_never_writes_outside,
	  hex_round_trip_and_bad_digits, every_error_has_text_errno_and_exit_code,
	  slab_slots_are_wiped_when_put_back, slab_stops_at_its_limit,
	  replace_file_is_whole_and_read_file_has_a_limit,
	  log_goes_to_the_hook_and_respects_the_level)
