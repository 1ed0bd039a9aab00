#include "crash_blocklog.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temp_dir.h"

#define DISK_SIZE (384ull << 20) /* the journal, the reserve, xfs's least log */

/* Nothing is left to a thread that would write later. */
static const struct {
	const char *name, *make;
} kinds[] = {
	{"ext4", "mkfs.ext4 -q -F -b 4096 -m 0 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard "},
	{"xfs", "mkfs.xfs -q -f -K "},
};

static bool make_keyring(struct rig *rig)
{
	const uint8_t fs_id[FS_ID_LEN] = {1}, vk[MASTER_KEY_LEN] = {2}, mk[MASTER_KEY_LEN] = {3};

	return keyring_new(fs_id, vk, mk, 1, &rig->keyring) == ERR_OK;
}

/* --- mounts --------------------------------------------------------------------------- */

bool rig_mount(struct rig *rig, size_t file_system)
{
	block_recorder_changed(rig->recorder);
	return mount(block_recorder_device(rig->recorder), rig->mountpoint,
		     rig->file_systems[file_system].name, MS_NOATIME, NULL) == 0;
}

void rig_unmount(struct rig *rig)
{
	/* A listing by somebody else may still hold it for a moment. */
	for (int i = 0; umount(rig->mountpoint) != 0; i++) {
		if (errno != EBUSY || i == 1000) {
			perror("umount");
			abort();
		}
		usleep(1000);
	}
}

/* --- volumes --------------------------------------------------------------------------- */

static enum err open_backings(struct rig *rig, struct backing **ciphertext, struct backing **state)
{
	enum err err = backing_real_new(rig->ciphertext, ciphertext);

	*state = NULL;
	if (err != ERR_OK)
		return err;
	err = backing_real_new(rig->state, state);
	if (err != ERR_OK)
		backing_free(*ciphertext);
	return err;
}

enum err rig_open(struct rig *rig, const struct rig_settings *settings, struct store **store,
		  struct store_recovery *recovery)
{
	struct store_config config = {
		.state_path = rig->state,
		.commit_interval_ms = settings->commit_interval_ms,
		.dirty_max = settings->dirty_max,
		.stream_threshold = settings->stream_threshold,
	};
	enum err err = open_backings(rig, &config.ciphertext, &config.state);

	*store = NULL;
	if (err != ERR_OK)
		return err;
	err = store_open(&config, store);
	if (err != ERR_OK) {
		*store = NULL;
		backing_free(config.ciphertext);
		backing_free(config.state);
		return err;
	}
	return store_unlock(*store, rig->keyring, recovery);
}

static enum err make_volume(struct rig *rig)
{
	struct backing *ciphertext, *state;
	enum err err;

	if (mkdir(rig->ciphertext, 0700) != 0 || mkdir(rig->state, 0700) != 0)
		return err_from_errno(errno);
	err = open_backings(rig, &ciphertext, &state);
	if (err != ERR_OK)
		return err;
	err = store_create(ciphertext, state, rig->state, rig->keyring, 0, 0, 0755);
	backing_free(ciphertext);
	backing_free(state);
	return err;
}

/* True: the file system could be made, so whatever follows must work. */
static bool make_file_system(struct rig *rig, size_t kind)
{
	struct block_disk *blank = block_disk_new(DISK_SIZE);
	char command[256];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin; %s %s >&2",
		 kinds[kind].make, block_recorder_device(rig->recorder));
	block_disk_copy(rig->disk, blank);
	block_disk_free(blank);
	block_recorder_changed(rig->recorder);
	return system(command) == 0;
}

static void add_file_system(struct rig *rig, size_t kind)
{
	size_t added = rig->count;
	enum err err;

	if (!make_file_system(rig, kind))
		return;
	rig->file_systems[added].name = kinds[kind].name;
	if (!rig_mount(rig, added)) {
		fprintf(stderr, "%s: %s\n", kinds[kind].name, strerror(errno));
		return;
	}
	err = make_volume(rig);
	rig_unmount(rig);
	if (err != ERR_OK) {
		fprintf(stderr, "a volume on %s: %s\n", kinds[kind].name, err_text(err));
		return;
	}
	block_disk_keep(rig->disk);
	rig->file_systems[added].volume = block_disk_new(DISK_SIZE);
	block_disk_copy(rig->file_systems[added].volume, rig->disk);
	rig->count++;
}

/* --- life ---------------------------------------------------------------------------------- */

static bool make_directories(struct rig *rig, char *device_directory, size_t size)
{
	rig->directory = temp_dir_new();
	snprintf(device_directory, size, "%s/device", rig->directory);
	snprintf(rig->mountpoint, sizeof(rig->mountpoint), "%s/m", rig->directory);
	snprintf(rig->ciphertext, sizeof(rig->ciphertext), "%s/m/ct", rig->directory);
	snprintf(rig->state, sizeof(rig->state), "%s/m/st", rig->directory);
	return mkdir(device_directory, 0700) == 0 && mkdir(rig->mountpoint, 0700) == 0;
}

bool rig_new(struct rig *rig, const char *only)
{
	char device_directory[4096];

	memset(rig, 0, sizeof(*rig));
	/* Mounts of our own, which are gone with the last of our processes. */
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		perror("mounts of its own");
		return false;
	}
	if (!make_directories(rig, device_directory, sizeof(device_directory)) ||
	    !make_keyring(rig))
		return false;
	rig->disk = block_disk_new(DISK_SIZE);
	rig->recorder = block_recorder_new(rig->disk, device_directory);
	if (rig->recorder == NULL)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (only == NULL || strcmp(only, kinds[i].name) == 0)
			add_file_system(rig, i);
	if (rig->count == 0)
		fprintf(stderr, "no file system for the disk\n");
	return rig->count > 0;
}

void rig_free(struct rig *rig)
{
	block_recorder_free(rig->recorder);
	block_disk_free(rig->disk);
	for (size_t i = 0; i < rig->count; i++)
		block_disk_free(rig->file_systems[i].volume);
	keyring_free(rig->keyring);
	temp_dir_free(rig->directory);
}
