#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tools/cli/output.h"
#include "tools/ctl/ctl.h"

/* A collector that reads along is never further behind than this. */
#define LAG_WARNING 1000
/* Seals are made every 60 s at the latest. */
#define SEAL_WARNING_MS (5 * 60 * 1000)

#define CELL 32

static void print_line(const char *what, const char *text, bool is_warning)
{
	char safe[4400];

	output_printable(text, safe, sizeof(safe));
	printf("  %-12s %s%s\n", what, safe, is_warning ? "   WARNING" : "");
}

static void print_headline(const struct wire_status *status)
{
	char since[CELL], left[CELL], idle[CELL], by[64], reason[64];

	output_time(status->since, since, sizeof(since));
	output_duration(status->idle_ms, idle, sizeof(idle));
	output_duration(status->idle_left_ms, left, sizeof(left));
	output_printable(status->by, by, sizeof(by));
	output_printable(status->reason, reason, sizeof(reason));
	printf("%s  %s since %s", status->name, status->state, since);
	if (reason[0] != '\0' && strcmp(status->state, "unlocked") != 0)
		printf(" (%s)", reason);
	if (by[0] != '\0')
		printf(" by %s", by);
	if (status->idle_ms == CONFIG_NEVER)
		printf("; stays open: idle = never\n");
	else if (status->idle_left_ms != CONFIG_NEVER)
		printf("; locks itself after %s idle, in %s\n", idle, left);
	else
		printf("; idle limit %s\n", idle);
}

static void print_files(const struct wire_status *status)
{
	char text[256], dirty[CELL], space[CELL], total[CELL], state[CELL];

	output_size((uint64_t)status->dirty_bytes, dirty, sizeof(dirty));
	output_size((uint64_t)status->bytes_free, space, sizeof(space));
	output_size((uint64_t)status->bytes_total, total, sizeof(total));
	output_size((uint64_t)status->state_bytes_free, state, sizeof(state));
	snprintf(text, sizeof(text), "%lld in the volume, %lld open; %s not yet committed",
		 (long long)status->objects, (long long)status->handles, dirty);
	print_line("files", text, false);
	snprintf(text, sizeof(text), "%s free of %s; state %s free", space, total, state);
	print_line("space", text, status->bytes_free < (64 << 20) ||
					  status->state_bytes_free < (64 << 20));
}

static void print_audit(const struct wire_status *status)
{
	int64_t lag = status->audit_records - status->audit_delivered;
	char text[256], age[CELL], sealed[96], collector[96];

	output_duration(status->audit_sealed_age_ms, age, sizeof(age));
	if (!status->has_collector)
		snprintf(collector, sizeof(collector), "no collector configured");
	else
		snprintf(collector, sizeof(collector), "collector %s, %lld behind",
			 status->is_connected ? "connected" : "NOT connected", (long long)lag);
	if (status->audit_sealed == 0)
		snprintf(sealed, sizeof(sealed), "no seal in this run yet");
	else
		snprintf(sealed, sizeof(sealed), "sealed %s ago at %lld", age,
			 (long long)status->audit_sealed);
	snprintf(text, sizeof(text), "%s%lld records, %s; %s",
		 status->is_audit_failed ? "CANNOT BE WRITTEN, all access is refused; " : "",
		 (long long)status->audit_records, sealed, collector);
	print_line("audit", text,
		   status->is_audit_failed || status->audit_sealed_age_ms > SEAL_WARNING_MS ||
			   (status->has_collector && (!status->is_connected || lag > LAG_WARNING)));
}

static void print_integrity(const struct wire_status *status)
{
	char text[128];

	if (status->is_frozen)
		snprintf(text, sizeof(text), "frozen after an input/output error: read-only");
	else if (status->damaged > 0)
		snprintf(text, sizeof(text), "%lld %s since unlock", (long long)status->damaged,
			 status->damaged == 1 ? "failure" : "failures");
	else
		snprintf(text, sizeof(text), "nothing damaged");
	print_line("integrity", text, status->is_frozen || status->damaged > 0);
}

static void print_rest(const struct wire_status *status)
{
	char text[256], since[CELL];

	output_time(status->policy_since, since, sizeof(since));
	snprintf(text, sizeof(text), "%.16s, in force since %s", status->policy_digest, since);
	print_line("policy", text, false);
	if (status->epoch > 0)
		snprintf(text, sizeof(text), "%lld slots, generation %lld, epoch %lld",
			 (long long)status->slots, (long long)status->slots_generation,
			 (long long)status->epoch);
	else
		snprintf(text, sizeof(text), "%lld slots; no key is in memory",
			 (long long)status->slots);
	print_line("keys", text, false);
	if (status->kernel[0] != '\0')
		print_line("kernel", status->kernel, false);
	if (strcmp(status->transport, "io-uring") == 0)
		print_line("transport", status->transport, false);
	if (status->contact[0] != '\0')
		print_line("contact", status->contact, false);
	snprintf(text, sizeof(text), "%s, pid %lld%s%s", status->version, (long long)status->pid,
		 status->is_read_only ? ", read-only" : "",
		 strcmp(status->version, PACKAGE_VERSION) != 0
			 ? "; installed is " PACKAGE_VERSION ": restart at the next window"
			 : "");
	print_line("phifsd", text, false);
}

enum err cmd_status(const struct call *call)
{
	struct wire_status status;
	struct ctl ctl;
	enum err err = ctl_open(&ctl, call);

	if (err != ERR_OK)
		return err;
	if ((err = ctl_status(&ctl, &status)) != ERR_OK)
		goto out;
	if (cli_count(call, OPT_JSON) > 0) {
		output_json(wire_part_to_json(WIRE_STATUS, &status));
		goto out;
	}
	print_headline(&status);
	print_line("mount point", status.mountpoint, false);
	print_files(&status);
	print_audit(&status);
	print_integrity(&status);
	print_rest(&status);
out:
	ctl_close(&ctl);
	return err;
}
