/* What keeps a transaction small enough for the journal, and everybody's turn. */
#include <stdio.h>
#include <unistd.h>

#include "store/volume.h"
#include "test_store_rules.h"

#define WRITERS 32 /* half of the crowd; each writes 1 MiB: together more than the journal takes */

/* Large files that are durable, so that writing over them goes through the journal. */
static uint64_t make_large(struct scene *scene, const char *name, unsigned int mib)
{
	uint64_t x = scene_create(scene, name);

	for (unsigned int i = 0; i < mib; i++)
		scene_write(scene, x, (uint64_t)i * MIB, letters('a', MIB), MIB);
	scene_fsync(scene, x);
	return x;
}

struct crowd {
	struct answer answers[2 * WRITERS];
	struct helper *helpers[2 * WRITERS];
};

/* Everybody writes 1 MiB over what is there while the disk flushes the journal. */
static void overwrite_during_a_flush(struct scene *scene, const uint64_t *numbers,
				     unsigned int files, unsigned int writers)
{
	static struct crowd crowd;
	struct answer first;
	int hold = watch_hold(scene->disk, WATCH_FDATASYNC, "journal", false);
	uint64_t other = scene_create(scene, "other");

	scene_fsync_begin(scene, other, &first);
	watch_wait_held(scene->disk, hold, NULL);
	for (unsigned int i = 0; i < writers; i++)
		crowd.helpers[i] = scene_write_beside(scene, numbers[i % files],
						      (uint64_t)(i / files) * MIB,
						      letters('b', MIB), MIB, &crowd.answers[i]);
	usleep(200000); /* all that can be in memory are: the more, the harder */
	watch_release(scene->disk, hold);
	ck_assert_ok(answer_wait(&first));
	for (unsigned int i = 0; i < writers; i++) {
		helper_join(crowd.helpers[i]);
		ck_assert_ok(answer_wait(&crowd.answers[i]));
	}
	scene_sync(scene);
	ck_assert_int_eq(atomic_load(&scene->store->frozen), ERR_OK);
}

START_TEST(i8_a_crowd_of_writers_does_not_overfill_a_transaction)
{
	struct scene scene;
	uint64_t x[4];

	scene_new(&scene);
	for (unsigned int i = 0; i < 4; i++)
		x[i] = make_large(&scene, (char[2]){(char)('a' + i), 0}, WRITERS / 2);
	overwrite_during_a_flush(&scene, x, 4, 2 * WRITERS);
	scene_free(&scene);
}
END_TEST

START_TEST(i8_a_crowd_at_one_file_does_not_overfill_a_transaction)
{
	struct scene scene;
	uint64_t x;

	scene_new(&scene);
	x = make_large(&scene, "x", 2 * WRITERS);
	overwrite_during_a_flush(&scene, &x, 1, 2 * WRITERS);
	scene_free(&scene);
}
END_TEST

/* Somebody who syncs one file, again as soon as he is answered. */
struct restless {
	struct store *store;
	uint64_t number;
	atomic_bool stops, has_stopped;
};

static void sync_again(void *ctx, enum err err, size_t bytes)
{
	struct restless *restless = ctx;

	(void)bytes;
	if (err != ERR_OK || atomic_load(&restless->stops))
		atomic_store(&restless->has_stopped, true);
	else
		store_fsync(restless->store, restless->number, sync_again, restless);
}

START_TEST(i8_the_timer_comes_though_others_sync_all_the_time)
{
	struct world_settings settings = {.commit_interval_ms = 50};
	struct restless restless = {.stops = false};
	struct scene scene;
	uint64_t x, y, since;

	scene_new_with(&scene, &settings);
	x = make_large(&scene, "x", 1);
	y = scene_create(&scene, "y");
	scene_sync(&scene);
	restless.store = scene.store;
	restless.number = y;
	store_fsync(scene.store, y, sync_again, &restless);
	since = watch_now();
	scene_write(&scene, x, 0, letters('b', MIB), MIB);
	watch_wait(scene.disk, since, WATCH_FDATASYNC, "journal");
	atomic_store(&restless.stops, true);
	while (!atomic_load(&restless.has_stopped))
		usleep(100);
	scene_free(&scene);
}
END_TEST

RULES(limits, i8_the_timer_comes_though_others_sync_all_the_time,
      i8_a_crowd_of_writers_does_not_overfill_a_transaction,
      i8_a_crowd_at_one_file_does_not_overfill_a_transaction)
