#include "policy_unit.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define CLASSES "[class root]\npath = /\n[class inbox]\npath = /inbox\n"
#define ROLE	"[class c]\npath = /\n[role r]\nmembers = uid:7\n"

/* --- grammar ------------------------------------------------------------------------------ */

static const struct {
	const char *text;
	const char *message;
} bad[] = {
	/* sections */
	{"[clas x]\n", "E1: unknown section [clas x]: a section is [class NAME] or [role NAME]\n"},
	{"[inbox]\n", "E1: unknown section [inbox]: a section is [class NAME] or [role NAME]\n"},
	{"[class]\n", "E1: the name of a class has 1 to 40 letters, digits, '.', '_', '-'\n"},
	{"[role a b]\n", "E1: the name of a role has 1 to 40 letters, digits, '.', '_', '-'\n"},
	{"[class a]\npath = /\n[class a]\npath = /b\n", "E3: class a is already in line 1\n"},
	{ROLE "[role r]\nmembers = uid:1\n", "E5: role r is already in line 3\n"},
	{"[class a]\nmode = 0700\n", "E1: class a has no path\n"},
	{"[role r]\nlogin = none\n", "E1: role r has no members\n"},
	/* keys */
	{ROLE "alow = read on c\n", "E5: unknown key 'alow' in role r (did you mean 'allow'?)\n"},
	{ROLE "xyz = 1\n", "E5: unknown key 'xyz' in role r\n"},
	{"[class c]\npath = /\nmods = 700\n",
	 "E3: unknown key 'mods' in class c (did you mean 'mode'?)\n"},
	{"[class c]\npath = /\npath = /a\n", "E3: 'path' in class c is already in line 2\n"},
	{ROLE "login = none\nlogin = none\n", "E6: 'login' in role r is already in line 5\n"},
	/* later versions */
	{ROLE "hours = Mon-Fri 06:00-22:00\n",
	 "E5: 'hours' in role r is not supported by this version\n"},
	{ROLE "outside-hours = deny\n",
	 "E5: 'outside-hours' in role r is not supported by this version\n"},
	{ROLE "program = /bin/sh\n", "E5: 'program' in role r is not supported by this version\n"},
	{ROLE "unit = x.service\n", "E5: 'unit' in role r is not supported by this version\n"},
	{ROLE "login = pam\n", "E5: login = pam is not supported by this version\n"},
	{ROLE "login = password+totp\n",
	 "E5: login = password+totp is not supported by this version\n"},
	{"[class c]\npath = /\nforce-mode = 0640\n",
	 "E3: 'force-mode' in class c is not supported by this version\n"},
	{"[class c]\npath = /\nforce-group = x\n",
	 "E3: 'force-group' in class c is not supported by this version\n"},
	/* path */
	{"[class c]\npath = inbox\n", "E2: path inbox is not absolute: the volume's root is '/'\n"},
	{"[class c]\npath = /a//b\n", "E2: path /a//b has an empty component\n"},
	/* Else it would be the path /a once more, and not be seen as that. */
	{"[class c]\npath = /a//\n", "E2: path /a// has an empty component\n"},
	{"[class c]\npath = /a/../b\n", "E2: path /a/../b has a component '.' or '..'\n"},
	{"[class c]\npath = /a/.\n", "E2: path /a/. has a component '.' or '..'\n"},
	{"[class c]\npath = /a*\n",
	 "E2: path /a* has a '*' beside other letters: '*' stands for one whole component\n"},
	{"[class c]\npath = /**\n",
	 "E2: path /** has a '*' beside other letters: '*' stands for one whole component\n"},
	{"[class c]\npath = /1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3\n",
	 "E2: path /1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3 has more "
	 "than 32 components\n"},
	{"[class a]\npath = /x/*\n[class b]\npath = /x/*/\n",
	 "E4: class b has the same path as class a (line 1)\n"},
	/* other keys of a class */
	{"[class c]\npath = /\nmode = 99\n", "E3: mode 99 is not an octal mode like 2770\n"},
	{"[class c]\npath = /\nmode = 0000\n", "E3: mode 0000 is not an octal mode like 2770\n"},
	{"[class c]\npath = /\nmode = 17777\n", "E3: mode 17777 is not an octal mode like 2770\n"},
	{"[class c]\npath = /\nmode = u+rwx\n", "E3: mode u+rwx is not an octal mode like 2770\n"},
	{"[class c]\npath = /\npatient = 0\n",
	 "E3: patient 0 is not the number of a path component (1 to 32)\n"},
	{"[class c]\npath = /\npatient = 33\n",
	 "E3: patient 33 is not the number of a path component (1 to 32)\n"},
	{"[class c]\npath = /\npatient = -1\n",
	 "E3: patient -1 is not the number of a path component (1 to 32)\n"},
	{"[class c]\npath = /\naudit = none\n", "E3: audit none is neither each nor summary\n"},
	{"[class c]\npath = /\nmmap = true\n", "E3: mmap true is neither yes nor no\n"},
	{"[class c]\npath = /\nowner = root\n", "E3: owner root is not USER:GROUP\n"},
	{"[class c]\npath = /\nowner = 0:\n", "E3: owner 0: is not USER:GROUP\n"},
	{"[class c]\npath = /\nowner = :0\n", "E3: owner :0 is not USER:GROUP\n"},
	/* members */
	{"[role r]\nmembers = uid:\n",
	 "E2: 'uid:' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = uid:x\n",
	 "E2: 'uid:x' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = uid:9-8\n",
	 "E2: 'uid:9-8' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = uid:1-\n",
	 "E2: 'uid:1-' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = uid:4294967295\n",
	 "E2: 'uid:4294967295' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = uid:99999999999\n",
	 "E2: 'uid:99999999999' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = uid:1,,uid:2\n",
	 "E2: '' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = @\n", "E2: '@' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	{"[role r]\nmembers = gid:4\n",
	 "E2: 'gid:4' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"},
	/* the other keys of a role */
	{ROLE "login = yes\n", "E5: login yes is neither none nor system\n"},
	{ROLE "from = home\n", "E5: from home is not service, login or any\n"},
	{ROLE "until = soon\n", "E5: until soon is not a date like 2026-12-15\n"},
	{ROLE "until = 2026-2-1\n", "E5: until 2026-2-1 is not a date like 2026-12-15\n"},
	{ROLE "until = 2026-02-30\n", "E5: until 2026-02-30 is not a date like 2026-12-15\n"},
	{ROLE "until = 2026-13-01\n", "E5: until 2026-13-01 is not a date like 2026-12-15\n"},
	{ROLE "until = 2026-00-01\n", "E5: until 2026-00-01 is not a date like 2026-12-15\n"},
	{ROLE "until = 1969-12-31\n", "E5: until 1969-12-31 is not a date like 2026-12-15\n"},
	{ROLE "until = 2026-12-150\n", "E5: until 2026-12-150 is not a date like 2026-12-15\n"},
	/* rules */
	{ROLE "allow = read\n", "E5: allow is not written 'ACTIONS on CLASSES'\n"},
	{ROLE "allow = on c\n", "E5: allow is not written 'ACTIONS on CLASSES'\n"},
	{ROLE "deny = read on\n", "E5: deny is not written 'ACTIONS on CLASSES'\n"},
	{ROLE "allow = raed on c\n", "E5: unknown action 'raed' (did you mean 'read'?)\nE5: allow "
				     "is not written 'ACTIONS on CLASSES'\n"},
	{ROLE "allow = list execute on c\n", "E5: unknown action 'execute'\n"},
	{ROLE "allow = list,read on c\n", "E5: actions are separated by blanks, not by ','\nE5: "
					  "allow is not written 'ACTIONS on CLASSES'\n"},
	{ROLE "allow = read on d\n", "E5: unknown class 'd'\n"},
	{ROLE "allow = read on c, , c\n", "E5: an empty name among the classes\n"},
	{ROLE "allow = read on c c\n", "E5: unknown class 'c c'\n"},
	{"[class inbox]\npath = /\n[role r]\nmembers = uid:1\nallow = read on inbxo\n",
	 "E5: unknown class 'inbxo' (did you mean 'inbox'?)\n"},
};

START_TEST(mistakes_are_refused_with_their_line)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i].text, bad[i].message);
}
END_TEST

START_TEST(one_run_shows_all_mistakes)
{
	refused("[class c]\npath = c\nmode = 9\n[role r]\nmembers = uid:x\nfrom = x\nallow = x\n",
		"E2: path c is not absolute: the volume's root is '/'\n"
		"E3: mode 9 is not an octal mode like 2770\n"
		"E5: 'uid:x' is not a member: NAME, @GROUP, uid:N or uid:N-M\n"
		"E6: from x is not service, login or any\n"
		"E7: unknown action 'x'\n"
		"E7: allow is not written 'ACTIONS on CLASSES'\n");
}
END_TEST

START_TEST(all_keys_of_a_class)
{
	struct policy *policy = parsed(
		"[class c]\npath = /a/*/c/\nowner = 12:34\nmode = 2770\npatient = 4\n"
		"audit = summary\nmmap = yes\n[class d]\npath=/d\naudit = each\nmmap = no\n");
	const struct policy_class *class = policy_class(policy, 0);

	ck_assert_int_eq(policy_class_count(policy), 2);
	ck_assert_str_eq(class->name, "c");
	ck_assert_str_eq(class->path, "/a/*/c");
	ck_assert_str_eq(class->owner, "12:34");
	ck_assert(class->has_owner && class->uid == 12 && class->gid == 34);
	ck_assert_uint_eq(class->mode, 02770);
	ck_assert_int_eq(class->patient, 4);
	ck_assert_int_eq(class->audit, POLICY_AUDIT_SUMMARY);
	ck_assert(class->mmap && !class->is_literal);
	ck_assert_int_eq(class->line, 1);
	class = policy_class(policy, 1);
	ck_assert(class->owner == NULL && !class->has_owner && class->mode == 0);
	ck_assert(class->patient == 0 && class->audit == POLICY_AUDIT_EACH);
	ck_assert(!class->mmap && class->is_literal);
	ck_assert_ptr_null(policy_class(policy, 2));
	ck_assert_ptr_null(policy_class(policy, -1));
	policy_free(policy);
}
END_TEST

START_TEST(names_the_host_does_not_know_are_warnings_and_match_nobody)
{
	struct policy *policy =
		parsed("[class c]\npath = /\nowner = no-such-user-7:root\n[role r]\n"
		       "members = no-such-user-7, @no-such-group-7\nallow = read on c\n");

	ck_assert_str_eq(said,
			 "W3: class c: owner no-such-user-7:root does not exist on this host: its "
			 "directory will not be made\n"
			 "W5: role r: user no-such-user-7 does not exist on this host: the name "
			 "matches nobody\n"
			 "W5: role r: group @no-such-group-7 does not exist on this host: the name "
			 "matches nobody\n");
	ck_assert(!policy_class(policy, 0)->has_owner);
	/* An unresolved name must not fall back to uid 0, or to gid 0. */
	ck_assert(!may(policy, 0, "/", ACTION_READ));
	policy_free(policy);
}
END_TEST

START_TEST(actions_and_words)
{
	static const unsigned int wanted[] = {0x03, 0x07, 0x7f, 0x7f};
	struct policy *policy =
		parsed("[class view]\npath = /view\n[class deposit]\npath = /deposit\n"
		       "[class edit]\npath = /edit\n[class all]\npath = /all\n"
		       "[role r]\nmembers = uid:7\nallow = view on view\n"
		       "allow = deposit on deposit\nallow=edit on edit\nallow=all on all\n");
	enum policy_action action;

	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(policy_class_actions(policy, i, NOW), wanted[i]);
	policy_free(policy);
	for (int i = 0; i < ACTION_COUNT; i++) {
		ck_assert(policy_action_parse(policy_action_name((enum policy_action)i), &action));
		ck_assert_int_eq(action, i);
	}
	ck_assert(!policy_action_parse("view", &action));
}
END_TEST

/* --- deciding ----------------------------------------------------------------------------- */

START_TEST(nothing_is_allowed_but_what_is_written)
{
	struct policy *policy =
		parsed(CLASSES "[role r]\nmembers = uid:7\nallow = list read on inbox\n");
	struct policy_verdict verdict;
	char text[128];

	ck_assert(may(policy, 7, "/inbox", ACTION_LIST));
	ck_assert(may(policy, 7, "/inbox/a/b", ACTION_READ));
	ck_assert(!may(policy, 7, "/inbox/a/b", ACTION_WRITE));
	ck_assert(!may(policy, 7, "/", ACTION_LIST));
	ck_assert(!may(policy, 7, "/inboxes", ACTION_READ));
	ck_assert(!may(policy, 8, "/inbox", ACTION_LIST));
	verdict = decide(policy, 7, "/inbox/a", ACTION_READ);
	ck_assert_int_eq(verdict.line, 7);
	policy_verdict_text(policy, &verdict, text, sizeof(text));
	ck_assert_str_eq(text, "role r: allow list read on inbox (line 7)");
	verdict = decide(policy, 8, "/inbox/a", ACTION_READ);
	ck_assert_int_eq(verdict.role, -1);
	policy_verdict_text(policy, &verdict, text, sizeof(text));
	ck_assert_str_eq(text, "default deny");
	policy_free(policy);
}
END_TEST

START_TEST(root_without_a_role_is_nobody)
{
	struct policy *policy = parsed(
		CLASSES "[role r]\nmembers = uid:1-4294967294\nallow = all on root, inbox\n");

	for (int action = 0; action < ACTION_COUNT; action++) {
		ck_assert(!may(policy, 0, "/inbox/x", (enum policy_action)action));
		ck_assert(may(policy, 1, "/inbox/x", (enum policy_action)action));
	}
	policy_free(policy);
}
END_TEST

START_TEST(an_empty_policy_allows_nothing)
{
	struct policy *policy = parsed("");

	ck_assert_int_eq(policy_class_at(policy, policy_root(policy)), -1);
	ck_assert(!may(policy, 0, "/", ACTION_LIST));
	ck_assert(!may(policy, 0, "/a/b", ACTION_READ));
	policy_free(policy);
}
END_TEST

START_TEST(denies_of_any_role_beat_allows_of_any_role)
{
	struct policy *policy =
		parsed(CLASSES
		       "[role nurse]\nmembers = uid:7-8\nallow = all on root, inbox\n"
		       "[role trainee]\nmembers = uid:8\ndeny = delete write on inbox\n"
		       "[role own]\nmembers = uid:9\ndeny = read on inbox\nallow = all on inbox\n");
	struct policy_verdict verdict = decide(policy, 8, "/inbox/x", ACTION_WRITE);
	char text[128];

	ck_assert(may(policy, 7, "/inbox/x", ACTION_WRITE));
	ck_assert(!verdict.allowed);
	policy_verdict_text(policy, &verdict, text, sizeof(text));
	ck_assert_str_eq(text, "role trainee: deny delete write on inbox (line 10)");
	ck_assert(may(policy, 8, "/inbox/x", ACTION_READ));
	ck_assert(may(policy, 8, "/x", ACTION_WRITE));
	ck_assert(!may(policy, 9, "/inbox/x", ACTION_READ));
	ck_assert(may(policy, 9, "/inbox/x", ACTION_WRITE));
	policy_free(policy);
}
END_TEST

START_TEST(service_means_no_login_uid)
{
	struct policy *policy = parsed(
		CLASSES "[role pacs]\nmembers = uid:7\nfrom = service\nallow = read on inbox\n"
			"[role people]\nmembers = uid:7\nfrom = login\nallow = list on inbox\n"
			"[role both]\nmembers = uid:7\nfrom = any\nallow = write on inbox\n");
	const struct policy_subject service = {7, LOGIN_UID_UNSET, NULL, 0};
	const struct policy_subject sudo = {7, 1000, NULL, 0}; /* sudo -u pacs cat */
	int inbox = policy_class_at(policy, policy_place_of_path(policy, "/inbox"));
	struct policy_roles roles;
	int role = -1;

	policy_roles_of(policy, &service, &roles);
	ck_assert(policy_decide(policy, &roles, inbox, ACTION_READ, NOW).allowed);
	ck_assert(!policy_decide(policy, &roles, inbox, ACTION_LIST, NOW).allowed);
	ck_assert(policy_decide(policy, &roles, inbox, ACTION_WRITE, NOW).allowed);
	policy_roles_of(policy, &sudo, &roles);
	ck_assert(!policy_decide(policy, &roles, inbox, ACTION_READ, NOW).allowed);
	ck_assert(policy_decide(policy, &roles, inbox, ACTION_LIST, NOW).allowed);
	ck_assert(policy_decide(policy, &roles, inbox, ACTION_WRITE, NOW).allowed);
	ck_assert_int_eq(policy_near_miss(policy, &sudo, inbox, ACTION_READ, NOW, &role),
			 POLICY_MISS_SERVICE);
	ck_assert_str_eq(policy_role_name(policy, role), "pacs");
	ck_assert_int_eq(policy_near_miss(policy, &service, inbox, ACTION_LIST, NOW, &role),
			 POLICY_MISS_LOGIN);
	ck_assert_int_eq(policy_near_miss(policy, &sudo, inbox, ACTION_DELETE, NOW, &role),
			 POLICY_MISS_NONE);
	policy_free(policy);
}
END_TEST

START_TEST(a_role_ends_with_its_last_day_on_the_hosts_clock)
{
	static const char text[] =
		CLASSES "[role r]\nmembers = uid:7\nuntil = 2026-12-15\nallow = read on inbox\n"
			"[role d]\nmembers = uid:7\nuntil = 2026-12-10\ndeny = read on inbox\n";
	/* 2026-12-15T23:00:00Z is midnight in Berlin, 18:00 in New York (UTC-5). */
	const int64_t berlin_midnight = 1797375600;
	struct policy_roles roles;
	struct policy *policy;
	int role;

	setenv("TZ", "CET-1", 1);
	policy = parsed(text);
	roles = roles_of(policy, 7);
	ck_assert(policy_decide(policy, &roles, 1, ACTION_READ, berlin_midnight - 1).allowed);
	ck_assert(!policy_decide(policy, &roles, 1, ACTION_READ, berlin_midnight).allowed);
	/* The deny of a role that has ended has ended too. */
	ck_assert(!policy_decide(policy, &roles, 1, ACTION_READ, berlin_midnight - 6 * 86400)
			   .allowed);
	ck_assert_int_eq(policy_near_miss(policy, &(struct policy_subject){7, 7, NULL, 0}, 1,
					  ACTION_READ, berlin_midnight, &role),
			 POLICY_MISS_UNTIL);
	ck_assert(policy_ended_between(policy, berlin_midnight - 1, berlin_midnight));
	ck_assert(!policy_ended_between(policy, berlin_midnight - 2, berlin_midnight - 1));
	ck_assert(!policy_ended_between(policy, berlin_midnight, berlin_midnight + 1));
	policy_free(policy);
	setenv("TZ", "EST5", 1);
	policy = parsed(text);
	roles = roles_of(policy, 7);
	ck_assert(policy_decide(policy, &roles, 1, ACTION_READ, berlin_midnight + 6 * 3600 - 1)
			  .allowed);
	ck_assert(
		!policy_decide(policy, &roles, 1, ACTION_READ, berlin_midnight + 6 * 3600).allowed);
	policy_free(policy);
}
END_TEST

START_TEST(members_by_name_group_and_range)
{
	/* Group and user root exist everywhere, with number 0. */
	struct policy *policy = parsed(
		CLASSES
		"[role name]\nmembers = root\nallow = list on root\n"
		"[role group]\nmembers = uid:999, @root\nallow = read on root\n"
		"[role range]\nmembers = uid:10-12\nmembers = uid:20\nallow = write on root\n");
	const gid_t groups[] = {5, 0};
	const struct policy_subject in_group = {50, 50, groups, 2};
	struct policy_roles roles;

	ck_assert_str_eq(said, "");
	ck_assert(may(policy, 0, "/", ACTION_LIST));
	ck_assert(!may(policy, 0, "/", ACTION_READ)); /* carries no group here */
	policy_roles_of(policy, &in_group, &roles);
	ck_assert(policy_decide(policy, &roles, 0, ACTION_READ, NOW).allowed);
	ck_assert(!policy_decide(policy, &roles, 0, ACTION_LIST, NOW).allowed);
	ck_assert(!may(policy, 9, "/", ACTION_WRITE));
	ck_assert(may(policy, 10, "/", ACTION_WRITE));
	ck_assert(may(policy, 12, "/", ACTION_WRITE));
	ck_assert(!may(policy, 13, "/", ACTION_WRITE));
	ck_assert(may(policy, 20, "/", ACTION_WRITE));
	policy_free(policy);
}
END_TEST

START_TEST(several_classes_must_all_allow)
{
	struct policy *policy = parsed(
		CLASSES
		"[role r]\nmembers = uid:7\nallow = read on inbox, root\nallow = write on inbox\n");
	struct policy_roles roles = roles_of(policy, 7);
	const int both[] = {1, 0}, none[] = {1, -1};
	struct policy_verdict verdict;

	verdict = policy_decide_all(policy, &roles, both, 2, ACTION_READ, NOW);
	ck_assert(verdict.allowed && verdict.line == 7);
	ck_assert(policy_decide_all(policy, &roles, both, 1, ACTION_WRITE, NOW).allowed);
	ck_assert(!policy_decide_all(policy, &roles, both, 2, ACTION_WRITE, NOW).allowed);
	ck_assert(!policy_decide_all(policy, &roles, none, 2, ACTION_READ, NOW).allowed);
	ck_assert(!policy_decide_all(policy, &roles, none, 0, ACTION_READ, NOW).allowed);
	policy_free(policy);
}
END_TEST

START_TEST(more_than_sixty_four_roles)
{
	static char text[65536];
	size_t len = (size_t)sprintf(text, CLASSES);
	struct policy_verdict verdict;
	struct policy *policy;

	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(text + len,
				       "[role r%d]\nmembers = uid:%d\n%s = read on inbox\n", i,
				       1000 + i, i == 199 ? "deny" : "allow");
	len += (size_t)sprintf(text + len,
			       "[role last]\nmembers = uid:1000-1199\nallow = read on inbox\n");
	policy = parsed(text);
	verdict = decide(policy, 1150, "/inbox", ACTION_READ);
	ck_assert(verdict.allowed);
	ck_assert_str_eq(policy_role_name(policy, verdict.role), "r150");
	verdict = decide(policy, 1199, "/inbox", ACTION_READ);
	ck_assert(!verdict.allowed);
	ck_assert_str_eq(policy_role_name(policy, verdict.role), "r199");
	policy_free(policy);
}
END_TEST

/* --- limits, files, damage ---------------------------------------------------------------- */

START_TEST(limits_are_errors)
{
	static char text[1 << 20];
	struct policy *policy = NULL;
	size_t len = 0;

	for (int i = 0; i <= POLICY_CLASSES_MAX; i++)
		len += (size_t)sprintf(text + len, "[class c%d]\npath = /%d\n", i, i);
	refused(text, "E2049: more than 1024 classes\n");
	len = (size_t)sprintf(text, "[class c]\npath = /\n");
	for (int i = 0; i <= POLICY_ROLES_MAX; i++)
		len += (size_t)sprintf(text + len, "[role r%d]\nmembers = uid:1\n", i);
	refused(text, "E2051: more than 1024 roles\n");
	len = (size_t)sprintf(text, "[class c]\npath = /\n[role r]\nmembers = uid:1\n");
	for (int i = 0; i <= POLICY_RULES_MAX; i++)
		len += (size_t)sprintf(text + len, "allow = read on c\n");
	refused(text, "E8197: more than 8192 rules\n");
	said[0] = '\0';
	ck_assert_int_eq(policy_parse(text, POLICY_FILE_MAX + 1, remember, NULL, &policy),
			 ERR_CONFIG);
	ck_assert_str_eq(said, "E0: larger than 1048576 bytes\n");
}
END_TEST

START_TEST(load_reads_a_file_and_its_digest)
{
	/* printf '[class c]\npath = /\n' | sha256sum */
	static const char digest[] =
		"fa98d3445380c123b558174d289d00938b608d07946a4c167a4557a63b2d4635";
	char path[] = "/tmp/test_policy.XXXXXX";
	char hex[2 * POLICY_DIGEST_LEN + 1];
	struct policy *policy = NULL;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "[class c]\npath = /\n", 19), 19);
	ck_assert_int_eq(fchmod(fd, 0600), 0);
	said[0] = '\0';
	ck_assert_ok(policy_load(path, remember, NULL, &policy));
	ck_assert_str_eq(said, "");
	hex_encode(policy_digest(policy), POLICY_DIGEST_LEN, hex);
	ck_assert_str_eq(hex, digest);
	policy_free(policy);
	ck_assert_int_eq(fchmod(fd, 0666), 0);
	ck_assert_ok(policy_load(path, remember, NULL, &policy));
	ck_assert_str_eq(said, "W0: the file may be written by others than its owner\n");
	policy_free(policy);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	said[0] = '\0';
	policy = NULL;
	ck_assert_int_eq(policy_load(path, remember, NULL, &policy), ERR_CONFIG);
	ck_assert_str_eq(said, "E0: cannot read the policy: not found\n");
	ck_assert_ptr_null(policy);
}
END_TEST

static const char rich[] =
	"# who may do what\n[class root]\npath = /\nowner = 0:0\nmode = 0755\n"
	"[class psychiatry]\npath = /wards/*/psychiatry\npatient = 4\naudit = summary\nmmap = yes\n"
	"[role pacs]\nmembers = uid:1-5, uid:7\nlogin = none\nfrom = service\nuntil = 2026-12-15\n"
	"allow = view on root, psychiatry\ndeny = delete attr on root ; no\n";

static void ignore_change(void *ctx, const char *text)
{
	(void)ctx;
	ck_assert_uint_lt(strlen(text), 512);
}

/* Never a crash; what loads gives nothing to strangers and can be compared. */
static void try_hostile(const char *text, size_t len, const struct policy *other)
{
	struct policy *policy = NULL;
	enum err err = policy_parse(text, len, NULL, NULL, &policy);

	ck_assert(err == ERR_OK || err == ERR_CONFIG);
	ck_assert((err == ERR_OK) == (policy != NULL));
	if (policy == NULL)
		return;
	ck_assert(!may(policy, 4000000000, "/wards/1/psychiatry/x", ACTION_READ));
	policy_diff(other, policy, ignore_change, NULL);
	policy_free(policy);
}

START_TEST(truncated_and_damaged_files_never_crash)
{
	struct policy *whole = parsed(rich);
	char text[sizeof(rich)];
	unsigned int seed = 2;

	for (size_t len = 0; len < sizeof(rich); len++)
		try_hostile(rich, len, whole);
	for (size_t i = 0; i < (sizeof(rich) - 1) * 8; i++) {
		memcpy(text, rich, sizeof(rich));
		text[i / 8] = (char)(text[i / 8] ^ (1 << (i % 8)));
		try_hostile(text, sizeof(rich) - 1, whole);
	}
	for (int i = 0; i < 20000; i++) {
		memcpy(text, rich, sizeof(rich));
		for (int j = 0; j < 4; j++)
			text[(size_t)rand_r(&seed) % (sizeof(rich) - 1)] =
				"\n[]=;*/,@:- on"[rand_r(&seed) % 14];
		try_hostile(text, sizeof(rich) - 1, whole);
	}
	policy_free(whole);
}
END_TEST

UNIT_MAIN("policy", mistakes_are_refused_with_their_line, one_run_shows_all_mistakes,
	  all_keys_of_a_class, names_the_host_does_not_know_are_warnings_and_match_nobody,
	  actions_and_words, nothing_is_allowed_but_what_is_written, root_without_a_role_is_nobody,
	  an_empty_policy_allows_nothing, denies_of_any_role_beat_allows_of_any_role,
	  service_means_no_login_uid, a_role_ends_with_its_last_day_on_the_hosts_clock,
	  members_by_name_group_and_range, several_classes_must_all_allow,
	  more_than_sixty_four_roles, limits_are_errors, load_reads_a_file_and_its_digest,
	  truncated_and_damaged_files_never_crash)
