#include "store/space.h"
#include "store/break.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define SMALL_SHARE   16 /* margins are at most this part of the whole */
#define AGE_MAX	      (100 * NS_PER_MS)
#define AGE_MAX_SHORT NS_PER_MS
#define SHORT	      (1ull << 30) /* what a fast disk takes in 100 ms, several times */
#define PIECE	      (1u << 20)

struct place {
	struct backing *backing;
	const char *name; /* for messages */
	struct backing_space space;
	int64_t looked_at; /* clock_boot_ns */
	bool has_ballast;
};

struct space {
	pthread_mutex_t lock;
	struct place places[2]; /* ciphertext, state */
	bool read_only;
};
#define PLACES 2

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t ballast_size(const struct place *place)
{
	return smaller(SPACE_MARGIN, place->space.total_bytes / SMALL_SHARE);
}

static uint64_t margin(const struct place *place)
{
	uint64_t size = ballast_size(place);

	return place->has_ballast ? size : 2 * size;
}

static uint64_t inode_margin(const struct place *place)
{
	return smaller(SPACE_MARGIN_INODES, place->space.total_inodes / SMALL_SHARE);
}

static enum err look(struct place *place)
{
	enum err err = place->backing->ops->space(place->backing, &place->space);

	if (err == ERR_OK)
		place->looked_at = clock_boot_ns();
	return err;
}

/* --- ballast -------------------------------------------------------------------- */

/*
 * Written, not reserved: some file systems reserve nothing, and blocks that
 * were reserved only may still need others when they are filled.
 */
static enum err fill(struct backing *b, int file, uint64_t size)
{
	uint8_t *zeroes = calloc(1, PIECE);
	enum err err = zeroes == NULL ? ERR_NO_MEMORY : ERR_OK;

	for (uint64_t at = 0; err == ERR_OK && at < size; at += PIECE)
		err = b->ops->pwrite(b, file, zeroes, smaller(PIECE, size - at), at);
	free(zeroes);
	return err == ERR_OK ? b->ops->fdatasync(b, file) : err;
}

static enum err remove_ballast(struct backing *b)
{
	enum err err = b->ops->unlink(b, SPACE_BALLAST);

	/* Freed blocks can be used when the removal is durable. */
	return err == ERR_OK ? b->ops->sync_dir(b, ".") : err;
}

static bool ballast_is_there(const struct place *place)
{
	struct backing *b = place->backing;
	uint64_t size = 0;
	enum err err;
	int file;

	if (b->ops->open(b, SPACE_BALLAST, BACKING_READ_ONLY, &file) != ERR_OK)
		return false;
	err = b->ops->size(b, file, &size);
	b->ops->close(b, file);
	return err == ERR_OK && size == ballast_size(place);
}

static enum err write_ballast(const struct place *place)
{
	struct backing *b = place->backing;
	enum err err;
	int file;

	err = b->ops->open(b, SPACE_BALLAST, BACKING_CREATE, &file);
	if (err != ERR_OK)
		return err;
	err = fill(b, file, ballast_size(place));
	b->ops->close(b, file);
	return err == ERR_OK ? b->ops->sync_dir(b, ".") : err;
}

static void make_ballast(struct place *place)
{
	uint64_t size = ballast_size(place);
	enum err err, removed;

	if (ballast_is_there(place)) {
		place->has_ballast = true;
		return;
	}
	removed = remove_ballast(place->backing);
	if (removed != ERR_OK && removed != ERR_NOT_FOUND)
		log_warning("%s directory: the old ballast file: %s", place->name,
			    err_text(removed));
	if (look(place) != ERR_OK || place->space.free_bytes < 2 * size)
		return;
	err = write_ballast(place);
	place->has_ballast = err == ERR_OK;
	/* What was seen before it was written says more room than there is. */
	place->looked_at = 0;
	if (err == ERR_OK)
		return;
	log_warning("%s directory: no ballast file: %s", place->name, err_text(err));
	removed = remove_ballast(place->backing);
	if (removed != ERR_OK && removed != ERR_NOT_FOUND)
		log_warning("%s directory: half a ballast file is left: %s", place->name,
			    err_text(removed));
}

bool space_release(struct space *space)
{
	bool released = false;

	pthread_mutex_lock(&space->lock);
	for (int i = 0; i < PLACES; i++) {
		struct place *place = &space->places[i];
		enum err err;

		if (!place->has_ballast || space->read_only)
			continue;
		err = remove_ballast(place->backing);
		log_warning("%s directory: out of space, ballast file released: %s", place->name,
			    err_text(err));
		released = released || err == ERR_OK;
		place->has_ballast = false;
		place->looked_at = 0;
	}
	pthread_mutex_unlock(&space->lock);
	return released;
}

void space_remake(struct space *space)
{
	pthread_mutex_lock(&space->lock);
	for (int i = 0; i < PLACES; i++)
		if (!space->places[i].has_ballast && !space->read_only)
			make_ballast(&space->places[i]);
	pthread_mutex_unlock(&space->lock);
}

/* --- life --------------------------------------------------------------------------- */

enum err space_new(struct backing *ciphertext, struct backing *state, bool read_only,
		   struct space **out)
{
	struct space *space = calloc(1, sizeof(*space));
	enum err err = ERR_OK;

	if (space == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&space->lock, NULL);
	space->read_only = read_only;
	space->places[0] = (struct place){.backing = ciphertext, .name = "ciphertext"};
	space->places[1] = (struct place){.backing = state, .name = "state"};
	for (int i = 0; err == ERR_OK && i < PLACES; i++)
		err = look(&space->places[i]);
	if (err != ERR_OK) {
		space_free(space);
		return err;
	}
	space_remake(space);
	*out = space;
	return ERR_OK;
}

void space_free(struct space *space)
{
	if (space == NULL)
		return;
	pthread_mutex_destroy(&space->lock);
	free(space);
}

/* --- asking ---------------------------------------------------------------------------- */

static enum err refresh(struct place *place)
{
	bool is_short = place->space.free_bytes < SHORT ||
			place->space.free_inodes < 2 * SPACE_MARGIN_INODES;
	int64_t age = clock_boot_ns() - place->looked_at;

	if (place->looked_at != 0 && age <= (is_short ? AGE_MAX_SHORT : AGE_MAX))
		return ERR_OK;
	return look(place);
}

static bool has_room(const struct place *place, uint64_t bytes, uint64_t inodes)
{
	const struct backing_space *space = &place->space;

	if (space->free_bytes < margin(place) || space->free_bytes - margin(place) < bytes)
		return false;
	return space->total_inodes == 0 || (space->free_inodes >= inode_margin(place) &&
					    space->free_inodes - inode_margin(place) >= inodes);
}

enum err space_admit(struct space *space, uint64_t bytes, uint64_t inodes)
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&space->lock);
	for (int i = 0; err == ERR_OK && i < PLACES; i++) {
		err = refresh(&space->places[i]);
		if (err == ERR_OK && !has_room(&space->places[i], bytes, inodes) &&
		    !STORE_BREAK(I24_NO_ROOM))
			err = ERR_FULL;
	}
	pthread_mutex_unlock(&space->lock);
	return err;
}

enum err space_left(struct space *space, struct backing_space *left)
{
	struct place *place = &space->places[0];
	enum err err;

	pthread_mutex_lock(&space->lock);
	err = refresh(place);
	if (err == ERR_OK) {
		*left = place->space;
		left->free_bytes -= smaller(margin(place), left->free_bytes);
		if (left->total_inodes != 0)
			left->free_inodes -= smaller(inode_margin(place), left->free_inodes);
	}
	pthread_mutex_unlock(&space->lock);
	return err;
}
