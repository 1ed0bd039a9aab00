/*
 * What a sync of the backing says while the file system below goes down.
 *
 * Two processes append to a file each and sync it, or all of the file system, in
 * turn, until they are told of an error; in the middle of it the file system is shut
 * down.  After the next mount whatever was said to be synced must be there.
 *
 *     crash-sync, and the options of crash_campaign.h; --on ext4|xfs
 *
 * The kernel's own answers do not stand this: of a sync that is under way it may say
 * that it went well.  That is no harm to whoever has only this disk, but a ledger on
 * another one would count on it.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash_campaign.h"
#include "crash_disk.h"
#include "crash_life.h"
#include "crash_process.h"
#include "crash_work.h"
#include "store/backing.h"
#include "temp_dir.h"

#define WRITERS	      2
#define PIECE	      (64u << 10)
#define PIECES_MAX    2000
#define MOMENT_MAX_US 20000
#define END_SECONDS   60

static enum disk_kind kinds[DISK_KINDS];
static unsigned int kind_count;
static atomic_uint_least64_t *synced; /* by writer, shared: pieces it was told are durable */

static const char *directory_of(const struct disk *disk, unsigned int writer)
{
	return temp_path(disk_path(disk), writer == 0 ? "a" : "b");
}

static void fill(uint8_t data[PIECE], uint64_t number)
{
	memset(data, (int)(1 + number % 250), PIECE);
}

/* The number of a piece counts from 1. */
static enum err append(struct backing *backing, int file, uint64_t number)
{
	static uint8_t data[PIECE];
	enum err err;

	fill(data, number);
	err = backing->ops->pwrite(backing, file, data, sizeof(data), (number - 1) * PIECE);
	if (err != ERR_OK)
		return err;
	return number % 2 == 0 ? backing->ops->sync_all(backing)
			       : backing->ops->fdatasync(backing, file);
}

static void make_file(const struct disk *disk, unsigned int writer)
{
	int fd;

	mkdir(directory_of(disk, writer), 0700);
	fd = open(temp_path(directory_of(disk, writer), "file"), O_WRONLY | O_CREAT | O_CLOEXEC,
		  0600);
	if (fd < 0)
		abort();
	syncfs(fd);
	close(fd);
}

static void write_file(const struct disk *disk, unsigned int writer)
{
	struct backing *backing;
	int file;

	if (backing_real_new(directory_of(disk, writer), &backing) != ERR_OK ||
	    backing->ops->open(backing, "file", 0, &file) != ERR_OK)
		_exit(1);
	for (uint64_t number = 1; number < PIECES_MAX && append(backing, file, number) == ERR_OK;
	     number++)
		atomic_store(&synced[writer], number);
	_exit(0);
}

/* The last piece: those before it were there when it was written. */
static bool is_there(const struct disk *disk, unsigned int writer)
{
	static uint8_t data[PIECE], found[PIECE];
	uint64_t number = atomic_load(&synced[writer]);
	bool is_whole;
	int fd;

	if (number == 0)
		return true;
	fd = open(temp_path(directory_of(disk, writer), "file"), O_RDONLY | O_CLOEXEC);
	fill(data, number);
	is_whole = fd >= 0 &&
		   pread(fd, found, PIECE, (off_t)((number - 1) * PIECE)) == (ssize_t)PIECE &&
		   memcmp(data, found, PIECE) == 0;
	if (fd >= 0)
		close(fd);
	return is_whole;
}

static void violation(struct campaign *campaign, uint64_t seed, enum disk_kind kind,
		      const char *what)
{
	char how[64];

	snprintf(how, sizeof(how), " --on %s", disk_kind_name(kind));
	campaign_violation(campaign, seed, how, what);
}

/* A while after both have something durable. */
static void wait_for_moment(uint64_t moment_us, const pid_t writers[WRITERS])
{
	for (unsigned int i = 0; i < WRITERS; i++)
		while (atomic_load(&synced[i]) == 0 && !process_is_over(writers[i]))
			usleep(200);
	usleep((useconds_t)moment_us);
}

static bool cut_while_writing(struct disk *disk, struct workload *draw)
{
	pid_t writers[WRITERS];
	bool is_right;
	int status;

	for (unsigned int i = 0; i < WRITERS; i++) {
		atomic_store(&synced[i], 0);
		make_file(disk, i);
		writers[i] = process_fork();
		if (writers[i] == 0)
			write_file(disk, i);
	}
	wait_for_moment(workload_below(draw, MOMENT_MAX_US), writers);
	is_right = disk_shut_down(disk, 1 + (uint32_t)workload_below(draw, 2));
	for (unsigned int i = 0; i < WRITERS; i++)
		is_right &= process_end(writers[i], END_SECONDS, &status) && status == 0;
	return is_right && disk_remount(disk);
}

static void explore(struct campaign *campaign, uint64_t seed)
{
	struct workload draw = {.random = seed};
	enum disk_kind kind = kinds[seed % kind_count];
	struct disk *disk = disk_new(kind);

	if (!cut_while_writing(disk, &draw))
		violation(campaign, seed, kind, "the file system, or a writer, does not end");
	else
		for (unsigned int i = 0; i < WRITERS; i++)
			if (!is_there(disk, i))
				violation(campaign, seed, kind, "what was synced is not there");
	campaign->states++;
	disk_free(disk);
}

int main(int argc, char **argv)
{
	struct campaign campaign = {.name = "crash-sync"};

	if (!campaign_options(&campaign, argc, argv))
		return 2;
	synced = mmap(NULL, WRITERS * sizeof(*synced), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (synced == MAP_FAILED)
		return 1;
	kind_count = life_kinds(&campaign, DISK_EXT4, kinds);
	return kind_count == 0 ? 77 : campaign_run(&campaign, explore);
}
