/* What counts as use of a volume: what is allowed starts the idle clock again, nothing else. */
#include <errno.h>
#include <fcntl.h>

#include "fsops_fixture.h"

#define IDLE_MS  600000
#define PAUSE_MS 100

static const char policy_text[] =
	"[class wards]\n"
	"path = /\n"
	"[role nurses]\n"
	"members = uid:1001\n"
	"allow = edit on wards\n";
#define NURSE    1001
#define STRANGER 1005

static struct world w;
static uint64_t file, handle, directory;

static void with_idle_clock(void)
{
	int error;

	world_new(&w, policy_text);
	fsops_free(w.fsops);
	session_free(w.session);
	ck_assert_ok(session_new(IDLE_MS, &w.session));
	world_unlock(&w);
	w.config.session = w.session;
	world_start_fsops(&w, policy_text);
	handle = world_create(&w, asker(NURSE), STORE_ROOT, "a", O_RDWR, &file);
	ck_assert_uint_ne(handle, 0);
	directory = world_mkdir(&w, NURSE, STORE_ROOT, "d", &error);
	ck_assert_uint_ne(directory, 0);
}

/* Whether the clock started again; `refused` is the errno, or 0. */
static bool counts(enum op op, uid_t uid, int refused)
{
	const struct guard_target target = {
		.number = op == OP_OPENDIR ? directory : file, .handle = handle,
		.dir = STORE_ROOT, .name = op == OP_RMDIR ? "d" : op == OP_UNLINK ? "a" : "new",
		.new_dir = STORE_ROOT, .new_name = "newer", .xattr = "user.x",
		.set = op == OP_SETATTR ? STORE_SET_MTIME : 0};
	struct answer answer = asker(uid);
	struct guard *guard;
	int64_t before, after;

	clock_sleep_ns(PAUSE_MS * NS_PER_MS);
	before = session_idle_left_ms(w.session);
	guard = begin(&w, &answer, op, target);
	after = session_idle_left_ms(w.session);
	if (guard != NULL)
		guard_end_err(guard, ERR_NOT_FOUND);
	ck_assert_int_eq(wait_answer(&answer), refused != 0 ? refused : ENOENT);
	return after > before;
}

START_TEST(test_use_starts_the_clock_again)
{
	static const enum op uses[] = {OP_OPEN,    OP_READ,   OP_WRITE, OP_CREATE,
				       OP_MKDIR,   OP_MKNOD,  OP_SYMLINK, OP_UNLINK,
				       OP_RMDIR,   OP_OPENDIR, OP_SETATTR, OP_LINK};

	with_idle_clock();
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		ck_assert_msg(counts(uses[i], NURSE, 0), "%s", op_row(uses[i])->name);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

START_TEST(test_looking_does_not)
{
	static const enum op looks[] = {OP_LOOKUP, OP_GETATTR, OP_STATFS, OP_LSEEK,
					OP_FLUSH,  OP_FSYNC,   OP_LISTXATTR};

	with_idle_clock();
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		ck_assert_msg(!counts(looks[i], NURSE, 0), "%s", op_row(looks[i])->name);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

/* Or whoever has no role could keep a volume open for ever. */
START_TEST(test_refused_use_does_not)
{
	static const enum op uses[] = {OP_OPEN,   OP_MKDIR, OP_SYMLINK,
				       OP_UNLINK, OP_RMDIR, OP_OPENDIR};

	with_idle_clock();
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		ck_assert_msg(!counts(uses[i], STRANGER, EACCES), "%s", op_row(uses[i])->name);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

UNIT_MAIN("fsops activity", test_use_starts_the_clock_again, test_looking_does_not,
	  test_refused_use_does_not)
