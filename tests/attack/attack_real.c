/* A moment's files on a real file system, where there are links, fifos and sockets. */
#include "attack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temp_dir.h"

#define USED_OF_A_HALF (1u << 20)

/* --- single files -------------------------------------------------------------------------- */

/* Sparse: only the pages that are given are written. */
static int make_file(const char *root, const char *directory, const char *name, uint64_t size)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", root, directory, name);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
		perror(path);
		abort();
	}
	return fd;
}

static void copy_range(struct backing *from, const char *path, int fd, uint64_t at, size_t len)
{
	static uint8_t page[BLOCK_SIZE];

	for (size_t done = 0; done < len; done += BLOCK_SIZE) {
		peek(from, path, page, BLOCK_SIZE, at + done);
		if (page[0] == 0 && memcmp(page, page + 1, BLOCK_SIZE - 1) == 0)
			continue;
		if (pwrite(fd, page, BLOCK_SIZE, (off_t)(at + done)) != BLOCK_SIZE)
			abort();
	}
}

static void make_journal(const struct moment *moment, const char *root)
{
	int fd = make_file(root, "c", "journal", JOURNAL_FILE_LEN);

	for (unsigned int half = 0; half < 2; half++)
		copy_range(moment->ciphertext, "journal", fd,
			   JOURNAL_START + (uint64_t)half * JOURNAL_HALF_LEN, USED_OF_A_HALF);
	close(fd);
}

static void make_anchor(const struct moment *moment, const char *root)
{
	int fd = make_file(root, "s", "anchor", file_size(moment->state, "anchor"));

	copy_range(moment->state, "anchor", fd, 0, 2 * ANCHOR_SLOT_LEN);
	close(fd);
}

static void make_ledger(const struct moment *moment, const char *root)
{
	int fd = make_file(root, "s", "ledger.db", 0);

	if (write(fd, moment->ledger, moment->ledger_len) != (ssize_t)moment->ledger_len)
		abort();
	close(fd);
}

/* --- all ------------------------------------------------------------------------------------- */

static void make_directory(const char *root, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (mkdir(path, 0700) != 0) {
		perror(path);
		abort();
	}
}

static void make_objects(const struct moment *moment, const char *root)
{
	char name[64];

	make_directory(root, "c/objects");
	make_directory(root, "c/objects/new");
	for (unsigned int shard = 0; shard < 256; shard++) {
		snprintf(name, sizeof(name), "c/objects/%02x", shard);
		make_directory(root, name);
	}
	for (size_t i = 0; i < moment->target_count; i++) {
		const struct target *target = &moment->targets[i];
		int fd = make_file(root, "c", target->path, file_size(moment->ciphertext, target->path));

		copy_range(moment->ciphertext, target->path, fd, 0, BLOCK_SIZE);
		for (size_t j = 0; j < target->page_count; j++)
			copy_range(moment->ciphertext, target->path, fd,
				   target->pages[j].at * BLOCK_SIZE, BLOCK_SIZE);
		close(fd);
	}
}

char *real_image(const struct moment *moment, struct world *image)
{
	char *root = temp_dir_new();

	memset(image, 0, sizeof(*image));
	make_directory(root, "c");
	make_directory(root, "s");
	make_objects(moment, root);
	make_journal(moment, root);
	make_anchor(moment, root);
	make_ledger(moment, root);
	close(make_file(root, "c", "ballast", file_size(moment->ciphertext, "ballast")));
	close(make_file(root, "s", "ballast", file_size(moment->state, "ballast")));
	must(backing_real_new(temp_path(root, "c"), &image->ciphertext), "a real directory");
	must(backing_real_new(temp_path(root, "s"), &image->state), "a real directory");
	image->directory = strdup(temp_path(root, "s"));
	if (image->directory == NULL)
		abort();
	return root;
}
