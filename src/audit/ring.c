#include "audit/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define RING_PAGE   4096
#define RING_ALIGN  8
#define ENTRY_LEN   8

static const char ring_magic[8] = "phifsAR1";

/* The first page of the file; the entries follow. */
struct ring_page {
	char magic[8];
	uint8_t journal_id[AUDIT_ID_LEN];
	uint64_t size;
	/* Positions only grow; the place in the ring is position % size. */
	_Atomic uint64_t head;
	_Atomic uint64_t drained;
};

struct ring {
	int fd;
	char *path;
	struct ring_page *page;
	uint8_t *data;
};

static bool is_ours(const struct ring_page *page, const uint8_t journal_id[AUDIT_ID_LEN])
{
	uint64_t head = atomic_load(&page->head), drained = atomic_load(&page->drained);

	return memcmp(page->magic, ring_magic, sizeof(page->magic)) == 0 &&
	       memcmp(page->journal_id, journal_id, AUDIT_ID_LEN) == 0 &&
	       page->size == RING_SIZE && drained % RING_ALIGN == 0 && head % RING_ALIGN == 0 &&
	       drained <= head && head - drained <= RING_SIZE;
}

static enum err open_file(const char *path, int *out)
{
	struct stat st;
	enum err err = ERR_OK;
	int result;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_from_errno(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		err = ERR_INVALID;
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
	else if ((result = posix_fallocate(fd, 0, RING_PAGE + (off_t)RING_SIZE)) != 0)
		err = err_from_errno(result);
	if (err != ERR_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return ERR_OK;
}

enum err ring_open(const char *path, const uint8_t journal_id[AUDIT_ID_LEN], struct ring **out,
		   enum ring_found *found)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	void *map = MAP_FAILED;
	enum err err;

	if (ring == NULL)
		return ERR_NO_MEMORY;
	ring->fd = -1;
	ring->path = strdup(path);
	err = ring->path == NULL ? ERR_NO_MEMORY : open_file(path, &ring->fd);
	if (err == ERR_OK) {
		map = mmap(NULL, RING_PAGE + RING_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, ring->fd, 0);
		err = map == MAP_FAILED ? err_from_errno(errno) : ERR_OK;
	}
	if (err != ERR_OK) {
		ring_close(ring, false);
		return err;
	}
	/* Best effort: unlocked pages of tmpfs may be swapped, which only costs time. */
	(void)mlock(map, RING_PAGE + RING_SIZE);
	ring->page = map;
	ring->data = (uint8_t *)map + RING_PAGE;
	if (is_ours(ring->page, journal_id)) {
		*found = ring_drained(ring) < ring_head(ring) ? RING_OLD : RING_DRAINED;
	} else {
		*found = RING_NEW;
		memcpy(ring->page->journal_id, journal_id, AUDIT_ID_LEN);
		ring->page->size = RING_SIZE;
		ring_reset(ring);
		memcpy(ring->page->magic, ring_magic, sizeof(ring_magic));
	}
	*out = ring;
	return ERR_OK;
}

void ring_close(struct ring *ring, bool remove)
{
	if (ring == NULL)
		return;
	if (ring->page != NULL)
		munmap(ring->page, RING_PAGE + RING_SIZE);
	if (remove)
		unlink(ring->path);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring->path);
	free(ring);
}

void ring_reset(struct ring *ring)
{
	atomic_store(&ring->page->drained, 0);
	atomic_store(&ring->page->head, 0);
}

uint64_t ring_head(const struct ring *ring)
{
	return atomic_load_explicit(&ring->page->head, memory_order_acquire);
}

uint64_t ring_drained(const struct ring *ring)
{
	return atomic_load_explicit(&ring->page->drained, memory_order_acquire);
}

static uint64_t entry_size(size_t len)
{
	return (ENTRY_LEN + len + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

static void put_entry(struct ring *ring, uint64_t place, enum ring_kind kind, const void *data,
		      size_t len)
{
	store_u32(ring->data + place, (uint32_t)len);
	store_u32(ring->data + place + 4, kind);
	if (data != NULL)
		memcpy(ring->data + place + ENTRY_LEN, data, len);
}

enum err ring_put(struct ring *ring, enum ring_kind kind, const void *data, size_t len,
		  bool is_reserved)
{
	uint64_t head = ring_head(ring), used = head - ring_drained(ring);
	uint64_t place = head % RING_SIZE, size = entry_size(len);
	uint64_t pad = place + size > RING_SIZE ? RING_SIZE - place : 0;

	if (used + pad + size > RING_SIZE - (is_reserved ? 0 : RING_RESERVE))
		return ERR_FULL;
	if (pad > 0) {
		/* Sizes are multiples of 8, so there is room for the pad's own header. */
		put_entry(ring, place, RING_PAD, NULL, (size_t)pad - ENTRY_LEN);
		place = 0;
	}
	put_entry(ring, place, kind, data, len);
	atomic_store_explicit(&ring->page->head, head + pad + size, memory_order_release);
	return ERR_OK;
}

enum err ring_get(const struct ring *ring, uint64_t position, struct ring_entry *entry)
{
	uint64_t place = position % RING_SIZE;
	const uint8_t *at = ring->data + place;
	uint32_t len = load_u32(at), kind = load_u32(at + 4);
	uint64_t end = place + entry_size(len);

	if (kind < RING_PAD || kind > RING_HEADER || end > RING_SIZE ||
	    position + entry_size(len) > ring_head(ring) ||
	    (kind != RING_PAD && len > RECORD_MAX && len > SEGMENT_HEADER_MAX))
		return ERR_FORMAT;
	*entry = (struct ring_entry){.kind = (enum ring_kind)kind, .len = len,
				     .data = at + ENTRY_LEN,
				     .next = position + entry_size(len)};
	return ERR_OK;
}

void ring_release(struct ring *ring, uint64_t position)
{
	atomic_store_explicit(&ring->page->drained, position, memory_order_release);
}
