/* Long streams are handed to the disk in pieces before they are flushed (store/flusher.c). */
#include <unistd.h>

#include "store/flusher.h"
#include "test_store_rules.h"

/* Streams `mib` MiB that nobody waits for. */
static void stream_long(struct scene *scene, uint64_t number, unsigned int mib)
{
	for (unsigned int i = 0; i < mib; i++)
		scene_write(scene, number, (uint64_t)i * MIB, letters('a', MIB), MIB);
}

/* "x" is new and streams 6 MiB. */
static uint64_t scene_new_with_long_x(struct scene *scene)
{
	uint64_t x;

	scene_new(scene);
	x = scene_create(scene, "x");
	stream_long(scene, x, 6);
	return x;
}

/* The timer's flush of all; in how many pieces something was written out before it. */
static unsigned int flush_all(struct scene *scene)
{
	uint64_t since = watch_now();

	flusher_request_all(scene->store);
	watch_wait(scene->disk, since, WATCH_FDATASYNC, "objects/");
	return watch_count(scene->disk, since, WATCH_WRITE_OUT, "objects/");
}

START_TEST(a_long_stream_is_written_out_before_it_is_flushed)
{
	struct scene scene;
	uint64_t since = watch_now();

	scene_new_with_long_x(&scene);
	ck_assert_uint_ge(flush_all(&scene), 6);
	ck_assert_uint_lt(watch_last_begin(scene.disk, since, WATCH_WRITE_OUT, "objects/"),
			  watch_last_begin(scene.disk, since, WATCH_FDATASYNC, "objects/"));
	scene_free(&scene);
}
END_TEST

START_TEST(who_waits_for_a_long_stream_does_not_wait_for_its_pieces)
{
	struct scene scene;
	struct answer answer;
	uint64_t x, since;
	int piece;

	x = scene_new_with_long_x(&scene);
	since = watch_now();
	scene_fsync(&scene, x);
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_WRITE_OUT, "objects/"), 0);
	/* Nor if it comes while they are under way. */
	stream_long(&scene, scene_create(&scene, "y"), 6);
	piece = watch_hold(scene.disk, WATCH_WRITE_OUT, "objects/", false);
	flusher_request_all(scene.store);
	ck_assert(watch_wait_held(scene.disk, piece, NULL));
	scene_fsync_begin(&scene, scene_find(&scene, "y"), &answer);
	watch_release(scene.disk, piece);
	ck_assert_ok(answer_wait(&answer));
	ck_assert_uint_le(watch_count(scene.disk, since, WATCH_WRITE_OUT, "objects/"), 1);
	scene_free(&scene);
}
END_TEST

START_TEST(nobody_waits_for_the_pieces_of_another)
{
	struct scene scene;
	struct answer answer;
	uint64_t x, y, since;
	int piece;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	y = scene_create(&scene, "y");
	stream_long(&scene, x, 6);
	scene_write(&scene, y, 0, letters('b', 512 * KIB), 512 * KIB);
	since = watch_now();
	piece = watch_hold(scene.disk, WATCH_WRITE_OUT, "objects/", false);
	flusher_request_all(scene.store);
	ck_assert(watch_wait_held(scene.disk, piece, NULL));
	scene_fsync_begin(&scene, y, &answer);
	watch_release(scene.disk, piece);
	watch_wait(scene.disk, since, WATCH_FDATASYNC, "objects/");
	/* More pieces come after it. */
	watch_wait(scene.disk, watch_first(scene.disk, since, WATCH_FDATASYNC, "objects/"),
		   WATCH_WRITE_OUT, "objects/");
	ck_assert_ok(answer_wait(&answer));
	scene_free(&scene);
}
END_TEST

/* Else whoever writes to both ends of a large hole puts off his flush for minutes. */
START_TEST(what_lies_far_apart_is_flushed_as_it_is)
{
	struct scene scene;
	uint64_t x;

	x = scene_new_with_long_x(&scene);
	scene_write(&scene, x, 64 * MIB, letters('b', MIB), MIB);
	ck_assert_uint_eq(flush_all(&scene), 0);
	scene_free(&scene);
}
END_TEST

START_TEST(what_was_flushed_is_not_written_out_again)
{
	struct scene scene;
	uint64_t x;

	x = scene_new_with_long_x(&scene);
	scene_fsync(&scene, x);
	for (unsigned int i = 6; i < 12; i++)
		scene_write(&scene, x, (uint64_t)i * MIB, letters('b', MIB), MIB);
	/* 6 MiB in pieces of 256 KiB, as somebody just waited; all of it would be 48. */
	ck_assert_uint_le(flush_all(&scene), 28);
	scene_free(&scene);
}
END_TEST

START_TEST(pieces_are_small_while_somebody_makes_something_durable)
{
	struct scene scene;
	uint64_t y;

	scene_new_with_long_x(&scene);
	y = scene_create_of(&scene, "y", 'b', 4 * KIB);
	scene_fsync(&scene, y);
	ck_assert_uint_ge(flush_all(&scene), 24);
	scene_free(&scene);
}
END_TEST

START_TEST(a_piece_that_fails_freezes)
{
	struct scene scene;

	scene_new_with_long_x(&scene);
	watch_fail(scene.disk, WATCH_WRITE_OUT, "objects/", ERR_IO);
	flusher_request_all(scene.store);
	while (atomic_load(&scene.store->frozen) == ERR_OK)
		usleep(1000);
	ck_assert_int_eq(atomic_load(&scene.store->frozen), ERR_IO);
	scene_free(&scene);
}
END_TEST

RULES(flushing, a_long_stream_is_written_out_before_it_is_flushed,
      who_waits_for_a_long_stream_does_not_wait_for_its_pieces,
      nobody_waits_for_the_pieces_of_another, a_piece_that_fails_freezes,
      what_lies_far_apart_is_flushed_as_it_is, what_was_flushed_is_not_written_out_again,
      pieces_are_small_while_somebody_makes_something_durable)
