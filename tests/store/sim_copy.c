/* The simulated disk: pages taken over from another one. */
#include "sim_private.h"

static struct sim_inode *inode_of(struct sim *sim, const char *path)
{
	struct sim_name *name;

	if (sim_name_get(sim, path, &name) != ERR_OK || name->now == NULL || name->now->is_directory)
		return NULL;
	return name->now;
}

static const uint8_t *data_now(const struct sim_cell *cell)
{
	return sim_page_data(cell->count > 0 ? cell->versions[cell->count - 1].page
					     : cell->durable);
}

/* Two disks, or twice the same: locked by address. */
static void lock_both(struct sim *one, struct sim *other)
{
	pthread_mutex_lock(one < other ? &one->lock : &other->lock);
	if (one != other)
		pthread_mutex_lock(one < other ? &other->lock : &one->lock);
}

static void unlock_both(struct sim *one, struct sim *other)
{
	pthread_mutex_unlock(&one->lock);
	if (one != other)
		pthread_mutex_unlock(&other->lock);
}

enum err backing_sim_copy(struct backing *from, const char *from_path, struct backing *to,
			  const char *to_path, uint64_t offset, uint64_t len)
{
	struct sim *source = (struct sim *)from, *target = (struct sim *)to;
	struct sim_inode *inode, *copy;

	lock_both(source, target);
	inode = inode_of(source, from_path);
	copy = inode_of(target, to_path);
	if (inode == NULL || copy == NULL || inode == copy) {
		unlock_both(source, target);
		return inode != NULL && inode == copy ? ERR_OK : ERR_NOT_FOUND;
	}
	sim_zero(target, copy, offset, offset + len);
	for (const struct sim_cell *cell = inode->cells; cell != NULL; cell = cell->hh.next) {
		uint64_t at = cell->index * SIM_PAGE;

		if (at >= offset && at - offset < len)
			sim_write(target, copy, data_now(cell), SIM_PAGE, at);
	}
	unlock_both(source, target);
	return ERR_OK;
}
