#include "tools/audit/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tools/cli/output.h"

#define CELL 128
#define WHAT 4700 /* a path, and what is said behind it */

static const char row[] = "%-19s  %-18s  %-15s  %-8s  %-44s  %s%s%s\n";

static void format_time(int64_t wall_ns, char *out, size_t size)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
}

/* "alice", "root (jroot)" behind sudo, "uid 4000001" without a name. */
static void format_who(const struct audit_person *person, char *out, size_t size)
{
	char name[CELL], login[CELL] = "";

	if (person == NULL) {
		snprintf(out, size, "-");
		return;
	}
	if (person->user[0] != '\0')
		output_printable(person->user, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "uid %u", (unsigned int)person->uid);
	if (person->login_user[0] != '\0')
		output_printable(person->login_user, login, sizeof(login));
	else if (person->login_uid != (uid_t)-1)
		snprintf(login, sizeof(login), "uid %u", (unsigned int)person->login_uid);
	if (login[0] != '\0' && person->login_uid != person->uid)
		snprintf(out, size, "%s (%s)", name, login);
	else
		snprintf(out, size, "%s", name);
}

static void format_did(const struct audit_event *event, char *out, size_t size)
{
	bool is_refusal = event->type == AUDIT_DENY || event->type == AUDIT_LOCKED;
	const char *word = is_refusal && event->action != NULL ? event->action
							       : audit_type_name(event->type);

	output_printable(word, out, size);
	for (char *c = out; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 32);
	}
}

static size_t append(char *out, size_t used, size_t size, const char *before, const char *text)
{
	char printable[WHAT];
	int len;

	if (text == NULL || used >= size)
		return used;
	output_printable(text, printable, sizeof(printable));
	len = snprintf(out + used, size - used, "%s%s", used == 0 ? "" : before, printable);
	return used + (size_t)len < size ? used + (size_t)len : size - 1;
}

static void format_range(const struct audit_event *event, char *out, size_t size)
{
	static const char *const via[] = {"", ", into the page cache", ", from the page cache"};

	out[0] = '\0';
	if (event->type == AUDIT_READ || event->type == AUDIT_WRITE)
		snprintf(out, size, "%" PRIu64 " bytes at %" PRIu64 "%s", event->bytes,
			 event->offset, event->via <= AUDIT_VIA_WRITEBACK ? via[event->via] : "");
	else if (event->bytes != 0)
		snprintf(out, size, "%" PRIu64 " bytes", event->bytes);
	if (event->count > 1)
		snprintf(out + strlen(out), size - strlen(out), "%s%u times",
			 out[0] == '\0' ? "" : ", ", event->count);
}

/* The first digits of the object, which phifs-volume locate takes; the number is its low end first. */
static size_t format_object(const struct audit_event *event, char *out, size_t size)
{
	uint8_t number[4];
	char digits[2 * sizeof(number) + 1];

	for (size_t i = 0; i < sizeof(number); i++)
		number[i] = (uint8_t)(event->number >> (8 * i));
	hex_encode(number, sizeof(number), digits);
	return (size_t)snprintf(out, size, "file %s", digits);
}

static void format_what(const struct entry *entry, char *out, size_t size)
{
	const struct audit_event *event = entry->event;
	char range[CELL];
	size_t used = 0;

	out[0] = '\0';
	if (event->path != NULL)
		used = append(out, used, size, "", event->path);
	else if (entry->path_name != NULL || entry->file_name != NULL)
		used = (size_t)snprintf(out, size, "%s %s",
					entry->path_name != NULL ? "path" : "file",
					entry->path_name != NULL ? entry->path_name
								 : entry->file_name);
	else if (event->path == NULL && event->number != 0)
		used = format_object(event, out, size);
	used = append(out, used, size, " -> ",
		      event->new_path != NULL ? event->new_path : entry->new_path_name);
	format_range(event, range, sizeof(range));
	used = append(out, used, size, "  ", range[0] == '\0' ? NULL : range);
	append(out, used, size, "  ", event->detail);
}

static const char *result_of(const struct audit_event *event)
{
	if (event->type == AUDIT_DENY)
		return "refused";
	if (event->type == AUDIT_LOCKED)
		return "locked";
	return event->err == ERR_OK ? "done" : err_text(event->err);
}

static void format_rule(const struct audit_event *event, char *out, size_t size)
{
	char role[CELL];

	out[0] = '\0';
	if (event->role != NULL && event->role[0] != '\0') {
		output_printable(event->role, role, sizeof(role));
		snprintf(out, size, "(%s, line %d)", role, event->rule);
	} else if (event->type == AUDIT_DENY && event->err != ERR_CLASS) {
		/* What may not change its class is no question of rules. */
		snprintf(out, size, "(default deny)");
	}
}

void entry_print_heading(void)
{
	printf(row, "TIME", "WHO", "FROM", "DID", "WHAT", "RESULT", "  ", "(RULE)");
}

void entry_print(const struct entry *entry)
{
	const struct audit_event *event = entry->event;
	char time_text[32], who[2 * CELL + 8], from[CELL] = "", did[CELL], what[WHAT];
	char rule[CELL + 32];

	format_time(entry->wall_ns, time_text, sizeof(time_text));
	format_who(event->person, who, sizeof(who));
	if (event->person != NULL)
		output_printable(event->person->from, from, sizeof(from));
	format_did(event, did, sizeof(did));
	format_what(entry, what, sizeof(what));
	format_rule(event, rule, sizeof(rule));
	printf(row, time_text, who, from, did, what, result_of(event), rule[0] == '\0' ? "" : "  ",
	       rule);
}
