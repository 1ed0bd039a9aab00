/*
 * The volume under attack: every sort of object, each of them with a few
 * earlier versions, some deleted; and moments of its life.
 */
#include "attack.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/apply.h"
#include "store/committer.h"
#include "store/journal.h"
#include "store/volume.h"
#include "temp_dir.h"

#define NO_TIMER_MS 3600000u
#define LONG        (600u << 10) /* two leaves and a node above them */
#define DEEP        (80ull << 20) /* three levels */
#define DEEPER      (1ull << 36)  /* four */
#define WRITE_LEN   (256u << 10)
#define CROWD       24

/* A store at work. */
struct work {
	struct world world;
	struct store *store;
	const struct keyring *keyring;
	uint64_t generation; /* of the slot file */
	uint64_t random;
};

static uint64_t next(struct work *work)
{
	uint64_t z = work->random += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* --- requests, waited for -------------------------------------------------------------------- */

struct answer {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool is_there;
	enum err err;
};
#define ANSWER {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERR_OK}

static void answered(void *ctx, enum err err, size_t bytes)
{
	struct answer *answer = ctx;

	(void)bytes;
	pthread_mutex_lock(&answer->mutex);
	answer->err = err;
	answer->is_there = true;
	pthread_cond_signal(&answer->cond);
	pthread_mutex_unlock(&answer->mutex);
}

static void wait_for(struct answer *answer, const char *what)
{
	pthread_mutex_lock(&answer->mutex);
	while (!answer->is_there)
		pthread_cond_wait(&answer->cond, &answer->mutex);
	pthread_mutex_unlock(&answer->mutex);
	must(answer->err, what);
}

static uint64_t find(struct work *work, const char *path)
{
	struct store_attr attr;

	must(store_find_path(work->store, path, &attr), path);
	return attr.number;
}

/* Where a new name goes. */
static uint64_t parent_of(struct work *work, const char *path, const char **name)
{
	char parent[128];
	const char *slash = strrchr(path, '/');

	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	*name = slash + 1;
	return parent[0] == '\0' ? STORE_ROOT : find(work, parent);
}

static void make(struct work *work, const char *path, uint32_t mode)
{
	struct store_attr attr;
	const char *name;
	uint64_t dir = parent_of(work, path, &name);

	must(store_create_node(work->store, dir, name, mode, S_ISCHR(mode) ? 0x103 : 0, 1, 2, &attr),
	     path);
	store_forget(work->store, attr.number, 1);
}

/* Bytes that no other write has. */
static void put(struct work *work, const char *path, uint64_t offset, size_t len)
{
	static uint8_t data[WRITE_LEN];
	uint64_t number = find(work, path);

	for (size_t done = 0; done < len; done += WRITE_LEN) {
		size_t piece = len - done < WRITE_LEN ? len - done : WRITE_LEN;
		struct answer answer = ANSWER;

		for (size_t i = 0; i < piece; i += sizeof(uint64_t))
			memcpy(data + i, &(uint64_t){next(work)}, sizeof(uint64_t));
		store_write(work->store, number, offset + done, data, piece, false, answered,
			    &answer);
		wait_for(&answer, path);
	}
}

static void cut(struct work *work, const char *path, uint64_t size)
{
	struct store_setattr set = {.valid = STORE_SET_SIZE, .size = size};
	struct store_attr attr;

	must(store_setattr(work->store, find(work, path), &set, &attr), path);
}

static void change_mode(struct work *work, const char *path, uint32_t mode)
{
	struct store_setattr set = {.valid = STORE_SET_MODE, .mode = mode};
	struct store_attr attr;

	must(store_setattr(work->store, find(work, path), &set, &attr), path);
}

static void hang(struct work *work, const char *path, const char *attribute, size_t len)
{
	uint8_t value[12000];

	memset(value, (int)next(work), sizeof(value));
	must(store_setxattr(work->store, find(work, path), attribute, value, len, 0), path);
}

static void take_down(struct work *work, const char *path)
{
	const char *name;
	uint64_t dir = parent_of(work, path, &name);

	must(store_unlink(work->store, dir, name), path);
}

static void move(struct work *work, const char *path, const char *to)
{
	struct answer answer = ANSWER;
	const char *name, *to_name;
	uint64_t dir = parent_of(work, path, &name), to_dir = parent_of(work, to, &to_name);

	store_rename(work->store, dir, name, to_dir, to_name, 0, answered, &answer);
	wait_for(&answer, path);
}

static void point(struct work *work, const char *path, size_t len)
{
	char target[STORE_TARGET_MAX + 1];
	struct store_attr attr;

	memset(target, 'a' + (int)(next(work) % 26), len);
	target[len] = '\0';
	must(store_symlink(work->store, STORE_ROOT, path + 1, target, 0, 0, &attr), path);
	store_forget(work->store, attr.number, 1);
}

static void give_second_name(struct work *work, const char *path, const char *second)
{
	struct store_attr attr;
	const char *name;
	uint64_t dir = parent_of(work, second, &name);

	must(store_link(work->store, find(work, path), dir, name, &attr), second);
	store_forget(work->store, attr.number, 1);
}

static void sync_all(struct work *work)
{
	struct answer answer = ANSWER;

	store_sync(work->store, answered, &answer);
	wait_for(&answer, "sync");
}

/* --- the work ----------------------------------------------------------------------------------- */

static void make_file(struct work *work, const char *path, uint64_t offset, size_t len)
{
	make(work, path, S_IFREG | 0640);
	if (len > 0)
		put(work, path, offset, len);
}

static void build(struct work *work)
{
	char path[64];

	make(work, "/ward", S_IFDIR | 0750);
	make(work, "/ward/bed", S_IFDIR | 0700);
	make(work, "/crowd", S_IFDIR | 0755);
	make_file(work, "/inline", 0, 1000);
	make_file(work, "/grows", 0, 300);
	make_file(work, "/empty", 0, 0);
	make_file(work, "/small", 0, 20 << 10);
	make_file(work, "/ward/other", 0, 20 << 10);
	make_file(work, "/shrinks", 0, 100 << 10);
	make_file(work, "/ward/long", 0, LONG);
	make_file(work, "/deep", DEEP, 5000);
	put(work, "/deep", 0, 9000);
	make_file(work, "/ward/bed/deeper", DEEPER, 100);
	make_file(work, "/sparse", 300 << 10, 12 << 10);
	make_file(work, "/tagged", 0, 500);
	hang(work, "/tagged", "user.note", 40);
	make_file(work, "/linked", 0, 6000);
	give_second_name(work, "/linked", "/ward/bed/linked");
	hang(work, "/linked", "user.big", 12000);
	make(work, "/fifo", S_IFIFO | 0600);
	make(work, "/device", S_IFCHR | 0600);
	point(work, "/link", 40);
	point(work, "/long link", 3900);
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(path, sizeof(path), "/crowd/file %u", i);
		make_file(work, path, 0, i * 50);
	}
	for (unsigned int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/ward/gone %u", i);
		make_file(work, path, 0, i * 2000);
	}
}

/* Every sort of object changes; round 0 is the first. */
static void change(struct work *work, unsigned int round)
{
	char path[64], other[64];

	put(work, "/inline", 0, 1000);
	put(work, "/grows", round * 2000, 2000);
	put(work, "/small", 4096 * (round % 4), 5000);
	put(work, "/ward/other", 0, 4096);
	cut(work, "/shrinks", (90u - 10u * round) << 10);
	put(work, "/ward/long", 3 * BLOCK_SIZE, 4096);
	put(work, "/ward/long", 140 * BLOCK_SIZE, 4096);
	put(work, "/deep", DEEP + 100, 200);
	put(work, "/ward/bed/deeper", DEEPER - round * (1u << 20), 4096);
	put(work, "/sparse", (uint64_t)round * (700u << 10), 8192);
	hang(work, "/tagged", "user.note", 40 + round);
	hang(work, "/linked", "user.big", 11000 + round);
	change_mode(work, "/linked", 0600 + round);
	change_mode(work, "/fifo", 0600 + round);
	change_mode(work, "/device", 0600 + round);
	change_mode(work, "/empty", 0600 + round);
	change_mode(work, "/ward/bed", 0700 + round);
	take_down(work, "/link");
	point(work, "/link", 40 + round);
	snprintf(path, sizeof(path), "/ward/gone %u", round);
	take_down(work, path);
	snprintf(path, sizeof(path), "/crowd/file %u", round);
	snprintf(other, sizeof(other), "/ward/bed/moved %u", round);
	move(work, path, other);
	snprintf(path, sizeof(path), "/crowd/file %u", 10 + round);
	put(work, path, 0, 100);
	snprintf(path, sizeof(path), "/born %u", round);
	make_file(work, path, 0, round % 2 == 0 ? 900 : 30000);
	snprintf(path, sizeof(path), "/streamed %u", round);
	make_file(work, path, 0, round % 2 == 0 ? 300 << 10 : 5000);
}

/* The same number of commits as change() makes, but other ones. */
static void change_otherwise(struct work *work)
{
	put(work, "/inline", 0, 999);
	put(work, "/small", 0, 9000);
	put(work, "/ward/long", 3 * BLOCK_SIZE, 4096);
	put(work, "/ward/long", 140 * BLOCK_SIZE, 4096);
	change_mode(work, "/empty", 0666);
	change_mode(work, "/fifo", 0666);
	change_mode(work, "/ward/bed", 0777);
	hang(work, "/linked", "user.big", 3);
	hang(work, "/inline", "user.other", 3);
	hang(work, "/small", "user.other", 5000);
	take_down(work, "/ward/gone 7");
	make_file(work, "/branched", 0, 3000);
}

/* --- moments -------------------------------------------------------------------------------------- */

static void unlock_work(struct work *work)
{
	struct store_recovery recovery;

	store_set_slots_generation(work->store, work->generation);
	must(store_unlock(work->store, work->keyring, &recovery), "unlocking");
}

/* With the keys of that epoch. */
static void open_work(struct work *work, const struct history *history, unsigned int epoch)
{
	struct world_settings settings = {.commit_interval_ms = NO_TIMER_MS,
					  .keyring = history->keyrings[epoch - 1],
					  .slots_generation = epoch};
	struct store_recovery recovery;

	must(world_open(&work->world, &settings, &recovery), "opening the volume");
	work->store = work->world.store;
	work->keyring = settings.keyring;
	work->generation = settings.slots_generation;
}

/* What phifs-key does to a locked volume; it is unlocked again. */
static void rotate(struct work *work, const struct history *history)
{
	struct store_lock_report report;

	store_lock(work->store, 30000, &report);
	must(report.err, "locking");
	work->keyring = history->keyrings[work->generation++];
	unlock_work(work);
}

/* What a mount of the moment shows, and nothing may be wrong in it. */
static void look_at(struct moment *moment)
{
	struct store_config config = {.commit_interval_ms = NO_TIMER_MS};
	struct store_recovery recovery;
	struct world image;

	moment_image(moment, &image);
	config.ciphertext = image.ciphertext;
	config.state = image.state;
	config.state_path = image.directory;
	must(store_open(&config, &image.store), moment->name);
	store_set_slots_generation(image.store, moment->generation);
	must(store_unlock(image.store, moment->keyring, &recovery), moment->name);
	moment->truth = truth_new(image.store);
	world_free(&image);
	for (size_t i = 0; i < moment->target_count; i++)
		truth_relate(moment->truth, moment->targets[i].number,
			     object_id_number(&moment->targets[i].header.attributes));
}

/* Locked meanwhile: everything is check-pointed. */
static struct moment *closed_moment(struct work *work, const char *name)
{
	struct store_lock_report report;
	struct moment *moment;

	store_lock(work->store, 30000, &report);
	must(report.err, "locking");
	moment = moment_take(&work->world, name, work->keyring, work->generation, 1);
	unlock_work(work);
	look_at(moment);
	return moment;
}

static void settle(struct work *work)
{
	uint64_t seq;
	struct anchor anchor = {.seq = 0};

	sync_all(work);
	seq = journal_seq(work->store->journal);
	if (!applier_wait(work->store->applier, seq, false, clock_boot_ns() + 10 * NS_PER_SECOND))
		abort();
	while (anchor.seq < seq) {
		must(journal_read_anchor(work->world.state, work->keyring, &anchor), "the anchor");
		usleep(1000);
	}
}

static struct moment *open_moment(struct work *work, const char *name, uint64_t choice)
{
	struct moment *moment = moment_take(&work->world, name, work->keyring,
					    work->generation, choice);

	look_at(moment);
	return moment;
}

static void go_on(struct history *history, struct work *work)
{
	uint64_t before;

	change(work, EARLIER);
	settle(work);
	history->applied = open_moment(work, "applied", 1);
	history->pending = open_moment(work, "pending", 0);
	if (!truth_equal(history->applied->truth, history->pending->truth))
		must(ERR_TAMPERED, "two images of one moment");
	before = atomic_load(&work->store->checkpoints);
	committer_checkpoint(work->store->committer);
	while (atomic_load(&work->store->checkpoints) == before)
		usleep(1000);
	change(work, EARLIER + 1);
	settle(work);
	history->other_half = open_moment(work, "other half", 1);
}

static struct moment *make_branch(const struct history *history, uint64_t seed)
{
	struct work work = {.random = seed};
	struct moment *moment;

	moment_image(history->earlier[EARLIER - 1], &work.world);
	open_work(&work, history, EPOCHS);
	change_otherwise(&work);
	moment = closed_moment(&work, "branch");
	world_free(&work.world);
	return moment;
}

/* Another volume: other keys, the same numbers. */
static struct moment *make_foreign(uint64_t seed, struct keyring **keyring)
{
	uint8_t fs_id[FS_ID_LEN] = {1}, vk[MASTER_KEY_LEN] = {8}, mk[MASTER_KEY_LEN] = {9};
	struct work work = {.random = seed};
	struct store_config config = {.commit_interval_ms = NO_TIMER_MS};
	struct moment *moment;

	must(keyring_new(fs_id, vk, mk, 1, keyring), "a keyring");
	must(backing_sim_new(&work.world.ciphertext), "a disk");
	must(backing_sim_new(&work.world.state), "a disk");
	work.world.directory = temp_dir_new();
	work.keyring = *keyring;
	must(store_create(work.world.ciphertext, work.world.state, work.world.directory, *keyring, 0,
			  0, 0755),
	     "making another volume");
	config.ciphertext = work.world.ciphertext;
	config.state = work.world.state;
	config.state_path = work.world.directory;
	must(store_open(&config, &work.world.store), "opening another volume");
	work.store = work.world.store;
	unlock_work(&work);
	build(&work);
	change(&work, 0);
	moment = closed_moment(&work, "foreign");
	world_free(&work.world);
	return moment;
}

static struct keyring *foreign_keys;

/* One epoch more each time, and another VK. */
static void make_keyrings(struct history *history)
{
	uint8_t volume_key[MASTER_KEY_LEN], master_keys[EPOCHS * MASTER_KEY_LEN] = {0};
	const struct keyring *first = world_keyring();

	memcpy(master_keys, keyring_master_key(first, 1), MASTER_KEY_LEN);
	for (unsigned int epoch = 2; epoch <= EPOCHS; epoch++)
		memset(master_keys + (epoch - 1) * MASTER_KEY_LEN, (int)(64 + epoch), MASTER_KEY_LEN);
	for (unsigned int epoch = 1; epoch <= EPOCHS; epoch++) {
		memset(volume_key, (int)epoch, sizeof(volume_key));
		must(keyring_new(keyring_fs_id(first), volume_key, master_keys, epoch,
				 &history->keyrings[epoch - 1]),
		     "a keyring");
	}
}

void history_make(struct history *history, uint64_t seed)
{
	static const char *const names[EARLIER] = {"1st", "2nd", "3rd", "4th"};
	struct work work = {.random = seed};

	world_new(&work.world);
	make_keyrings(history);
	open_work(&work, history, 1);
	build(&work);
	for (unsigned int i = 0; i < EARLIER; i++) {
		history->earlier[i] = closed_moment(&work, names[i]);
		if (i == 1 || i == 2)
			rotate(&work, history);
		change(&work, i);
	}
	history->closed = closed_moment(&work, "closed");
	go_on(history, &work);
	world_free(&work.world);
	history->branch = make_branch(history, seed + 1);
	history->foreign = make_foreign(seed + 2, &foreign_keys);
}

void history_free(struct history *history)
{
	for (unsigned int i = 0; i < EARLIER; i++)
		moment_free(history->earlier[i]);
	moment_free(history->closed);
	moment_free(history->applied);
	moment_free(history->pending);
	moment_free(history->other_half);
	moment_free(history->branch);
	moment_free(history->foreign);
	keyring_free(foreign_keys);
	for (unsigned int i = 0; i < EPOCHS; i++)
		keyring_free(history->keyrings[i]);
	world_forget_template();
}
