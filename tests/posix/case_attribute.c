/* chmod, chown, utimensat, access, extended attributes: with every kind of argument. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

static const char *const kinds[] = {"f", "d", "s", "p", "missing"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void make_kinds(void)
{
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));

	DO(write(fd, "content", 7));
	close(fd);
	DO(mkdir("d", 0755));
	DO(symlink("f", "s"));
	DO(mkfifo("p", 0644));
}

static void modes(void)
{
	make_kinds();
	for (size_t i = 0; i < KINDS; i++)
		for (unsigned int mode = 0; mode <= 07777; mode += 0135) {
			step(chmod(kinds[i], mode), "chmod %s %o", kinds[i], mode);
			look(kinds[i]);
		}
	DO(fchmodat(AT_FDCWD, "s", 0600, AT_SYMLINK_NOFOLLOW));
	DO(chmod("f", 0170644));
	look("f");
}

static void owners(void)
{
	static const unsigned int ids[] = {0, 1000, (unsigned int)-1, 65534, 4000000000u};

	make_kinds();
	for (size_t i = 0; i < KINDS; i++)
		for (size_t u = 0; u < 5; u++)
			for (size_t g = 0; g < 5; g++) {
				if (chmod(kinds[i], 06755) != 0 && errno != ENOENT)
					note("chmod", "%d", errno);
				step(lchown(kinds[i], ids[u], ids[g]), "lchown %s %u %u", kinds[i], ids[u],
				     ids[g]);
				look(kinds[i]);
				step(chown(kinds[i], ids[g], ids[u]), "chown %s %u %u", kinds[i], ids[g],
				     ids[u]);
				look(kinds[i]);
			}
	/* Without group execution set-gid stays. */
	DO(chmod("f", 06745));
	DO(chown("f", 5, 5));
	look("f");
}

static void note_times(const char *name, struct timespec started)
{
	struct stat st;

	if (lstat(name, &st) != 0) {
		note("times", "%s", strerrorname_np(errno));
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct timespec t = i ? st.st_mtim : st.st_atim;

		if (t.tv_sec >= started.tv_sec - 1 && t.tv_sec <= started.tv_sec + 100)
			note(i ? "mtime" : "atime", "now");
		else
			note(i ? "mtime" : "atime", "%lld.%09ld", (long long)t.tv_sec, t.tv_nsec);
	}
}

static void set_times(void)
{
	static const struct timespec values[] = {{0, UTIME_NOW},      {0, UTIME_OMIT}, {0, 0},
						 {1, 999999999},      {-1, 1},	       {4102444800, 5},
						 {0, 1000000000},     {0, -1},	       {-2147483648, 0},
						 {15032385534, 1},    {7, UTIME_OMIT}, {-9, UTIME_NOW}};
	const size_t count = sizeof(values) / sizeof(values[0]);
	struct timespec started;

	clock_gettime(CLOCK_REALTIME, &started);
	make_kinds();
	for (size_t kind = 0; kind < KINDS; kind++)
		for (size_t a = 0; a < count; a++)
			for (size_t m = 0; m < count; m++) {
				const struct timespec both[2] = {values[a], values[m]};

				if (!is_chosen((unsigned int)((kind * count + a) * count + m)))
					continue;
				step(utimensat(AT_FDCWD, kinds[kind], both, AT_SYMLINK_NOFOLLOW),
				     "utimensat %s %zu %zu", kinds[kind], a, m);
				note_times(kinds[kind], started);
			}
	DO(utimensat(AT_FDCWD, "f", NULL, 0x4000));
	DO(futimens(open("f", O_RDONLY), values + 2));
	DO(futimens(open("f", O_PATH), values + 3));
	note_times("f", started);
}

static void may_access(void)
{
	static const int flags[] = {0, AT_EACCESS, AT_SYMLINK_NOFOLLOW};

	make_kinds();
	for (unsigned int mode = 0; mode <= 0777; mode += 0111) {
		DO(chmod("f", mode));
		DO(chmod("d", mode));
		for (int user = 0; user < 2; user++) {
			act_as(user * 1000u, user * 1000u, 0, NULL);
			for (size_t i = 0; i < KINDS; i++)
				for (int want = 0; want < 8; want++)
					for (int flag = 0; flag < 3; flag++)
						step(faccessat(AT_FDCWD, kinds[i], want, flags[flag]),
						     "access %s %o as %d: %d %d", kinds[i], mode, user, want,
						     flags[flag]);
			act_as_root();
		}
	}
	DO(access("f", 8));
}

/* --- extended attributes --------------------------------------------------------------- */

static void note_list(const char *name)
{
	char names[4096];
	ssize_t len = step(llistxattr(name, names, sizeof(names)), "list %s", name);
	unsigned int sum = 0, count = 0;

	/* In any order. */
	for (char *at = names; len > 0 && at < names + len; at += strlen(at) + 1) {
		unsigned int hash = 5381;

		for (char *c = at; *c; c++)
			hash = hash * 33 + (unsigned char)*c;
		sum += hash;
		count++;
	}
	note("names", "%u, hash %x", count, sum);
}

static void xattr_names(void)
{
	static const char *const names[] = {
		"user.a",     "user.",	"user", "",	       "trusted.a",   "security.a",
		"system.a",   "nothing.a",    "a",    "user.a b\t\377", "security.selinux",
		"system.posix_acl_access", "system.posix_acl_default", "security.capability"};
	char value[64];

	make_kinds();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t kind = 0; kind < KINDS; kind++) {
			const char *k = kinds[kind], *n = names[i];

			step(lsetxattr(k, n, "value", 5, 0), "set %s '%s'", k, n);
			note_list(k);
			step(lgetxattr(k, n, value, sizeof(value)), "get %s '%s'", k, n);
			step(lgetxattr(k, n, value, 2), "get short %s '%s'", k, n);
			step(lsetxattr(k, n, "V", 1, XATTR_CREATE), "create %s '%s'", k, n);
			step(lsetxattr(k, n, "V", 1, XATTR_REPLACE), "replace %s '%s'", k, n);
			step(lsetxattr(k, n, "V", 1, 3), "both %s '%s'", k, n);
			step(lsetxattr(k, n, "V", 1, 4), "unknown flag %s '%s'", k, n);
			step(lsetxattr(k, n, NULL, 0, 0), "empty %s '%s'", k, n);
			step(lgetxattr(k, n, value, sizeof(value)), "get %s '%s'", k, n);
			step(lremovexattr(k, n), "remove %s '%s'", k, n);
			step(lremovexattr(k, n), "remove again %s '%s'", k, n);
			step(lgetxattr(k, n, value, sizeof(value)), "get %s '%s'", k, n);
		}
}

static void xattr_users(void)
{
	char value[16];

	make_kinds();
	DO(setxattr("f", "user.roots", "x", 1, 0));
	DO(setxattr("f", "trusted.roots", "x", 1, 0));
	DO(chmod("f", 0604));
	DO(chmod("d", 01777));
	act_as(1000, 1000, 0, NULL);
	DO(getxattr("f", "user.roots", value, 16));
	DO(setxattr("f", "user.mine", "x", 1, 0));
	DO(removexattr("f", "user.roots"));
	DO(getxattr("f", "trusted.roots", value, 16));
	DO(setxattr("f", "trusted.mine", "x", 1, 0));
	DO(removexattr("f", "trusted.roots"));
	DO(setxattr("f", "security.mine", "x", 1, 0));
	DO(setxattr("d", "user.sticky", "x", 1, 0));
	note_list("f");
	act_as_root();
	DO(chmod("f", 0600));
	act_as(1000, 1000, 0, NULL);
	DO(getxattr("f", "user.roots", value, 16));
	note_list("f");
	act_as_root();
	DO(chown("f", 1000, 1000));
	act_as(1000, 1000, 0, NULL);
	DO(setxattr("f", "user.mine", "x", 1, 0));
	note_list("f");
	DO(removexattr("f", "user.roots"));
	act_as_root();
	note_list("f");
}

/* Up to what ext4 keeps: one block for all of them. */
static void xattr_many(void)
{
	char name[32], value[1024];

	memset(value, 'v', sizeof(value));
	make_kinds();
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "user.number-%d", i);
		step(setxattr("f", name, value, (size_t)i * 3, 0), "set %d", i);
	}
	note_list("f");
	for (int i = 0; i < 30; i += 3) {
		snprintf(name, sizeof(name), "user.number-%d", i);
		step(removexattr("f", name), "remove %d", i);
	}
	note_list("f");
	DO(setxattr("d", "user.large", value, sizeof(value), 0));
	DO(setxattr("d", "user.large", value, 1, 0));
	DO(getxattr("d", "user.large", value, sizeof(value)));
	DO(rename("f", "g"));
	note_list("g");
	DO(link("g", "h"));
	note_list("h");
	DO(unlink("g"));
	note_list("h");
}

/* --- what few file systems have -------------------------------------------------------- */

static void inode_flags(void)
{
	int fd, flags = 0;

	make_kinds();
	fd = OPEN(open("f", O_RDWR));
	DO(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = FS_IMMUTABLE_FL;
	if (DO(ioctl(fd, FS_IOC_SETFLAGS, &flags)) != 0)
		return;
	DO(unlink("f"));
	DO(rename("f", "g"));
	DO(truncate("f", 0));
	DO(link("f", "g"));
	flags = 0;
	DO(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static void birth(void)
{
	struct statx a, b;

	make_kinds();
	DO(statx(AT_FDCWD, "f", 0, STATX_ALL, &a));
	note("birth time", "%d", (a.stx_mask & STATX_BTIME) != 0);
	DO(chmod("f", 0600));
	DO(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC, STATX_ALL, &b));
	note("kept", "%d", a.stx_btime.tv_nsec == b.stx_btime.tv_nsec);
	note("number", "%d", a.stx_ino == b.stx_ino);
	DO(statx(AT_FDCWD, "f", 0, 0x80000000u, &a));
}

const struct check attribute_cases[] = {
	{"attribute: chmod", modes},
	{"attribute: chown", owners},
	{"attribute: utimensat", set_times},
	{"attribute: access", may_access},
	{"attribute: names of extended attributes", xattr_names},
	{"attribute: extended attributes and users", xattr_users},
	{"attribute: many extended attributes", xattr_many},
	{"attribute: inode flags", inode_flags},
	{"attribute: birth time", birth},
	{NULL, NULL},
};
