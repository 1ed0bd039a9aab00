/*
 * Power cuts by the file system's shutdown ioctl, on ext4 and xfs (crash_life.h).
 *
 * At a random moment under the workload, or in the recovery from the cut before,
 * the file systems below the volume stop; the store gets errors and must freeze.
 * Then unmount, mount (the file system replays its own journal), recover,
 * compare, go on.  Flags: 0 what is in memory is written first, 1 the file
 * system's log is, 2 nothing is.
 *
 *     crash-shutdown [--seconds N] [--states N] [--seed S] [--on ext4|xfs] [--first] [--verbose]
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crash_life.h"
#include "crash_process.h"
#include "crash_work.h"

#define LIVES_PER_VOLUME 40
#define MOMENT_MAX_US	 20000

static enum disk_kind kinds[DISK_KINDS];
static unsigned int kind_count;

struct volume {
	struct campaign *campaign;
	uint64_t seed;
	enum disk_kind kind;
	struct lives *lives;
	struct workload draw;
};

/* One disk after the other, the first one chosen; between the two the store goes on. */
static bool cut(struct volume *volume)
{
	unsigned int disks = lives_disks(volume->lives);
	uint64_t first = workload_below(&volume->draw, disks);
	bool is_down = true;

	life_expect_errors(volume->lives);
	for (unsigned int i = 0; i < disks; i++)
		is_down &= disk_shut_down(lives_disk(volume->lives, (unsigned int)(first + i) % disks),
					  (uint32_t)workload_below(&volume->draw, 3));
	return is_down;
}

/* In a recovery, or a while after it. */
static void wait_for_moment(struct volume *volume, pid_t life)
{
	bool is_recovering = workload_below(&volume->draw, 4) == 0;
	useconds_t moment = (useconds_t)workload_below(&volume->draw, MOMENT_MAX_US);

	while (!is_recovering && life_stage(volume->lives) < LIFE_WORKS && !process_is_over(life))
		usleep(100);
	usleep(moment);
}

static bool live_once(struct volume *volume, char *why, size_t size)
{
	struct life_plan plan = {.seed = workload_draw(&volume->draw),
				 .steps = UINT32_MAX,
				 .loses_power = true,
				 .is_verbose = volume->campaign->is_verbose};
	pid_t life = life_begin(volume->lives, &plan);

	wait_for_moment(volume, life);
	if (!cut(volume)) {
		snprintf(why, size, "the file system cannot be shut down");
		return false;
	}
	if (!life_end(volume->lives, life, why, size))
		return false;
	for (unsigned int i = 0; i < lives_disks(volume->lives); i++) {
		if (!disk_remount(lives_disk(volume->lives, i))) {
			snprintf(why, size, "the file system cannot be mounted again");
			return false;
		}
	}
	return true;
}

static void explore(struct campaign *campaign, uint64_t seed)
{
	struct volume volume = {.campaign = campaign,
				.seed = seed,
				.kind = kinds[seed % kind_count],
				.draw = {.random = seed}};
	uint64_t before = campaign->states;
	char why[700], how[64];
	bool is_right = true;

	volume.lives = lives_new(volume.kind, seed / DISK_KINDS % 2 == 1, seed);
	for (unsigned int i = 0; i < LIVES_PER_VOLUME && is_right && !campaign_is_over(campaign); i++) {
		is_right = live_once(&volume, why, sizeof(why));
		campaign->states = before + lives_states(volume.lives);
		if (!is_right) {
			size_t len = strlen(why);

			snprintf(why + len, sizeof(why) - len, ", life %u on %s", i,
				 disk_kind_name(volume.kind));
			snprintf(how, sizeof(how), " --on %s --states %d",
				 disk_kind_name(volume.kind), LIVES_PER_VOLUME);
			campaign_violation(campaign, seed, how, why);
		}
	}
	lives_free(volume.lives);
}

int main(int argc, char **argv)
{
	struct campaign campaign = {.name = "crash-shutdown"};

	if (!campaign_options(&campaign, argc, argv))
		return 2;
	kind_count = life_kinds(&campaign, DISK_EXT4, kinds);
	return kind_count == 0 ? 77 : campaign_run(&campaign, explore);
}
