/*
 * Tries everything that a person without a role can try.  Prints the name of
 * each attempt that was not refused, and at the end how many were made.
 *
 *	attack paths MOUNT UID       on MOUNT/secret, as UID, who may do all in MOUNT/open
 *	attack handle FILE A B       A opens FILE; B inherits the descriptor
 *	attack ahead FILE A B        B inherits it, and lets children that end ask for pages
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE  4096
#define TRIES 4000
#define LOOKS 200

static char secret[4096], file[4200], new_name[4200], directory[4200], own[4200], fd_path[64];
static char text[256];
static sigjmp_buf at_fault;
static unsigned int attempts;

/* Looking for leaks needs ptrace, which who has given up his ids may not. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* Not refused: it gave something other than -1, or opened a descriptor. */
static void try(const char *name, long result)
{
	attempts++;
	if (result >= 0)
		printf("%s\n", name);
}
#define TRY(call) try(#call, (long)(call))

static void become(uid_t uid)
{
	if (setresuid(0, 0, 0) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		exit(EXIT_FAILURE);
}

/* Can be somebody else again. */
static void become_for_now(uid_t uid)
{
	if (setresgid(uid, uid, 0) || setresuid(uid, uid, 0))
		exit(EXIT_FAILURE);
}

/* --- by path -------------------------------------------------------------------------- */

static void open_it(void)
{
	TRY(open(file, O_RDONLY));
	TRY(open(file, O_WRONLY));
	TRY(open(file, O_RDWR));
	TRY(open(file, O_RDONLY | O_TRUNC));
	TRY(open(file, O_WRONLY | O_CREAT, 0666));
	TRY(open(file, O_RDONLY | O_DIRECT));
	TRY(open(secret, O_RDONLY | O_DIRECTORY));
	TRY(open(secret, O_TMPFILE | O_RDWR, 0666));
	TRY(readlink(directory, text, sizeof(text)));
}

/* O_PATH asks nobody: whatever is done through it must. */
static void go_around(void)
{
	int path = open(file, O_PATH);

	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", path);
	TRY(open(fd_path, O_RDONLY));
	TRY(truncate(fd_path, 0));
	TRY(chmod(fd_path, 0777));
	TRY(linkat(path, "", AT_FDCWD, own, AT_EMPTY_PATH));
	TRY(linkat(AT_FDCWD, fd_path, AT_FDCWD, own, AT_SYMLINK_FOLLOW));
	close(path);
}

static void move_it(void)
{
	TRY(link(file, own));
	TRY(link(file, new_name));
	TRY(rename(file, own));
	TRY(rename(file, new_name));
	close(open(own, O_CREAT | O_RDWR, 0666));
	TRY(rename(own, new_name));
	TRY(rename(own, file));
	TRY(link(own, new_name));
	TRY(syscall(SYS_renameat2, AT_FDCWD, own, AT_FDCWD, file, 2u /* RENAME_EXCHANGE */));
	TRY(unlink(file));
	TRY(rmdir(directory));
	unlink(own);
}

static void make_new(void)
{
	TRY(open(new_name, O_CREAT | O_RDWR, 0666));
	TRY(mkdir(new_name, 0777));
	TRY(symlink("/etc", new_name));
	TRY(mknod(new_name, S_IFREG | 0666, 0));
	TRY(mkfifo(new_name, 0666));
}

static void change_it(void)
{
	TRY(truncate(file, 0));
	TRY(chmod(file, 0777));
	TRY(lchown(file, getuid(), getgid()));
	TRY(utimensat(AT_FDCWD, file, NULL, 0));
	TRY(setxattr(file, "user.a", "b", 1, 0));
	TRY(setxattr(file, "trusted.a", "b", 1, 0));
	TRY(setxattr(file, "security.capability", "b", 1, 0));
	TRY(getxattr(file, "user.a", text, sizeof(text)));
	TRY(listxattr(file, text, sizeof(text)));
	TRY(removexattr(file, "user.a"));
}

static void attack_paths(const char *mount, uid_t uid)
{
	snprintf(secret, sizeof(secret), "%s/secret", mount);
	snprintf(file, sizeof(file), "%s/file", secret);
	snprintf(directory, sizeof(directory), "%s/dir", secret);
	snprintf(new_name, sizeof(new_name), "%s/new", secret);
	snprintf(own, sizeof(own), "%s/open/own", mount);
	become(uid);
	open_it();
	go_around();
	move_it();
	make_new();
	change_it();
}

/* --- by an inherited descriptor ----------------------------------------------------------- */

static void on_fault(int number)
{
	(void)number;
	siglongjmp(at_fault, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

static long touch(char *map, bool is_write)
{
	if (sigsetjmp(at_fault, 1))
		return -1;
	if (is_write)
		*(volatile char *)map = 'x';
	return *(volatile char *)map;
}

static long submit(int fd)
{
	struct iocb block = {.aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD,
			     .aio_buf = (uintptr_t)text, .aio_nbytes = 16};
	struct iocb *list = &block;
	struct io_event event = {.res = -1};
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
		return -1;
	syscall(SYS_io_destroy, context);
	return (long)event.res;
}

static void attack_handle(int fd)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int null = open("/dev/null", O_WRONLY), ends[2];
	off_t at = 0;

	if (map == MAP_FAILED || pipe(ends))
		exit(EXIT_FAILURE);
	catch_faults();
	TRY(pread(fd, text, 16, 0));
	TRY(touch(map, false));
	TRY(touch(map, true));
	TRY(sendfile(null, fd, &at, 16));
	TRY(splice(fd, NULL, ends[1], NULL, 16, 0));
	TRY(copy_file_range(fd, NULL, fd, &(loff_t){PAGE}, 16, 0));
	TRY(submit(fd));
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(pwrite(fd, "x", 1, 0));
	TRY(ftruncate(fd, 1));
	TRY(fallocate(fd, 0, 0, 10));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
	TRY(fchmod(fd, 0777));
	TRY(futimens(fd, NULL));
	TRY(fsetxattr(fd, "user.a", "b", 1, 0));
	TRY(fgetxattr(fd, "user.a", text, sizeof(text)));
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fd);
	TRY(open(fd_path, O_RDONLY));
}

/* Whoever asked is gone: whose would the pages be? */
static void attack_ahead(int fd)
{
	char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char resident = 0;
	long seen = -1;

	if (map == MAP_FAILED)
		exit(EXIT_FAILURE);
	catch_faults();
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < TRIES && seen < 0; i++) {
		pid_t child;

		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		child = fork();
		if (child == 0) {
			posix_fadvise(fd, 0, PAGE, POSIX_FADV_WILLNEED);
			_exit(0);
		}
		/* Ends with it: nobody waits for children that are ignored. */
		waitpid(child, NULL, 0);
		/* A touch that is refused would leave the page as one that cannot be read. */
		for (int j = 0; j < LOOKS && !(resident & 1); j++)
			if (mincore(map, PAGE, &resident))
				exit(EXIT_FAILURE);
		if (resident & 1)
			seen = touch(map, false);
		resident = 0;
	}
	try("a page that a child asked for", seen);
}

static int inherit(const char *path, uid_t opener, uid_t heir, void (*attack)(int fd))
{
	int fd, status;
	pid_t child;

	become_for_now(opener);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return EXIT_FAILURE;
	child = fork();
	if (child == 0) {
		become(heir);
		attack(fd);
		printf("%u attempts\n", attempts);
		exit(EXIT_SUCCESS);
	}
	return waitpid(child, &status, 0) == child && status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "paths") == 0) {
		attack_paths(argv[2], (uid_t)atoi(argv[3]));
		printf("%u attempts\n", attempts);
		return EXIT_SUCCESS;
	}
	if (argc != 5)
		return 2;
	return inherit(argv[2], (uid_t)atoi(argv[3]), (uid_t)atoi(argv[4]),
		       strcmp(argv[1], "ahead") == 0 ? attack_ahead : attack_handle);
}
