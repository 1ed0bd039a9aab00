/*
 * A policy from the inside.  Private to src/policy.
 *
 * The load goes in four steps: the INI lines become classes, roles and rules
 * (parse.c, rule.c, member.c), the paths become the table of places (place.c),
 * the rules become bits and lines for each class (rights.c), and then nothing
 * is written any more.
 */
#ifndef PHIFS_POLICY_MODEL_H
#define PHIFS_POLICY_MODEL_H

#include "policy/policy.h"

#define ACTION_BIT(name) (1u << ACTION_##name)
#define ACTION_BIT_ALL	 ((1u << ACTION_COUNT) - 1)

/* (role, class) pairs that have rules; bounds the memory of the rights. */
#define POLICY_CELLS_MAX (1u << 18)
#define POLICY_FOREVER	 INT64_MAX
#define POLICY_TEXT_MAX	 512 /* bytes of a message */

enum policy_from { FROM_ANY, FROM_SERVICE, FROM_LOGIN };
enum policy_login { LOGIN_SYSTEM, LOGIN_NONE };

enum policy_member_kind { MEMBER_USER, MEMBER_UIDS, MEMBER_GROUP };
struct policy_member {
	enum policy_member_kind kind;
	char *text;	   /* as written, the '@' of a group included */
	bool exists;	   /* false: the host has no such name; matches nobody */
	uid_t first, last; /* MEMBER_USER, MEMBER_UIDS */
	gid_t gid;	   /* MEMBER_GROUP */
	int role;
	int line;
};

struct policy_rule {
	char *text;	  /* "allow read on archive" */
	char *class_list; /* the part of `text` behind "on" */
	int line;
	int role;
	bool is_deny;
	unsigned int actions;
	uint16_t *classes; /* indexes, in the order written */
	size_t class_count;
};

struct policy_role_entry {
	char *name;
	int line;
	enum policy_login login;
	enum policy_from from;
	int64_t until;	     /* the first second after the last day; POLICY_FOREVER */
	char until_text[11]; /* the last day, YYYY-MM-DD */
	size_t first_rule, rule_count;
	size_t first_member, member_count;
};

/* First line of an allow and of a deny, for each action, of one role on one class. */
struct policy_cell {
	int role;
	int allow_line[ACTION_COUNT]; /* 0: none */
	int deny_line[ACTION_COUNT];
};

struct policy_class_entry {
	struct policy_class class;	     /* its texts are owned here */
	char *parts_text;		     /* the path, its '/' replaced by NUL */
	const char *parts[POLICY_DEPTH_MAX]; /* components; NULL: '*' */
	int part_count;
	/* Sets of roles, policy->role_words each: see policy_rights_of. */
	uint64_t *rights;
	struct policy_cell *cells; /* in the order of roles */
	size_t cell_count, cell_room;
};

struct policy_places;

struct policy {
	struct policy_class_entry *classes;
	size_t class_count, class_room;
	struct policy_role_entry *roles;
	size_t role_count, role_room, role_words;
	struct policy_rule *rules; /* in the order of lines */
	size_t rule_count, rule_room;
	struct policy_member *members; /* in the order of roles */
	size_t member_count, member_room;
	size_t cell_count; /* of all classes */
	struct policy_places *places;
	uint8_t digest[POLICY_DIGEST_LEN];
};

/* What a load carries about. */
struct policy_load {
	struct policy *policy;
	policy_message *message;
	void *ctx;
	int errors;
	bool no_memory;
};

/* Tell an error or a warning about a line; an error makes the load fail. */
void policy_complain(struct policy_load *load, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void policy_warn(struct policy_load *load, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * `array` with room for an element behind its `count`, zeroed; NULL: no memory
 * (noted in `load`, and the array is as it was).
 */
void *policy_grow(struct policy_load *load, void *array, size_t count, size_t *room, size_t size);
/* A copy, or NULL with no_memory noted. */
char *policy_copy(struct policy_load *load, const char *text, size_t len);
/* Cuts the next piece off a list: up to `separator` or the end, blanks trimmed. */
bool policy_next_piece(const char **list, char separator, const char **piece, size_t *len);

/* actions.c: set of actions of a word ("read", "view"); 0: unknown. */
unsigned int policy_actions_of_word(const char *word);
/* All words, NULL-terminated. */
const char *const *policy_action_words(void);
/* "list read" of a set. */
void policy_actions_text(unsigned int actions, char *text, size_t size);

/* parse.c: the lines of the file. */
enum err policy_parse_lines(struct policy_load *load, const char *text, size_t len) MUST_CHECK;
int policy_find_class(const struct policy *policy, const char *name);
int policy_find_role(const struct policy *policy, const char *name);

/* class_keys.c and role_keys.c: one key of a section. */
typedef void policy_key_parse(struct policy_load *load, int line, const char *value);
struct policy_key {
	const char *name;
	policy_key_parse *parse; /* NULL: a word of a later version */
	bool may_repeat;
};
extern const struct policy_key policy_class_keys[]; /* the last has no name */
extern const struct policy_key policy_role_keys[];
#define POLICY_KEYS_MAX 16

/* rule.c */
void policy_add_rule(struct policy_load *load, int line, bool is_deny, const char *value);
/* When all classes are known: their names in the rules become indexes. */
void policy_resolve_rules(struct policy_load *load);

/* member.c */
void policy_add_members(struct policy_load *load, int line, const char *value);
/* "user:group", "user" or numbers; false: malformed. */
bool policy_resolve_owner(struct policy_load *load, int line, const char *value,
			  struct policy_class *class);

/* place.c */
enum err policy_build_places(struct policy_load *load) MUST_CHECK;
void policy_free_places(struct policy_places *places);
size_t policy_place_count(const struct policy *policy);

/* rights.c */
enum err policy_build_rights(struct policy_load *load) MUST_CHECK;
/* The roles with an allow (or a deny) of the action in the class. */
const uint64_t *policy_rights_of(const struct policy *policy, int class_index, bool is_deny,
				 enum policy_action action);
const struct policy_cell *policy_find_cell(const struct policy *policy, int class_index, int role);
/* Whether a role names the subject, whatever its `from` and `until` say. */
bool policy_role_names(const struct policy *policy, int role, const struct policy_subject *subject);

#endif
