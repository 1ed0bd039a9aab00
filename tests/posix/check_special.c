/* Fifos, sockets, devices, locks. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_fifo(void)
{
	char byte = 0;
	int reader, writer;

	MUST(mkfifo("p", 0640) == 0 && S_ISFIFO(stat_of("p").st_mode));
	MUST((stat_of("p").st_mode & 07777) == 0640);
	reader = open("p", O_RDONLY | O_NONBLOCK);
	writer = open("p", O_WRONLY);
	MUST(reader >= 0 && writer >= 0);
	MUST(write(writer, "x", 1) == 1 && read(reader, &byte, 1) == 1 && byte == 'x');
	MUST(unlink("p") == 0);
}

static void check_socket(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);

	MUST(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0);
	MUST(S_ISSOCK(stat_of("s").st_mode) && listen(listener, 1) == 0);
	MUST(connect(client, (const struct sockaddr *)&address, sizeof(address)) == 0);
}

/* They are kept; a mount without devices does not open them. */
static void check_devices(void)
{
	MUST(mknod("c", S_IFCHR | 0600, makedev(1, 3)) == 0);
	MUST(mknod("b", S_IFBLK | 0600, makedev(259, 70000)) == 0);
	MUST(S_ISCHR(stat_of("c").st_mode) && stat_of("c").st_rdev == makedev(1, 3));
	MUST(S_ISBLK(stat_of("b").st_mode) && stat_of("b").st_rdev == makedev(259, 70000));
	MUST(unlink("c") == 0 && unlink("b") == 0);
}

/* What another process sees; 0 or errno. */
static int in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0)
		_exit(run());
	MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_flock(void)
{
	int fd = open("f", O_RDWR);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

static void check_flock(void)
{
	int fd = make_file("f", "x", 1);

	MUST(flock(fd, LOCK_EX) == 0 && in_child(try_flock) == EWOULDBLOCK);
	MUST(flock(fd, LOCK_UN) == 0 && in_child(try_flock) == 0);
	MUST(flock(fd, LOCK_SH) == 0 && in_child(try_flock) == EWOULDBLOCK);
	close(fd);
	MUST(in_child(try_flock) == 0);
}

static int try_fcntl(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
	int fd = open("f", O_RDWR);

	return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno;
}

static void check_fcntl(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
	int fd = make_file("f", "x", 1);

	MUST(fcntl(fd, F_SETLK, &lock) == 0 && in_child(try_fcntl) == EAGAIN);
	lock.l_start = 30;
	lock.l_type = F_RDLCK;
	MUST(fcntl(fd, F_SETLK, &lock) == 0);
	lock.l_start = 10;
	lock.l_type = F_UNLCK;
	MUST(fcntl(fd, F_SETLK, &lock) == 0 && in_child(try_fcntl) == 0);
	lock.l_type = F_WRLCK;
	MUST(fcntl(fd, F_SETLK, &lock) == 0);
	close(open("f", O_RDONLY)); /* POSIX: any close of the file drops them */
	MUST(in_child(try_fcntl) == 0);
}

static int try_description_lock(void)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = open("f", O_RDWR);

	return fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

static void check_description_lock(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = make_file("f", "x", 1);

	MUST(fcntl(fd, F_OFD_SETLK, &lock) == 0);
	close(open("f", O_RDONLY));
	MUST(in_child(try_description_lock) == EAGAIN);
}

const struct check special_checks[] = {
	{"fifos", check_fifo},
	{"sockets", check_socket},
	{"device nodes", check_devices},
	{"flock", check_flock},
	{"fcntl locks", check_fcntl},
	{"open file description locks", check_description_lock},
	{NULL, NULL},
};
