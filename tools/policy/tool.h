/*
 * phifs-policy: is a policy sound, and what would it decide.  Reads files and,
 * when the volume is mounted, mode bits; it never changes anything.
 */
#ifndef PHIFS_TOOLS_POLICY_TOOL_H
#define PHIFS_TOOLS_POLICY_TOOL_H

#include <json-c/json.h>

#include "config/config.h"
#include "policy/policy.h"
#include "tools/cli/command.h"

enum {
#define OPT(id, name, letter, argument, help) OPT_##id,
#include "tools/policy/options.def"
#undef OPT
	OPT_COUNT
};

enum err cmd_check(const struct call *call);
enum err cmd_test(const struct call *call);
enum err cmd_diff(const struct call *call);

/* A policy and where it is from.  Zeroes are empty. */
struct source {
	struct config *config; /* NULL: --policy FILE without a volume */
	char *file;	       /* of the policy */
	struct policy *policy;
	struct json_object *messages; /* of the parser: an array of message_json */
};

/*
 * The volume's configuration (unless --policy stands alone) and the policy.
 * The parser's errors go to the log too, unless `check --json` prints them.
 * ERR_CONFIG if the policy does not load.
 */
enum err source_load(const struct call *call, struct source *source) MUST_CHECK;
void source_clear(struct source *source);

/* One message of the parser or of policy_check as JSON. */
struct json_object *message_json(const char *kind, int line, const char *text, const char *hint);

/* --- people ----------------------------------------------------------------------- */

struct person {
	char name[64];
	char login[64]; /* the name behind login_uid, or "service" */
	gid_t groups[POLICY_GROUPS_MAX];
	struct policy_subject subject;
};

/* `user`: a name or a number; without groups if the host does not know the number. */
enum err person_find(const char *user, struct person *person) MUST_CHECK;
/*
 * Where the person came from: `login` of --login, or NULL for the likeliest:
 * the system, if that gives a role that a login would not give, else a login of
 * his own.
 */
enum err person_set_login(struct person *person, const char *login,
			  const struct policy *policy) MUST_CHECK;

/* "alice", or the number if the host has no name for it. */
void user_name(uid_t uid, char *text, size_t size);
void group_name(gid_t gid, char *text, size_t size);

/* True if a phifs (any FUSE) file system is mounted at `path`. */
bool is_mounted(const char *path);

#endif
