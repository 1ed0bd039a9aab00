/* atime, mtime and ctime: which of them each operation moves. */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *const watched[] = {".", "f", "d", "d/f", "d/e", "s", "g"};
#define WATCHED (sizeof(watched) / sizeof(watched[0]))

static void watch(void)
{
	struct stat st;

	for (size_t i = 0; i < WATCHED; i++)
		if (lstat(watched[i], &st) == 0)
			mark(watched[i]);
}

static void report(const char *what)
{
	struct stat st;

	for (size_t i = 0; i < WATCHED; i++)
		if (lstat(watched[i], &st) == 0)
			effect(watched[i], what);
}

#define TIMED(call)              \
	do {                     \
		watch();         \
		DO(call);        \
		report(#call);   \
	} while (0)

static int start(void)
{
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));

	DO(write(fd, "content", 7));
	DO(mkdir("d", 0755));
	DO(mkdir("d/e", 0755));
	close(OPEN(open("d/f", O_CREAT | O_RDWR, 0644)));
	DO(symlink("f", "s"));
	return fd;
}

static void by_content(void)
{
	char buffer[16];
	int fd = start(), again;

	TIMED(read(fd, buffer, 1));
	TIMED(pread(fd, buffer, 1, 0));
	TIMED(pwrite(fd, "x", 1, 0));
	TIMED(write(fd, "", 0));
	TIMED(pwrite(fd, "x", 1, 100));
	TIMED(ftruncate(fd, 50));
	TIMED(ftruncate(fd, 50));
	TIMED(ftruncate(fd, 70));
	TIMED(truncate("f", 70));
	TIMED(truncate("f", 7));
	TIMED(fallocate(fd, 0, 0, 4));
	TIMED(fallocate(fd, 0, 0, 9000));
	TIMED(fallocate(fd, FALLOC_FL_KEEP_SIZE, 9000, 9000));
	TIMED(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
	TIMED(fsync(fd));
	TIMED(again = open("f", O_WRONLY | O_TRUNC));
	TIMED(open("f", O_WRONLY | O_TRUNC));
	TIMED(open("f", O_WRONLY | O_CREAT, 0644));
	TIMED(close(again));
	TIMED(lseek(fd, 3, SEEK_SET));
	TIMED(access("f", R_OK));
}

static void by_attribute(void)
{
	char buffer[16];
	int fd = start();

	TIMED(chmod("f", 0600));
	TIMED(chmod("f", 0600));
	TIMED(chown("f", 5, 5));
	TIMED(chown("f", 5, 5));
	TIMED(chown("f", (uid_t)-1, (gid_t)-1));
	TIMED(futimens(fd, NULL));
	TIMED(setxattr("f", "user.a", "x", 1, 0));
	TIMED(setxattr("f", "user.a", "x", 1, 0));
	TIMED(getxattr("f", "user.a", buffer, 16));
	TIMED(removexattr("f", "user.a"));
	TIMED(removexattr("f", "user.a"));
	TIMED(chmod("d", 0700));
	TIMED(setxattr("d", "user.a", "x", 1, 0));
	TIMED(lchown("s", 7, 7));
	TIMED(readlink("s", buffer, sizeof(buffer)));
}

static void by_name(void)
{
	start();
	TIMED(link("f", "g"));
	TIMED(link("f", "g"));
	TIMED(unlink("g"));
	TIMED(unlink("g"));
	TIMED(link("f", "d/g"));
	TIMED(rename("d/g", "d/h"));
	TIMED(rename("d/h", "g"));
	TIMED(rename("g", "f"));
	TIMED(rename("f", "d/f"));
	TIMED(rename("g", "f"));
	TIMED(mkdir("d/new", 0755));
	TIMED(rename("d/e", "d/new"));
	TIMED(rename("d/new", "e"));
	TIMED(rename("e", "d/e"));
	TIMED(mknod("d/p", S_IFIFO | 0644, 0));
	TIMED(symlink("x", "d/s"));
	TIMED(rename("d/s", "d/p"));
	TIMED(rmdir("d/e"));
	TIMED(rmdir("d"));
	TIMED(renameat2(AT_FDCWD, "d", AT_FDCWD, "f", RENAME_EXCHANGE));
	TIMED(renameat2(AT_FDCWD, "d", AT_FDCWD, "f", RENAME_EXCHANGE));
	TIMED(renameat2(AT_FDCWD, "d", AT_FDCWD, "f", RENAME_NOREPLACE));
	TIMED(open("d/created", O_CREAT | O_RDWR, 0644));
	TIMED(unlink("d/created"));
}

static void list_it(const char *name)
{
	DIR *dir = opendir(name);

	while (dir && readdir(dir))
		continue;
	if (dir)
		closedir(dir);
}

static void by_reading_names(void)
{
	start();
	watch();
	list_it("d");
	report("readdir");
	TIMED(chdir("d"));
	TIMED(chdir(".."));
}

static void by_mapping(void)
{
	int fd = start();
	char *map;

	DO(ftruncate(fd, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	note("mmap", "%s", map == MAP_FAILED ? strerrorname_np(errno) : "yes");
	if (map == MAP_FAILED)
		return;
	watch();
	map[10] = 'x';
	DO(msync(map, 4096, MS_SYNC));
	report("a change of a mapping");
	DO(munmap(map, 4096));
	/* Nothing later may take it back. */
	watch();
	DO(fsync(fd));
	report("fsync");
}

static void by_copying(void)
{
	int fd = start(), to = OPEN(open("g", O_CREAT | O_RDWR, 0644));
	off_t from = 0, where = 0;

	TIMED(copy_file_range(fd, &from, to, &where, 7, 0));
	TIMED(copy_file_range(fd, &from, to, &where, 7, 0));
}

/* Times that were set stay, whatever is flushed later. */
static void that_were_set(void)
{
	const struct timespec times[2] = {{1000000, 5}, {2000000, 6}};
	struct stat st;
	int fd = start();

	DO(write(fd, "more", 4));
	DO(futimens(fd, times));
	DO(fsync(fd));
	close(fd);
	DO(stat("f", &st));
	note("times", "%lld %ld %lld %ld", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	DO(rename("f", "g"));
	DO(chmod("g", 0600));
	DO(stat("g", &st));
	note("times", "%lld %ld %lld %ld", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

const struct check time_cases[] = {
	{"time: content", by_content},
	{"time: attributes", by_attribute},
	{"time: names", by_name},
	{"time: listing", by_reading_names},
	{"time: mappings", by_mapping},
	{"time: copy_file_range", by_copying},
	{"time: set times stay", that_were_set},
	{NULL, NULL},
};
