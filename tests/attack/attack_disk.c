/* Edits of a simulated disk's files, behind the volume's back. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(enum err err, const char *what)
{
	if (err == ERR_OK)
		return;
	fprintf(stderr, "attack: %s: %s\n", what, err_text(err));
	abort();
}

static bool open_file(struct backing *disk, const char *path, int *file)
{
	return disk->ops->open(disk, path, 0, file) == ERR_OK;
}

bool is_there(struct backing *disk, const char *path)
{
	int file;
	bool there = open_file(disk, path, &file);

	if (there)
		disk->ops->close(disk, file);
	return there;
}

bool peek(struct backing *disk, const char *path, void *data, size_t len, uint64_t offset)
{
	int file;

	memset(data, 0, len);
	if (!open_file(disk, path, &file))
		return false;
	must(disk->ops->pread(disk, file, data, len, offset), path);
	disk->ops->close(disk, file);
	return true;
}

bool poke(struct backing *disk, const char *path, const void *data, size_t len, uint64_t offset)
{
	int file;

	if (!open_file(disk, path, &file))
		return false;
	must(disk->ops->pwrite(disk, file, data, len, offset), path);
	disk->ops->close(disk, file);
	return true;
}

bool flip(struct attack *attack, struct backing *disk, const char *path, uint64_t offset)
{
	uint8_t byte;

	if (!peek(disk, path, &byte, 1, offset))
		return false;
	byte ^= (uint8_t)(1u << below(attack, 8));
	return poke(disk, path, &byte, 1, offset);
}

uint64_t file_size(struct backing *disk, const char *path)
{
	uint64_t size = 0;
	int file;

	if (!open_file(disk, path, &file))
		return 0;
	must(disk->ops->size(disk, file, &size), path);
	disk->ops->close(disk, file);
	return size;
}

void resize(struct backing *disk, const char *path, uint64_t size)
{
	int file;

	if (!open_file(disk, path, &file))
		abort();
	must(disk->ops->truncate(disk, file, size), path);
	disk->ops->close(disk, file);
}

void punch(struct backing *disk, const char *path, uint64_t offset, uint64_t len)
{
	int file;

	if (!open_file(disk, path, &file))
		abort();
	must(disk->ops->punch(disk, file, offset, len), path);
	disk->ops->close(disk, file);
}

void remove_file(struct backing *disk, const char *path)
{
	must(disk->ops->unlink(disk, path), path);
}

/* --- copies ------------------------------------------------------------------------------ */

bool copy_file(struct backing *from, const char *path, struct backing *to, const char *to_path)
{
	uint64_t size = file_size(from, path);
	int file;

	if (!is_there(from, path))
		return false;
	if (is_there(to, to_path))
		remove_file(to, to_path);
	must(to->ops->open(to, to_path, BACKING_CREATE, &file), to_path);
	must(to->ops->truncate(to, file, size), to_path);
	to->ops->close(to, file);
	must(backing_sim_copy(from, path, to, to_path, 0, size), to_path);
	return true;
}
