/* Who may do what: owners, groups, others and root; sticky and set-gid directories. */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWNER 1000
#define GROUP 2000

static const gid_t of_group[] = {50, GROUP};

static const struct user {
	const char *name;
	uid_t uid;
	gid_t gid;
	size_t groups;
} users[] = {
	{"root", 0, 0, 0},
	{"the owner", OWNER, 3000, 0},
	{"the owner in the group", OWNER, GROUP, 0},
	{"of the group", 1001, GROUP, 0},
	{"also of the group", 1002, 3000, 2},
	{"another", 1003, 3000, 0},
};
#define USERS (sizeof(users) / sizeof(users[0]))

static void become(const struct user *user)
{
	act_as(user->uid, user->gid, user->groups, of_group);
}

static void must_do(bool is_done, const char *what)
{
	if (!is_done)
		step(-1, "%s", what);
}

/* d of the given mode with a file, and one whose mode is that, too. */
static void make_tree(unsigned int mode)
{
	must_do(mkdir("d", 0755) == 0 && mkdir("d/sub", 0777) == 0, "mkdir");
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "f" : "d/f";
		int fd = open(name, O_CREAT | O_RDWR, 0666);

		must_do(write(fd, "content", 7) == 7, "write");
		must_do(fchown(fd, OWNER, GROUP) == 0, "fchown");
		must_do(fchmod(fd, i ? mode : 0666) == 0, "fchmod");
		close(fd);
	}
	must_do(chown("d", OWNER, GROUP) == 0 && chmod("d", mode) == 0, "chown");
	must_do(chmod(".", 0777) == 0, "chmod");
}

static void try_directory(void)
{
	struct stat st;
	DIR *dir = opendir("d");

	note("opendir", "%s", dir ? "yes" : strerrorname_np(errno));
	if (dir)
		closedir(dir);
	DO(stat("d/f", &st));
	DO(stat("d/missing", &st));
	TRY(open("d/f", O_RDONLY));
	DO(access("d/sub", X_OK));
	DO(mkdir("d/new", 0755));
	DO(rmdir("d/new"));
	DO(symlink("x", "d/link"));
	DO(link("d/f", "d/second"));
	DO(link("f", "d/third"));
	DO(rename("d/f", "d/other"));
	DO(rename("d/other", "d/f"));
	DO(rename("d/f", "moved"));
	DO(rename("moved", "d/f"));
	DO(unlink("d/f"));
	DO(rmdir("d/sub"));
	TRY(open("d/created", O_CREAT | O_EXCL | O_RDWR, 0600));
	DO(chdir("d"));
}

static void try_file(void)
{
	static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_WRONLY | O_APPEND,
				    O_RDONLY | O_NOATIME, O_PATH, O_CREAT | O_RDONLY};
	const struct timespec times[2] = {{1, 0}, {1, 0}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		close(step_open(open("f", flags[i], 0666), "open %o", flags[i]));
	DO(truncate("f", 3));
	DO(chmod("f", 0666));
	DO(chown("f", OWNER, (gid_t)-1));
	DO(chown("f", (uid_t)-1, GROUP));
	DO(chown("f", (uid_t)-1, 3000));
	DO(chown("f", (uid_t)-1, 50));
	DO(chown("f", 1003, (gid_t)-1));
	DO(utimensat(AT_FDCWD, "f", NULL, 0));
	DO(utimensat(AT_FDCWD, "f", times, 0));
	DO(chmod("f", 02770));
	look("f");
}

static void each_mode(void (*try)(void), unsigned int step_of_mode)
{
	int base = open(".", O_RDONLY);
	unsigned int index = 0;

	for (unsigned int mode = 0; mode <= 0777; mode += step_of_mode)
		for (size_t i = 0; i < USERS; i++) {
			if (!is_chosen(index++) && mode % 0111 != 0)
				continue;
			make_tree(mode);
			become(&users[i]);
			note("as", "%s, mode %o", users[i].name, mode);
			try();
			act_as_root();
			must_do(fchdir(base) == 0, "fchdir");
			look_around();
			remove_all();
		}
}

static void directories(void)
{
	each_mode(try_directory, 07);
}

static void files(void)
{
	each_mode(try_file, 011);
}

/* --- sticky directories -------------------------------------------------------------- */

static void make_sticky(uid_t owner, unsigned int mode)
{
	static const char *const names[] = {"d/roots", "d/owners", "d/others", "d/mine"};
	const uid_t ids[] = {0, OWNER, 1005, 1003};

	must_do(mkdir("d", 0755) == 0, "mkdir");
	for (size_t i = 0; i < 4; i++) {
		char name[32];

		close(open(names[i], O_CREAT | O_RDWR, 0666));
		snprintf(name, sizeof(name), "%s-dir", names[i]);
		must_do(chown(names[i], ids[i], 0) == 0 && mkdir(name, 0777) == 0 &&
				chown(name, ids[i], 0) == 0,
			"make_sticky");
	}
	must_do(chown("d", owner, GROUP) == 0 && chmod("d", mode) == 0 && chmod(".", 0777) == 0, "chown");
}

static void try_sticky(void)
{
	static const char *const names[] = {"roots", "owners", "others", "mine"};

	for (size_t i = 0; i < 4; i++) {
		char name[32], dir[32];

		snprintf(name, sizeof(name), "d/%s", names[i]);
		snprintf(dir, sizeof(dir), "d/%s-dir", names[i]);
		step(rename(name, "d/x"), "rename %s", name);
		step(rename("d/x", name), "rename back %s", name);
		step(renameat2(AT_FDCWD, name, AT_FDCWD, dir, RENAME_EXCHANGE), "exchange %s", name);
		step(renameat2(AT_FDCWD, name, AT_FDCWD, dir, RENAME_EXCHANGE), "and back %s", name);
		close(step_open(open("new", O_CREAT | O_WRONLY, 0666), "create"));
		step(rename("new", name), "rename over %s", name);
		step(rename(name, "out"), "rename out %s", name);
		step(unlink(name), "unlink %s", name);
		step(rmdir(dir), "rmdir %s", dir);
	}
}

static void sticky(void)
{
	static const unsigned int modes[] = {01777, 0777, 01770, 01755};
	static const uid_t owners[] = {0, OWNER, 1003};

	for (size_t mode = 0; mode < 4; mode++)
		for (size_t owner = 0; owner < 3; owner++)
			for (size_t i = 0; i < USERS; i++) {
				make_sticky(owners[owner], modes[mode]);
				become(&users[i]);
				note("as", "%s, mode %o of %u", users[i].name, modes[mode], owners[owner]);
				try_sticky();
				act_as_root();
				look_around();
				remove_all();
			}
}

/* --- set-gid directories, set-id files -------------------------------------------------- */

static void set_gid(void)
{
	static const unsigned int modes[] = {0, 0644, 0755, 02644, 02755, 06711, 07777};

	for (size_t i = 0; i < USERS; i++) {
		must_do(mkdir("d", 0755) == 0 && chown("d", OWNER, GROUP) == 0 && chmod("d", 02777) == 0,
			"mkdir");
		become(&users[i]);
		umask(0);
		for (size_t mode = 0; mode < sizeof(modes) / sizeof(modes[0]); mode++) {
			char name[16];

			snprintf(name, sizeof(name), "d/f%zu", mode);
			close(step_open(open(name, O_CREAT | O_EXCL | O_RDWR, modes[mode]), "create %o",
					modes[mode]));
			step(chmod(name, modes[mode]), "chmod %o", modes[mode]);
			look(name);
			snprintf(name, sizeof(name), "d/d%zu", mode);
			step(mkdir(name, modes[mode]), "mkdir %o", modes[mode]);
			look(name);
			snprintf(name, sizeof(name), "d/p%zu", mode);
			step(mknod(name, S_IFIFO | modes[mode], 0), "mknod %o", modes[mode]);
			look(name);
		}
		DO(symlink("x", "d/s"));
		act_as_root();
		look_around();
		remove_all();
	}
}

static void change_one(int how)
{
	static char text[8192];
	int fd = -1;

	switch (how) {
	case 0: DO(truncate("f", 100)); break;
	case 1: DO(truncate("f", 8192)); break;
	case 2: TRY(open("f", O_WRONLY | O_TRUNC)); break;
	case 3: DO(write(fd = open("f", O_WRONLY), text, 1)); break;
	case 4: DO(write(fd = open("f", O_WRONLY), text, 0)); break;
	case 5: DO(pwrite(fd = open("f", O_WRONLY), text, 8192, 5000)); break;
	case 6: DO(fallocate(fd = open("f", O_WRONLY), 0, 0, 20000)); break;
	case 7: DO(fallocate(fd = open("f", O_WRONLY), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 50));
		break;
	case 8: DO(fallocate(fd = open("f", O_WRONLY), FALLOC_FL_KEEP_SIZE, 0, 20000)); break;
	case 9: DO(copy_file_range(open("g", O_RDONLY), NULL, fd = open("f", O_WRONLY), NULL, 4, 0)); break;
	case 10: DO(chown("f", OWNER, GROUP)); break;
	case 11: DO(chown("f", (uid_t)-1, (gid_t)-1)); break;
	case 12: DO(chown("f", (uid_t)-1, GROUP)); break;
	case 13: DO(link("f", "h")); break;
	case 14: DO(rename("f", "h") == 0 && rename("h", "f") == 0); break;
	case 15: DO(utimensat(AT_FDCWD, "f", NULL, 0)); break;
	default: DO(ftruncate(fd = open("f", O_WRONLY), 7)); break;
	}
	close(fd);
}

static void make_set_id(unsigned int mode)
{
	int fd = open("f", O_CREAT | O_RDWR, 0666);

	must_do(write(fd, "content", 7) == 7 && fchown(fd, OWNER, GROUP) == 0 && fchmod(fd, mode) == 0,
		"make");
	close(fd);
	fd = open("g", O_CREAT | O_RDWR, 0666);
	must_do(write(fd, "more", 4) == 4, "make");
	close(fd);
}

/* What takes set-id bits away, and what does not. */
static void set_id(void)
{
	static const unsigned int modes[] = {06777, 06767, 04755, 02711, 02701, 06666};

	must_do(chmod(".", 0777) == 0, "chmod");
	for (int how = 0; how <= 16; how++)
		for (size_t mode = 0; mode < 6; mode++)
			for (size_t i = 0; i < USERS; i++) {
				make_set_id(modes[mode]);
				become(&users[i]);
				note("as", "%s, mode %o", users[i].name, modes[mode]);
				change_one(how);
				act_as_root();
				look("f");
				remove_all();
			}
}

const struct check permission_cases[] = {
	{"permission: directories of every mode", directories},
	{"permission: files of every mode", files},
	{"permission: sticky directories", sticky},
	{"permission: set-gid directories", set_gid},
	{"permission: set-id bits and changes", set_id},
	{NULL, NULL},
};
