/* open(2): every kind of target with every combination of flags. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct flag {
	const char *name;
	int value;
} flags[] = {
	{"CREAT", O_CREAT},   {"EXCL", O_EXCL},     {"TRUNC", O_TRUNC},
	{"APPEND", O_APPEND}, {"DIRECTORY", O_DIRECTORY}, {"NOFOLLOW", O_NOFOLLOW},
	{"PATH", O_PATH},     {"DIRECT", O_DIRECT}, {"SYNC", O_SYNC},
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

static const char *const targets[] = {
	"missing",     "file",      "directory",    "to-file",  "to-directory", "to-missing",
	"loop",        "file/",     "directory/",   "missing/", "file/below",   "missing/below",
	"to-missing/", "to-file/",  "to-directory/", "fifo",    "socket",       "",
	".",           "directory/..", "directory/inside"};
#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static void make_targets(void)
{
	DO(mkdir("directory", 0755));
	DO(symlink("file", "to-file"));
	DO(symlink("directory", "to-directory"));
	DO(symlink("created", "to-missing"));
	DO(symlink("loop", "loop"));
	DO(mkfifo("fifo", 0644));
	DO(mknod("socket", S_IFSOCK | 0644, 0));
}

/* As it was; says what was otherwise. */
static void restore(void)
{
	static const char *const made[] = {"missing", "created", "directory/inside"};
	struct stat st;
	int fd;

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if (lstat(made[i], &st) == 0) {
			look(made[i]);
			unlink(made[i]);
		}
	if (stat("file", &st) == 0 && st.st_size == 7)
		return;
	look("file");
	fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, "content", 7) != 7)
		step(-1, "restore");
	close(fd);
}

static void use(int fd)
{
	static char buffer[4096] __attribute__((aligned(4096)));

	note("flags", "%o", fcntl(fd, F_GETFL) & ~(O_LARGEFILE | 0100000));
	DO(read(fd, buffer, sizeof(buffer)));
	if (!(fcntl(fd, F_GETFL) & O_DIRECT))
		DO(write(fd, "x", 1));
	DO(lseek(fd, 0, SEEK_CUR));
	look_at(fd, "fstat");
	DO(close(fd));
}

static void open_one(const char *target, unsigned int mask, int access)
{
	static const char *const names[] = {"RDONLY", "WRONLY", "RDWR", "3"};
	char text[128];
	int value = access | O_NONBLOCK, fd;
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", names[access]);

	for (size_t i = 0; i < FLAGS; i++)
		if (mask & 1u << i) {
			value |= flags[i].value;
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", flags[i].name);
		}
	fd = step_open(open(target, value, 0640), "open('%s', %s)", target, text);
	/* What lies in a pipe does not depend on the file system. */
	if (fd >= 0 && strcmp(target, "fifo") == 0)
		close(fd);
	else if (fd >= 0)
		use(fd);
	restore();
}

static void open_matrix(void)
{
	unsigned int index = 0;

	make_targets();
	restore();
	for (size_t target = 0; target < TARGETS; target++)
		for (unsigned int mask = 0; mask < 1u << FLAGS; mask++)
			for (int access = 0; access < 4; access++)
				if (is_chosen(index++))
					open_one(targets[target], mask, access);
	look_around();
}

/* Modes that a new file gets, under umasks. */
static void open_modes(void)
{
	static const mode_t masks[] = {0, 022, 077, 0777, 0247};

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		umask(masks[i]);
		for (unsigned int mode = 0; mode <= 07777; mode += 0111) {
			int fd = step_open(open("f", O_CREAT | O_EXCL | O_RDWR, mode),
					   "open mode %o umask %o", mode, masks[i]);

			DO(write(fd, "x", 1));
			look("f");
			close(fd);
			unlink("f");
			DO(mkdir("d", mode));
			look("d");
			rmdir("d");
			DO(mknod("n", S_IFIFO | (mode & 07777), 0));
			look("n");
			unlink("n");
		}
	}
}

static void open_creat(void)
{
	char buffer[8];
	int fd = OPEN(creat("f", 0444));

	DO(write(fd, "abc", 3));
	DO(read(fd, buffer, 1));
	look_at(fd, "created");
	DO(ftruncate(fd, 1));
	close(fd);
	fd = OPEN(creat("f", 0777));
	look_at(fd, "again");
	close(fd);
	DO(mkdir("d", 0755));
	OPEN(creat("d", 0644));
	OPEN(creat("d/", 0644));
	OPEN(creat("new/", 0644));
}

static void open_at(void)
{
	int dir, path, fd;

	DO(mkdir("d", 0755));
	dir = OPEN(open("d", O_RDONLY | O_DIRECTORY));
	path = OPEN(open("d", O_PATH));
	fd = OPEN(openat(path, "f", O_CREAT | O_RDWR, 0600));
	DO(faccessat(dir, "f", R_OK, 0));
	DO(mkdirat(fd, "x", 0755));
	OPEN(openat(fd, "x", O_RDONLY));
	OPEN(openat(999, "x", O_RDONLY));
	DO(unlinkat(dir, "f", AT_REMOVEDIR));
	DO(unlinkat(dir, "f", 0));
	DO(unlinkat(AT_FDCWD, "d", 0));
	DO(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
	OPEN(openat(dir, "f", O_CREAT | O_RDWR, 0600));
	DO(mkdirat(dir, "x", 0700));
	OPEN(openat(dir, ".", O_RDONLY));
	OPEN(openat(dir, "..", O_RDONLY));
	look_at(dir, "a directory that is gone");
	DO(fchmod(path, 0700));
	DO(fchdir(path));
	OPEN(open("y", O_CREAT | O_RDWR, 0600));
	fd = OPEN(open("/proc/self/cwd", O_RDONLY));
	look_at(fd, "through /proc");
}

/* Flags that are set later. */
static void open_set_flags(void)
{
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));

	DO(write(fd, "0123456789", 10));
	DO(fcntl(fd, F_SETFL, O_APPEND));
	DO(pwrite(fd, "A", 1, 0));
	DO(lseek(fd, 0, SEEK_SET));
	DO(write(fd, "B", 1));
	DO(lseek(fd, 0, SEEK_CUR));
	DO(fcntl(fd, F_SETFL, 0));
	DO(pwrite(fd, "C", 1, 0));
	DO(fcntl(fd, F_SETFL, O_DIRECT));
	note("flags", "%o", fcntl(fd, F_GETFL) & (O_APPEND | O_DIRECT));
	DO(fcntl(fd, F_SETFL, O_NOATIME));
	look_into("f");
}

static void open_unnamed(void)
{
	int fd;

	OPEN(open(".", O_TMPFILE | O_RDONLY, 0640));
	OPEN(open("missing", O_TMPFILE | O_RDWR, 0640));
	fd = OPEN(open(".", O_TMPFILE | O_RDWR, 0640));
	if (fd >= 0) {
		DO(write(fd, "unnamed", 7));
		look_at(fd, "unnamed");
		DO(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
		look("named");
		close(fd);
	}
}

/* Descriptors that the file system does not know of, of what was removed. */
static void open_removed(void)
{
	char path_of_fd[32];
	struct stat st;
	int fd;

	DO(mkfifo("p", 0644));
	fd = OPEN(open("p", O_RDWR | O_NONBLOCK));
	DO(unlink("p"));
	DO(write(fd, "x", 1));
	DO(fstat(fd, &st));
	DO(fchmod(fd, 0600));
	DO(fchown(fd, 1, 1));
	close(fd);
	close(OPEN(open("f", O_CREAT | O_RDWR, 0644)));
	fd = OPEN(open("f", O_PATH));
	DO(unlink("f"));
	DO(fstat(fd, &st));
	snprintf(path_of_fd, sizeof(path_of_fd), "/proc/self/fd/%d", fd);
	DO(access(path_of_fd, R_OK));
	TRY(open(path_of_fd, O_RDWR));
	DO(chmod(path_of_fd, 0600));
	DO(truncate(path_of_fd, 1));
}

const struct check open_cases[] = {
	{"open: every target with all flags", open_matrix},
	{"open: modes and umask", open_modes},
	{"open: creat", open_creat},
	{"open: beside descriptors", open_at},
	{"open: flags set later", open_set_flags},
	{"open: O_TMPFILE", open_unnamed},
	{"open: what was removed, unknown to the file system", open_removed},
	{NULL, NULL},
};
