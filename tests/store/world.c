#include "world.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/volume.h"
#include "backing_watch.h"
#include "temp_dir.h"

/* The door of all simulated disks: only one world is armed at a time. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t open;
	struct world *world;
	uint64_t left;         /* calls until the hook; 0: not armed */
	bool is_closed;
	unsigned int waiting;  /* at the closed door */
	world_at_call *at_call;
	void *ctx;
} door = {.mutex = PTHREAD_MUTEX_INITIALIZER, .open = PTHREAD_COND_INITIALIZER};

static struct world template;
static struct keyring *keyring;

static void check(enum err err, const char *what)
{
	if (err == ERR_OK)
		return;
	fprintf(stderr, "world: %s: %s\n", what, err_text(err));
	abort();
}

/* --- the door ------------------------------------------------------------------------ */

/* Everybody but the `inside`, who are us, is at the door or outside of any call. */
static void wait_quiet(struct world *world, unsigned int inside)
{
	for (;;) {
		unsigned int active = backing_sim_active(world->ciphertext) +
				      backing_sim_active(world->state);

		if (active == door.waiting + inside)
			return;
		pthread_mutex_unlock(&door.mutex);
		usleep(50);
		pthread_mutex_lock(&door.mutex);
	}
}

static void pass_door(void *ctx)
{
	struct world *world = ctx;

	pthread_mutex_lock(&door.mutex);
	while (door.is_closed && door.world == world) {
		door.waiting++;
		pthread_cond_wait(&door.open, &door.mutex);
		door.waiting--;
	}
	if (door.world == world && door.left > 0 && --door.left == 0) {
		door.is_closed = true;
		wait_quiet(world, 1);
		pthread_mutex_unlock(&door.mutex);
		door.at_call(door.ctx);
		pthread_mutex_lock(&door.mutex);
		door.is_closed = false;
		pthread_cond_broadcast(&door.open);
	}
	pthread_mutex_unlock(&door.mutex);
}

void world_arm(struct world *world, uint64_t calls, world_at_call *at_call, void *ctx)
{
	pthread_mutex_lock(&door.mutex);
	while (door.is_closed) /* a hook is still at work */
		pthread_cond_wait(&door.open, &door.mutex);
	door.world = world;
	door.left = calls;
	door.at_call = at_call;
	door.ctx = ctx;
	pthread_mutex_unlock(&door.mutex);
}

uint64_t world_calls(struct world *world)
{
	return backing_sim_calls(world->ciphertext) + backing_sim_calls(world->state);
}

/* --- images ----------------------------------------------------------------------------- */

static void copy_database(const char *from, const char *to)
{
	sqlite3 *source = NULL, *target = NULL;
	sqlite3_backup *backup;
	int rc;

	if (sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_open(to, &target) != SQLITE_OK)
		abort();
	sqlite3_busy_timeout(source, 10000);
	sqlite3_exec(target, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	backup = sqlite3_backup_init(target, "main", source, "main");
	rc = backup == NULL ? SQLITE_ERROR : sqlite3_backup_step(backup, -1);
	sqlite3_backup_finish(backup);
	sqlite3_close(source);
	sqlite3_close(target);
	if (rc != SQLITE_DONE) {
		fprintf(stderr, "world: copying the ledger: %s\n", sqlite3_errstr(rc));
		abort();
	}
}

void world_image_of(struct world *world, uint64_t choice, uint64_t state_choice,
		    struct world *image)
{
	char from[4096], to[4096];

	memset(image, 0, sizeof(*image));
	image->directory = temp_dir_new();
	snprintf(from, sizeof(from), "%s/ledger.db", world->directory);
	snprintf(to, sizeof(to), "%s/ledger.db", image->directory);
	copy_database(from, to);
	check(backing_sim_crash(world->ciphertext, choice, &image->ciphertext), "crash");
	check(backing_sim_crash(world->state, state_choice, &image->state), "crash");
}

void world_image(struct world *world, uint64_t choice, struct world *image)
{
	world_image_of(world, choice, choice, image);
}

void world_image_now(struct world *world, uint64_t choice, uint64_t state_choice,
		     struct world *image)
{
	pthread_mutex_lock(&door.mutex);
	door.world = world;
	door.is_closed = true;
	wait_quiet(world, 0);
	pthread_mutex_unlock(&door.mutex);
	world_image_of(world, choice, state_choice, image);
	pthread_mutex_lock(&door.mutex);
	door.is_closed = false;
	pthread_cond_broadcast(&door.open);
	pthread_mutex_unlock(&door.mutex);
}

static void make_template(void)
{
	uint8_t fs_id[FS_ID_LEN] = {1}, vk[MASTER_KEY_LEN] = {2}, mk[MASTER_KEY_LEN] = {3};

	check(keyring_new(fs_id, vk, mk, 1, &keyring), "keyring");
	check(backing_sim_new(&template.ciphertext), "simulated disk");
	check(backing_sim_new(&template.state), "simulated disk");
	template.directory = temp_dir_new();
	check(store_create(template.ciphertext, template.state, template.directory, keyring, 0, 0,
			   0755),
	      "making the volume");
	check(template.ciphertext->ops->sync_all(template.ciphertext), "sync");
	check(template.state->ops->sync_all(template.state), "sync");
}

const struct keyring *world_keyring(void)
{
	return keyring;
}

void world_template(void)
{
	if (template.ciphertext == NULL)
		make_template();
}

void world_new(struct world *world)
{
	world_template();
	world_image(&template, 1, world);
}

void world_forget_template(void)
{
	if (template.ciphertext != NULL)
		world_free(&template);
	memset(&template, 0, sizeof(template));
	keyring_free(keyring);
	keyring = NULL;
}

enum err world_open(struct world *world, const struct world_settings *settings,
		    struct store_recovery *recovery)
{
	struct store_config config = {
		.ciphertext = world->disk_watch != NULL ? world->disk_watch : world->ciphertext,
		.state = world->state_watch != NULL ? world->state_watch : world->state,
		.state_path = world->directory,
		.commit_interval_ms = settings->commit_interval_ms,
		.dirty_max = settings->dirty_max,
		.stream_threshold = settings->stream_threshold,
		.hooks = settings->hooks,
	};
	enum err err;

	backing_sim_set_hook(world->ciphertext, pass_door, world);
	backing_sim_set_hook(world->state, pass_door, world);
	err = store_open(&config, &world->store);
	if (err != ERR_OK)
		return err;
	store_set_slots_generation(world->store, settings->slots_generation);
	return store_unlock(world->store, settings->keyring != NULL ? settings->keyring : keyring,
			    recovery);
}

void world_watch(struct world *world)
{
	world->disk_watch = watch_new(world->ciphertext);
	world->state_watch = watch_new(world->state);
}

void world_free(struct world *world)
{
	if (world->store != NULL) {
		store_close(world->store); /* frees the disks too */
	} else {
		backing_free(world->disk_watch != NULL ? world->disk_watch : world->ciphertext);
		backing_free(world->state_watch != NULL ? world->state_watch : world->state);
	}
	temp_dir_free(world->directory);
	memset(world, 0, sizeof(*world));
}
