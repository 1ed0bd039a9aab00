/* Every error a call can give, by the ways that lead to it. */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* All that takes a path, on one path. */
static void every_call(const char *path)
{
	char buffer[64];
	struct statfs fs;

	int base = open(".", O_RDONLY | O_DIRECTORY);

	step(access(path, F_OK), "access('%.40s')", path);
	step(chdir(path), "chdir('%.40s')", path);
	if (fchdir(base) != 0)
		_exit(3);
	close(base);
	step(chmod(path, 0755), "chmod('%.40s')", path);
	step(lchown(path, 0, 0), "lchown('%.40s')", path);
	step_open(open(path, O_RDONLY | O_NONBLOCK), "open('%.40s')", path);
	step_open(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644), "create('%.40s')", path);
	step(readlink(path, buffer, sizeof(buffer)), "readlink('%.40s')", path);
	step(truncate(path, 1), "truncate('%.40s')", path);
	step(mkdir(path, 0755), "mkdir('%.40s')", path);
	step(mknod(path, S_IFREG | 0644, 0), "mknod('%.40s')", path);
	step(symlink("x", path), "symlink('%.40s')", path);
	step(link("source", path), "link(to '%.40s')", path);
	step(link(path, "made"), "link(from '%.40s')", path);
	unlink("made");
	step(rename("source", path), "rename(to '%.40s')", path);
	step(rename(path, "made"), "rename(from '%.40s')", path);
	rename("made", path);
	step(statfs(path, &fs), "statfs('%.40s')", path);
	step(utimensat(AT_FDCWD, path, NULL, 0), "utimensat('%.40s')", path);
	step(getxattr(path, "user.x", buffer, 8), "getxattr('%.40s')", path);
	step(setxattr(path, "user.x", "v", 1, 0), "setxattr('%.40s')", path);
	step(removexattr(path, "user.x"), "removexattr('%.40s')", path);
	step(rmdir(path), "rmdir('%.40s')", path);
	step(unlink(path), "unlink('%.40s')", path);
}

/* Each path from the same start. */
static void on_each_path(const char *const *paths)
{
	int base = open(".", O_RDONLY | O_DIRECTORY);

	for (; *paths; paths++) {
		DO(fchdir(base));
		DO(mkdir("around", 0755));
		DO(chdir("around"));
		close(open("file", O_CREAT | O_WRONLY, 0644));
		close(open("source", O_CREAT | O_WRONLY, 0644));
		mkdir("directory", 0755);
		close(open("directory/full", O_CREAT | O_WRONLY, 0644));
		DO(symlink("loop-b", "loop-a"));
		DO(symlink("loop-a", "loop-b"));
		DO(symlink("nowhere", "dangling"));
		DO(symlink("directory", "to-directory"));
		every_call(*paths);
		DO(fchdir(base));
		DO(chdir("around"));
		look_around();
		DO(fchdir(base));
		remove_all();
	}
}

static void paths_that_are_wrong(void)
{
	static const char *const paths[] = {
		"",	       "missing",	"missing/x",    "file/x",  "file/",   "loop-a",
		"loop-a/x",    "dangling",      "dangling/x",   "directory", "directory/", ".", "..",
		"directory/.", "directory/..",  "to-directory", "to-directory/", "to-directory/full",
		"file/..",     "file/.",	"missing/..",   "./file",  NULL};

	on_each_path(paths);
}

static void names_too_long(void)
{
	static char names[4][PATH_MAX + 10];
	static const char *const paths[] = {names[0], names[1], names[2], names[3], NULL};

	memset(names[0], 'n', 255);
	memset(names[1], 'n', 256);
	/* A path of 4095 bytes, and one of 4096. */
	for (size_t i = 0; i < 4095; i += 2) {
		memcpy(names[2] + i, "./", 2);
		memcpy(names[3] + i, "./", 2);
	}
	memcpy(names[2] + 4090, "/file", 6);
	memcpy(names[3] + 4090, "//file", 7);
	on_each_path(paths);
}

/* 40 links may be followed, 41 not. */
static void links_too_many(void)
{
	char name[16], target[16];

	close(OPEN(open("0", O_CREAT | O_WRONLY, 0644)));
	for (int i = 1; i <= 42; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(target, sizeof(target), "%d", i - 1);
		step(symlink(target, name), "symlink %d", i);
		step_open(open(name, O_RDONLY), "open through %d", i);
	}
}

static void read_only(void)
{
	static const char *const paths[] = {"ro/file", "ro/new", "ro/directory", NULL};

	DO(mkdir("ro", 0755));
	close(OPEN(open("ro/file", O_CREAT | O_WRONLY, 0644)));
	close(OPEN(open("source", O_CREAT | O_WRONLY, 0644)));
	DO(mkdir("ro/directory", 0755));
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		_exit(3);
	DO(mount("ro", "ro", NULL, MS_BIND, NULL));
	DO(mount(NULL, "ro", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME,
		 NULL));
	for (size_t i = 0; paths[i]; i++)
		if (chdir("/proc/self/cwd") == 0)
			every_call(paths[i]);
	DO(rename("source", "ro/file"));
	DO(rmdir("ro"));
	DO(umount2("ro", MNT_DETACH));
}

static void another_file_system(void)
{
	close(OPEN(open("f", O_CREAT | O_WRONLY, 0644)));
	DO(rename("f", "/proc/f"));
	DO(rename("/proc/version", "v"));
	DO(link("f", "/dev/shm/phifs-posix-suite"));
	DO(link("/proc/version", "v"));
	DO(renameat2(AT_FDCWD, "f", AT_FDCWD, "/proc/version", RENAME_EXCHANGE));
}

static void too_big(void)
{
	const struct rlimit limit = {10000, 10000};
	char buffer[100] = "";
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));

	DO(truncate("f", -1));
	DO(ftruncate(fd, -1));
	DO(pwrite(fd, "x", 1, -1));
	DO(pread(fd, buffer, 1, -1));
	DO(pwrite(fd, "x", 1, INT64_MAX));
	DO(ftruncate(fd, INT64_MAX));
	DO(lseek(fd, INT64_MAX, SEEK_SET));
	DO(lseek(fd, -1, SEEK_SET));
	DO(lseek(fd, 0, 99));
	DO(posix_fallocate(fd, INT64_MAX - 1, 100));
	DO(fallocate(fd, 0, INT64_MAX - 10, 100));
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	DO(pwrite(fd, buffer, 100, 9950));
	DO(pwrite(fd, buffer, 100, 10000));
	DO(ftruncate(fd, 10001));
	DO(fallocate(fd, 0, 9990, 100));
	look("f");
}

static void descriptors(void)
{
	char buffer[16];
	int reader, writer, dir, path;
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	close(OPEN(open("f", O_CREAT | O_RDWR, 0644)));
	reader = OPEN(open("f", O_RDONLY));
	writer = OPEN(open("f", O_WRONLY));
	dir = OPEN(open(".", O_RDONLY));
	path = OPEN(open("f", O_PATH));
	DO(write(reader, "x", 1));
	DO(read(writer, buffer, 1));
	DO(ftruncate(reader, 0));
	DO(fallocate(reader, 0, 0, 10));
	DO(copy_file_range(writer, NULL, reader, NULL, 1, 0));
	DO(copy_file_range(dir, NULL, writer, NULL, 1, 0));
	DO(read(dir, buffer, 1));
	DO(write(dir, buffer, 1));
	DO(ftruncate(dir, 0));
	DO(fallocate(dir, 0, 0, 10));
	DO(fsync(dir));
	DO(fdatasync(dir));
	DO(fsync(path));
	DO(read(path, buffer, 1));
	DO(fchmod(path, 0600));
	DO(fchown(path, 0, 0));
	DO(fsetxattr(path, "user.x", "y", 1, 0));
	DO(lseek(path, 0, SEEK_SET));
	DO(flock(path, LOCK_EX));
	DO(fsync(-1));
	DO(write(writer, "content", 7));
	DO(read(reader, nowhere, 4096));
	DO(write(writer, nowhere, 4096));
	DO(getdents64(reader, buffer, sizeof(buffer)));
	DO(getdents64(dir, buffer, 3));
	note("mmap", "%s", mmap(NULL, 1, PROT_READ, MAP_SHARED, writer, 0) == MAP_FAILED ?
				   strerrorname_np(errno) : "maps");
	note("mmap", "%s", mmap(NULL, 1, PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED ?
				   strerrorname_np(errno) : "maps");
	note("mmap", "%s", mmap(NULL, 1, PROT_READ, MAP_SHARED, dir, 0) == MAP_FAILED ?
				   strerrorname_np(errno) : "maps");
}

static void copy_program(const char *from, int to)
{
	char buffer[65536];
	ssize_t got;
	int fd = open(from, O_RDONLY);

	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)got) != got)
			_exit(3);
	close(fd);
}

/* cat, as soon as it runs: it reads from `input`. */
static pid_t run_cat(int input)
{
	int started[2];
	char byte;
	pid_t pid;

	if (pipe2(started, O_CLOEXEC) != 0)
		_exit(3);
	pid = fork();
	if (pid == 0) {
		dup2(input, 0);
		execl("./cat", "cat", NULL);
		_exit(9);
	}
	close(started[1]);
	/* exec closes the other end. */
	DO(read(started[0], &byte, 1));
	return pid;
}

/* A program that runs is not written, one that is written does not run. */
static void text_busy(void)
{
	int to, status, gate[2];
	pid_t pid;

	to = OPEN(open("cat", O_CREAT | O_WRONLY, 0755));
	copy_program("/bin/cat", to);
	DO(execl("./cat", "cat", NULL));
	close(to);
	if (pipe2(gate, O_CLOEXEC) != 0)
		_exit(3);
	pid = run_cat(gate[0]);
	OPEN(open("cat", O_WRONLY));
	OPEN(open("cat", O_RDWR | O_TRUNC));
	DO(truncate("cat", 0));
	DO(chmod("cat", 0700));
	DO(unlink("cat"));
	close(gate[1]);
	DO(waitpid(pid, &status, 0) == pid);
	note("status", "%d", status);
}

static void rmdir_and_unlink(void)
{
	DO(mkdir("d", 0755));
	DO(mkdir("d/e", 0755));
	close(OPEN(open("f", O_CREAT | O_WRONLY, 0644)));
	DO(rmdir("d"));
	DO(rmdir("d/e/."));
	DO(rmdir("d/e/.."));
	DO(rmdir("d/e/"));
	DO(rmdir("f"));
	DO(unlink("d"));
	DO(unlink("d/"));
	DO(unlink("f/"));
	DO(remove("d"));
	DO(rmdir("d"));
	DO(symlink("f", "s"));
	DO(rmdir("s"));
	DO(unlink("s/"));
	DO(unlink("s"));
	look_around();
}

static void handles(void)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} room = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int id, fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));
	int dir = OPEN(open(".", O_RDONLY));

	DO(name_to_handle_at(AT_FDCWD, "f", &room.handle, &id, 0));
	close(OPEN(open_by_handle_at(dir, &room.handle, O_RDONLY)));
	close(fd);
	DO(unlink("f"));
	OPEN(open_by_handle_at(dir, &room.handle, O_RDONLY));
}

static void file_system(void)
{
	struct statvfs fs;

	DO(statvfs(".", &fs));
	note("name", "%lu", fs.f_namemax);
	note("flags", "%lx", fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME));
	note("sizes", "%d %d %d", fs.f_blocks >= fs.f_bfree && fs.f_bfree >= fs.f_bavail,
	     fs.f_files >= fs.f_ffree, fs.f_frsize > 0 && fs.f_bsize >= fs.f_frsize);
	for (int name = _PC_LINK_MAX; name <= _PC_VDISABLE; name++)
		step(pathconf(".", name), "pathconf %d", name);
	DO(syncfs(open(".", O_RDONLY)));
}

static void two_handlers(void)
{
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644)), other = OPEN(open("f", O_RDWR));

	DO(flock(fd, LOCK_EX));
	DO(flock(other, LOCK_EX | LOCK_NB));
	DO(flock(other, LOCK_SH | LOCK_NB));
	DO(flock(fd, LOCK_SH));
	DO(flock(other, LOCK_SH | LOCK_NB));
	DO(flock(fd, LOCK_EX | LOCK_NB));
	DO(flock(fd, LOCK_UN));
	DO(flock(other, LOCK_EX | LOCK_NB));
	DO(flock(fd, 99));
	DO(fcntl(fd, F_SETLEASE, F_RDLCK));
	close(other);
	DO(fcntl(fd, F_SETLEASE, F_WRLCK));
	DO(fcntl(fd, F_SETLEASE, F_UNLCK));
	DO(fcntl(open(".", O_RDONLY), F_NOTIFY, DN_CREATE));
}

const struct check error_cases[] = {
	{"error: paths that are wrong", paths_that_are_wrong},
	{"error: names and paths too long", names_too_long},
	{"error: more than 40 symbolic links", links_too_many},
	{"error: EROFS", read_only},
	{"error: EXDEV", another_file_system},
	{"error: EFBIG, EINVAL of offsets", too_big},
	{"error: EBADF, EISDIR, EFAULT of descriptors", descriptors},
	{"error: ETXTBSY", text_busy},
	{"error: rmdir and unlink", rmdir_and_unlink},
	{"error: file handles, ESTALE", handles},
	{"error: statfs and pathconf", file_system},
	{"error: locks and leases", two_handlers},
	{NULL, NULL},
};
