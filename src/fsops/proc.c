#include "fsops/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <utmpx.h>

#define PROC_FILE_MAX 16384 /* status of a process with POLICY_GROUPS_MAX groups */
#define NUMBER_MAX    32

/* linux/Documentation/admin-guide/devices.txt */
#define PTS_MAJOR_FIRST 136u
#define PTS_MAJOR_LAST  143u
#define TTY_MAJOR       4u

static int open_file(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* What an open file says now; its length, 0 if it cannot be read. */
static size_t read_open(int fd, char *text, size_t size)
{
	/* Files of one record: one read gives all of it (seq_file, single_open). */
	ssize_t len = pread(fd, text, size - 1, 0);

	if (len < 0)
		len = 0;
	text[len] = '\0';
	return (size_t)len;
}

/* The file `name` of /proc/PID; its length, 0 if it cannot be read. */
static size_t read_file(pid_t pid, const char *name, char *text, size_t size)
{
	int fd = open_file(pid, name);
	size_t len;

	text[0] = '\0';
	if (fd < 0)
		return 0;
	len = read_open(fd, text, size);
	close(fd);
	return len;
}

void proc_open(pid_t pid, struct proc_files *files)
{
	files->status = open_file(pid, "status");
	files->login_uid = open_file(pid, "loginuid");
}

void proc_close(struct proc_files *files)
{
	if (files->status >= 0)
		close(files->status);
	if (files->login_uid >= 0)
		close(files->login_uid);
	files->status = files->login_uid = -1;
}

/* What follows "\nNAME:" in a status file. */
static const char *status_line(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL ? NULL : at + strlen(name);
}

enum err proc_status(int file, pid_t tid, pid_t *tgid, gid_t groups[POLICY_GROUPS_MAX],
		     size_t *count)
{
	char text[PROC_FILE_MAX];
	const char *line;
	size_t len;
	char *end;

	if (tid <= 0)
		return ERR_NOT_FOUND;
	len = file >= 0 ? read_open(file, text, sizeof(text))
			: read_file(tid, "status", text, sizeof(text));
	if (len == 0)
		return ERR_NOT_FOUND;
	line = status_line(text, "\nTgid:");
	if (line == NULL)
		return ERR_NOT_FOUND;
	*tgid = (pid_t)strtol(line, NULL, 10);
	*count = 0;
	line = status_line(text, "\nGroups:");
	while (line != NULL && *count < POLICY_GROUPS_MAX) {
		unsigned long gid;

		line += strspn(line, " \t");
		gid = strtoul(line, &end, 10);
		/* A group that the end of the buffer may have cut is none. */
		if (end == line || *end == '\0')
			break;
		groups[(*count)++] = (gid_t)gid;
		line = end;
	}
	return *tgid > 0 ? ERR_OK : ERR_NOT_FOUND;
}

enum err proc_start(pid_t pid, uint64_t *start, uint32_t *terminal)
{
	char text[1024];
	unsigned long long ticks;
	const char *fields;
	int tty;

	if (read_file(pid, "stat", text, sizeof(text)) == 0)
		return ERR_NOT_FOUND;
	/* The command in parentheses may hold anything: fields count from the last one. */
	fields = strrchr(text, ')');
	if (fields == NULL || sscanf(fields + 1,
				     " %*c %*d %*d %*d %d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
				     " %*d %*d %*d %*d %llu",
				     &tty, &ticks) != 2)
		return ERR_NOT_FOUND;
	*start = ticks;
	*terminal = (uint32_t)tty;
	return ERR_OK;
}

/* UINT32_MAX: none. */
static uint32_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return end == text || value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

enum err proc_login_uid(int file, pid_t pid, uid_t *uid)
{
	char text[NUMBER_MAX];

	errno = 0;
	(void)(file >= 0 ? read_open(file, text, sizeof(text))
			 : read_file(pid, "loginuid", text, sizeof(text)));
	*uid = number(text);
	/* No such file: a kernel without audit, or the process has ended, which others notice. */
	return errno == 0 || errno == ENOENT ? ERR_OK : err_from_errno(errno);
}

uint32_t proc_session(pid_t pid)
{
	char text[NUMBER_MAX];

	(void)read_file(pid, "sessionid", text, sizeof(text));
	return number(text);
}

static void copy_end(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size) {
		from += len - (size - 1);
		len = size - 1;
	}
	memcpy(to, from, len);
	to[len] = '\0';
}

void proc_executable(pid_t pid, char *path, size_t size)
{
	char link[64], target[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	len = readlink(link, target, sizeof(target));
	copy_end(path, size, target, len > 0 ? (size_t)len : 0);
}

void proc_unit(pid_t pid, char *unit, size_t size)
{
	char text[4096];
	const char *slash;
	size_t len = read_file(pid, "cgroup", text, sizeof(text));

	/* One line with cgroup v2; with v1 the last one is systemd's or v2's. */
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	slash = strrchr(text, '/');
	if (slash == NULL)
		slash = text + len;
	else
		slash++;
	copy_end(unit, size, slash, strlen(slash));
}

static bool terminal_name(uint32_t terminal, char *name, size_t size)
{
	unsigned int major = (terminal >> 8) & 0xfff;
	unsigned int minor = (terminal & 0xff) | ((terminal >> 12) & 0xfff00);

	if (major >= PTS_MAJOR_FIRST && major <= PTS_MAJOR_LAST)
		snprintf(name, size, "pts/%u", minor + (major - PTS_MAJOR_FIRST) * 256);
	else if (major == TTY_MAJOR)
		snprintf(name, size, "tty%u", minor);
	else
		return false;
	return true;
}

/* The file itself: getutxent() is not thread-safe. */
static void remote_host(const char *terminal, char *host, size_t size)
{
	struct utmpx entry;
	int fd = open(_PATH_UTMPX, O_RDONLY | O_CLOEXEC);

	host[0] = '\0';
	if (fd < 0)
		return;
	while (read(fd, &entry, sizeof(entry)) == (ssize_t)sizeof(entry)) {
		if (entry.ut_type != USER_PROCESS ||
		    strncmp(entry.ut_line, terminal, sizeof(entry.ut_line)) != 0)
			continue;
		copy_end(host, size, entry.ut_host,
			 strnlen(entry.ut_host, sizeof(entry.ut_host)));
		break;
	}
	close(fd);
}

void proc_from(uint32_t terminal, char *from, size_t size)
{
	char name[32], host[sizeof(((struct utmpx *)0)->ut_host) + 1];

	if (!terminal_name(terminal, name, sizeof(name))) {
		snprintf(from, size, "no terminal");
		return;
	}
	remote_host(name, host, sizeof(host));
	snprintf(from, size, "%s%s%s", name, host[0] == '\0' ? "" : " ", host);
}
