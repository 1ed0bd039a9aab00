#include "crash_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "temp_dir.h"

#define IMAGE_LEN     (512ull << 20)
#define SHUT_DOWN     _IOR('X', 125, uint32_t)
#define UNMOUNT_TRIES 200 /* of 10 ms: what a killed process held is let go a little later */

static const struct {
	const char *name, *program, *arguments[4];
} kinds[DISK_KINDS] = {
	[DISK_DIRECTORY] = {"directory", NULL, {NULL}},
	[DISK_EXT4] = {"ext4", "mkfs.ext4", {"-q", "-F", "-E", "lazy_itable_init=1"}},
	[DISK_XFS] = {"xfs", "mkfs.xfs", {"-q", "-f", NULL, NULL}},
};

struct disk {
	enum disk_kind kind;
	char *path; /* the directory or mount point */
	bool is_mounted;
	int loop; /* -1: none */
	char device[64];
	struct disk *next;
};

/* Those there are: at exit none is left behind. */
static struct disk *disks;
static pid_t owner;

static void fail(const char *what)
{
	fprintf(stderr, "crash disk: %s: %s\n", what, strerror(errno));
	exit(99);
}

const char *disk_kind_name(enum disk_kind kind)
{
	return kinds[kind].name;
}

/* Where mkfs is; false: nowhere. */
static bool find_program(const char *name, char *path, size_t size)
{
	static const char *const places[] = {"/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, size, "%s/%s", places[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static bool kernel_has(const char *name)
{
	FILE *file = fopen("/proc/filesystems", "r");
	char line[128];
	bool is_there = false;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		is_there |= strcmp(strchr(line, '\t') + 1, name) == 0;
	}
	if (file != NULL)
		fclose(file);
	return is_there;
}

const char *disk_kind_missing(enum disk_kind kind)
{
	static char why[128];
	char path[256];

	if (kind == DISK_DIRECTORY)
		return NULL;
	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) != 0)
		return "needs root and loop devices";
	if (!find_program(kinds[kind].program, path, sizeof(path))) {
		snprintf(why, sizeof(why), "%s is not installed", kinds[kind].program);
		return why;
	}
	return kernel_has(kinds[kind].name) ? NULL : "this kernel has no such file system";
}

/* --- loop devices -------------------------------------------------------------------------- */

/* A device over `image` that goes when nobody uses it any more. */
static bool configure(struct disk *disk, int control, int image)
{
	struct loop_config config = {.fd = (uint32_t)image,
				     .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
	int number = ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0)
		fail("a free loop device");
	snprintf(disk->device, sizeof(disk->device), "/dev/loop%d", number);
	disk->loop = open(disk->device, O_RDWR | O_CLOEXEC);
	if (disk->loop < 0)
		fail(disk->device);
	if (ioctl(disk->loop, LOOP_CONFIGURE, &config) == 0)
		return true;
	if (errno != EBUSY)
		fail("configuring a loop device");
	close(disk->loop); /* somebody else was faster */
	disk->loop = -1;
	return false;
}

static void attach(struct disk *disk)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int image = memfd_create("phifs-crash", MFD_CLOEXEC);
	int tries = 100;

	if (control < 0 || image < 0 || ftruncate(image, (off_t)IMAGE_LEN) < 0)
		fail("an image in memory");
	while (!configure(disk, control, image))
		if (--tries == 0)
			fail("a loop device");
	close(image);
	close(control);
}

static void make_file_system(const struct disk *disk)
{
	char program[256];
	char *arguments[7] = {program}, *environment[] = {NULL};
	size_t count = 1;
	int status;
	pid_t child;

	if (!find_program(kinds[disk->kind].program, program, sizeof(program)))
		fail(kinds[disk->kind].program);
	for (size_t i = 0; i < 4 && kinds[disk->kind].arguments[i] != NULL; i++)
		arguments[count++] = (char *)kinds[disk->kind].arguments[i];
	arguments[count] = (char *)disk->device;
	if (posix_spawn(&child, program, NULL, NULL, arguments, environment) != 0 ||
	    waitpid(child, &status, 0) != child || status != 0)
		fail(program);
}

/* --- mounts ---------------------------------------------------------------------------------- */

static void private_mounts(void)
{
	static bool is_private;

	if (is_private)
		return;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail("a mount namespace");
	is_private = true;
}

static bool mount_it(struct disk *disk)
{
	disk->is_mounted = mount(disk->device, disk->path, kinds[disk->kind].name, 0, NULL) == 0;
	if (disk->is_mounted)
		return true;
	fprintf(stderr, "crash disk: mounting %s: %s\n", disk->device, strerror(errno));
	return false;
}

static bool unmount(struct disk *disk)
{
	for (int tries = UNMOUNT_TRIES; umount2(disk->path, 0) < 0; tries--) {
		if (errno != EBUSY || tries == 0) {
			fprintf(stderr, "crash disk: unmounting %s: %s\n", disk->path,
				strerror(errno));
			return false;
		}
		usleep(10000);
	}
	disk->is_mounted = false;
	return true;
}

/* --- disks -------------------------------------------------------------------------------------- */

static void free_all(void)
{
	while (getpid() == owner && disks != NULL)
		disk_free(disks);
}

static void enlist(struct disk *disk)
{
	if (owner == 0)
		atexit(free_all);
	owner = getpid();
	disk->next = disks;
	disks = disk;
}

static void discharge(const struct disk *disk)
{
	struct disk **link = &disks;

	while (*link != disk)
		link = &(*link)->next;
	*link = disk->next;
}

struct disk *disk_new(enum disk_kind kind)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	if (disk == NULL)
		abort();
	disk->kind = kind;
	disk->loop = -1;
	disk->path = temp_dir_new();
	enlist(disk);
	if (kind == DISK_DIRECTORY)
		return disk;
	private_mounts();
	attach(disk);
	make_file_system(disk);
	if (!mount_it(disk))
		exit(99);
	return disk;
}

const char *disk_path(const struct disk *disk)
{
	return disk->path;
}

bool disk_shut_down(struct disk *disk, uint32_t flags)
{
	int directory = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = directory < 0 ? -1 : ioctl(directory, SHUT_DOWN, &flags);

	if (rc < 0)
		fprintf(stderr, "crash disk: shutting down %s: %s\n", disk->path, strerror(errno));
	if (directory >= 0)
		close(directory);
	return rc == 0;
}

bool disk_remount(struct disk *disk)
{
	return disk->kind == DISK_DIRECTORY || (unmount(disk) && mount_it(disk));
}

void disk_free(struct disk *disk)
{
	if (disk == NULL)
		return;
	discharge(disk);
	if (disk->kind == DISK_DIRECTORY) {
		temp_dir_free(disk->path);
	} else {
		/* Nothing below a mount is ever removed. */
		if (disk->is_mounted && !unmount(disk))
			umount2(disk->path, MNT_DETACH);
		rmdir(disk->path);
		free(disk->path);
		if (disk->loop >= 0)
			close(disk->loop);
	}
	free(disk);
}
