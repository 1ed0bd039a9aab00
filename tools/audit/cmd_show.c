#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/secmem.h"
#include "tools/audit/show.h"
#include "tools/audit/tool.h"

void show_entry(struct show *show, const struct entry *entry)
{
	show->total++;
	if (!filter_takes(&show->filter, entry))
		return;
	if (show->is_json) {
		entry_print_json(entry);
	} else {
		if (show->shown == 0)
			entry_print_heading();
		entry_print(entry);
	}
	show->shown++;
}

static void print_counts(const struct show *show)
{
	bool is_brief = cli_count(show->filter.call, OPT_ALL) == 0 &&
			cli_count(show->filter.call, OPT_EVENT) == 0;

	printf("%" PRIu64 " of %" PRIu64 " records shown%s\n", show->shown, show->total,
	       is_brief && show->shown < show->total
		       ? " (CLOSE, SEGMENT and SEAL: --all)"
		       : "");
}

enum err cmd_show(const struct call *call)
{
	struct show show = {.is_json = cli_count(call, OPT_JSON) > 0};
	struct auditor_key *key = NULL;
	bool has_input = cli_count(call, OPT_INPUT) > 0;
	enum err err = filter_init(&show.filter, call);

	if (err != ERR_OK)
		return err;
	if (has_input && cli_count(call, OPT_JOURNAL) > 0)
		return cli_usage_error(call, "--input and --journal exclude each other");
	if (!has_input && cli_count(call, OPT_KEY) == 0) {
		cli_usage_error(call, "the journal is encrypted: --key FILE is missing");
		log_hint("what needs no key: phifs-audit verify%s", cli_volume_words(call));
		return ERR_USAGE;
	}
	err = key_load(call, &key);
	if (err == ERR_OK)
		err = has_input ? show_input(call, key, &show) : show_journal(call, key, &show);
	secmem_free(key);
	if (!show.is_json && show.total > 0)
		print_counts(&show);
	return err == ERR_OK && show.shown == 0 ? ERR_NO : err;
}
