/* A program built without liburing. */
#include "daemon/ring.h"

bool ring_is_built(void)
{
	return false;
}

enum err ring_new(int fd, const struct ring_calls *calls, struct ring **ring)
{
	(void)fd;
	(void)calls;
	(void)ring;
	return ERR_UNSUPPORTED;
}

void ring_free(struct ring *ring)
{
	(void)ring;
}

enum err ring_start(struct ring *ring)
{
	(void)ring;
	return ERR_UNSUPPORTED;
}

bool ring_reply(struct ring *ring, const struct iovec *iov, int count)
{
	(void)ring;
	(void)iov;
	(void)count;
	return false;
}

void ring_wipe(struct ring *ring, uint64_t generation)
{
	(void)ring;
	(void)generation;
}

void ring_stop(struct ring *ring)
{
	(void)ring;
}

unsigned int ring_kick(struct ring *ring, uint64_t generation)
{
	(void)ring;
	(void)generation;
	return 0;
}
