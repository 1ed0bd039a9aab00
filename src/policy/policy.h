/*
 * Who may do what: roles, classes, seven actions.  phifs.policy(5).
 *
 * A policy is loaded once into an immutable struct.  Deciding is pure: no
 * allocation, no system call, no log, at most 1 us with a thousand rules.
 *
 * Places.  The class of a path comes from running its components through all
 * patterns at once.  A place is the state of that run at a directory or file:
 * the set of patterns still alive, and the best one matched.  Places are small
 * numbers of one policy; equal numbers mean that nothing below can differ.
 *
 * Nothing changes after the load, the table of places included: all functions
 * may be called by any thread without a lock.  A new policy is a new struct;
 * who holds the pointer swaps it and frees the old one when it is out of use.
 */
#ifndef PHIFS_POLICY_POLICY_H
#define PHIFS_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/ini.h"

enum policy_action {
	ACTION_LIST,
	ACTION_READ,
	ACTION_CREATE,
	ACTION_WRITE,
	ACTION_DELETE,
	ACTION_RENAME,
	ACTION_ATTR,
	ACTION_COUNT
};
const char *policy_action_name(enum policy_action action);
bool policy_action_parse(const char *word, enum policy_action *action);

struct policy;

#define POLICY_FILE_MAX    (1u << 20)
#define POLICY_CLASSES_MAX 1024
#define POLICY_ROLES_MAX   1024
#define POLICY_RULES_MAX   8192
#define POLICY_MEMBERS_MAX 16384  /* of all roles together */
#define POLICY_DEPTH_MAX   32     /* components of a class's path */
#define POLICY_NAME_MAX    40     /* bytes of the name of a class or role */
#define POLICY_PLACES_MAX  65536  /* see policy_root */
#define POLICY_DIGEST_LEN  32

/*
 * A message about a line (0: the whole file): errors stop the load, warnings do
 * not.  Whoever prints it puts the file's name in front.  `hint` may be NULL.
 */
typedef config_message policy_message;

/*
 * Load from a file.  Names of users and groups are resolved now (NSS); one
 * that does not exist is a warning and matches nobody.  ERR_CONFIG after
 * messages.  Unknown keys are errors with the nearest known word.
 */
enum err policy_load(const char *path, policy_message *message, void *ctx,
		     struct policy **policy) MUST_CHECK;
/* The same from memory. */
enum err policy_parse(const char *text, size_t len, policy_message *message, void *ctx,
		      struct policy **policy) MUST_CHECK;
void policy_free(struct policy *policy);

/* SHA-256 of the file as loaded. */
const uint8_t *policy_digest(const struct policy *policy);

/* --- places and classes --------------------------------------------------- */

/*
 * All places that any path can reach are worked out at the load.  Patterns with
 * many '*' that overlap can make more than POLICY_PLACES_MAX: such a policy is
 * refused, so that a step never has to allocate or fail.
 */
typedef uint32_t policy_place;
policy_place policy_root(const struct policy *policy);
/* The place of `name` below `dir`.  No lock; some 20 ns. */
policy_place policy_step(const struct policy *policy, policy_place dir, const char *name,
			 size_t len);
/* The place of an absolute path; empty components are skipped, "." and ".." are names. */
policy_place policy_place_of_path(const struct policy *policy, const char *path);

enum policy_audit { POLICY_AUDIT_EACH, POLICY_AUDIT_SUMMARY };
struct policy_class {
	const char *name;
	const char *path;
	const char *owner; /* "user:group" or NULL */
	bool has_owner;    /* both exist on this host: uid and gid are valid */
	uid_t uid;
	gid_t gid;
	uint32_t mode;      /* 0: not given */
	int patient;        /* path component that names the patient, 1 = first; 0: none */
	enum policy_audit audit;
	bool mmap;
	bool is_literal;    /* no '*': made at mount if missing */
	int line;
};
/* The class of a place; -1: none (then every decision is "no"). */
int policy_class_at(const struct policy *policy, policy_place place);
const struct policy_class *policy_class(const struct policy *policy, int class_index);
int policy_class_count(const struct policy *policy);

/* --- people ----------------------------------------------------------------- */

#define POLICY_GROUPS_MAX 1024
#define LOGIN_UID_UNSET   ((uid_t)-1)
struct policy_subject {
	uid_t uid;        /* fsuid of the request */
	uid_t login_uid;  /* audit login uid; LOGIN_UID_UNSET for services */
	const gid_t *groups; /* all groups the process carries, its primary one too */
	size_t group_count;
};

/* The roles of a subject: a set, filled once per identity and policy. */
struct policy_roles {
	uint64_t bits[POLICY_ROLES_MAX / 64];
};
void policy_roles_of(const struct policy *policy, const struct policy_subject *subject,
		     struct policy_roles *roles);
int policy_role_count(const struct policy *policy);
const char *policy_role_name(const struct policy *policy, int role);
/* The role has login = none: an application uses it, not a person. */
bool policy_role_is_service(const struct policy *policy, int role);

/* --- deciding ---------------------------------------------------------------- */

struct policy_verdict {
	bool allowed;
	int role; /* that decided; -1: none */
	int line; /* of the rule that decided; 0: default deny */
};
/*
 * Union of allows minus union of denies of the roles whose `until` is after
 * `now` (seconds since 1970).  class_index -1 is denied.
 */
struct policy_verdict policy_decide(const struct policy *policy, const struct policy_roles *roles,
				    int class_index, enum policy_action action, int64_t now);
/*
 * The same over several classes (a link set split by a reload): allowed only
 * if every class allows; the first refusal is the verdict, else the first
 * class's.  No classes: denied.
 */
struct policy_verdict policy_decide_all(const struct policy *policy,
					const struct policy_roles *roles,
					const int *class_indexes, size_t count,
					enum policy_action action, int64_t now);

/*
 * Whether the `until` of some role passed after `after` and by `now`: verdicts
 * from before may be wrong since.
 */
bool policy_ended_between(const struct policy *policy, int64_t after, int64_t now);

/*
 * Behind a default deny: a role that names this subject and allows the action,
 * but not now or not from here.  For messages; it changes no decision.
 */
enum policy_miss {
	POLICY_MISS_NONE,
	POLICY_MISS_SERVICE, /* from = service, and the subject has a login uid */
	POLICY_MISS_LOGIN,   /* from = login, and it has none */
	POLICY_MISS_UNTIL    /* the role has ended */
};
enum policy_miss policy_near_miss(const struct policy *policy,
				  const struct policy_subject *subject, int class_index,
				  enum policy_action action, int64_t now, int *role);

/*
 * The rule as it is written: "role radiology: allow view on archive (line 41)",
 * or "default deny".
 */
void policy_verdict_text(const struct policy *policy, const struct policy_verdict *verdict,
			 char *text, size_t size);

/* --- what phifs-policy check says --------------------------------------------- */

/*
 * Actions that some role whose `until` is after `now` may do in a class: a bit
 * each, 1u << ACTION_X.
 */
unsigned int policy_class_actions(const struct policy *policy, int class_index, int64_t now);

/*
 * Warnings about a policy that loads: roles an administrator can use through
 * sudo, roles that give root read or write, login = none with an idle lock
 * (`idle_ms` > 0), denies that cancel another role's allow for the same
 * person, modes that keep out who has a role, empty groups, classes nobody may use, rules that never match.
 * Asks the name service for the members of groups.  Returns how many.
 */
int policy_check(const struct policy *policy, int64_t idle_ms, policy_message *message, void *ctx);

/*
 * Rights gained and lost between two policies, one line each, for the POLICY
 * record: "role vendor: gains read on inbox", "role vendor: member alice added",
 * "class inbox: path /inbox becomes /in".  NULL stands for an empty policy.
 */
typedef void policy_change(void *ctx, const char *text);
void policy_diff(const struct policy *before, const struct policy *after, policy_change *each,
		 void *ctx);

#endif
