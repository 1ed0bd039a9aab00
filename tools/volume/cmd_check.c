#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "tools/cli/daemon.h"
#include "tools/cli/output.h"
#include "tools/volume/names.h"
#include "tools/volume/offline.h"
#include "tools/volume/tool.h"

#define FINDINGS_MAX 10000 /* listed; all are counted */

struct finding {
	struct object_id id;
	enum err what;
	uint64_t block;
	char *path; /* one of its paths; NULL: not known */
};

struct check {
	struct progress *progress;
	struct finding *findings;
	size_t count, room;
	uint64_t total;
	bool has_damage; /* something else than "cannot be proven" */
	bool no_memory;
	struct store_check_counts counts;
};

static void take_finding(void *ctx, const struct object_id *id, enum err what, uint64_t block)
{
	struct check *check = ctx;

	check->total++;
	check->has_damage |= err_exit_code(what) != err_exit_code(ERR_UNPROVEN);
	if (check->count == FINDINGS_MAX)
		return;
	if (check->count == check->room) {
		size_t room = check->room == 0 ? 64 : 2 * check->room;
		struct finding *findings = reallocarray(check->findings, room, sizeof(*findings));

		if (findings == NULL) {
			check->no_memory = true;
			return;
		}
		check->findings = findings;
		check->room = room;
	}
	check->findings[check->count++] = (struct finding){*id, what, block, NULL};
}

static void take_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct check *check = ctx;

	progress_update(check->progress, done, total);
}

/* --- the volume must hold still ---------------------------------------------------------- */

static void take_status(void *ctx, const void *part)
{
	memcpy(ctx, part, sizeof(struct wire_status));
}

/* A daemon holds both directories, locked or not. */
static enum err refuse_running(const struct call *call, const struct config *config)
{
	struct wire_request request = {.type = WIRE_STATUS};
	struct wire_status status = {.state = ""};
	struct client *client = NULL;
	enum err err;

	daemon_wait_for_end(config);
	/* Nothing that answers has the volume open. */
	if (daemon_connect_quietly(config, &client) != ERR_OK)
		return ERR_OK;
	err = daemon_ask(call, config, client, &request, take_status, &status);
	client_close(client);
	if (err != ERR_OK)
		return err;
	cli_fail(ERR_BUSY, "%s is mounted (%s): what is in use cannot be checked", config->name,
		 status.state);
	log_hint("stop it first: umount %s", config->mountpoint);
	return ERR_BUSY;
}

/* --- paths of what was found ----------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = object_id_number(&((const struct finding *)a)->id);
	uint64_t y = object_id_number(&((const struct finding *)b)->id);

	return x < y ? -1 : x > y;
}

/* From the object's own header; a file that only looks like one has none. */
static void ask_header(struct store *store, struct finding *finding)
{
	uint64_t number = object_id_number(&finding->id);
	struct object_id current;
	struct names names;

	if (store_object_id(store, number, &current) != ERR_OK ||
	    memcmp(&current, &finding->id, sizeof(current)) != 0 ||
	    names_of(store, number, &names) != ERR_OK)
		return;
	finding->path = names.path[0];
	names.path[0] = NULL;
	names_clear(&names);
}

static void free_wanted(struct names_wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(wanted[i].path);
	free(wanted);
}

static bool needs_search(const struct finding *finding)
{
	return finding->path == NULL && finding->what != ERR_UNKNOWN &&
	       finding->what != ERR_STALE && !object_id_is_zero(&finding->id);
}

/* The findings, by number, and where they are in the volume. */
static enum err find_paths(struct check *check, struct store *store)
{
	struct names_wanted *wanted = calloc(check->count + 1, sizeof(*wanted));
	size_t count = 0, next = 0;
	enum err err = ERR_OK;

	if (wanted == NULL)
		return ERR_NO_MEMORY;
	qsort(check->findings, check->count, sizeof(*check->findings), by_number);
	for (size_t i = 0; i < check->count; i++) {
		ask_header(store, &check->findings[i]);
		if (needs_search(&check->findings[i]))
			wanted[count++].number = object_id_number(&check->findings[i].id);
	}
	if (count > 0)
		err = names_search(store, wanted, count);
	for (size_t i = 0; i < check->count && err == ERR_OK; i++) {
		if (!needs_search(&check->findings[i]))
			continue;
		check->findings[i].path = wanted[next].path;
		wanted[next++].path = NULL;
	}
	free_wanted(wanted, count);
	return err;
}

/* --- output ---------------------------------------------------------------------------------- */

/* What it is called here: a name count that differs is no "stale file" to people. */
static const char *kind_of(const struct finding *finding)
{
	return finding->what == ERR_STALE ? "UNREFERENCED" : err_name(finding->what);
}

static const char *text_of(const struct finding *finding)
{
	return finding->what == ERR_STALE ? "other names than its link count says"
					  : err_text(finding->what);
}

/* Rows of the ledger, and files that are no objects, have no id. */
static void file_of(const struct finding *finding, char file[OBJECT_PATH_LEN])
{
	if (!object_id_is_zero(&finding->id))
		object_path(&finding->id, file);
	else
		strcpy(file, finding->what == ERR_UNKNOWN ? "objects/" : "ledger.db");
}

static void print_findings(const struct check *check)
{
	for (size_t i = 0; i < check->count; i++) {
		const struct finding *finding = &check->findings[i];
		char file[OBJECT_PATH_LEN], path[4 * STORE_PATH_MAX];

		file_of(finding, file);
		output_printable(finding->path != NULL ? finding->path : "", path, sizeof(path));
		printf("%s %s block %llu: %s%s%s\n", kind_of(finding), file,
		       (unsigned long long)finding->block, text_of(finding),
		       path[0] != '\0' ? ": " : "", path);
	}
	if (check->total > check->count)
		printf("and %llu more\n", (unsigned long long)(check->total - check->count));
}

static void print_text(const struct check *check, const char *name)
{
	const struct store_check_counts *counts = &check->counts;
	char size[16];

	print_findings(check);
	output_size(counts->bytes, size, sizeof(size));
	printf("%s: %llu objects, %llu blocks, %s checked: ", name,
	       (unsigned long long)counts->objects, (unsigned long long)counts->blocks, size);
	if (check->total == 0)
		printf("everything verifies\n");
	else
		printf("%llu damaged, %llu missing, %llu unknown, %llu rolled back, "
		       "%llu without a name\n",
		       (unsigned long long)counts->damaged, (unsigned long long)counts->missing,
		       (unsigned long long)counts->unknown,
		       (unsigned long long)counts->rolled_back,
		       (unsigned long long)counts->unreferenced);
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

static struct json_object *finding_json(const struct finding *finding)
{
	struct json_object *object = json_object_new_object();
	char file[OBJECT_PATH_LEN], path[4 * STORE_PATH_MAX], id[OBJECT_DIGITS + 1];

	file_of(finding, file);
	output_printable(finding->path != NULL ? finding->path : "", path, sizeof(path));
	hex_encode(finding->id.bytes, sizeof(finding->id.bytes), id);
	json_object_object_add(object, "kind", json_object_new_string(kind_of(finding)));
	json_object_object_add(object, "object", json_object_new_string(id));
	json_object_object_add(object, "file", json_object_new_string(file));
	add_number(object, "block", finding->block);
	json_object_object_add(object, "path",
			       path[0] != '\0' ? json_object_new_string(path) : NULL);
	return object;
}

static void print_json(const struct check *check, const char *name)
{
	const struct store_check_counts *counts = &check->counts;
	struct json_object *object = json_object_new_object();
	struct json_object *findings = json_object_new_array();

	json_object_object_add(object, "name", json_object_new_string(name));
	json_object_object_add(object, "is_sound", json_object_new_boolean(check->total == 0));
	add_number(object, "objects", counts->objects);
	add_number(object, "blocks", counts->blocks);
	add_number(object, "bytes", counts->bytes);
	add_number(object, "damaged", counts->damaged);
	add_number(object, "missing", counts->missing);
	add_number(object, "unknown", counts->unknown);
	add_number(object, "rolled_back", counts->rolled_back);
	add_number(object, "unreferenced", counts->unreferenced);
	for (size_t i = 0; i < check->count; i++)
		json_object_array_add(findings, finding_json(&check->findings[i]));
	json_object_object_add(object, "findings", findings);
	output_json(object);
}

/* --- the command --------------------------------------------------------------------------------- */

static enum err run(struct check *check, struct store *store)
{
	enum err err;

	check->progress = progress_new("checked");
	/* The store's own warnings would be a second list of the same. */
	log_set_level(LOG_LEVEL_ERROR);
	err = store_check(store, take_finding, take_progress, check, &check->counts);
	if (err == ERR_OK && check->no_memory)
		err = ERR_NO_MEMORY;
	if (err == ERR_OK && check->count > 0)
		err = find_paths(check, store);
	progress_end(check->progress);
	return err;
}

static void check_clear(struct check *check)
{
	for (size_t i = 0; i < check->count; i++)
		free(check->findings[i].path);
	free(check->findings);
}

static enum err verdict(const struct check *check, enum err err)
{
	if (check->total > 0)
		return check->has_damage ? ERR_TAMPERED : ERR_UNPROVEN;
	return err;
}

enum err cmd_check(const struct call *call)
{
	struct check check = {0};
	struct offline offline = {NULL};
	struct config *config = NULL;
	enum err err = cli_load_config(call, &config);

	if (err != ERR_OK)
		return err;
	err = refuse_running(call, config);
	if (err == ERR_OK)
		err = offline_open(call, config, &offline);
	if (err != ERR_OK)
		goto out;
	err = run(&check, offline.store);
	if (err != ERR_OK && check.total == 0)
		cli_fail(err, "%s: the check broke off: %s", config->name, err_text(err));
	else if (cli_count(call, OPT_JSON) > 0)
		print_json(&check, config->name);
	else
		print_text(&check, config->name);
	err = verdict(&check, err);
	if (check.has_damage)
		log_hint("how both directories are put back from one backup: man phifs-volume");
out:
	check_clear(&check);
	offline_close(&offline);
	config_free(config);
	return err;
}
