#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "tools/cli/daemon.h"
#include "tools/cli/output.h"
#include "tools/volume/names.h"
#include "tools/volume/offline.h"
#include "tools/volume/tool.h"

/* What is asked for, and how answers are printed. */
struct question {
	const struct call *call;
	const struct config *config;
	bool by_path;
	char path[STORE_PATH_MAX]; /* inside the volume */
	struct object_id id;
	struct json_object *answers; /* with --json */
};

/* --- the operand ----------------------------------------------------------------------- */

/* "/srv/ehr/wards" and "/wards" are the same; relative ones are below the mount point. */
static enum err path_inside(const struct question *question, const char *text, char *path,
			    size_t size)
{
	const char *mountpoint = question->config->mountpoint;
	size_t len = strlen(mountpoint);
	char here[PATH_MAX] = "", whole[PATH_MAX + STORE_PATH_MAX];
	const char *inside = whole;

	if (text[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return cli_fail(ERR_USAGE, "the working directory is unknown: give an absolute path");
	if (snprintf(whole, sizeof(whole), "%s%s%s", text[0] == '/' ? "" : here,
		     text[0] == '/' ? "" : "/", text) >= (int)sizeof(whole))
		return cli_fail(ERR_USAGE, "the path is longer than %zu bytes", size - 1);
	if (strncmp(whole, mountpoint, len) == 0 && (whole[len] == '/' || whole[len] == '\0'))
		inside += len;
	else if (text[0] != '/')
		return cli_fail(ERR_USAGE, "%s is not below the mount point %s", whole, mountpoint);
	if (snprintf(path, size, "%s", inside[0] == '\0' ? "/" : inside) >= (int)size)
		return cli_fail(ERR_USAGE, "the path is longer than %zu bytes", size - 1);
	return ERR_OK;
}

static enum err set_question(struct question *question, const char *text)
{
	question->by_path = !object_is_word(text);
	if (question->by_path)
		return path_inside(question, text, question->path, sizeof(question->path));
	return object_complete(question->config->ciphertext, text, &question->id);
}

/* --- the answer --------------------------------------------------------------------------- */

static void take_location(void *ctx, const void *part)
{
	struct question *question = ctx;
	const struct wire_location *location = part;
	char path[4 * sizeof(location->path)];

	if (question->answers != NULL) {
		json_object_array_add(question->answers,
				      wire_part_to_json(WIRE_LOCATE, location));
	} else if (question->by_path) {
		printf("%s/%s\n", question->config->ciphertext, location->file);
	} else {
		output_printable(location->path, path, sizeof(path));
		printf("%s\n", path);
	}
}

static enum err ask_daemon(struct question *question, struct client *client)
{
	struct wire_request request = {.type = WIRE_LOCATE};

	if (question->by_path)
		snprintf(request.locate.path, sizeof(request.locate.path), "%s", question->path);
	else
		hex_encode(question->id.bytes, sizeof(question->id.bytes), request.locate.object);
	return daemon_ask(question->call, question->config, client, &request, take_location,
			  question);
}

/* --- without a daemon ------------------------------------------------------------------------ */

static void give(struct question *question, const struct object_id *id,
		 const struct store_attr *attr, const char *path)
{
	struct wire_location location = {.number = (int64_t)attr->number,
					 .size = (int64_t)attr->object.size};

	hex_encode(id->bytes, sizeof(id->bytes), location.object);
	object_path(id, location.file);
	snprintf(location.path, sizeof(location.path), "%s", path);
	take_location(question, &location);
}

static enum err fail(const struct question *question, const char *what, enum err err)
{
	cli_fail(err, "%s: %s", what, err == ERR_STALE ? "it has no name" : err_text(err));
	if (err == ERR_STALE)
		log_hint("attributes of other files, or deleted while open: phifs-volume check%s",
			 cli_volume_words(question->call));
	return err;
}

static enum err find_path(struct question *question, struct store *store)
{
	struct store_attr attr;
	struct object_id id;
	enum err err = store_find_path(store, question->path, &attr);

	if (err == ERR_OK)
		err = store_object_id(store, attr.number, &id);
	if (err != ERR_OK)
		return fail(question, question->path, err);
	give(question, &id, &attr, question->path);
	return ERR_OK;
}

static enum err search_name(struct store *store, uint64_t number, struct names *names,
			    enum err damage)
{
	struct names_wanted wanted = {.number = number};
	enum err err = names_search(store, &wanted, 1);

	names->count = 0;
	if (err != ERR_OK)
		return err;
	if (wanted.path == NULL)
		return damage;
	names->path[names->count++] = wanted.path;
	return ERR_OK;
}

static enum err find_object(struct question *question, struct store *store)
{
	char text[OBJECT_DIGITS + 1];
	struct store_attr attr;
	struct object_id id;
	struct names names;
	uint64_t number = object_id_number(&question->id);
	enum err err = store_object_id(store, number, &id);

	hex_encode(question->id.bytes, sizeof(question->id.bytes), text);
	if (err == ERR_OK && memcmp(&id, &question->id, sizeof(id)) != 0)
		err = ERR_UNKNOWN;
	if (err == ERR_OK)
		err = store_getattr(store, number, &attr);
	if (err == ERR_OK)
		err = names_of(store, number, &names);
	/* Its header is damaged: the directories still know it. */
	if (err_exit_code(err) == err_exit_code(ERR_TAMPERED))
		err = search_name(store, number, &names, err);
	if (err != ERR_OK)
		return fail(question, text, err);
	for (size_t i = 0; i < names.count; i++)
		give(question, &id, &attr, names.path[i]);
	names_clear(&names);
	return ERR_OK;
}

static enum err ask_store(struct question *question)
{
	struct offline offline;
	enum err err = offline_open(question->call, question->config, &offline);

	if (err == ERR_OK)
		err = question->by_path ? find_path(question, offline.store)
					: find_object(question, offline.store);
	offline_close(&offline);
	return err;
}

enum err cmd_locate(const struct call *call)
{
	struct question question = {.call = call};
	struct config *config = NULL;
	struct client *client = NULL;
	enum err err = cli_load_config(call, &config);

	if (err != ERR_OK)
		return err;
	question.config = config;
	if (cli_count(call, OPT_JSON) > 0)
		question.answers = json_object_new_array();
	err = set_question(&question, call->operands[0]);
	if (err == ERR_OK && daemon_connect_quietly(config, &client) == ERR_OK)
		err = ask_daemon(&question, client);
	else if (err == ERR_OK)
		err = ask_store(&question);
	if (err == ERR_OK && question.answers != NULL)
		output_json(json_object_get(question.answers));
	json_object_put(question.answers);
	client_close(client);
	config_free(config);
	return err;
}
