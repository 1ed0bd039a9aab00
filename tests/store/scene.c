#include "scene.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/apply.h"
#include "store/committer.h"
#include "store/flusher.h"
#include "store/journal.h"
#include "store/ledger.h"
#include "store/volume.h"

#define POLL_US  100
#define PATIENCE 100000 /* polls: ten seconds */

#define check_ok(expression) ck_assert_int_eq(expression, ERR_OK)

/* --- life ---------------------------------------------------------------------------------- */

enum err scene_open(struct scene *scene)
{
	enum err err;

	if (scene->world.disk_watch == NULL)
		world_watch(&scene->world);
	scene->disk = scene->world.disk_watch;
	scene->state = scene->world.state_watch;
	err = world_open(&scene->world, &scene->settings, &scene->recovery);
	scene->store = scene->world.store;
	return err;
}

void scene_new_with(struct scene *scene, const struct world_settings *settings)
{
	memset(scene, 0, sizeof(*scene));
	scene->settings = *settings;
	world_new(&scene->world);
	check_ok(scene_open(scene));
}

void scene_new(struct scene *scene)
{
	struct world_settings settings = {.commit_interval_ms = SCENE_NO_TIMER};

	scene_new_with(scene, &settings);
}

uint64_t scene_new_with_x(struct scene *scene, size_t len)
{
	uint64_t x;

	scene_new(scene);
	x = scene_create_of(scene, "x", 'a', len);
	scene_checkpoint(scene);
	return x;
}

void scene_new_with_changes(struct scene *scene, char path_x[OBJECT_PATH_LEN],
			    char path_gone[OBJECT_PATH_LEN])
{
	uint64_t x, gone;

	scene_new(scene);
	x = scene_create_of(scene, "x", 'a', 20 * KIB);
	scene_create_of(scene, "y", 'a', 20 * KIB);
	gone = scene_create_of(scene, "gone", 'a', 20 * KIB);
	scene_path(scene, x, path_x);
	scene_path(scene, gone, path_gone);
	scene_checkpoint(scene);
	scene_write(scene, x, 0, letters('b', 20 * KIB), 20 * KIB);
	scene_unlink(scene, "gone", gone);
	scene_sync(scene);
	scene_applied(scene);
}

void scene_cut_closed(struct scene *scene, uint64_t choice, uint64_t state_choice,
		      struct scene *after)
{
	memset(after, 0, sizeof(*after));
	after->settings = scene->settings;
	memset(&after->settings.hooks, 0, sizeof(after->settings.hooks));
	world_image_now(&scene->world, choice, state_choice, &after->world);
}

void scene_cut(struct scene *scene, uint64_t choice, struct scene *after)
{
	scene_cut_closed(scene, choice, choice, after);
	check_ok(scene_open(after));
}

void scene_cut_expect(struct scene *scene, uint64_t choice, const char *name, const void *data,
		      size_t len)
{
	struct scene after;

	scene_cut(scene, choice, &after);
	ck_assert_uint_eq(after.recovery.damaged, 0);
	scene_expect(&after, scene_find(&after, name), data, len);
	scene_free(&after);
}

/* The disks survive their store: closing it frees copies. */
void scene_close(struct scene *scene)
{
	struct store_lock_report report;
	struct scene after;

	store_lock(scene->store, 30000, &report);
	check_ok(report.err);
	scene_cut_closed(scene, 1, 1, &after);
	after.settings = scene->settings;
	world_free(&scene->world);
	*scene = after;
}

void scene_free(struct scene *scene)
{
	if (scene->disk != NULL) {
		watch_release_all(scene->disk);
		watch_release_all(scene->state);
	}
	world_free(&scene->world);
}

/* --- requests -------------------------------------------------------------------------------- */

static void answered(void *ctx, enum err err, size_t bytes)
{
	struct answer *answer = ctx;

	(void)bytes;
	answer->err = err;
	atomic_store(&answer->is_there, true);
}

enum err answer_wait(struct answer *answer)
{
	for (int i = 0; !atomic_load(&answer->is_there); i++) {
		ck_assert_msg(i < PATIENCE, "a request is not answered");
		usleep(POLL_US);
	}
	return answer->err;
}

void scene_fsync_begin(struct scene *scene, uint64_t number, struct answer *answer)
{
	*answer = (struct answer){.err = ERR_OK};
	store_fsync(scene->store, number, answered, answer);
}

void scene_settle_begin(struct scene *scene, uint64_t number, struct answer *answer)
{
	*answer = (struct answer){.err = ERR_OK};
	store_settle(scene->store, number, answered, answer);
}

int scene_fsync_held(struct scene *scene, uint64_t number, enum watch_call call, const char *path,
		     struct answer *answer)
{
	int hold = watch_hold(scene->disk, call, path, false);

	scene_fsync_begin(scene, number, answer);
	ck_assert(watch_wait_held(scene->disk, hold, &answer->is_there));
	return hold;
}

void scene_release(struct scene *scene, int hold, struct answer *answer)
{
	watch_release(scene->disk, hold);
	check_ok(answer_wait(answer));
}

void scene_rename_begin(struct scene *scene, const char *name, const char *new_name,
			struct answer *answer)
{
	*answer = (struct answer){.err = ERR_OK};
	store_rename(scene->store, STORE_ROOT, name, STORE_ROOT, new_name, 0, answered, answer);
}

void scene_write_begin(struct scene *scene, uint64_t number, uint64_t offset, const void *data,
		       size_t len, bool durable, struct answer *answer)
{
	*answer = (struct answer){.err = ERR_OK};
	store_write(scene->store, number, offset, data, len, durable, answered, answer);
}

struct helper {
	pthread_t thread;
	struct scene *scene;
	uint64_t number, at;
	const void *data; /* NULL: truncate */
	size_t len;
	struct answer *answer;
};

static void *help(void *ctx)
{
	struct helper *helper = ctx;
	struct store_setattr set = {.valid = STORE_SET_SIZE, .size = helper->at};
	struct store_attr attr;

	if (helper->data != NULL)
		store_write(helper->scene->store, helper->number, helper->at, helper->data,
			    helper->len, false, answered, helper->answer);
	else
		answered(helper->answer,
			 store_setattr(helper->scene->store, helper->number, &set, &attr), 0);
	return NULL;
}

static struct helper *helper_start(struct helper start)
{
	struct helper *helper = malloc(sizeof(*helper));

	ck_assert_ptr_nonnull(helper);
	*helper = start;
	*helper->answer = (struct answer){.err = ERR_OK};
	ck_assert_int_eq(pthread_create(&helper->thread, NULL, help, helper), 0);
	return helper;
}

struct helper *scene_write_beside(struct scene *scene, uint64_t number, uint64_t offset,
				  const void *data, size_t len, struct answer *answer)
{
	return helper_start((struct helper){.scene = scene, .number = number, .at = offset,
					    .data = data, .len = len, .answer = answer});
}

struct helper *scene_truncate_beside(struct scene *scene, uint64_t number, uint64_t size,
				     struct answer *answer)
{
	return helper_start((struct helper){.scene = scene, .number = number, .at = size,
					    .answer = answer});
}

void helper_join(struct helper *helper)
{
	pthread_join(helper->thread, NULL);
	free(helper);
}

uint64_t scene_create(struct scene *scene, const char *name)
{
	struct store_attr attr;

	check_ok(store_create_node(scene->store, STORE_ROOT, name, S_IFREG | 0644, 0, 0, 0, &attr));
	check_ok(store_open_node(scene->store, attr.number, false));
	store_forget(scene->store, attr.number, 1);
	return attr.number;
}

uint64_t scene_create_of(struct scene *scene, const char *name, char letter, size_t len)
{
	uint64_t number = scene_create(scene, name);

	scene_write(scene, number, 0, letters(letter, len), len);
	return number;
}

uint64_t scene_find(struct scene *scene, const char *name)
{
	struct store_attr attr;
	enum err err = store_lookup(scene->store, STORE_ROOT, name, &attr);

	if (err == ERR_NOT_FOUND)
		return 0;
	check_ok(err);
	return attr.number;
}

void scene_write(struct scene *scene, uint64_t number, uint64_t offset, const void *data,
		 size_t len)
{
	for (size_t done = 0; done < len; done += MIB) {
		size_t piece = len - done < MIB ? len - done : MIB;
		struct answer answer;

		scene_write_begin(scene, number, offset + done, (const uint8_t *)data + done, piece,
				  false, &answer);
		check_ok(answer_wait(&answer));
	}
}

void scene_truncate(struct scene *scene, uint64_t number, uint64_t size)
{
	struct store_setattr set = {.valid = STORE_SET_SIZE, .size = size};
	struct store_attr attr;

	check_ok(store_setattr(scene->store, number, &set, &attr));
}

void scene_fsync(struct scene *scene, uint64_t number)
{
	struct answer answer;

	scene_fsync_begin(scene, number, &answer);
	check_ok(answer_wait(&answer));
}

void scene_sync(struct scene *scene)
{
	struct answer answer = {.err = ERR_OK};

	store_sync(scene->store, answered, &answer);
	check_ok(answer_wait(&answer));
}

void scene_rename(struct scene *scene, const char *name, const char *new_name)
{
	struct answer answer;

	scene_rename_begin(scene, name, new_name, &answer);
	check_ok(answer_wait(&answer));
}

void scene_unlink(struct scene *scene, const char *name, uint64_t number)
{
	store_release_node(scene->store, number);
	check_ok(store_unlink(scene->store, STORE_ROOT, name));
}

void scene_applied(struct scene *scene)
{
	ck_assert(applier_wait(scene->store->applier, journal_seq(scene->store->journal), false,
			       clock_boot_ns() + 10 * NS_PER_SECOND));
}

void scene_checkpoint(struct scene *scene)
{
	uint64_t before;

	scene_sync(scene);
	/* Its last word to the committer is said: no commit is left to come by itself. */
	ck_assert(flusher_drain(scene->store->flusher, clock_boot_ns() + 10 * NS_PER_SECOND));
	scene_applied(scene);
	before = atomic_load(&scene->store->checkpoints);
	committer_checkpoint(scene->store->committer);
	for (int i = 0; atomic_load(&scene->store->checkpoints) == before; i++) {
		ck_assert_msg(i < PATIENCE, "no checkpoint comes");
		usleep(POLL_US);
	}
}

void scene_commit_another(struct scene *scene)
{
	static unsigned int count;
	char name[32];

	snprintf(name, sizeof(name), "another%u", count++);
	scene_fsync(scene, scene_create(scene, name));
}

/* --- looking ------------------------------------------------------------------------------------ */

const uint8_t *letters(char c, size_t len)
{
	static uint8_t *pages[128];
	uint8_t **page = &pages[c & 127];

	ck_assert_uint_le(len, 4 * MIB);
	if (*page == NULL) {
		*page = malloc(4 * MIB);
		ck_assert_ptr_nonnull(*page);
		memset(*page, c, 4 * MIB);
	}
	return *page;
}

void scene_expect(struct scene *scene, uint64_t number, const void *data, size_t len)
{
	uint8_t *buffer = malloc(len + 1);
	size_t got = 0;

	ck_assert_ptr_nonnull(buffer);
	ck_assert_uint_ne(number, 0);
	ck_assert_uint_eq(scene_size(scene, number), len);
	check_ok(store_read(scene->store, number, 0, buffer, len + 1, &got));
	ck_assert_uint_eq(got, len);
	for (size_t i = 0; i < len; i++)
		if (buffer[i] != ((const uint8_t *)data)[i])
			ck_abort_msg("byte %zu of %zu is %u", i, len, buffer[i]);
	free(buffer);
}

enum err scene_read_error(struct scene *scene, uint64_t number)
{
	uint8_t *buffer = malloc(4 * MIB);
	size_t got;
	enum err err;

	ck_assert_ptr_nonnull(buffer);
	err = store_read(scene->store, number, 0, buffer, 4 * MIB, &got);
	free(buffer);
	return err;
}

uint64_t scene_size(struct scene *scene, uint64_t number)
{
	struct store_attr attr;

	check_ok(store_getattr(scene->store, number, &attr));
	return attr.object.size;
}

void scene_path(struct scene *scene, uint64_t number, char path[OBJECT_PATH_LEN])
{
	struct object_id id;

	check_ok(store_object_id(scene->store, number, &id));
	object_path(&id, path);
}

void scene_path_new(struct scene *scene, uint64_t number, char path[OBJECT_PATH_LEN])
{
	struct object_id id;

	check_ok(store_object_id(scene->store, number, &id));
	object_path_new(&id, path);
}

bool scene_is_on_disk(struct scene *scene, const char *path)
{
	struct backing *disk = scene->world.ciphertext;
	int file;

	if (disk->ops->open(disk, path, BACKING_READ_ONLY, &file) != ERR_OK)
		return false;
	disk->ops->close(disk, file);
	return true;
}

static void count_name(void *ctx, const char *name)
{
	(void)name;
	++*(unsigned int *)ctx;
}

unsigned int scene_files_in(struct scene *scene, const char *directory)
{
	struct backing *disk = scene->world.ciphertext;
	unsigned int count = 0;

	check_ok(disk->ops->list(disk, directory, count_name, &count));
	return count;
}

uint64_t scene_version(struct scene *scene, uint64_t number)
{
	struct ledger_row row;
	enum err err = ledger_get(scene->store->ledger, number, &row);

	if (err == ERR_NOT_FOUND)
		return 0;
	check_ok(err);
	return row.attr.version;
}

/* --- the attacker ----------------------------------------------------------------------------------- */

void scene_peek(struct scene *scene, const char *path, void *data, size_t len, uint64_t offset)
{
	struct backing *disk = scene->world.ciphertext;
	int file;

	check_ok(disk->ops->open(disk, path, BACKING_READ_ONLY, &file));
	check_ok(disk->ops->pread(disk, file, data, len, offset));
	disk->ops->close(disk, file);
}

void scene_poke(struct scene *scene, const char *path, const void *data, size_t len,
		uint64_t offset)
{
	struct backing *disk = scene->world.ciphertext;
	int file;

	check_ok(disk->ops->open(disk, path, 0, &file));
	check_ok(disk->ops->pwrite(disk, file, data, len, offset));
	check_ok(disk->ops->fdatasync(disk, file));
	disk->ops->close(disk, file);
}

void scene_flip(struct scene *scene, const char *path, uint64_t offset)
{
	uint8_t byte;

	scene_peek(scene, path, &byte, 1, offset);
	byte ^= 0x10;
	scene_poke(scene, path, &byte, 1, offset);
}

void scene_remove(struct scene *scene, const char *path)
{
	struct backing *disk = scene->world.ciphertext;

	check_ok(disk->ops->unlink(disk, path));
	check_ok(disk->ops->sync_all(disk));
}
