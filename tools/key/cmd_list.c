#include <stdio.h>

#include "base/log.h"
#include "tools/cli/output.h"
#include "tools/key/custody.h"
#include "tools/key/tool.h"

static enum err print_text(const struct slots *slots)
{
	static const char *const headers[] = {"SLOT", "OPENED BY", "RIGHTS", "MADE", "NAME", NULL};
	struct table *table = table_new(headers);
	enum err err;

	for (size_t i = 0; i < slots_count(slots) && table != NULL; i++) {
		const struct slot_record *slot = slots_at(slots, i);
		char id[16], made[32];

		snprintf(id, sizeof(id), "%u", slot->id);
		output_time(slot->created, made, sizeof(made));
		table_add(table, (const char *[]){id, slot_kind_word(slot->kind),
						  slot_rights_words(slot->rights), made,
						  slot->name});
	}
	err = table_print(table);
	table_free(table);
	printf("generation %llu, key epoch %u\n", (unsigned long long)slots_generation(slots),
	       slots_epoch(slots));
	return err;
}

static struct json_object *slot_json(const struct slot_record *slot)
{
	struct json_object *object = json_object_new_object();
	char name[4 * SLOT_NAME_MAX + 1];

	output_printable(slot->name, name, sizeof(name));
	json_object_object_add(object, "slot", json_object_new_int64(slot->id));
	json_object_object_add(object, "name", json_object_new_string(name));
	json_object_object_add(object, "opened_by",
			       json_object_new_string(slot_kind_word(slot->kind)));
	json_object_object_add(object, "may_unlock",
			       json_object_new_boolean(slot->rights & SLOT_RIGHT_UNLOCK));
	json_object_object_add(object, "is_key_admin",
			       json_object_new_boolean(slot->rights & SLOT_RIGHT_KEY_ADMIN));
	json_object_object_add(object, "made", json_object_new_int64(slot->created));
	return object;
}

static void print_json(const struct config *config, const struct slots *slots)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();

	json_object_object_add(object, "volume", json_object_new_string(config->name));
	json_object_object_add(object, "generation",
			       json_object_new_int64((int64_t)slots_generation(slots)));
	json_object_object_add(object, "epoch", json_object_new_int64(slots_epoch(slots)));
	json_object_object_add(object, "copies_agree",
			       json_object_new_boolean(!slots_need_save(slots)));
	for (size_t i = 0; i < slots_count(slots); i++)
		json_object_array_add(list, slot_json(slots_at(slots, i)));
	json_object_object_add(object, "slots", list);
	output_json(object);
}

enum err cmd_list(const struct call *call)
{
	struct config *config = NULL;
	struct slots *slots = NULL;
	enum err err = cli_load_config(call, &config);

	if (err != ERR_OK)
		return err;
	err = slots_load(config->ciphertext, config->state, &slots);
	if (err != ERR_OK) {
		custody_fail(call, config, err);
		goto out;
	}
	if (slots_need_save(slots))
		log_warning("the copies in %s and %s are not the same; the next unlock mends that",
			    config->state, config->ciphertext);
	if (cli_count(call, OPT_JSON) > 0)
		print_json(config, slots);
	else
		err = print_text(slots);
out:
	slots_free(slots);
	config_free(config);
	return err;
}
