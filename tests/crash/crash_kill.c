/*
 * SIGKILL against the real store on real file systems (crash_life.h).
 *
 * A life ends at a chosen changing call of the ciphertext's or the state's
 * disk, half of a write made, perhaps while it still recovers from the kill
 * before; or at a chosen moment, perhaps inside SQLite.  The kernel lives, so
 * what the journal had must be there, besides what crash_model.h wants.
 *
 *     crash-kill [--seconds N] [--states N] [--seed S] [--on directory|ext4|xfs] [--first] [--verbose]
 *
 * A violation prints the seed; the life's step is in its text.  Thread timing is
 * real, so a seed may need several runs.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crash_life.h"
#include "crash_work.h"

#define LIVES_PER_VOLUME 120
#define CALLS_MAX	 400
#define MOMENT_MAX_US	 60000

static enum disk_kind kinds[DISK_KINDS];
static unsigned int kind_count;

/* Small ones as often as large ones. */
static uint64_t draw_call(struct workload *draw)
{
	uint64_t limit = 2;

	for (uint64_t n = workload_below(draw, 9); n > 0 && limit < CALLS_MAX; n--)
		limit *= 2;
	return 1 + workload_below(draw, limit);
}

/* How the life ends; microseconds until a kill at a moment, 0: none. */
static unsigned int draw_end(struct workload *draw, struct life_plan *plan)
{
	plan->seed = workload_draw(draw);
	plan->steps = 5 + (unsigned int)workload_below(draw, 150);
	plan->kill_on_state = workload_below(draw, 4) == 0;
	plan->kill_recovering = workload_below(draw, 3) == 0;
	plan->closes = workload_below(draw, 3) == 0;
	if (workload_below(draw, 10) < 7)
		plan->kill_at = draw_call(draw);
	return plan->kill_at == 0 ? 1 + (unsigned int)workload_below(draw, MOMENT_MAX_US) : 0;
}

static void explore(struct campaign *campaign, uint64_t seed)
{
	struct workload draw = {.random = seed};
	enum disk_kind kind = kinds[seed % kind_count];
	struct lives *lives = lives_new(kind, kind != DISK_DIRECTORY && seed / DISK_KINDS % 2 == 1, seed);
	uint64_t before = campaign->states;
	char why[700], how[64];
	bool is_right = true;

	for (unsigned int i = 0; i < LIVES_PER_VOLUME && is_right && !campaign_is_over(campaign); i++) {
		struct life_plan plan = {.is_verbose = campaign->is_verbose};
		unsigned int moment_us = draw_end(&draw, &plan);
		pid_t life = life_begin(lives, &plan);

		if (moment_us > 0) {
			usleep(moment_us);
			kill(life, SIGKILL);
		}
		is_right = life_end(lives, life, why, sizeof(why));
		campaign->states = before + lives_states(lives);
		if (!is_right) {
			size_t len = strlen(why);

			snprintf(why + len, sizeof(why) - len, ", life %u on %s", i,
				 disk_kind_name(kind));
			snprintf(how, sizeof(how), " --on %s --states %d", disk_kind_name(kind),
				 LIVES_PER_VOLUME);
			campaign_violation(campaign, seed, how, why);
		}
	}
	lives_free(lives);
}

int main(int argc, char **argv)
{
	struct campaign campaign = {.name = "crash-kill"};

	if (!campaign_options(&campaign, argc, argv))
		return 2;
	kind_count = life_kinds(&campaign, DISK_DIRECTORY, kinds);
	return kind_count == 0 ? 77 : campaign_run(&campaign, explore);
}
