#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/collected.h"
#include "base/log.h"
#include "tools/audit/tool.h"

/* So many lines are complained about one by one. */
#define COMPLAINTS_MAX 10

struct input {
	const struct call *call;
	const struct auditor_key *key;
	struct show *show;
	struct collected *collected;
	struct collected_record *record;
	const char *file;
	uint64_t line;
	uint64_t doubled, overlapping, foreign, damaged, closed, missing;
	enum err worst;
};

/* NAME was given: only that volume's messages. */
static bool is_wanted(const struct input *input, const char *volume)
{
	const char *name = input->call->volume;

	return name == NULL || strchr(name, '/') != NULL || strcmp(name, volume) == 0;
}

static void print_record(struct input *input)
{
	const struct collected_record *record = input->record;
	const struct entry entry = {.volume = record->volume,
				    .host = record->line.host,
				    .journal_id = record->journal_id,
				    .segment = record->segment,
				    .first_seq = record->first_seq,
				    .seq = record->seq,
				    .wall_ns = record->wall_ns,
				    .event = &record->event,
				    .file_name = record->file_name,
				    .path_name = record->path_name,
				    .new_path_name = record->new_path_name,
				    .patient_name = record->patient_name,
				    .is_cut = record->is_cut};

	input->closed += record->is_path_closed;
	input->overlapping += record->is_overlapping;
	show_entry(input->show, &entry);
}

static const char *complaint(enum err err)
{
	if (err == ERR_TAMPERED)
		return "its sealed path does not verify";
	if (err == ERR_ROLLBACK)
		return "a record that came before said something else: the host went back to an "
		       "older state";
	return err_text(err);
}

static void complain(struct input *input, enum err err)
{
	if (++input->damaged <= COMPLAINTS_MAX)
		cli_fail(err, "%s:%" PRIu64 ": %s", input->file, input->line, complaint(err));
	if (input->worst == ERR_OK || err == ERR_TAMPERED || err == ERR_ROLLBACK)
		input->worst = err;
}

static enum err take_line(struct input *input, const char *text, size_t len)
{
	enum err err = collected_line(input->collected, text, len, input->record);

	switch (err) {
	case ERR_OK:
		if (is_wanted(input, input->record->volume))
			print_record(input);
		return ERR_OK;
	case ERR_EXISTS:
		input->doubled++;
		return ERR_OK;
	case ERR_NOT_FOUND:
		input->foreign++;
		return ERR_OK;
	case ERR_FORMAT:
	case ERR_VERSION:
	case ERR_TAMPERED:
	case ERR_ROLLBACK:
		complain(input, err);
		return ERR_OK;
	default:
		return cli_fail(err, "%s:%" PRIu64 ": %s", input->file, input->line,
				err_text(err));
	}
}

/* Reads on to the end of a line that is too long. */
static void skip_line(FILE *file)
{
	int c;

	do
		c = getc(file);
	while (c != EOF && c != '\n');
}

static enum err read_lines(struct input *input, FILE *file)
{
	static char text[SYSLOG_LINE_MAX + 2];
	enum err err = ERR_OK;

	input->line = 0;
	while (err == ERR_OK && fgets(text, sizeof(text), file) != NULL) {
		size_t len = strlen(text);

		input->line++;
		if (len > 0 && text[len - 1] == '\n')
			len--;
		else if (!feof(file))
			skip_line(file);
		err = take_line(input, text, len);
	}
	if (err == ERR_OK && ferror(file))
		err = cli_fail(ERR_IO, "%s: %s", input->file, strerror(errno));
	return err;
}

static enum err read_file(struct input *input, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	enum err err;

	input->file = is_stdin ? "standard input" : path;
	if (file == NULL)
		return cli_fail(err_from_errno(errno), "%s: %s", path, strerror(errno));
	err = read_lines(input, file);
	if (!is_stdin)
		fclose(file);
	return err;
}

static void count_gap(void *ctx, const char *volume, const uint8_t journal_id[AUDIT_ID_LEN],
		      uint64_t first, uint64_t last)
{
	struct input *input = ctx;

	(void)journal_id;
	if (!is_wanted(input, volume))
		return;
	if (input->missing == 0 || input->missing < COMPLAINTS_MAX)
		log_warning("records %" PRIu64 " to %" PRIu64 " of %.64s are missing", first, last,
			    volume);
	input->missing++;
}

static bool is_strangers_key(const struct input *input)
{
	uint64_t segments, mine;

	collected_boxes(input->collected, &segments, &mine);
	return segments > 0 && mine == 0;
}

static void tell(const struct input *input)
{
	if (input->damaged > COMPLAINTS_MAX)
		log_error("%" PRIu64 " more lines like these", input->damaged - COMPLAINTS_MAX);
	if (input->doubled > 0)
		log_info("%" PRIu64 " messages came twice and are shown once", input->doubled);
	if (input->overlapping > 0)
		log_info("%" PRIu64 " messages stand for runs of which some came before",
			 input->overlapping);
	if (input->foreign > 0)
		log_info("%" PRIu64 " lines are not of phifs", input->foreign);
	if (input->closed > 0 && input->key != NULL && is_strangers_key(input)) {
		log_warning("%" PRIu64 " paths could not be opened: the key is none of the "
			    "auditors' of this input", input->closed);
		log_hint("the fingerprints of the right ones: phifs-audit verify NAME");
	} else if (input->closed > 0 && input->key != NULL) {
		log_warning("%" PRIu64 " paths could not be opened: the SEGMENT message with this "
			    "key's box is not in the input",
			    input->closed);
		log_hint("give the older file first: --input OLDER --input NEWER");
	}
	if (input->missing > 0)
		log_hint("they are in the journal, unless it lost them: phifs-audit verify%s",
			 cli_volume_words(input->call));
}

enum err show_input(const struct call *call, const struct auditor_key *key, struct show *show)
{
	const char *const *files = cli_values(call, OPT_INPUT);
	struct input input = {.call = call, .key = key, .show = show};
	enum err err = collected_new(key, &input.collected);

	input.record = calloc(1, sizeof(*input.record));
	if (err == ERR_OK && input.record == NULL)
		err = ERR_NO_MEMORY;
	if (err != ERR_OK)
		cli_fail(err, "%s", err_text(err));
	for (size_t i = 0; i < cli_count(call, OPT_INPUT) && err == ERR_OK; i++)
		err = read_file(&input, files[i]);
	if (err == ERR_OK) {
		collected_gaps(input.collected, count_gap, &input);
		tell(&input);
		err = input.worst;
	}
	if (err == ERR_OK && input.missing > 0)
		err = ERR_UNPROVEN;
	if (err == ERR_OK && input.closed > 0 && key != NULL && is_strangers_key(&input))
		err = ERR_DENIED;
	free(input.record);
	collected_free(input.collected);
	return err;
}
