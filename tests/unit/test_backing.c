/* The three backings: what all promise, and what each is for. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/backing.h"
#include "temp_dir.h"

static uint64_t random_state = 88172645463325252ull;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* --- shorter calls ------------------------------------------------------------ */

static int make(struct backing *b, const char *path)
{
	int file = -1;

	ck_assert_ok(b->ops->open(b, path, BACKING_CREATE, &file));
	return file;
}

static int get(struct backing *b, const char *path)
{
	int file = -1;

	ck_assert_ok(b->ops->open(b, path, 0, &file));
	return file;
}

static enum err try_open(struct backing *b, const char *path, int flags)
{
	int file;
	enum err err = b->ops->open(b, path, flags, &file);

	if (err == ERR_OK)
		b->ops->close(b, file);
	return err;
}

static bool exists(struct backing *b, const char *path)
{
	enum err err = try_open(b, path, BACKING_READ_ONLY);

	ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
	return err == ERR_OK;
}

static void fill(struct backing *b, int file, uint8_t value, size_t len, uint64_t offset)
{
	uint8_t data[65536];

	ck_assert_uint_le(len, sizeof(data));
	memset(data, value, len);
	ck_assert_ok(b->ops->pwrite(b, file, data, len, offset));
}

static uint8_t byte_at(struct backing *b, int file, uint64_t offset)
{
	uint8_t byte;

	ck_assert_ok(b->ops->pread(b, file, &byte, 1, offset));
	return byte;
}

static uint64_t size_of(struct backing *b, int file)
{
	uint64_t size = 0;

	ck_assert_ok(b->ops->size(b, file, &size));
	return size;
}

/* --- what every backing does --------------------------------------------------- */

static void check_names(struct backing *b)
{
	int file = make(b, "a");

	b->ops->close(b, file);
	ck_assert_int_eq(try_open(b, "a", BACKING_CREATE), ERR_EXISTS);
	ck_assert_int_eq(try_open(b, "b", 0), ERR_NOT_FOUND);
	ck_assert_int_eq(try_open(b, "objects/x", BACKING_CREATE), ERR_NOT_FOUND);
	ck_assert_ok(b->ops->mkdir(b, "objects"));
	ck_assert_int_eq(b->ops->mkdir(b, "objects"), ERR_EXISTS);
	ck_assert_ok(b->ops->mkdir(b, "objects/new"));
	ck_assert_ok(b->ops->rename(b, "a", "objects/new/a"));
	ck_assert(!exists(b, "a"));
	file = make(b, "objects/b");
	fill(b, file, 7, 1, 0);
	ck_assert_ok(b->ops->rename(b, "objects/b", "objects/new/a"));
	ck_assert_uint_eq(byte_at(b, file, 0), 7);
	b->ops->close(b, file);
	file = get(b, "objects/new/a");
	ck_assert_ok(b->ops->unlink(b, "objects/new/a"));
	ck_assert_uint_eq(byte_at(b, file, 0), 7);
	b->ops->close(b, file);
	ck_assert(!exists(b, "objects/new/a"));
	ck_assert_int_eq(b->ops->unlink(b, "objects/new/a"), ERR_NOT_FOUND);
	ck_assert_int_eq(b->ops->rename(b, "none", "objects/x"), ERR_NOT_FOUND);
	ck_assert_int_ne(b->ops->unlink(b, "objects"), ERR_OK);
	ck_assert_int_eq(try_open(b, "objects", 0), ERR_TAMPERED);
	ck_assert_int_eq(try_open(b, "objects", BACKING_READ_ONLY), ERR_TAMPERED);
	ck_assert_int_eq(try_open(b, "../x", BACKING_CREATE), ERR_INVALID);
	ck_assert_int_eq(try_open(b, "/x", BACKING_CREATE), ERR_INVALID);
	ck_assert_int_eq(try_open(b, "", 0), ERR_INVALID);
	ck_assert_ok(b->ops->sync_dir(b, "."));
	ck_assert_ok(b->ops->sync_dir(b, "objects/new"));
	ck_assert_int_eq(b->ops->sync_dir(b, "objects/old"), ERR_NOT_FOUND);
	ck_assert_ok(b->ops->sync_all(b));
}

static void check_content(struct backing *b)
{
	uint8_t data[3 * 4096];
	int file = make(b, "content");

	memset(data, 0xee, sizeof(data));
	ck_assert_ok(b->ops->pread(b, file, data, sizeof(data), 100));
	for (size_t i = 0; i < sizeof(data); i++)
		ck_assert_uint_eq(data[i], 0);
	fill(b, file, 5, 10000, 1000);
	ck_assert_uint_eq(size_of(b, file), 11000);
	ck_assert_uint_eq(byte_at(b, file, 999), 0);
	ck_assert_uint_eq(byte_at(b, file, 1000), 5);
	memset(data, 0xee, sizeof(data));
	ck_assert_ok(b->ops->pread(b, file, data, sizeof(data), 10000));
	ck_assert_uint_eq(data[999], 5);
	ck_assert_uint_eq(data[1000], 0);
	ck_assert_uint_eq(data[sizeof(data) - 1], 0);
	ck_assert_ok(b->ops->punch(b, file, 4096, 4096));
	ck_assert_uint_eq(byte_at(b, file, 4095), 5);
	ck_assert_uint_eq(byte_at(b, file, 4096), 0);
	ck_assert_uint_eq(byte_at(b, file, 8191), 0);
	ck_assert_uint_eq(byte_at(b, file, 8192), 5);
	ck_assert_uint_eq(size_of(b, file), 11000);
	ck_assert_ok(b->ops->truncate(b, file, 2000));
	ck_assert_ok(b->ops->truncate(b, file, 1ull << 40));
	ck_assert_uint_eq(byte_at(b, file, 1999), 5);
	ck_assert_uint_eq(byte_at(b, file, 2000), 0);
	ck_assert_uint_eq(byte_at(b, file, 10000), 0);
	ck_assert_uint_eq(size_of(b, file), 1ull << 40);
	ck_assert_ok(b->ops->fdatasync(b, file));
	ck_assert_int_eq(b->ops->pread(b, file, data, 2, UINT64_MAX), ERR_TOO_LARGE);
	ck_assert_int_eq(b->ops->pwrite(b, file, data, 2, UINT64_MAX - 1), ERR_TOO_LARGE);
	ck_assert_int_eq(b->ops->truncate(b, file, UINT64_MAX), ERR_TOO_LARGE);
	ck_assert_int_eq(b->ops->punch(b, file, 1, UINT64_MAX), ERR_TOO_LARGE);
	b->ops->close(b, file);
	ck_assert_ok(b->ops->open(b, "content", BACKING_READ_ONLY, &file));
	ck_assert_int_ne(b->ops->pwrite(b, file, data, 1, 0), ERR_OK);
	b->ops->close(b, file);
}

static void count_name(void *ctx, const char *name)
{
	unsigned int *seen = ctx;
	unsigned int number = 99;

	ck_assert_int_eq(sscanf(name, "n%u", &number), 1);
	ck_assert_uint_lt(number, 20);
	*seen += 1u << number;
}

static void check_list(struct backing *b)
{
	unsigned int seen = 0;
	char path[32];

	ck_assert_ok(b->ops->mkdir(b, "list"));
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "list/n%d", i);
		b->ops->close(b, make(b, path));
	}
	ck_assert_ok(b->ops->unlink(b, "list/n3"));
	ck_assert_ok(b->ops->list(b, "list", count_name, &seen));
	ck_assert_uint_eq(seen, 0xfffffu & ~8u);
	ck_assert_int_eq(b->ops->list(b, "none", count_name, &seen), ERR_NOT_FOUND);
}

static void check_all(struct backing *b)
{
	struct backing_space space;

	check_names(b);
	check_content(b);
	check_list(b);
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_gt(space.total_bytes, 0);
	ck_assert_uint_le(space.free_bytes, space.total_bytes);
}

/* --- real ------------------------------------------------------------------------- */

START_TEST(test_real)
{
	char *dir = temp_dir_new();
	struct backing *b = NULL;
	struct stat st;

	ck_assert_int_eq(backing_real_new("/nonexistent", &b), ERR_NOT_FOUND);
	ck_assert_ok(backing_real_new(dir, &b));
	check_all(b);
	ck_assert_int_eq(stat(temp_path(dir, "content"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(stat(temp_path(dir, "objects"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0700);
	backing_free(b);
	temp_dir_free(dir);
}
END_TEST

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

/* --- fault -------------------------------------------------------------------------- */

static struct backing *fault_on_sim(void)
{
	struct backing *sim, *fault;

	ck_assert_ok(backing_sim_new(&sim));
	ck_assert_ok(backing_fault_new(sim, &fault));
	return fault;
}

START_TEST(test_fault)
{
	struct backing *b = fault_on_sim();
	uint8_t data[1024];
	int file;

	check_all(b);
	memset(data, 9, sizeof(data));
	file = make(b, "f");
	backing_fault_arm(b, 2, ERR_IO, false);
	fill(b, file, 1, 1024, 0);
	ck_assert_int_eq(b->ops->pwrite(b, file, data, sizeof(data), 0), ERR_IO);
	ck_assert_uint_eq(byte_at(b, file, 511), 9);
	ck_assert_uint_eq(byte_at(b, file, 512), 1);
	ck_assert_ok(b->ops->fdatasync(b, file));

	backing_fault_arm(b, 1, ERR_FULL, true);
	ck_assert_uint_eq(byte_at(b, file, 0), 9);
	ck_assert_int_eq(b->ops->fdatasync(b, file), ERR_FULL);
	ck_assert_int_eq(b->ops->truncate(b, file, 0), ERR_FULL);
	ck_assert_int_eq(b->ops->punch(b, file, 0, 1), ERR_FULL);
	ck_assert_int_eq(b->ops->rename(b, "f", "g"), ERR_FULL);
	ck_assert_int_eq(b->ops->unlink(b, "f"), ERR_FULL);
	ck_assert_int_eq(b->ops->mkdir(b, "d"), ERR_FULL);
	ck_assert_int_eq(b->ops->sync_dir(b, "."), ERR_FULL);
	ck_assert_int_eq(b->ops->sync_all(b), ERR_FULL);
	ck_assert_int_eq(try_open(b, "h", BACKING_CREATE), ERR_FULL);
	ck_assert_ok(try_open(b, "f", 0));
	backing_fault_arm(b, 0, ERR_OK, false);
	ck_assert_ok(b->ops->rename(b, "f", "g"));
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

START_TEST(test_fault_kill)
{
	struct backing *b = fault_on_sim();
	uint64_t calls = backing_fault_calls(b);
	int status;
	pid_t child;

	b->ops->close(b, make(b, "f"));
	ck_assert_uint_eq(backing_fault_calls(b), calls + 1);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		backing_fault_arm_kill(b, 2);
		if (b->ops->sync_dir(b, ".") != ERR_OK)
			_exit(2);
		if (b->ops->sync_dir(b, ".") != ERR_OK)
			_exit(3);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	backing_free(b);
}
END_TEST

/* --- simulated disk ------------------------------------------------------------------- */

#define SEEDS 3000

static struct backing *sim_new(void)
{
	struct backing *b;

	ck_assert_ok(backing_sim_new(&b));
	return b;
}

static struct backing *crash(struct backing *b, uint64_t choice)
{
	struct backing *after = NULL;

	ck_assert_ok(backing_sim_crash(b, choice, &after));
	ck_assert_uint_eq(backing_sim_pending(after), 0);
	return after;
}

START_TEST(test_sim)
{
	struct backing *b = sim_new();

	check_all(b);
	backing_free(b);
}
END_TEST

/* A file `path` of `len` bytes of `value`, durable with its name. */
static int durable_file(struct backing *b, const char *path, uint8_t value, size_t len)
{
	int file = make(b, path);

	fill(b, file, value, len, 0);
	ck_assert_ok(b->ops->sync_all(b));
	ck_assert_uint_eq(backing_sim_pending(b), 0);
	return file;
}

START_TEST(test_sim_sectors)
{
	struct backing *b = sim_new(), *after;
	int file = durable_file(b, "f", 1, 8192);
	unsigned int seen[3] = {0}, torn = 0, lost_one = 0, kept_one = 0;

	fill(b, file, 2, 8192, 0);
	fill(b, file, 3, 512, 1024);
	ck_assert_uint_eq(backing_sim_pending(b), 16);
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		unsigned int newest = 0;
		int copy;

		after = crash(b, choice);
		copy = get(after, "f");
		ck_assert_uint_eq(size_of(after, copy), 8192);
		for (uint64_t sector = 0; sector < 16; sector++) {
			uint8_t value = byte_at(after, copy, sector * 512);

			ck_assert_uint_eq(byte_at(after, copy, sector * 512 + 511), value);
			ck_assert(value == 1 || value == 2 || (value == 3 && sector == 2));
			newest += value == (sector == 2 ? 3 : 2);
			if (sector == 2)
				seen[value - 1]++;
		}
		ck_assert(choice != 0 || newest == 0);
		ck_assert(choice != 1 || newest == 16);
		torn += newest > 0 && newest < 16;
		lost_one += newest == 15;
		kept_one += newest == 1;
		after->ops->close(after, copy);
		backing_free(after);
	}
	ck_assert(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
	ck_assert(torn > 0 && lost_one > 0 && kept_one > 0);
	ck_assert_uint_eq(byte_at(b, file, 0), 2);
	ck_assert_uint_eq(byte_at(b, file, 1024), 3);
	ck_assert_ok(b->ops->fdatasync(b, file));
	after = crash(b, 0);
	b->ops->close(b, file);
	file = get(after, "f");
	ck_assert_uint_eq(byte_at(after, file, 0), 2);
	ck_assert_uint_eq(byte_at(after, file, 1024), 3);
	after->ops->close(after, file);
	backing_free(after);
	backing_free(b);
}
END_TEST

START_TEST(test_sim_sizes)
{
	struct backing *b = sim_new(), *after;
	int file = durable_file(b, "f", 1, 4096);
	unsigned int small = 0, large = 0, empty = 0;

	ck_assert_ok(b->ops->truncate(b, file, 0));
	fill(b, file, 2, 8192, 0);
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		uint64_t size;
		int copy;

		after = crash(b, choice);
		copy = get(after, "f");
		size = size_of(after, copy);
		small += size == 4096;
		large += size == 8192;
		empty += size == 0;
		/* Nothing shines through behind the end. */
		ck_assert_ok(after->ops->truncate(after, copy, 8192));
		for (uint64_t at = size; at < 8192; at += 512)
			ck_assert_uint_eq(byte_at(after, copy, at), 0);
		after->ops->close(after, copy);
		backing_free(after);
	}
	ck_assert(small > 0 && large > 0 && empty > 0);
	ck_assert_uint_eq(small + large + empty, SEEDS);
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

/* Content and name become durable each on its own. */
START_TEST(test_sim_names)
{
	struct backing *b = sim_new(), *after;
	int file;

	ck_assert_ok(b->ops->mkdir(b, "d"));
	file = make(b, "d/f");
	fill(b, file, 1, 512, 0);
	ck_assert_ok(b->ops->fdatasync(b, file));
	after = crash(b, 0);
	ck_assert(!exists(after, "d/f"));
	backing_free(after);
	after = crash(b, 1);
	ck_assert(exists(after, "d/f"));
	backing_free(after);
	/* The name in d needs d itself. */
	ck_assert_ok(b->ops->sync_dir(b, "d"));
	fill(b, file, 2, 512, 0);
	after = crash(b, 0);
	b->ops->close(b, file);
	file = get(after, "d/f");
	ck_assert_uint_eq(byte_at(after, file, 0), 1);
	after->ops->close(after, file);
	backing_free(after);

	ck_assert_ok(b->ops->unlink(b, "d/f"));
	b->ops->close(b, make(b, "d/f"));
	after = crash(b, 0);
	file = get(after, "d/f");
	ck_assert_uint_eq(size_of(after, file), 512);
	after->ops->close(after, file);
	backing_free(after);
	ck_assert_ok(b->ops->sync_dir(b, "."));
	after = crash(b, 0);
	file = get(after, "d/f");
	ck_assert_uint_eq(size_of(after, file), 512);
	after->ops->close(after, file);
	backing_free(after);
	ck_assert_ok(b->ops->sync_dir(b, "d"));
	after = crash(b, 0);
	file = get(after, "d/f");
	ck_assert_uint_eq(size_of(after, file), 0);
	after->ops->close(after, file);
	backing_free(after);
	backing_free(b);
}
END_TEST

/* How often each combination {old name, new name} is found. */
static void rename_outcomes(bool in_two, unsigned int outcomes[4])
{
	struct backing *b = sim_new();

	backing_sim_rename_in_two(b, in_two);
	ck_assert_ok(b->ops->mkdir(b, "new"));
	ck_assert_ok(b->ops->mkdir(b, "00"));
	b->ops->close(b, durable_file(b, "new/x", 1, 512));
	ck_assert_ok(b->ops->rename(b, "new/x", "00/x"));
	memset(outcomes, 0, 4 * sizeof(*outcomes));
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		struct backing *after = crash(b, choice);

		outcomes[exists(after, "new/x") + 2 * exists(after, "00/x")]++;
		backing_free(after);
	}
	ck_assert_ok(b->ops->sync_dir(b, "00"));
	for (uint64_t choice = 0; choice < 100; choice++) {
		struct backing *after = crash(b, choice);

		ck_assert(exists(after, "00/x"));
		backing_free(after);
	}
	backing_free(b);
}

START_TEST(test_sim_rename)
{
	unsigned int outcomes[4];

	rename_outcomes(false, outcomes);
	ck_assert_uint_eq(outcomes[0], 0);
	ck_assert_uint_gt(outcomes[1], 0);
	ck_assert_uint_gt(outcomes[2], 0);
	ck_assert_uint_eq(outcomes[3], 0);
	rename_outcomes(true, outcomes);
	ck_assert_uint_eq(outcomes[0], 0);
	ck_assert_uint_gt(outcomes[1], 0);
	ck_assert_uint_gt(outcomes[2], 0);
	ck_assert_uint_gt(outcomes[3], 0);
}
END_TEST

/* Two new names are lost and kept independently. */
START_TEST(test_sim_names_independent)
{
	struct backing *b = sim_new();
	unsigned int outcomes[4] = {0};

	b->ops->close(b, make(b, "a"));
	b->ops->close(b, make(b, "b"));
	for (uint64_t choice = 0; choice < SEEDS; choice++) {
		struct backing *after = crash(b, choice);

		outcomes[exists(after, "a") + 2 * exists(after, "b")]++;
		backing_free(after);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_uint_gt(outcomes[i], 0);
	backing_free(b);
}
END_TEST

struct intruder {
	struct backing *b;
	int file;
	unsigned int calls;
};

/* Plays another thread: it writes while somebody's fdatasync is under way. */
static void write_meanwhile(void *ctx)
{
	struct intruder *intruder = ctx;

	intruder->calls++;
	backing_sim_set_hook(intruder->b, NULL, NULL);
	fill(intruder->b, intruder->file, 3, 512, 512);
	intruder->b->ops->close(intruder->b, make(intruder->b, "late"));
}

START_TEST(test_sim_sync_window)
{
	struct backing *b = sim_new(), *after;
	struct intruder intruder = {.b = b, .file = durable_file(b, "f", 1, 1024)};
	uint64_t calls = backing_sim_calls(b);
	int copy;

	fill(b, intruder.file, 2, 1024, 0);
	backing_sim_set_hook(b, write_meanwhile, &intruder);
	ck_assert_ok(b->ops->fdatasync(b, intruder.file));
	ck_assert_uint_eq(backing_sim_calls(b), calls + 4);
	ck_assert_uint_eq(intruder.calls, 1);
	after = crash(b, 0);
	copy = get(after, "f");
	ck_assert_uint_eq(byte_at(after, copy, 0), 2);
	ck_assert_uint_eq(byte_at(after, copy, 512), 2);
	after->ops->close(after, copy);
	backing_free(after);
	ck_assert_ok(b->ops->unlink(b, "late"));
	backing_sim_set_hook(b, write_meanwhile, &intruder);
	ck_assert_ok(b->ops->sync_dir(b, "."));
	after = crash(b, 0);
	ck_assert(!exists(after, "late"));
	backing_free(after);
	b->ops->close(b, intruder.file);
	backing_free(b);
}
END_TEST

START_TEST(test_sim_full)
{
	struct backing *b = sim_new();
	struct backing_space space;
	uint8_t data[4096] = {1};
	int file = make(b, "f");

	backing_sim_set_space(b, 8192, 2);
	fill(b, file, 1, 8192, 0);
	ck_assert_int_eq(b->ops->pwrite(b, file, data, 1, 8192), ERR_FULL);
	ck_assert_ok(b->ops->pwrite(b, file, data, 4096, 4096));
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_eq(space.free_bytes, 0);
	ck_assert_uint_eq(space.free_inodes, 1);
	b->ops->close(b, make(b, "g"));
	ck_assert_int_eq(try_open(b, "h", BACKING_CREATE), ERR_FULL);
	ck_assert_ok(b->ops->truncate(b, file, 100));
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_eq(space.free_bytes, 8092);
	/* A removed file's room comes back when it cannot return any more. */
	ck_assert_ok(b->ops->unlink(b, "f"));
	b->ops->close(b, file);
	ck_assert_ok(b->ops->sync_all(b));
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_eq(space.free_bytes, 8192);
	ck_assert_uint_eq(space.free_inodes, 1);
	backing_free(b);
}
END_TEST

/* --- against a naive model of one file ----------------------------------------------- */

#define MODEL_SECTORS  24
#define MODEL_VERSIONS 64

/* Values each sector may have after a crash; the last is the newest. */
struct model {
	uint8_t values[MODEL_SECTORS][MODEL_VERSIONS];
	size_t count[MODEL_SECTORS];
};

static void model_write(struct model *model, struct backing *b, int file)
{
	uint8_t data[8 * 512];
	size_t first = draw() % MODEL_SECTORS;
	size_t count = 1 + draw() % 8;

	if (count > MODEL_SECTORS - first)
		count = MODEL_SECTORS - first;
	for (size_t i = 0; i < count; i++) {
		uint8_t value = (uint8_t)(draw() % 4);

		memset(data + i * 512, value, 512);
		if (model->count[first + i] < MODEL_VERSIONS)
			model->values[first + i][model->count[first + i]++] = value;
		else
			model->values[first + i][MODEL_VERSIONS - 1] = value;
	}
	ck_assert_ok(b->ops->pwrite(b, file, data, count * 512, first * 512));
}

static void model_sync(struct model *model)
{
	for (size_t i = 0; i < MODEL_SECTORS; i++) {
		model->values[i][0] = model->values[i][model->count[i] - 1];
		model->count[i] = 1;
	}
}

static void model_check(const struct model *model, struct backing *b, uint64_t choice)
{
	struct backing *after = crash(b, choice);
	uint8_t data[MODEL_SECTORS * 512];
	int file = get(after, "f");

	ck_assert_ok(after->ops->pread(after, file, data, sizeof(data), 0));
	for (size_t i = 0; i < MODEL_SECTORS; i++) {
		const uint8_t *values = model->values[i];
		size_t count = model->count[i];

		ck_assert_ptr_nonnull(memchr(values, data[i * 512], count));
		ck_assert(choice != 0 || data[i * 512] == values[0]);
		ck_assert(choice != 1 || data[i * 512] == values[count - 1]);
	}
	after->ops->close(after, file);
	backing_free(after);
}

START_TEST(test_sim_model)
{
	struct backing *b = sim_new();
	struct model model;
	int file = durable_file(b, "f", 0, MODEL_SECTORS * 512);

	memset(&model, 0, sizeof(model));
	for (size_t i = 0; i < MODEL_SECTORS; i++)
		model.count[i] = 1;
	for (int step = 0; step < 5000; step++) {
		if (draw() % 40 == 0) {
			ck_assert_ok(b->ops->fdatasync(b, file));
			model_sync(&model);
		} else {
			model_write(&model, b, file);
		}
		model_check(&model, b, 0);
		model_check(&model, b, 1);
		model_check(&model, b, draw());
	}
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

/* A journal of zeroes costs nothing, and a crash of a small volume little. */
START_TEST(test_sim_sparse)
{
	static uint8_t zeroes[1 << 20];
	struct backing *b = sim_new();
	int file = make(b, "journal");
	char path[32];

	for (uint64_t i = 0; i < 128; i++)
		ck_assert_ok(b->ops->pwrite(b, file, zeroes, sizeof(zeroes), i << 20));
	ck_assert_uint_eq(size_of(b, file), 128u << 20);
	ck_assert_uint_eq(backing_sim_pending(b), 2);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "%d", i);
		b->ops->close(b, durable_file(b, path, 1, 8192));
	}
	fill(b, file, 7, 65536, 1 << 20);
	for (uint64_t choice = 2; choice < 2000; choice++)
		backing_free(crash(b, choice));
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

UNIT_MAIN("backing", test_real, test_real_traps, test_real_without_openat2, test_fault,
	  test_fault_kill, test_sim, test_sim_sectors, test_sim_sizes, test_sim_names,
	  test_sim_rename, test_sim_names_independent, test_sim_sync_window, test_sim_full,
	  test_sim_model, test_sim_sparse)
