#include "tools/volume/plan.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/auditor_key.h"
#include "base/io.h"
#include "base/log.h"
#include "tools/cli/prompt.h"
#include "tools/volume/place.h"
#include "tools/volume/template.h"
#include "tools/volume/tool.h"

#define DEFAULT_MODE 0755
#define MODE_MAX     07777

static enum err check_options(const struct call *call)
{
	bool has_file = cli_count(call, OPT_RECOVERY_KEY_FILE) > 0;
	bool has_none = cli_count(call, OPT_NO_RECOVERY_KEY) > 0;

	if (call->volume == NULL)
		return cli_usage_error(call, "which NAME shall the volume have?");
	if (cli_count(call, OPT_CIPHERTEXT) == 0 || cli_count(call, OPT_MOUNTPOINT) == 0)
		return cli_usage_error(call, "--ciphertext and --mountpoint are needed");
	if (has_file && has_none)
		return cli_usage_error(call, "give --recovery-key-file or --no-recovery-key, not both");
	if (has_file || has_none || prompt_has_terminal())
		return ERR_OK;
	cli_fail(ERR_USAGE, "no terminal to show the recovery key on");
	log_hint("give --recovery-key-file FILE, or --no-recovery-key if you accept that a lost "
		 "passphrase is the end");
	return ERR_USAGE;
}

/* --- auditors ------------------------------------------------------------------------ */

static enum err count_auditors(const struct call *call, struct plan *plan)
{
	plan->auditor_count = cli_count(call, OPT_AUDITOR_KEY);
	plan->auditors = cli_values(call, OPT_AUDITOR_KEY);
	if (plan->auditor_count > AUDITORS_MAX)
		return cli_usage_error(call, "at most %d auditors", AUDITORS_MAX);
	if (plan->auditor_count == 0) {
		cli_fail(ERR_USAGE, "--auditor-key is needed: nobody else can read the audit journal");
		log_hint("each auditor makes a key, on another machine: phifs-audit keygen --output "
			 "FILE");
		return ERR_USAGE;
	}
	if (plan->auditor_count >= AUDITORS_WANTED || cli_count(call, OPT_SINGLE_AUDITOR) > 0)
		return ERR_OK;
	cli_fail(ERR_USAGE, "only one auditor: if that key is lost, nobody can read the journal");
	log_hint("give a second --auditor-key, or accept that with --single-auditor");
	return ERR_USAGE;
}

static enum err check_auditors(const struct call *call, struct plan *plan)
{
	uint8_t keys[AUDITORS_MAX][BOX_PUBLIC_LEN];
	enum err err = count_auditors(call, plan);

	for (size_t i = 0; err == ERR_OK && i < plan->auditor_count; i++) {
		const char *file = plan->auditors[i];

		if ((err = auditor_public_load(file, keys[i])) != ERR_OK) {
			cli_fail(err, "%s: %s", file,
				 err == ERR_FORMAT ? "not an auditor's public key" : err_text(err));
			log_hint("make a key pair, on another machine: phifs-audit keygen --output "
				 "FILE; its FILE.pub is what is needed here");
			return ERR_USAGE;
		}
		for (size_t j = 0; j < i; j++)
			if (memcmp(keys[i], keys[j], BOX_PUBLIC_LEN) == 0)
				err = cli_fail(ERR_USAGE, "%s and %s are the same auditor",
					       plan->auditors[j], file);
		auditor_fingerprint(keys[i], plan->fingerprints[i]);
	}
	return err;
}

/* --- configuration -------------------------------------------------------------------- */

struct paths {
	char *file, *ciphertext, *mountpoint, *state, *policy;
};

/* State and configuration have defaults whose parent `init` itself makes. */
static enum err resolve_option(const struct call *call, unsigned int id, char **path)
{
	const char *value = cli_value(call, id);

	return value == NULL ? ERR_OK : place_resolve(value, path);
}

static enum err resolve(const struct call *call, struct paths *paths)
{
	enum err err;

	if (strchr(call->volume, '/') != NULL)
		err = place_resolve(call->volume, &paths->file);
	else
		err = config_find(CONFIG_DIRECTORY, call->volume, &paths->file);
	if (err == ERR_OK)
		err = resolve_option(call, OPT_CIPHERTEXT, &paths->ciphertext);
	if (err == ERR_OK)
		err = resolve_option(call, OPT_MOUNTPOINT, &paths->mountpoint);
	if (err == ERR_OK)
		err = resolve_option(call, OPT_STATE, &paths->state);
	return err == ERR_OK ? resolve_option(call, OPT_POLICY, &paths->policy) : err;
}

/* NAME of DIR/NAME.conf; the configuration's own parser complains about others. */
static void name_of_file(const char *file, char name[CONFIG_NAME_MAX + 1])
{
	const char *base = strrchr(file, '/') + 1;
	size_t len = strcspn(base, ".");

	if (strlen(base) > 5)
		len = strlen(base) - 5;
	snprintf(name, CONFIG_NAME_MAX + 1, "%.*s", (int)len, base);
}

/* All that depends on where the volume's files are, spelled out in the file. */
static enum err write_config(const struct call *call, struct plan *plan, const struct paths *paths)
{
	char name[CONFIG_NAME_MAX + 1], state[64 + CONFIG_NAME_MAX], *policy = NULL, *text = NULL;
	struct template_value values[] = {
		{"volume", "ciphertext", paths->ciphertext},
		{"volume", "mountpoint", paths->mountpoint},
		{"volume", "state", paths->state != NULL ? paths->state : state},
		{"volume", "policy", paths->policy},
		{"volume", "run-directory", cli_value(call, OPT_RUN_DIRECTORY)},
		{"lock", "idle", cli_value(call, OPT_IDLE)},
		{"audit", "forward", cli_value(call, OPT_FORWARD)},
	};
	size_t len;
	enum err err;

	name_of_file(paths->file, name);
	snprintf(state, sizeof(state), "/var/lib/phifs/%s", name);
	if (paths->policy == NULL) {
		if (asprintf(&policy, "%.*s%s.policy",
			     (int)(strrchr(paths->file, '/') + 1 - paths->file), paths->file, name) < 0)
			return cli_fail(ERR_NO_MEMORY, "out of memory");
		values[3].value = policy;
	}
	err = template_config(plan->template, name, values, sizeof(values) / sizeof(values[0]),
			      &text, &len);
	if (err == ERR_OK)
		err = config_parse(paths->file, text, len, config_log_message, paths->file, &plan->config);
	free(text);
	free(policy);
	return err;
}

static enum err check_template(const struct call *call, struct plan *plan)
{
	const char *nearest;

	plan->template = cli_value_or(call, OPT_TEMPLATE, "people");
	for (size_t i = 0; template_kinds[i] != NULL; i++)
		if (strcmp(template_kinds[i], plan->template) == 0)
			return ERR_OK;
	nearest = config_nearest(plan->template, template_kinds);
	return cli_usage_error(call, "there is no template '%s'%s%s%s", plan->template,
			       nearest != NULL ? " (did you mean '" : "; there are service and people",
			       nearest != NULL ? nearest : "", nearest != NULL ? "'?)" : "");
}

static enum err make_config(const struct call *call, struct plan *plan)
{
	struct paths paths = {NULL};
	enum err err = check_template(call, plan);

	if (err == ERR_OK)
		err = resolve(call, &paths);
	if (err == ERR_OK)
		err = write_config(call, plan, &paths);
	free(paths.file);
	free(paths.ciphertext);
	free(paths.mountpoint);
	free(paths.state);
	free(paths.policy);
	return err;
}

static enum err check_places(const struct plan *plan)
{
	const struct config *config = plan->config;
	enum err err = place_is_free(config->file, "configuration");

	if (err == ERR_OK)
		err = place_is_empty(config->ciphertext, "ciphertext directory");
	if (err == ERR_OK)
		err = place_is_empty(config->state, "state directory");
	if (err == ERR_OK)
		err = place_is_empty(config->mountpoint, "mount point");
	if (err == ERR_OK && plan->recovery_file != NULL)
		err = place_is_free(plan->recovery_file, "recovery key file");
	return err;
}

/* --- policy and owner ------------------------------------------------------------------- */

/* A policy that is only found, not named, was not meant for this volume. */
static enum err find_policy(const struct call *call, struct plan *plan)
{
	const char *file = plan->config->policy;
	enum err err;

	if (access(file, F_OK) == 0 && cli_count(call, OPT_POLICY) > 0)
		return policy_load(file, config_log_message, (void *)file, &plan->policy);
	if ((err = place_is_free(file, "policy")) != ERR_OK) {
		log_hint("to use it as it is: --policy %s", file);
		return err;
	}
	err = template_policy(plan->template, plan->config->name, &plan->policy_text,
			      &plan->policy_len);
	if (err != ERR_OK)
		return cli_fail(err, "%s", err_text(err));
	/* The template's names need not exist on this host: that is the next step's business. */
	return policy_parse(plan->policy_text, plan->policy_len, NULL, NULL, &plan->policy);
}

static enum err parse_owner(const char *text, struct plan *plan)
{
	char user[256];
	const char *colon = strchr(text, ':');
	struct passwd *passwd;
	struct group *group;

	snprintf(user, sizeof(user), "%.*s", colon == NULL ? (int)strlen(text) : (int)(colon - text),
		 text);
	if ((passwd = getpwnam(user)) == NULL)
		return cli_fail(ERR_USAGE, "--owner: there is no user %s on this host", user);
	plan->uid = passwd->pw_uid;
	plan->gid = passwd->pw_gid;
	if (colon == NULL)
		return ERR_OK;
	if ((group = getgrnam(colon + 1)) == NULL)
		return cli_fail(ERR_USAGE, "--owner: there is no group %s on this host", colon + 1);
	plan->gid = group->gr_gid;
	return ERR_OK;
}

static enum err parse_mode(const struct call *call, const char *text, struct plan *plan)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (*text < '0' || *text > '7' || *end != '\0' || mode > MODE_MAX)
		return cli_usage_error(call, "--mode %s: not an octal mode", text);
	plan->mode = (uint32_t)mode;
	return ERR_OK;
}

static enum err set_owner(const struct call *call, struct plan *plan)
{
	int index = policy_class_at(plan->policy, policy_root(plan->policy));
	const struct policy_class *class = index < 0 ? NULL : policy_class(plan->policy, index);
	enum err err = ERR_OK;

	plan->mode = DEFAULT_MODE;
	/* A class of "/" that names its path; not a pattern that happens to match it. */
	if (class != NULL && strcmp(class->path, "/") == 0) {
		if (class->has_owner) {
			plan->uid = class->uid;
			plan->gid = class->gid;
		}
		if (class->mode != 0)
			plan->mode = class->mode;
	}
	if (cli_count(call, OPT_OWNER) > 0)
		err = parse_owner(cli_value(call, OPT_OWNER), plan);
	if (err == ERR_OK && cli_count(call, OPT_MODE) > 0)
		err = parse_mode(call, cli_value(call, OPT_MODE), plan);
	return err;
}

static enum err set_slot_name(const struct call *call, struct plan *plan)
{
	const char *name = cli_value(call, OPT_SLOT_NAME);
	char host[64] = "";
	struct passwd *passwd = getpwuid(getuid());

	if (name == NULL) {
		if (gethostname(host, sizeof(host) - 1) < 0)
			snprintf(host, sizeof(host), "localhost");
		snprintf(plan->slot_name, sizeof(plan->slot_name), "%.20s@%.40s",
			 passwd != NULL ? passwd->pw_name : "root", host);
		return ERR_OK;
	}
	if (name[0] == '\0' || strlen(name) > SLOT_NAME_MAX)
		return cli_usage_error(call, "--slot-name has 1 to %u bytes", SLOT_NAME_MAX);
	snprintf(plan->slot_name, sizeof(plan->slot_name), "%s", name);
	return ERR_OK;
}

/* --- the whole ----------------------------------------------------------------------------- */

enum err plan_make(const struct call *call, struct plan *plan)
{
	enum err err;

	memset(plan, 0, sizeof(*plan));
	plan->has_recovery_key = cli_count(call, OPT_NO_RECOVERY_KEY) == 0;
	err = check_options(call);
	if (err == ERR_OK)
		err = check_auditors(call, plan);
	if (err == ERR_OK)
		err = set_slot_name(call, plan);
	if (err == ERR_OK)
		err = resolve_option(call, OPT_RECOVERY_KEY_FILE, &plan->recovery_file);
	if (err == ERR_OK)
		err = make_config(call, plan);
	if (err == ERR_OK)
		err = check_places(plan);
	if (err == ERR_OK)
		err = find_policy(call, plan);
	return err == ERR_OK ? set_owner(call, plan) : err;
}

void plan_clear(struct plan *plan)
{
	free(plan->recovery_file);
	free(plan->policy_text);
	policy_free(plan->policy);
	config_free(plan->config);
}
