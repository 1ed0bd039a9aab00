#include "daemon/idle.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/periodic.h"

struct idle {
	struct idle_calls calls;
	struct periodic *periodic;
};

static int64_t look(void *ctx)
{
	struct idle *idle = ctx;
	int64_t left = idle->calls.left_ms(idle->calls.ctx);

	if (left == 0)
		idle->calls.due(idle->calls.ctx);
	/* What was due and did not help is not tried in a loop. */
	return (left > 0 && left < IDLE_LOOK_MS ? left : IDLE_LOOK_MS) * NS_PER_MS;
}

enum err idle_new(const struct idle_calls *calls, struct idle **idle)
{
	struct idle *made = calloc(1, sizeof(*made));
	enum err err;

	if (!made)
		return ERR_NO_MEMORY;
	made->calls = *calls;
	err = periodic_new(look, made, &made->periodic);
	if (err) {
		free(made);
		return err;
	}
	*idle = made;
	return ERR_OK;
}

void idle_free(struct idle *idle)
{
	if (!idle)
		return;
	periodic_free(idle->periodic);
	free(idle);
}
