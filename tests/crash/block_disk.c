#include "block_disk.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IN_BASE  0x1u
#define IN_ABOVE 0x2u

struct block_disk {
	uint64_t size;
	int base, above; /* memory files */
	uint8_t *where;  /* for each page, shared: in which of them it is; 0: zeroes */
};

static void must(bool is_right, const char *what)
{
	if (is_right)
		return;
	perror(what);
	abort();
}

static int new_file(uint64_t size)
{
	int fd = memfd_create("phifs-blocklog", MFD_CLOEXEC);

	must(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "memfd_create");
	return fd;
}

struct block_disk *block_disk_new(uint64_t size)
{
	struct block_disk *disk = malloc(sizeof(*disk));

	must(disk != NULL, "malloc");
	disk->size = size;
	disk->base = new_file(size);
	disk->above = new_file(size);
	disk->where = mmap(NULL, size / BLOCK_PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(disk->where != MAP_FAILED, "mmap");
	return disk;
}

void block_disk_free(struct block_disk *disk)
{
	if (disk == NULL)
		return;
	munmap(disk->where, disk->size / BLOCK_PAGE);
	close(disk->base);
	close(disk->above);
	free(disk);
}

uint64_t block_disk_size(const struct block_disk *disk)
{
	return disk->size;
}

/* --- pages ------------------------------------------------------------------------ */

static void read_page(const struct block_disk *disk, uint64_t page, void *data)
{
	int fd = disk->where[page] & IN_ABOVE ? disk->above : disk->base;

	if (disk->where[page] == 0)
		memset(data, 0, BLOCK_PAGE);
	else
		must(pread(fd, data, BLOCK_PAGE, (off_t)(page * BLOCK_PAGE)) == BLOCK_PAGE,
		     "pread");
}

static void write_page(struct block_disk *disk, uint64_t page, const void *data)
{
	static const uint8_t zeroes[BLOCK_PAGE];

	if (disk->where[page] == 0 && memcmp(data, zeroes, BLOCK_PAGE) == 0)
		return;
	must(pwrite(disk->above, data, BLOCK_PAGE, (off_t)(page * BLOCK_PAGE)) == BLOCK_PAGE,
	     "pwrite");
	disk->where[page] |= IN_ABOVE;
}

static size_t in_page(uint64_t offset, uint64_t len)
{
	uint64_t left = BLOCK_PAGE - offset % BLOCK_PAGE;

	return (size_t)(len < left ? len : left);
}

void block_disk_read(const struct block_disk *disk, uint64_t offset, void *data, size_t len)
{
	uint8_t page[BLOCK_PAGE], *next = data;

	for (size_t done = 0, piece; done < len; done += piece) {
		piece = in_page(offset + done, len - done);
		read_page(disk, (offset + done) / BLOCK_PAGE, page);
		memcpy(next + done, page + (offset + done) % BLOCK_PAGE, piece);
	}
}

void block_disk_write(struct block_disk *disk, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *next = data;
	uint8_t page[BLOCK_PAGE];

	for (size_t done = 0, piece; done < len; done += piece) {
		piece = in_page(offset + done, len - done);
		if (piece < BLOCK_PAGE)
			read_page(disk, (offset + done) / BLOCK_PAGE, page);
		memcpy(page + (offset + done) % BLOCK_PAGE, next + done, piece);
		write_page(disk, (offset + done) / BLOCK_PAGE, page);
	}
}

void block_disk_zero(struct block_disk *disk, uint64_t offset, uint64_t len)
{
	static const uint8_t zeroes[BLOCK_PAGE];

	for (uint64_t done = 0, piece; done < len; done += piece) {
		piece = in_page(offset + done, len - done);
		block_disk_write(disk, offset + done, zeroes, (size_t)piece);
	}
}

/* --- layers ------------------------------------------------------------------------- */

void block_disk_forget(struct block_disk *disk)
{
	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE; page++)
		disk->where[page] &= (uint8_t)~IN_ABOVE;
	must(ftruncate(disk->above, 0) == 0 && ftruncate(disk->above, (off_t)disk->size) == 0,
	     "ftruncate");
}

static void put_in_base(struct block_disk *disk, uint64_t page, const void *data)
{
	must(pwrite(disk->base, data, BLOCK_PAGE, (off_t)(page * BLOCK_PAGE)) == BLOCK_PAGE,
	     "pwrite");
	disk->where[page] |= IN_BASE;
}

void block_disk_keep(struct block_disk *disk)
{
	uint8_t data[BLOCK_PAGE];

	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE; page++) {
		if (!(disk->where[page] & IN_ABOVE))
			continue;
		read_page(disk, page, data);
		put_in_base(disk, page, data);
	}
	block_disk_forget(disk);
}

void block_disk_copy(struct block_disk *disk, const struct block_disk *from)
{
	uint8_t data[BLOCK_PAGE];

	block_disk_forget(disk);
	memset(disk->where, 0, disk->size / BLOCK_PAGE);
	must(ftruncate(disk->base, 0) == 0 && ftruncate(disk->base, (off_t)disk->size) == 0,
	     "ftruncate");
	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE; page++) {
		if (!(from->where[page] & IN_BASE))
			continue;
		must(pread(from->base, data, BLOCK_PAGE, (off_t)(page * BLOCK_PAGE)) == BLOCK_PAGE,
		     "pread");
		put_in_base(disk, page, data);
	}
}

int block_disk_export(const struct block_disk *disk, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool is_right = fd >= 0 && ftruncate(fd, (off_t)disk->size) == 0;
	uint8_t data[BLOCK_PAGE];

	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE && is_right; page++) {
		if (disk->where[page] == 0)
			continue;
		read_page(disk, page, data);
		is_right = pwrite(fd, data, BLOCK_PAGE, (off_t)(page * BLOCK_PAGE)) == BLOCK_PAGE;
	}
	if (fd >= 0)
		close(fd);
	return is_right ? 0 : -1;
}
