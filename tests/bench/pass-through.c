/*
 * pass-through DIR MOUNTPOINT
 *
 * A directory shown through FUSE without encryption, roles or records, over the
 * same channel and with the same flags (direct I/O, parallel writes) as phifs:
 * what FUSE itself costs.  For benchmarks; prints "mounted", SIGTERM ends it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/channel.h"
#include "daemon/mount.h"

#define WORKERS	     4
#define ATTR_SECONDS 1.0
#define FD_PATH_LEN  40

/* --- inodes: FUSE's number of one is its address ------------------------------------- */

struct inode {
	struct inode *next;
	int fd; /* O_PATH */
	ino_t number;
	dev_t device;
	uint64_t lookups;
};

#define BUCKETS 65536u

static struct inode root;
static struct inode *buckets[BUCKETS];
static pthread_mutex_t inodes_mutex = PTHREAD_MUTEX_INITIALIZER;

static struct inode *inode_of(fuse_ino_t number)
{
	return number == FUSE_ROOT_ID ? &root : (struct inode *)(uintptr_t)number;
}

/* The one that is known, or a new one, which keeps `fd`; NULL: out of memory. */
static struct inode *take_inode(int fd, const struct stat *st)
{
	struct inode **bucket = &buckets[st->st_ino % BUCKETS], *inode;

	pthread_mutex_lock(&inodes_mutex);
	for (inode = *bucket; inode != NULL; inode = inode->next)
		if (inode->number == st->st_ino && inode->device == st->st_dev)
			break;
	if (inode != NULL) {
		inode->lookups++;
		close(fd);
	} else if ((inode = malloc(sizeof(*inode))) != NULL) {
		*inode = (struct inode){*bucket, fd, st->st_ino, st->st_dev, 1};
		*bucket = inode;
	}
	pthread_mutex_unlock(&inodes_mutex);
	return inode;
}

static void give_inode(fuse_ino_t number, uint64_t lookups)
{
	struct inode *inode = inode_of(number), **at = &buckets[inode->number % BUCKETS];

	if (inode == &root)
		return;
	pthread_mutex_lock(&inodes_mutex);
	inode->lookups -= lookups;
	if (inode->lookups == 0) {
		while (*at != inode)
			at = &(*at)->next;
		*at = inode->next;
		close(inode->fd);
		free(inode);
	}
	pthread_mutex_unlock(&inodes_mutex);
}

/* errno, or 0 with the entry filled. */
static int find(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry)
{
	int fd = openat(inode_of(parent)->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct inode *inode;

	*entry = (struct fuse_entry_param){.attr_timeout = ATTR_SECONDS,
					   .entry_timeout = ATTR_SECONDS};
	if (fd < 0)
		return errno;
	if (fstat(fd, &entry->attr) < 0 || (inode = take_inode(fd, &entry->attr)) == NULL) {
		close(fd);
		return ENOMEM;
	}
	entry->ino = (fuse_ino_t)(uintptr_t)inode;
	return 0;
}

static void reply_entry(fuse_req_t req, int failed, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	int err = failed ? errno : find(parent, name, &entry);

	if (err != 0)
		fuse_reply_err(req, err);
	else
		fuse_reply_entry(req, &entry);
}

static void reply(fuse_req_t req, int result)
{
	fuse_reply_err(req, result < 0 ? errno : 0);
}

/* --- names ----------------------------------------------------------------------------- */

static void pass_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_entry(req, 0, parent, name);
}

static void pass_forget(fuse_req_t req, fuse_ino_t number, uint64_t lookups)
{
	give_inode(number, lookups);
	fuse_reply_none(req);
}

static void pass_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	reply_entry(req, mkdirat(inode_of(parent)->fd, name, mode), parent, name);
}

static void pass_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply(req, unlinkat(inode_of(parent)->fd, name, 0));
}

static void pass_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply(req, unlinkat(inode_of(parent)->fd, name, AT_REMOVEDIR));
}

static void pass_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
			const char *new_name, unsigned int flags)
{
	reply(req, renameat2(inode_of(parent)->fd, name, inode_of(new_parent)->fd, new_name, flags));
}

static void pass_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstatat(inode_of(number)->fd, "", &st, AT_EMPTY_PATH) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, ATTR_SECONDS);
}

static void pass_setattr(fuse_req_t req, fuse_ino_t number, struct stat *attr, int what,
			 struct fuse_file_info *fi)
{
	char path[FD_PATH_LEN];
	int result = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode_of(number)->fd);
	if (what & FUSE_SET_ATTR_MODE)
		result = chmod(path, attr->st_mode);
	if (result == 0 && what & FUSE_SET_ATTR_SIZE)
		result = truncate(path, attr->st_size);
	if (result < 0)
		fuse_reply_err(req, errno);
	else
		pass_getattr(req, number, fi);
}

static void pass_statfs(fuse_req_t req, fuse_ino_t number)
{
	struct statvfs st;

	(void)number;
	if (fstatvfs(root.fd, &st) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

/* --- directories ----------------------------------------------------------------------- */

static void pass_opendir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	int fd = openat(inode_of(number)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (directory == NULL) {
		fuse_reply_err(req, errno);
		return;
	}
	fi->fh = (uintptr_t)directory;
	fuse_reply_open(req, fi);
}

static size_t add_entry(fuse_req_t req, char *buffer, size_t room, const struct dirent *dirent,
			fuse_ino_t parent)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = dirent->d_ino,
						  .st_mode = (mode_t)dirent->d_type << 12}};
	size_t len;

	if (strcmp(dirent->d_name, ".") != 0 && strcmp(dirent->d_name, "..") != 0 &&
	    find(parent, dirent->d_name, &entry) != 0)
		return 0;
	len = fuse_add_direntry_plus(req, buffer, room, dirent->d_name, &entry, dirent->d_off);
	if (len > room && entry.ino != 0)
		give_inode(entry.ino, 1);
	return len;
}

static void pass_readdirplus(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
			     struct fuse_file_info *fi)
{
	DIR *directory = (DIR *)(uintptr_t)fi->fh;
	char *buffer = malloc(size);
	struct dirent *dirent;
	size_t used = 0, len = 0;

	if (buffer == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	seekdir(directory, offset);
	while ((dirent = readdir(directory)) != NULL) {
		len = add_entry(req, buffer + used, size - used, dirent, number);
		if (len > size - used)
			break;
		used += len;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

static void pass_releasedir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	(void)number;
	closedir((DIR *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

/* --- content --------------------------------------------------------------------------- */

static bool set_handle(struct fuse_file_info *fi, int fd)
{
	fi->fh = (uint64_t)fd;
	fi->direct_io = 1;
	return fd >= 0;
}

static void pass_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	int fd = openat(inode_of(parent)->fd, name, (fi->flags | O_CREAT | O_CLOEXEC) & ~O_NOFOLLOW,
			mode);
	int err = set_handle(fi, fd) ? find(parent, name, &entry) : errno;

	if (err != 0)
		fuse_reply_err(req, err);
	else
		fuse_reply_create(req, &entry, fi);
}

static void pass_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	char path[FD_PATH_LEN];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode_of(number)->fd);
	if (set_handle(fi, open(path, (fi->flags | O_CLOEXEC) & ~O_NOFOLLOW)))
		fuse_reply_open(req, fi);
	else
		fuse_reply_err(req, errno);
}

static void pass_release(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	(void)number;
	reply(req, close((int)fi->fh));
}

static void pass_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
		      struct fuse_file_info *fi)
{
	static _Thread_local char buffer[MOUNT_REQUEST_MAX];
	ssize_t got;

	(void)number;
	got = pread((int)fi->fh, buffer, size < sizeof(buffer) ? size : sizeof(buffer), offset);
	if (got < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buffer, (size_t)got);
}

static void pass_write(fuse_req_t req, fuse_ino_t number, const char *data, size_t size,
		       off_t offset, struct fuse_file_info *fi)
{
	ssize_t done = pwrite((int)fi->fh, data, size, offset);

	(void)number;
	if (done < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)done);
}

static void pass_flush(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	(void)number;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void pass_fsync(fuse_req_t req, fuse_ino_t number, int datasync, struct fuse_file_info *fi)
{
	(void)number;
	reply(req, datasync ? fdatasync((int)fi->fh) : fsync((int)fi->fh));
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = pass_lookup,
	.forget = pass_forget,
	.getattr = pass_getattr,
	.setattr = pass_setattr,
	.mkdir = pass_mkdir,
	.unlink = pass_unlink,
	.rmdir = pass_rmdir,
	.rename = pass_rename,
	.statfs = pass_statfs,
	.opendir = pass_opendir,
	.readdirplus = pass_readdirplus,
	.releasedir = pass_releasedir,
	.create = pass_create,
	.open = pass_open,
	.release = pass_release,
	.read = pass_read,
	.write = pass_write,
	.flush = pass_flush,
	.fsync = pass_fsync,
};

/* --- life ------------------------------------------------------------------------------ */

static _Noreturn void fail(const char *what, enum err err)
{
	fprintf(stderr, "pass-through: %s: %s\n", what, err_text(err));
	exit(EXIT_FAILURE);
}

static void *serve(void *arg)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	fuse_loop_cfg_set_max_threads(config, WORKERS);
	fuse_loop_cfg_set_idle_threads(config, WORKERS);
	fuse_session_loop_mt(arg, config);
	fuse_loop_cfg_destroy(config);
	return NULL;
}

static struct fuse_session *attach(const char *mountpoint, struct channel **channel)
{
	const struct mount_options options = {.source = "pass-through", .mountpoint = mountpoint};
	char *arguments[] = {(char *)"pass-through", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	struct fuse_session *session;
	unsigned int connection;
	enum err err;
	int fd;

	err = mount_attach(&options, &fd, &connection);
	if (err == ERR_OK)
		err = channel_new(fd, 0, channel);
	if (err == ERR_OK)
		err = channel_read_init(*channel);
	if (err != ERR_OK)
		fail(mountpoint, err);
	session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	fuse_opt_free_args(&args);
	if (session == NULL)
		fail("fuse_session_new", ERR_NO_MEMORY);
	err = channel_attach(*channel, session);
	if (err != ERR_OK)
		fail("channel_attach", err);
	return session;
}

int main(int argc, char **argv)
{
	struct fuse_session *session;
	struct channel *channel;
	pthread_t loop;
	sigset_t ends;
	int signal;

	if (argc != 3) {
		fprintf(stderr, "usage: pass-through DIR MOUNTPOINT\n");
		return 2;
	}
	root.fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0)
		fail(argv[1], err_from_errno(errno));
	umask(0);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	session = attach(argv[2], &channel);
	if (pthread_create(&loop, NULL, serve, session) != 0)
		fail("pthread_create", ERR_NO_MEMORY);
	printf("mounted\n");
	fflush(stdout);
	sigwait(&ends, &signal);
	if (mount_detach(argv[2]) != ERR_OK)
		return EXIT_FAILURE;
	channel_stop(channel);
	while (!channel_is_stopped(channel))
		clock_sleep_ns(NS_PER_MS);
	pthread_join(loop, NULL);
	fuse_session_destroy(session);
	channel_free(channel);
	return 0;
}
