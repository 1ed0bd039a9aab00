/* The real backing: links and other traps in its directory, and a kernel without openat2. */
#include "backing_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "temp_dir.h"

static void put_traps(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(mkdir(temp_path(dir, "real"), 0700), 0);
	ck_assert_int_eq(close(creat(temp_path(dir, "real/file"), 0600)), 0);
	ck_assert_int_eq(symlink("real", temp_path(dir, "link")), 0);
	ck_assert_int_eq(symlink("real/file", temp_path(dir, "filelink")), 0);
	ck_assert_int_eq(symlink("nowhere", temp_path(dir, "dangling")), 0);
	ck_assert_int_eq(symlink("/", temp_path(dir, "root")), 0);
	ck_assert_int_eq(mkfifo(temp_path(dir, "fifo"), 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", temp_path(dir, "socket"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void count_any(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
}

static void check_traps(struct backing *b)
{
	static const char *const traps[] = {"link/file",      "filelink",	"dangling",
					    "fifo",	      "socket",		"real",
					    "real/file/deep", "root/etc/passwd"};
	int count = 0;

	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		ck_assert_msg(try_open(b, traps[i], 0) == ERR_TAMPERED, "%s", traps[i]);
		ck_assert_msg(try_open(b, traps[i], BACKING_READ_ONLY) == ERR_TAMPERED, "%s",
			      traps[i]);
	}
	ck_assert_int_eq(try_open(b, "dangling", BACKING_CREATE), ERR_EXISTS);
	ck_assert_int_eq(try_open(b, "link/new", BACKING_CREATE), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->rename(b, "real/file", "link/file2"), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->rename(b, "link/file", "real/file2"), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->unlink(b, "link/file"), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->mkdir(b, "link/x"), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->sync_dir(b, "link"), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->list(b, "link", count_any, &count), ERR_TAMPERED);
	ck_assert_int_eq(b->ops->unlink(b, "real/../fifo"), ERR_INVALID);
	ck_assert_int_eq(b->ops->unlink(b, "."), ERR_INVALID);
	ck_assert_int_eq(b->ops->unlink(b, "real//file"), ERR_INVALID);
	ck_assert_int_eq(count, 0);
	ck_assert(exists(b, "real/file"));
}

START_TEST(test_real_traps)
{
	char *dir = temp_dir_new();
	struct backing *b = NULL;

	put_traps(dir);
	ck_assert_ok(backing_real_new(dir, &b));
	check_traps(b);
	backing_free(b);
	temp_dir_free(dir);
}
END_TEST

/* An old kernel, or a container that filters the call: this process sees no openat2. */
static void forbid_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	ck_assert_int_eq(syscall(SYS_openat2, -1, "", NULL, 0), -1);
	ck_assert_int_eq(errno, ENOSYS);
}

START_TEST(test_real_without_openat2)
{
	char *dir = temp_dir_new();
	struct backing *b = NULL;

	forbid_openat2();
	put_traps(dir);
	ck_assert_ok(backing_real_new(dir, &b));
	check_traps(b);
	check_all(b);
	backing_free(b);
	temp_dir_free(dir);
}
END_TEST

UNIT_MAIN("backing real", test_real_traps, test_real_without_openat2)
