#include "fsops/users.h"

#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PASSWD_LINE_MAX 4096

struct user {
	uid_t uid;
	bool is_used, is_asked; /* asked: NSS was, or need not be */
	int64_t boot_ns;
	char name[USER_NAME_MAX];
};

struct users {
	pthread_mutex_t mutex;
	struct user table[USERS_CACHED];
};

enum err users_new(struct users **users)
{
	struct users *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&u->mutex, NULL);
	*users = u;
	return ERR_OK;
}

void users_free(struct users *users)
{
	if (users == NULL)
		return;
	pthread_mutex_destroy(&users->mutex);
	free(users);
}

/* /etc/passwd only: a file, not a service that may hang or may live on this very mount. */
static bool find_local(uid_t uid, char name[USER_NAME_MAX])
{
	char line[PASSWD_LINE_MAX];
	struct passwd entry, *found;
	FILE *file = fopen("/etc/passwd", "re");
	bool is_found = false;

	name[0] = '\0';
	if (file == NULL)
		return false;
	while (!is_found && fgetpwent_r(file, &entry, line, sizeof(line), &found) == 0) {
		is_found = entry.pw_uid == uid;
		if (is_found)
			snprintf(name, USER_NAME_MAX, "%s", entry.pw_name);
	}
	fclose(file);
	return is_found;
}

static struct user *slot_of(struct users *users, uid_t uid)
{
	return &users->table[uid % USERS_CACHED];
}

static void remember(struct users *users, uid_t uid, const char *name, bool is_asked)
{
	struct user *user = slot_of(users, uid);

	pthread_mutex_lock(&users->mutex);
	user->uid = uid;
	user->is_used = true;
	user->is_asked = is_asked;
	user->boot_ns = clock_boot_ns();
	snprintf(user->name, sizeof(user->name), "%s", name);
	pthread_mutex_unlock(&users->mutex);
}

void users_name(struct users *users, uid_t uid, char name[USER_NAME_MAX])
{
	struct user *user = slot_of(users, uid);
	bool is_known, is_local;

	pthread_mutex_lock(&users->mutex);
	is_known = user->is_used && user->uid == uid &&
		   clock_boot_ns() - user->boot_ns < USER_AGE_MS * NS_PER_MS;
	if (is_known)
		memcpy(name, user->name, USER_NAME_MAX);
	pthread_mutex_unlock(&users->mutex);
	if (is_known)
		return;
	is_local = find_local(uid, name);
	remember(users, uid, name, is_local);
}

static bool next_to_ask(struct users *users, size_t *at, uid_t *uid)
{
	bool is_found = false;

	pthread_mutex_lock(&users->mutex);
	for (; *at < USERS_CACHED && !is_found; (*at)++) {
		is_found = users->table[*at].is_used && !users->table[*at].is_asked;
		if (is_found)
			*uid = users->table[*at].uid;
	}
	pthread_mutex_unlock(&users->mutex);
	return is_found;
}

void users_tick(struct users *users)
{
	char line[PASSWD_LINE_MAX];
	struct passwd entry, *found;
	size_t at = 0;
	uid_t uid;

	while (next_to_ask(users, &at, &uid)) {
		if (getpwuid_r(uid, &entry, line, sizeof(line), &found) != 0)
			found = NULL;
		remember(users, uid, found == NULL ? "" : found->pw_name, true);
	}
}
