/* The answers of a locked volume: ENOKEY, but for what applications must not lose. */
#include "locked.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define REFUSED(call) ((call) == -1 && errno == ENOKEY)

static void check_names(struct held *held)
{
	CHECK(REFUSED(open("file", O_RDONLY)), "open of a file that is known");
	CHECK(REFUSED(open("never", O_RDONLY)), "open of a name nobody has seen");
	CHECK(REFUSED(open("made", O_RDWR | O_CREAT, 0600)), "create");
	CHECK(REFUSED(open("dir", O_RDONLY | O_DIRECTORY)), "opendir");
	CHECK((errno = 0, !readdir(held->dir)) && errno == ENOKEY, "readdir of an open directory");
	CHECK(REFUSED(mkdir("made", 0700)), "mkdir");
	CHECK(REFUSED(mknod("made", S_IFIFO | 0600, 0)), "mknod");
	CHECK(REFUSED(symlink("x", "made")), "symlink");
	CHECK(REFUSED(link("file", "made")), "link");
	CHECK(REFUSED(rename("file", "other")), "rename");
	CHECK(REFUSED(unlink("file")), "unlink");
	CHECK(REFUSED(rmdir("dir")), "rmdir");
}

static void check_handles(struct held *held)
{
	char bytes[16] = "x";

	CHECK(REFUSED(pread(held->reader, bytes, 1, 0)), "read");
	CHECK(REFUSED(pwrite(held->file, bytes, 1, 0)), "write");
	CHECK(REFUSED(ftruncate(held->file, 1)), "ftruncate");
	CHECK(REFUSED(fallocate(held->file, 0, 0, 100)), "fallocate");
	CHECK(REFUSED(lseek(held->file, 0, SEEK_DATA)), "SEEK_DATA");
	CHECK(REFUSED(copy_file_range(held->reader, NULL, held->other, NULL, 1, 0)),
	      "copy_file_range");
	CHECK(lseek(held->file, 0, SEEK_END) == 4, "SEEK_END asks nobody");
	CHECK(fsync(held->file) == 0, "fsync: everything was committed");
	CHECK(fsync(held->dir_fd) == 0, "fsync of a directory");
	CHECK(close(dup(held->file)) == 0, "close");
}

static void check_attributes(struct held *held)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};
	char value[16];

	CHECK(REFUSED(fchmod(held->file, 0600)), "chmod");
	CHECK(REFUSED(fchown(held->file, 1, 1)), "chown");
	CHECK(REFUSED(futimens(held->file, times)), "utimens");
	CHECK(REFUSED(truncate("file", 0)), "truncate");
	CHECK(REFUSED(fsetxattr(held->file, "user.x", "y", 1, 0)), "setxattr");
	CHECK(REFUSED(fgetxattr(held->file, "user.x", value, sizeof(value))), "getxattr");
	CHECK(REFUSED(flistxattr(held->file, value, sizeof(value))), "listxattr");
	CHECK(REFUSED(fremovexattr(held->file, "user.x")), "removexattr");
	CHECK(REFUSED(readlink("symlink", value, sizeof(value))), "readlink");
}

/* Longer than the kernel believes names and attributes by itself. */
static bool stays_as_it_was(const char *path)
{
	const struct timespec moment = {.tv_nsec = 50000000};
	struct stat st;

	for (int i = 0; i < 30; i++) {
		if (stat(path, &st) != 0)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

static void check_what_goes_on(struct held *held)
{
	char cwd[4096] = "";
	struct statvfs space;
	struct statx stx;
	struct stat st;

	CHECK(statx(held->file, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
		    &stx) == 0 && stx.stx_size == 4,
	      "fstat");
	CHECK(stays_as_it_was("file"), "stat of a name that is known");
	CHECK(stat(".", &st) == 0 && S_ISDIR(st.st_mode), "stat of the working directory");
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, held->cwd) == 0, "getcwd");
	CHECK(stat(held->cwd, &st) == 0, "the way from the root to here");
	CHECK(REFUSED(stat("never", &st)), "stat of a name nobody has seen");
	CHECK(statvfs(".", &space) == 0 && space.f_blocks > 0, "statvfs");
}

/* The page was dropped with the lock, and is not given again. */
static void check_mapping(struct held *held)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		volatile char byte;

		signal(SIGBUS, SIG_DFL);
		byte = held->map[0];
		_exit(byte != 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGBUS,
	      "touching a mapping is SIGBUS");
}

void check_locked_answers(struct held *held)
{
	check_what_goes_on(held);
	check_names(held);
	check_handles(held);
	check_attributes(held);
	check_mapping(held);
}
