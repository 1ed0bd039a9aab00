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
	uint8_t *base, *above; /* shared memory */
	uint8_t *where;	       /* for each page, shared: in which of them it is; 0: zeroes */
};

static void must(bool is_right, const char *what)
{
	if (is_right)
		return;
	perror(what);
	abort();
}

static void *share(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(memory != MAP_FAILED, "mmap");
	return memory;
}

struct block_disk *block_disk_new(uint64_t size)
{
	struct block_disk *disk = malloc(sizeof(*disk));

	must(disk != NULL, "malloc");
	disk->size = size;
	disk->base = share(size);
	disk->above = share(size);
	disk->where = share(size / BLOCK_PAGE);
	return disk;
}

void block_disk_free(struct block_disk *disk)
{
	if (disk == NULL)
		return;
	munmap(disk->where, disk->size / BLOCK_PAGE);
	munmap(disk->base, disk->size);
	munmap(disk->above, disk->size);
	free(disk);
}

uint64_t block_disk_size(const struct block_disk *disk)
{
	return disk->size;
}

/* --- pages ------------------------------------------------------------------------ */

static const uint8_t zeroes[BLOCK_PAGE];

static const uint8_t *page_of(const struct block_disk *disk, uint64_t page)
{
	if (disk->where[page] == 0)
		return zeroes;
	return (disk->where[page] & IN_ABOVE ? disk->above : disk->base) + page * BLOCK_PAGE;
}

/* Writes some bytes of a page; what is left of an older image is no content. */
static void change_page(struct block_disk *disk, uint64_t page, size_t at, const void *data,
			size_t len)
{
	uint8_t *above = disk->above + page * BLOCK_PAGE;

	if (disk->where[page] == 0 && memcmp(data, zeroes, len) == 0)
		return;
	if (!(disk->where[page] & IN_ABOVE) && len < BLOCK_PAGE)
		memcpy(above, page_of(disk, page), BLOCK_PAGE);
	memcpy(above + at, data, len);
	disk->where[page] |= IN_ABOVE;
}

static size_t in_page(uint64_t offset, uint64_t len)
{
	uint64_t left = BLOCK_PAGE - offset % BLOCK_PAGE;

	return (size_t)(len < left ? len : left);
}

void block_disk_read(const struct block_disk *disk, uint64_t offset, void *data, size_t len)
{
	uint8_t *next = data;

	for (size_t done = 0, piece; done < len; done += piece) {
		piece = in_page(offset + done, len - done);
		memcpy(next + done,
		       page_of(disk, (offset + done) / BLOCK_PAGE) + (offset + done) % BLOCK_PAGE,
		       piece);
	}
}

void block_disk_write(struct block_disk *disk, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *next = data;

	for (size_t done = 0, piece; done < len; done += piece) {
		piece = in_page(offset + done, len - done);
		change_page(disk, (offset + done) / BLOCK_PAGE, (offset + done) % BLOCK_PAGE,
			    next + done, piece);
	}
}

void block_disk_zero(struct block_disk *disk, uint64_t offset, uint64_t len)
{
	for (uint64_t done = 0, piece; done < len; done += piece) {
		piece = in_page(offset + done, len - done);
		block_disk_write(disk, offset + done, zeroes, (size_t)piece);
	}
}

/* --- layers ------------------------------------------------------------------------- */

/* The memory stays: it is used again. */
void block_disk_forget(struct block_disk *disk)
{
	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE; page++)
		disk->where[page] &= (uint8_t)~IN_ABOVE;
}

static void put_in_base(struct block_disk *disk, uint64_t page, const uint8_t *data)
{
	memcpy(disk->base + page * BLOCK_PAGE, data, BLOCK_PAGE);
	disk->where[page] = IN_BASE;
}

void block_disk_keep(struct block_disk *disk)
{
	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE; page++)
		if (disk->where[page] & IN_ABOVE)
			put_in_base(disk, page, page_of(disk, page));
}

void block_disk_copy(struct block_disk *disk, const struct block_disk *from)
{
	memset(disk->where, 0, disk->size / BLOCK_PAGE);
	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE; page++)
		if (from->where[page] & IN_BASE)
			put_in_base(disk, page, from->base + page * BLOCK_PAGE);
}

int block_disk_export(const struct block_disk *disk, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool is_right = fd >= 0 && ftruncate(fd, (off_t)disk->size) == 0;

	for (uint64_t page = 0; page < disk->size / BLOCK_PAGE && is_right; page++)
		is_right = disk->where[page] == 0 ||
			   pwrite(fd, page_of(disk, page), BLOCK_PAGE,
				  (off_t)(page * BLOCK_PAGE)) == BLOCK_PAGE;
	if (fd >= 0)
		close(fd);
	return is_right ? 0 : -1;
}
