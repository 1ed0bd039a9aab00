#include "tools/policy/mode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What an action needs of the object itself and of the directory that holds it. */
static const struct need {
	int object;	/* of the object; 0: nothing */
	int parent;	/* of the directory, besides X_OK */
	bool is_owner;	/* the object must be the person's own */
	bool is_sticky; /* a directory with the sticky bit asks for the owner too */
} needs[ACTION_COUNT] = {
	[ACTION_LIST] = {R_OK, 0, false, false},   [ACTION_READ] = {R_OK, 0, false, false},
	[ACTION_CREATE] = {0, W_OK, false, false}, [ACTION_WRITE] = {W_OK, 0, false, false},
	[ACTION_DELETE] = {0, W_OK, false, true},  [ACTION_RENAME] = {0, W_OK, false, true},
	[ACTION_ATTR] = {0, 0, true, false},
};

static bool is_in_group(const struct policy_subject *subject, gid_t gid)
{
	for (size_t i = 0; i < subject->group_count; i++)
		if (subject->groups[i] == gid)
			return true;
	return false;
}

bool mode_allows(const struct stat *st, const struct policy_subject *subject, int want,
		 mode_t *missing)
{
	/* Owner, group, others: the first that fits decides, as in the kernel. */
	int shift = st->st_uid == subject->uid ? 6 : is_in_group(subject, st->st_gid) ? 3 : 0;
	/* R_OK, W_OK and X_OK are 4, 2 and 1: the mode's own bits. */
	mode_t wanted = (mode_t)want << shift;

	*missing = wanted & ~st->st_mode;
	/* CAP_DAC_OVERRIDE: root lacks only x on a file that nobody may execute. */
	if (subject->uid == 0 &&
	    ((want & X_OK) == 0 || S_ISDIR(st->st_mode) || (st->st_mode & 0111) != 0))
		*missing = 0;
	return *missing == 0;
}

/* Looks at `path`; false: the verdict is made. */
static bool look(int mount_fd, const char *path, struct mode_verdict *verdict)
{
	const char *relative = path[1] == '\0' ? "." : path + 1;

	snprintf(verdict->path, sizeof(verdict->path), "%s", path);
	if (fstatat(mount_fd, relative, &verdict->st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	verdict->error_number = errno;
	verdict->answer = errno == ENOENT || errno == ENOTDIR ? MODE_ABSENT : MODE_UNKNOWN;
	return false;
}

static bool refuse(struct mode_verdict *verdict, mode_t needed)
{
	verdict->answer = MODE_REFUSES;
	verdict->needed = needed;
	return false;
}

/* The directories above, root first: each must let pass; `parent` is the last. */
static bool walk(int mount_fd, const char *path, const struct need *need,
		 const struct policy_subject *subject, struct mode_verdict *verdict,
		 struct stat *parent)
{
	char directory[sizeof(verdict->path)];
	const char *slash = path;
	mode_t missing;

	while (slash != NULL) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);
		const char *next = strchr(slash + 1, '/');
		int want = X_OK | (next == NULL ? need->parent : 0);

		memcpy(directory, path, len);
		directory[len] = '\0';
		if (!look(mount_fd, directory, verdict))
			return false;
		if (S_ISLNK(verdict->st.st_mode)) {
			verdict->answer = MODE_UNKNOWN;
			verdict->error_number = ELOOP;
			return false;
		}
		if (!mode_allows(&verdict->st, subject, want, &missing))
			return refuse(verdict, missing);
		*parent = verdict->st;
		slash = next;
	}
	return true;
}

static bool judge_object(const struct need *need, const struct policy_subject *subject,
			 const struct stat *parent, struct mode_verdict *verdict)
{
	mode_t missing;
	bool is_own = subject->uid == 0 || subject->uid == verdict->st.st_uid;
	bool is_sticky = need->is_sticky && (parent->st_mode & S_ISVTX) != 0 &&
			 subject->uid != parent->st_uid;

	if (!mode_allows(&verdict->st, subject, need->object, &missing))
		return refuse(verdict, missing);
	if ((need->is_owner || is_sticky) && !is_own)
		return refuse(verdict, 0);
	return true;
}

void mode_judge(const char *mountpoint, const char *path, enum policy_action action,
		const struct policy_subject *subject, struct mode_verdict *verdict)
{
	const struct need *need = &needs[action];
	struct stat parent = {0};
	int mount_fd = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);

	memset(verdict, 0, sizeof(*verdict));
	verdict->answer = MODE_ALLOWS;
	if (mount_fd < 0) {
		verdict->answer = MODE_UNKNOWN;
		verdict->error_number = errno;
	} else if (strlen(path) >= sizeof(verdict->path)) {
		verdict->answer = MODE_UNKNOWN;
		verdict->error_number = ENAMETOOLONG;
	} else if ((path[1] == '\0' || walk(mount_fd, path, need, subject, verdict, &parent)) &&
		   action != ACTION_CREATE && look(mount_fd, path, verdict)) {
		judge_object(need, subject, &parent, verdict);
	}
	if (mount_fd >= 0)
		close(mount_fd);
}
