/*
 * Calls that fail and disks that are full, under the real store on simulated
 * disks.
 *
 * For a seeded workload every changing call of the ciphertext's and of the
 * state's disk fails in turn, in the workload and in a recovery.  What must
 * hold: the volume is frozen or the call refused; everything stays readable;
 * after a power cut all that was acknowledged is there, without an alarm; where
 * only room was missing, the volume goes on when there is room again.
 *
 *     crash-faults [--seconds N] [--states N] [--seed S] [--first] [--verbose]
 *
 * A state is a volume that was compared with the model.  A violation prints the
 * seed and the case.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "crash_campaign.h"
#include "crash_faults.h"
#include "crash_process.h"
#include "crypto/crypto.h"
#include "temp_dir.h"
#include "world.h"

#define CASE_SECONDS 60
#define STRIDE	     7919 /* prime: the cases of a seed in an order that looks like none */

static struct fault_result *result;

static const char *const kind_names[FAULT_KINDS] = {"no fault", "I/O error once",
						    "I/O errors from", "no room once", "full from"};

static bool run_case(const struct fault_case *fault, char *why, size_t size)
{
	int status = 0;
	pid_t child;

	memset(result, 0, sizeof(*result));
	child = process_fork();
	if (child == 0) {
		fault_case_run(fault, result);
		_exit(0);
	}
	if (!process_end(child, CASE_SECONDS, &status))
		snprintf(why, size, "hung for %d s", CASE_SECONDS);
	else if (status != 0)
		snprintf(why, size, "died (wait status %x)", (unsigned int)status);
	else
		snprintf(why, size, "%s", result->why);
	return why[0] == '\0';
}

static void judge(struct campaign *campaign, const struct fault_case *fault)
{
	char why[512], text[700];
	bool is_right = run_case(fault, why, sizeof(why));

	campaign->states += atomic_load(&result->states);
	if (is_right)
		return;
	snprintf(text, sizeof(text), "%s (%s call %llu of the %s disk%s)", why,
		 kind_names[fault->kind], (unsigned long long)fault->call,
		 fault->is_state ? "state" : "ciphertext",
		 fault->is_recovering ? ", recovering" : "");
	campaign_violation(campaign, fault->seed, "", text);
}

/* The case's number among those of a seed: a kind, a disk, a place, a call. */
static struct fault_case pick(uint64_t seed, uint64_t number, uint64_t calls[2][2])
{
	struct fault_case fault = {.seed = seed};

	for (int place = 0; place < 4; place++) {
		uint64_t cases = calls[place & 1][place >> 1] * (FAULT_KINDS - 1);

		if (number < cases) {
			fault.is_state = (place & 1) != 0;
			fault.is_recovering = place >> 1 != 0;
			fault.kind = (enum fault_kind)(1 + number % (FAULT_KINDS - 1));
			fault.call = 1 + number / (FAULT_KINDS - 1);
			break;
		}
		number -= cases;
	}
	return fault;
}

static void explore(struct campaign *campaign, uint64_t seed)
{
	struct fault_case none = {.seed = seed, .kind = FAULT_NONE};
	uint64_t calls[2][2], total = 0, violations = campaign->violations;

	judge(campaign, &none);
	if (campaign->violations > violations)
		return;
	memcpy(calls, result->calls, sizeof(calls));
	for (int place = 0; place < 4; place++)
		total += calls[place & 1][place >> 1] * (FAULT_KINDS - 1);
	if (total % STRIDE == 0)
		total--;
	for (uint64_t i = 0; i < total && !campaign_is_over(campaign); i++) {
		struct fault_case fault = pick(seed, i * STRIDE % total, calls);

		fault.is_verbose = campaign->is_verbose;
		judge(campaign, &fault);
	}
}

int main(int argc, char **argv)
{
	struct campaign campaign = {.name = "crash-faults"};
	char *scratch;
	int status;

	if (!campaign_options(&campaign, argc, argv))
		return 2;
	if (crypto_init() != ERR_OK)
		return 1;
	/* What a case that died leaves behind goes with it. */
	scratch = temp_dir_new();
	setenv("TMPDIR", scratch, 1);
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (result == MAP_FAILED)
		return 1;
	world_template();
	status = campaign_run(&campaign, explore);
	world_forget_template();
	temp_dir_free(scratch);
	return status;
}
