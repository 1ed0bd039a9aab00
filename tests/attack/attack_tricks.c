/* Other things than files in the places of files, on a real file system. */
#include "attack.h"
#include "attack_kinds.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_LEN 4096

static void full_path(const struct attack *attack, const char *directory, const char *path,
		      char full[PATH_LEN])
{
	snprintf(full, PATH_LEN, "%s/%s/%s", attack->root, directory, path);
}

static void done(int rc, const char *path)
{
	if (rc == 0)
		return;
	perror(path);
	abort();
}

/* --- what can be put somewhere ------------------------------------------------------------- */

static const char *const things[] = {
	"a link to what was there", "a link to nothing", "a link to itself", "a link to /dev/zero",
	"a fifo", "a directory", "a socket",
};
#define THINGS (sizeof(things) / sizeof(things[0]))

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		abort();
	strcpy(address.sun_path, path);
	done(bind(fd, (struct sockaddr *)&address, sizeof(address)), path);
	close(fd);
}

static void put_thing(size_t thing, const char *path)
{
	char aside[PATH_LEN + 8];

	snprintf(aside, sizeof(aside), "%s.aside", path);
	done(rename(path, aside), path);
	switch (thing) {
	case 0:
		done(symlink(aside, path), path);
		break;
	case 1:
		done(symlink("nowhere", path), path);
		break;
	case 2:
		done(symlink(strrchr(path, '/') + 1, path), path);
		break;
	case 3:
		done(symlink("/dev/zero", path), path);
		break;
	case 4:
		done(mkfifo(path, 0600), path);
		break;
	case 5:
		done(mkdir(path, 0700), path);
		break;
	default:
		make_socket(path);
	}
}

bool thing_for_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char path[PATH_LEN];

	full_path(attack, "c", target->path, path);
	put_thing(attack->turn % THINGS, path);
	describe(attack, "%s in the place of %s", things[attack->turn % THINGS], target->path);
	expect(attack, NEED_SEEN, F_TAMPERED | F_DELETED, target->number);
	attack->check_findings |= F_UNKNOWN; /* what was put aside */
	return true;
}

bool thing_for_shard(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char path[PATH_LEN], shard[16];

	snprintf(shard, sizeof(shard), "%.10s", target->path);
	full_path(attack, "c", shard, path);
	put_thing(attack->turn % THINGS, path);
	describe(attack, "%s in the place of %s", things[attack->turn % THINGS], shard);
	for (size_t i = 0; i < attack->base->target_count; i++)
		if (strncmp(attack->base->targets[i].path, shard, strlen(shard)) == 0 &&
		    attack->touched_count < TOUCHES_MAX)
			expect(attack, NEED_SEEN, F_TAMPERED | F_DELETED,
			       attack->base->targets[i].number);
	attack->refusals |= F_TAMPERED; /* of store_check: it cannot list it */
	return true;
}

bool thing_for_volume_file(struct attack *attack)
{
	static const struct {
		const char *directory, *path;
	} files[] = {
		{"c", "journal"}, {"s", "anchor"}, {"s", "ledger.db"}, {"c", "objects"},
		{"c", "objects/new"},
	};
	size_t which = attack->turn / THINGS % (sizeof(files) / sizeof(files[0]));
	char path[PATH_LEN];

	full_path(attack, files[which].directory, files[which].path, path);
	put_thing(attack->turn % THINGS, path);
	describe(attack, "%s in the place of %s", things[attack->turn % THINGS], files[which].path);
	/* An empty directory is what objects/new is; SQLite says "I/O error" of other things. */
	expect_refusal(attack, which == 4 && attack->turn % THINGS == 5 ? NEED_HARMLESS : NEED_SEEN,
		       F_TAMPERED | F_DELETED | F_NOT_FOUND | F_UNPROVEN | F_FORMAT);
	attack->findings = F_TAMPERED | F_DELETED;
	attack->touches_all = true;
	attack->refusals |= which == 2 ? F_OTHER : 0;
	attack->check_findings |= F_UNKNOWN;
	return true;
}

/* --- hard links ---------------------------------------------------------------------------------- */

bool hard_link_objects(struct attack *attack)
{
	const struct target *one = any_target(attack), *other = any_target(attack);
	char path[PATH_LEN], other_path[PATH_LEN];

	if (one == other)
		return false;
	full_path(attack, "c", one->path, path);
	full_path(attack, "c", other->path, other_path);
	done(unlink(path), path);
	done(link(other_path, path), path);
	describe(attack, "%s is a hard link to %s", one->path, other->path);
	expect(attack, NEED_SEEN, F_TAMPERED, one->number);
	return true;
}

bool hard_link_elsewhere(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char path[PATH_LEN], other_path[PATH_LEN];

	full_path(attack, "c", target->path, path);
	full_path(attack, "c", attack->turn % 2 == 0 ? "kept" : "objects/new/kept", other_path);
	done(link(path, other_path), path);
	describe(attack, "a second hard link to %s", target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

/* Modes and owners are the host's affair, not the volume's. */
bool change_modes(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char path[PATH_LEN];

	full_path(attack, "c", target->path, path);
	done(chmod(path, (mode_t)(0600 | below(attack, 0200))), path);
	describe(attack, "mode of %s", target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

/* Missing directories of the volume. */
bool remove_directories(struct attack *attack)
{
	char path[PATH_LEN];

	full_path(attack, "c", "objects/new", path);
	done(rmdir(path), path);
	describe(attack, "objects/new is removed");
	expect_refusal(attack, NEED_SEEN, F_DELETED);
	return true;
}
