/* Modes, owners, times, extended attributes. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static unsigned int mode_of(const char *name)
{
	return stat_of(name).st_mode & 07777;
}

static void check_chmod(void)
{
	int fd = make_file("f", "x", 1);

	MUST(chmod("f", 0755) == 0 && mode_of("f") == 0755);
	MUST(fchmod(fd, 04751) == 0 && mode_of("f") == 04751);
	MUST(chmod("f", 0) == 0 && mode_of("f") == 0 && stat_of("f").st_size == 1);
	MUST(mkdir("d", 0755) == 0 && chmod("d", 03770) == 0 && mode_of("d") == 03770);
	MUST(S_ISDIR(stat_of("d").st_mode));
}

static void check_chown(void)
{
	int fd = make_file("f", "x", 1);

	MUST(chown("f", 1000, 1001) == 0);
	MUST(stat_of("f").st_uid == 1000 && stat_of("f").st_gid == 1001);
	MUST(fchown(fd, (uid_t)-1, 7) == 0);
	MUST(stat_of("f").st_uid == 1000 && stat_of("f").st_gid == 7);
	MUST(symlink("f", "s") == 0 && lchown("s", 5, 6) == 0);
	MUST(stat_of("s").st_uid == 5 && stat_of("f").st_uid == 1000);
}

static void try_as_other(void)
{
	MUST_FAIL(chmod("mine", 0777), EPERM);
	MUST_FAIL(chown("mine", 1001, 1001), EPERM);
	MUST_FAIL(open("mine", O_RDONLY), EACCES);
	MUST_FAIL(open("new", O_RDWR | O_CREAT, 0644), EACCES);
	MUST_FAIL(unlink("mine"), EACCES);
	MUST_FAIL(rename("mine", "stolen"), EACCES);
	MUST_FAIL(utimensat(AT_FDCWD, "mine", NULL, 0), EACCES);
	MUST(open("readable", O_RDONLY) >= 0);
	MUST_FAIL(open("readable", O_WRONLY), EACCES);
	MUST_FAIL(open("readable", O_RDONLY | O_TRUNC), EACCES);
	MUST_FAIL(truncate("readable", 0), EACCES);
	MUST_FAIL(open("closed/f", O_RDONLY), EACCES);
}

static void check_permissions(void)
{
	close(make_file("mine", "x", 1));
	close(make_file("readable", "x", 1));
	MUST(chmod("mine", 0600) == 0 && mkdir("closed", 0700) == 0);
	close(make_file("closed/f", "x", 1));
	as_user(1001, 1001, try_as_other);
}

static void delete_in_sticky(void)
{
	MUST_FAIL(unlink("sticky/roots"), EPERM);
	MUST_FAIL(rename("sticky/roots", "sticky/x"), EPERM);
	close(make_file("sticky/own", "x", 1));
	MUST(unlink("sticky/own") == 0);
}

static void check_sticky(void)
{
	MUST(mkdir("sticky", 0755) == 0 && chmod("sticky", 01777) == 0);
	close(make_file("sticky/roots", "x", 1));
	as_user(1001, 1001, delete_in_sticky);
}

static void make_in_setgid(void)
{
	close(make_file("shared/f", "x", 1));
	MUST(mkdir("shared/d", 0755) == 0 && symlink("x", "shared/s") == 0);
	MUST(mkfifo("shared/p", 0644) == 0);
}

static void check_setgid_directory(void)
{
	MUST(mkdir("shared", 0755) == 0 && chown("shared", 0, 1234) == 0);
	MUST(chmod("shared", 02777) == 0);
	as_user(1001, 1001, make_in_setgid);
	MUST(stat_of("shared/f").st_gid == 1234 && stat_of("shared/f").st_uid == 1001);
	MUST(mode_of("shared/f") == 0644);
	MUST(stat_of("shared/d").st_gid == 1234 && mode_of("shared/d") == 02755);
	MUST(stat_of("shared/s").st_gid == 1234 && stat_of("shared/p").st_gid == 1234);
}

/* Who may not keep them loses the set-id bits with the change. */
static void change_set_id_files(void)
{
	int fd = open("written", O_WRONLY);

	MUST(fd >= 0 && write(fd, "y", 1) == 1 && mode_of("written") == 0777);
	MUST(truncate("cut", 0) == 0 && mode_of("cut") == 0777);
	MUST(open("opened", O_WRONLY | O_TRUNC) >= 0 && mode_of("opened") == 0777);
}

static void check_set_id(void)
{
	static const char *const names[] = {"written", "cut", "opened", "given"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		close(make_file(names[i], "x", 1));
		MUST(chmod(names[i], 06777) == 0);
	}
	as_user(1001, 1001, change_set_id_files);
	MUST(chown("given", 1000, 1000) == 0 && mode_of("given") == 0777);
}

static bool is_time(struct timespec t, time_t seconds, long ns)
{
	return t.tv_sec == seconds && t.tv_nsec == ns;
}

static void check_utimens(void)
{
	struct timespec times[2] = {{1234567890, 123456789}, {-5, 999999999}};
	int fd = make_file("f", "x", 1);

	MUST(utimensat(AT_FDCWD, "f", times, 0) == 0);
	MUST(is_time(stat_of("f").st_atim, 1234567890, 123456789));
	MUST(is_time(stat_of("f").st_mtim, -5, 999999999));
	times[0].tv_nsec = UTIME_OMIT;
	times[1] = (struct timespec){5000000000, 1};
	MUST(futimens(fd, times) == 0);
	MUST(is_time(stat_of("f").st_atim, 1234567890, 123456789));
	MUST(is_time(stat_of("f").st_mtim, 5000000000, 1));
	MUST(symlink("nowhere", "s") == 0);
	times[0] = (struct timespec){7, 8};
	MUST(utimensat(AT_FDCWD, "s", times, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(is_time(stat_of("s").st_atim, 7, 8));
}

static bool is_now(struct timespec t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return t.tv_sec >= now.tv_sec - 5 && t.tv_sec <= now.tv_sec + 1;
}

/* Each change moves the times it has to, and no other. */
static void check_times(void)
{
	const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	int fd = make_file("f", "x", 1);

	MUST(mkdir("d", 0755) == 0 && is_now(stat_of("d").st_mtim));
	MUST(is_now(stat_of("f").st_mtim) && is_now(stat_of("f").st_ctim));
	MUST(futimens(fd, old) == 0 && is_now(stat_of("f").st_ctim));
	MUST(fchmod(fd, 0600) == 0 && is_time(stat_of("f").st_mtim, 1000, 0));
	write_at(fd, "y", 1, 0);
	MUST(is_now(stat_of("f").st_mtim));
	MUST(futimens(fd, old) == 0 && ftruncate(fd, 10) == 0 && is_now(stat_of("f").st_mtim));
	MUST(futimens(fd, NULL) == 0 && is_now(stat_of("f").st_atim));
	MUST(utimensat(AT_FDCWD, "d", old, 0) == 0);
	close(make_file("d/n", "x", 1));
	MUST(is_now(stat_of("d").st_mtim));
	MUST(utimensat(AT_FDCWD, "d", old, 0) == 0 && unlink("d/n") == 0);
	MUST(is_now(stat_of("d").st_mtim));
	MUST(utimensat(AT_FDCWD, "d", old, 0) == 0 && stat_of("d").st_nlink > 0);
	MUST(access("d", R_OK) == 0 && is_time(stat_of("d").st_mtim, 1000, 0));
}

/* True if there is such an attribute in a list of names. */
static bool is_listed(const char *names, ssize_t len, const char *name)
{
	for (const char *at = names; at < names + len; at += strlen(at) + 1)
		if (strcmp(at, name) == 0)
			return true;
	return false;
}

static void try_xattrs(const char *name, const char *other)
{
	char value[64], names[256];
	ssize_t len;

	close(make_file("f", "x", 1));
	if (setxattr("f", name, "value", 5, 0) != 0 && errno == EOPNOTSUPP)
		check_skip("not supported here");
	MUST(getxattr("f", name, value, sizeof(value)) == 5 && memcmp(value, "value", 5) == 0);
	MUST(getxattr("f", name, NULL, 0) == 5);
	MUST_FAIL(getxattr("f", name, value, 3), ERANGE);
	MUST_FAIL(getxattr("f", other, value, sizeof(value)), ENODATA);
	MUST_FAIL(setxattr("f", name, "x", 1, XATTR_CREATE), EEXIST);
	MUST_FAIL(setxattr("f", other, "x", 1, XATTR_REPLACE), ENODATA);
	MUST(setxattr("f", name, "other one", 9, XATTR_REPLACE) == 0);
	MUST(setxattr("f", other, "", 0, XATTR_CREATE) == 0);
	MUST(getxattr("f", other, value, sizeof(value)) == 0);
	len = listxattr("f", names, sizeof(names));
	MUST(len > 0 && is_listed(names, len, name) && is_listed(names, len, other));
	MUST(listxattr("f", NULL, 0) == len);
	MUST_FAIL(listxattr("f", names, (size_t)len - 1), ERANGE);
	MUST(removexattr("f", name) == 0);
	MUST_FAIL(removexattr("f", name), ENODATA);
	len = listxattr("f", names, sizeof(names));
	MUST(!is_listed(names, len, name) && is_listed(names, len, other));
}

static void check_user_xattrs(void)
{
	try_xattrs("user.one", "user.two");
}

static void check_trusted_xattrs(void)
{
	try_xattrs("trusted.one", "trusted.two");
}

static void list_as_other(void)
{
	char names[256], value[16];
	ssize_t len = listxattr("f", names, sizeof(names));

	MUST(len > 0 && is_listed(names, len, "user.seen"));
	MUST(!is_listed(names, len, "trusted.hidden"));
	MUST(listxattr("f", NULL, 0) == len);
	MUST_FAIL(getxattr("f", "trusted.hidden", value, sizeof(value)), ENODATA);
	MUST_FAIL(setxattr("f", "trusted.hidden", "x", 1, 0), EPERM);
}

static void check_hidden_xattrs(void)
{
	close(make_file("f", "x", 1));
	if (setxattr("f", "trusted.hidden", "x", 1, 0) != 0 && errno == EOPNOTSUPP)
		check_skip("not supported here");
	MUST(setxattr("f", "user.seen", "x", 1, 0) == 0);
	as_user(1001, 1001, list_as_other);
}

static void check_xattr_limits(void)
{
	static char value[70000], back[70000], name[300] = "user.";

	close(make_file("f", "x", 1));
	memset(value, 'v', sizeof(value));
	if (setxattr("f", "user.small", value, 2000, 0) != 0 && errno == EOPNOTSUPP)
		check_skip("not supported here");
	MUST(getxattr("f", "user.small", back, sizeof(back)) == 2000);
	MUST(memcmp(value, back, 2000) == 0);
	memset(name + 5, 'n', 250);
	MUST(setxattr("f", name, "x", 1, 0) == 0 && getxattr("f", name, back, 10) == 1);
	name[255] = 'n';
	MUST_FAIL(setxattr("f", name, "x", 1, 0), ERANGE);
	MUST_FAIL(setxattr("f", "user.big", value, 65537, 0), E2BIG);
	MUST(mkdir("d", 0755) == 0 && setxattr("d", "user.x", "y", 1, 0) == 0);
	MUST(getxattr("d", "user.x", back, 10) == 1);
}

const struct check attribute_checks[] = {
	{"chmod", check_chmod},
	{"chown", check_chown},
	{"mode bits keep others out", check_permissions},
	{"the sticky bit", check_sticky},
	{"set-gid directories give their group", check_setgid_directory},
	{"a change takes the set-id bits away", check_set_id},
	{"utimensat with nanoseconds", check_utimens},
	{"times follow changes", check_times},
	{"user attributes", check_user_xattrs},
	{"trusted attributes", check_trusted_xattrs},
	{"trusted attributes are root's alone", check_hidden_xattrs},
	{"limits of attributes", check_xattr_limits},
	{NULL, NULL},
};
