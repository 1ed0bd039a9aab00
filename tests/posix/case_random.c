/*
 * A random sequence of calls on few names, by several users: the same on both
 * sides, for next to nothing in it depends on what came of the calls before.
 */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SLOTS      6
#define DATA_MAX   20000
#define OFFSET_MAX 300000
#define LOOK_EVERY 150

static struct {
	uint64_t state;
	int slots[SLOTS];
	uint8_t data[DATA_MAX];
	char one[64], two[64]; /* paths of this step */
} r;

static unsigned int pick(unsigned int below)
{
	r.state = r.state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(r.state >> 33) % below;
}

/* One to three of six names, most of them short, and now and then something odd. */
static void pick_path(char path[64])
{
	static const unsigned int depths[] = {1, 1, 1, 2, 2, 3};
	unsigned int depth = depths[pick(6)];
	size_t len = 0;

	for (unsigned int i = 0; i < depth; i++)
		len += (size_t)snprintf(path + len, 64 - len, "%s%c", i ? "/" : "", "abcdef"[pick(6)]);
	if (depth < 3 && pick(20) == 0)
		snprintf(path + len, 64 - len, "/../%c", "abcdef"[pick(6)]);
	else if (pick(20) == 0)
		snprintf(path + len, 64 - len, "/");
}

static mode_t pick_mode(void)
{
	static const mode_t modes[] = {0644, 0755, 0777, 0666, 0777, 0600, 0000,
				       0555, 0222, 01777, 02775, 04755};

	return modes[pick(12)];
}

static unsigned int pick_id(void)
{
	static const unsigned int ids[] = {0, 1000, 1001, 2000, (unsigned int)-1};

	return ids[pick(5)];
}

static void do_open(void)
{
	static const int flags[] = {O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW};
	int fd, value = (pick(2) ? O_RDWR : (int)pick(3)) | O_NONBLOCK, slot = (int)pick(SLOTS);
	mode_t mode = pick_mode();

	for (int i = 0; i < 6; i++)
		if (pick(i == 0 ? 2 : 16) == 0)
			value |= flags[i];
	fd = step_open(open(r.one, value, mode), "slot %d: open('%s', %#o, %o)", slot, r.one, value, mode);
	if (fd < 0)
		return;
	if (r.slots[slot] >= 0)
		close(r.slots[slot]);
	r.slots[slot] = fd;
}

static void do_write(void)
{
	int slot = (int)pick(SLOTS);
	size_t len = 1 + pick(pick(4) ? 300 : DATA_MAX);
	off_t offset = pick(OFFSET_MAX);

	fill_pattern(r.data, len, r.state);
	if (pick(3))
		step(pwrite(r.slots[slot], r.data, len, offset), "pwrite slot %d: %zu at %lld", slot, len,
		     (long long)offset);
	else
		step(write(r.slots[slot], r.data, len), "write slot %d: %zu", slot, len);
}

static void do_read(void)
{
	int slot = (int)pick(SLOTS);
	size_t len = 1 + pick(DATA_MAX);
	off_t offset = pick(OFFSET_MAX);
	unsigned int hash = 5381;
	ssize_t got = step(pread(r.slots[slot], r.data, len, offset), "pread slot %d: %zu at %lld", slot,
			   len, (long long)offset);

	for (ssize_t i = 0; i < got; i++)
		hash = hash * 33 + r.data[i];
	note("hash", "%x", hash);
}

static void do_range(void)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE};
	int slot = (int)pick(SLOTS), mode = modes[pick(3)];
	off_t offset = pick(OFFSET_MAX), len = 1 + pick(50000);

	if (pick(2))
		step(fallocate(r.slots[slot], mode, offset, len), "fallocate slot %d: %d %lld %lld", slot,
		     mode, (long long)offset, (long long)len);
	else
		step(ftruncate(r.slots[slot], offset), "ftruncate slot %d: %lld", slot, (long long)offset);
}

static void do_copy(void)
{
	int from = (int)pick(SLOTS), to = (int)pick(SLOTS);
	off_t in = pick(OFFSET_MAX), out = pick(OFFSET_MAX);
	size_t len = pick(100000);

	step(copy_file_range(r.slots[from], &in, r.slots[to], &out, len, 0),
	     "copy slot %d to %d: %lld %lld %zu", from, to, (long long)in, (long long)out, len);
}

static void do_slot(void)
{
	int slot = (int)pick(SLOTS), fd = r.slots[slot];
	mode_t mode = pick_mode();
	struct stat st;
	char text[32];

	snprintf(text, sizeof(text), "fstat of slot %d", slot);
	switch (pick(5)) {
	case 0: step(fsync(fd), "fsync slot %d", slot); break;
	case 1:
		/* An open fifo is the kernel's alone: see the list, "what was removed". */
		if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode))
			step(fchmod(fd, mode), "fchmod slot %d: %o", slot, mode);
		break;
	case 2:
		/* Where a directory ends is the file system's own affair. */
		if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
			step(lseek(fd, 0, SEEK_END), "end of slot %d", slot);
		break;
	case 3: look_at(fd, text); break;
	default:
		if (pick(3))
			break;
		step(close(fd), "close slot %d", slot);
		r.slots[slot] = -1;
		break;
	}
}

static void do_make(void)
{
	mode_t mode = pick_mode();

	switch (pick(12)) {
	case 0: step(mknod(r.one, S_IFIFO | mode, 0), "mkfifo('%s', %o)", r.one, mode); break;
	case 1:
	case 2:
	case 3: step(mknod(r.one, S_IFREG | mode, 0), "mknod('%s', %o)", r.one, mode); break;
	case 4: step(symlink(r.one, r.two), "symlink('%s', '%s')", r.one, r.two); break;
	default: step(mkdir(r.one, mode), "mkdir('%s', %o)", r.one, mode); break;
	}
}

static void do_remove(void)
{
	switch (pick(4)) {
	case 0: step(rmdir(r.one), "rmdir('%s')", r.one); break;
	case 1: step(unlink(r.one), "unlink('%s')", r.one); break;
	default: step(remove(r.one), "remove('%s')", r.one); break;
	}
}

static void do_rename(void)
{
	unsigned int flags = pick(4);

	if (flags == RENAME_NOREPLACE || flags == RENAME_EXCHANGE)
		step(renameat2(AT_FDCWD, r.one, AT_FDCWD, r.two, flags), "rename('%s', '%s', %u)", r.one,
		     r.two, flags);
	else
		step(rename(r.one, r.two), "rename('%s', '%s')", r.one, r.two);
}

static void do_link(void)
{
	char target[64];

	if (pick(2))
		step(link(r.one, r.two), "link('%s', '%s')", r.one, r.two);
	else
		step(readlink(r.one, target, sizeof(target)), "readlink('%s')", r.one);
}

static void do_attribute(void)
{
	static const struct timespec times[2] = {{77, 7}, {88, 8}};
	unsigned int uid = pick_id(), gid = pick_id();
	mode_t mode = pick_mode();
	off_t len = pick(OFFSET_MAX);

	switch (pick(6)) {
	case 0: step(chmod(r.one, mode), "chmod('%s', %o)", r.one, mode); break;
	case 1: step(lchown(r.one, uid, gid), "lchown('%s', %d, %d)", r.one, (int)uid, (int)gid); break;
	case 2: step(utimensat(AT_FDCWD, r.one, times, 0), "utimensat('%s')", r.one); break;
	case 3: step(truncate(r.one, len), "truncate('%s', %lld)", r.one, (long long)len); break;
	case 4: step(access(r.one, (int)mode & 7), "access('%s', %o)", r.one, mode & 7); break;
	default: look(r.one); break;
	}
}

static void do_xattr(void)
{
	char name[16], value[300];
	size_t len = pick(100);

	snprintf(name, sizeof(name), "user.%u", pick(4));
	memset(value, 'v', sizeof(value));
	switch (pick(3)) {
	case 0: step(setxattr(r.one, name, value, len, 0), "setxattr('%s', %s)", r.one, name); break;
	case 1: step(getxattr(r.one, name, value, 300), "getxattr('%s', %s)", r.one, name); break;
	default: step(removexattr(r.one, name), "removexattr('%s', %s)", r.one, name); break;
	}
}

static void do_user(void)
{
	static const gid_t groups[] = {2000};
	unsigned int user = pick(8);

	if (user < 2 || user > 3)
		act_as_root();
	else
		act_as(998 + user, 998 + user, user - 2, groups);
	note("as", "%u", user);
}

static void look_at_all(void)
{
	act_as_root();
	look_around();
}

static void (*const operations[])(void) = {
	do_open,   do_open,   do_open, do_open,	     do_write,	   do_write, do_write, do_read,
	do_range,  do_copy,   do_slot, do_make,	     do_make,	   do_make,  do_link,  do_rename,
	do_rename, do_remove, do_remove, do_remove, do_link, do_attribute, do_attribute, do_xattr, do_user,
};

static void random_sequence(void)
{
	signal(SIGPIPE, SIG_IGN);
	r.state = suite_options.seed * 2654435761u + 99;
	memset(r.slots, -1, sizeof(r.slots));
	for (int i = 1; i <= suite_options.steps; i++) {
		pick_path(r.one);
		pick_path(r.two);
		operations[pick(sizeof(operations) / sizeof(operations[0]))]();
		if (i % LOOK_EVERY == 0)
			look_at_all();
	}
	look_at_all();
}

const struct check random_cases[] = {
	{"random: a sequence of calls", random_sequence},
	{NULL, NULL},
};
