/* Warnings of policy_check, and policy_diff. */
#include "policy_unit.h"

#include <grp.h>
#include <pwd.h>

#include "config/config.h"

#define ROOT "[class root]\npath = /\n"

/* policy_check of `text` with this idle lock says exactly this. */
static void checked(const char *text, int64_t idle_ms, const char *message)
{
	struct policy *policy = parsed(text);
	int lines = 0, count;

	said[0] = '\0';
	count = policy_check(policy, idle_ms, remember, NULL);
	ck_assert_str_eq(said, message);
	for (const char *at = said; *at != '\0'; at++)
		lines += *at == '\n';
	ck_assert_int_eq(count, lines);
	policy_free(policy);
}

START_TEST(a_sound_policy_has_no_warnings)
{
	checked(ROOT "[role pacs]\nmembers = uid:4000000\nlogin = none\nfrom = service\n"
		     "allow = edit on root\ndeny = delete on root\n",
		CONFIG_NEVER, "");
}
END_TEST

START_TEST(service_roles_open_to_sudo)
{
	static const char text[] = ROOT "[role pacs]\nmembers = uid:4000000\nlogin = none\n%s"
					"allow = list on root\n";
	char filled[256];

	snprintf(filled, sizeof(filled), text, "");
	checked(filled, CONFIG_NEVER,
		"W3: role pacs may be used by an administrator through sudo\n");
	snprintf(filled, sizeof(filled), text, "from = login\n");
	checked(filled, CONFIG_NEVER,
		"W3: role pacs may be used by an administrator through sudo\n");
	/* A role of root alone is an administrator's in any case. */
	checked(ROOT "[role move]\nmembers = root\nlogin = none\nallow = create on root\n",
		CONFIG_NEVER, "");
}
END_TEST

START_TEST(idle_lock_under_a_service)
{
	static const char text[] = ROOT "[role pacs]\nmembers = uid:4000000\nlogin = none\n"
					"from = service\nallow = list on root\n";

	checked(text, 30 * 60000,
		"W3: role pacs has login = none and the volume locks after 30 min idle: "
		"its reads and writes will fail until somebody unlocks\n");
	checked(text, 1500,
		"W3: role pacs has login = none and the volume locks after 2 s idle: "
		"its reads and writes will fail until somebody unlocks\n");
	checked(text, CONFIG_NEVER, "");
	checked(text, 0, "");
}
END_TEST

START_TEST(root_with_read_or_write)
{
	checked(ROOT
		"[class in]\npath = /in\n[role a]\nmembers = root\nallow = list create on root\n"
		"allow = list read on in\n[role b]\nmembers = uid:0-9\nallow = edit on in\n"
		"deny = read on in\n[role c]\nmembers = @root\nallow = read write on root\n",
		CONFIG_NEVER,
		"W5: role a gives root read (class in)\n"
		"W9: role b gives root write (class in)\n"
		"W13: role c gives root read write (class root)\n"
		"W9: root: b denies read on in which a allows\n");
}
END_TEST

START_TEST(what_nobody_may_use)
{
	checked("[class in]\npath = /in\n[class out]\npath = /out\n"
		"[role r]\nmembers = uid:4000000\nallow = read on in\n"
		"[role old]\nmembers = uid:4000001\nuntil = 1999-12-31\nallow = all on out\n"
		"[role idle]\nmembers = uid:4000002\n",
		CONFIG_NEVER,
		"W0: no class has the path /: nobody may do anything at the root\n"
		"W3: class out: nobody may do anything there\n"
		"W8: role old ended on 1999-12-31: remove it\n"
		"W12: role idle has no rules\n");
}
END_TEST

START_TEST(rules_that_never_match)
{
	checked(ROOT "[class in]\npath = /in\n[role r]\nmembers = uid:4000000\n"
		     "allow = view on root, in\nallow = read on in\nallow = read write on in\n"
		     "allow = delete on root\ndeny = delete on root\ndeny = delete on root\n",
		CONFIG_NEVER,
		"W8: role r: 'allow read on in' never matches: other rules of the role decide all "
		"of it\n"
		"W10: role r: 'allow delete on root' never matches: other rules of the role decide "
		"all of it\n"
		"W12: role r: 'deny delete on root' never matches: other rules of the role decide "
		"all of it\n");
}
END_TEST

START_TEST(modes_that_keep_out_who_has_a_role)
{
	static const char text[] = ROOT "[class a]\npath = /a\nowner = root:root\nmode = %s\n"
					"[class deep]\npath = /a/*/deep\n"
					"[role r]\nmembers = uid:1-1\nallow = %s\n";
	const struct passwd *entry = getpwuid(1);
	char filled[512], message[256];

	ck_assert_ptr_nonnull(entry);
	snprintf(message, sizeof(message),
		 "W3: %s: mode 2770 root:root keeps them out of /a, in spite of role r\n",
		 entry->pw_name);
	snprintf(filled, sizeof(filled), text, "2770", "view on a\nallow = list on root, deep");
	checked(filled, CONFIG_NEVER, message);
	/* On the way to where they may read. */
	snprintf(filled, sizeof(filled), text, "2770", "view on deep\nallow = create on root, a");
	checked(filled, CONFIG_NEVER, message);
	/* A search bit is enough to come through, and not enough to list. */
	snprintf(filled, sizeof(filled), text, "2771", "view on deep\nallow = create on root, a");
	checked(filled, CONFIG_NEVER, "");
	snprintf(filled, sizeof(filled), text, "2771", "view on a\nallow = list on root, deep");
	message[strlen(entry->pw_name) + strlen("W3: : mode 277")] = '1';
	checked(filled, CONFIG_NEVER, message);
	snprintf(filled, sizeof(filled), text, "2755", "view on a\nallow = list on root, deep");
	checked(filled, CONFIG_NEVER, "");
	/* Who may only put files in is not judged by what reading needs. */
	snprintf(filled, sizeof(filled), text, "2770", "create on a, root, deep");
	checked(filled, CONFIG_NEVER, "");
}
END_TEST

START_TEST(roles_that_contradict_each_other_name_the_person)
{
	/* Any account of this host but root will do. */
	const struct passwd *entry = getpwuid(1);
	char text[512], message[512];

	ck_assert_ptr_nonnull(entry);
	snprintf(text, sizeof(text),
		 ROOT "[class psychiatry]\npath = /psychiatry\n"
		      "[role nurse]\nmembers = uid:1-1\nallow = view on root\n"
		      "deny = read on psychiatry\n"
		      "[role psychiatrist]\nmembers = %s\nallow = edit on psychiatry\n",
		 entry->pw_name);
	snprintf(message, sizeof(message),
		 "W5: %s: nurse denies read on psychiatry which psychiatrist allows\n",
		 entry->pw_name);
	checked(text, CONFIG_NEVER, message);
	/* One for services and one for logins never meet. */
	snprintf(text, sizeof(text),
		 ROOT "[role nurse]\nmembers = uid:1\nfrom = login\ndeny = read on root\n"
		      "[role batch]\nmembers = %s\nfrom = service\nallow = read on root\n",
		 entry->pw_name);
	checked(text, CONFIG_NEVER, "");
}
END_TEST

START_TEST(empty_groups)
{
	const struct group *entry;
	const char *empty = NULL;
	char text[256], message[256];

	/* A group of this host that nobody is in: "tape" or the like. */
	setgrent();
	while (empty == NULL && (entry = getgrent()) != NULL) {
		const struct passwd *user;

		if (entry->gr_mem[0] != NULL)
			continue;
		empty = strdup(entry->gr_name);
		setpwent();
		while (empty != NULL && (user = getpwent()) != NULL)
			if (user->pw_gid == entry->gr_gid) {
				free((char *)empty);
				empty = NULL;
			}
		endpwent();
	}
	endgrent();
	if (empty == NULL)
		return;
	snprintf(text, sizeof(text), ROOT "[role r]\nmembers = @%s\nallow = list on root\n", empty);
	snprintf(message, sizeof(message), "W4: role r: group @%s is empty on this host\n", empty);
	checked(text, CONFIG_NEVER, message);
	free((char *)empty);
}
END_TEST

/* --- diff --------------------------------------------------------------------------------- */

static void note(void *ctx, const char *text)
{
	size_t len = strlen(said);

	(void)ctx;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void differs(const char *before_text, const char *after_text, const char *message)
{
	struct policy *before = before_text == NULL ? NULL : parsed(before_text);
	struct policy *after = after_text == NULL ? NULL : parsed(after_text);

	said[0] = '\0';
	policy_diff(before, after, note, NULL);
	ck_assert_str_eq(said, message);
	policy_free(before);
	policy_free(after);
}

#define BASE ROOT "[class in]\npath = /in\n[role r]\nmembers = uid:1, uid:2\nallow = view on in\n"

START_TEST(equal_policies_do_not_differ)
{
	differs(BASE, BASE, "");
	/* Order, comments and ways to write one thing are no difference. */
	differs(BASE,
		"# x\n[class in]\npath = /in/\n[class root]\npath = /\n[role r]\nmembers = uid:2\n"
		"members = uid:1\nallow = read on in\nallow = list on in\n",
		"");
	differs(NULL, NULL, "");
}
END_TEST

START_TEST(rights_gained_and_lost)
{
	differs(BASE,
		ROOT "[class in]\npath = /in\n[role r]\nmembers = uid:1, uid:3\n"
		     "allow = read write on in\nallow = list on root\ndeny = delete on in\n",
		"role r: member uid:3 added\nrole r: member uid:2 removed\n"
		"role r: gains list on root\nrole r: gains write on in\nrole r: loses list on in\n"
		"role r: now denies delete on in\n");
	/* A deny that takes an allow away is a loss. */
	differs(BASE, BASE "deny = read on in\n",
		"role r: loses read on in\nrole r: now denies read on in\n");
	differs(BASE "deny = read on in\n", BASE,
		"role r: gains read on in\nrole r: no longer denies read on in\n");
}
END_TEST

START_TEST(roles_and_classes_that_come_and_go)
{
	differs(NULL, BASE,
		"class root: new, path /\nclass in: new, path /in\nrole r: new\n"
		"role r: member uid:1 added\nrole r: member uid:2 added\n"
		"role r: gains list read on in\n");
	differs(BASE, ROOT,
		"class in: removed, path /in\nrole r: removed\nrole r: member uid:1 removed\n"
		"role r: member uid:2 removed\nrole r: loses list read on in\n");
}
END_TEST

START_TEST(conditions_and_class_keys)
{
	differs(BASE,
		ROOT "mode = 0700\nowner = 0:0\naudit = summary\nmmap = yes\npatient = 2\n"
		     "[class in]\npath = /inbox\n[role r]\nmembers = uid:1, uid:2\nlogin = none\n"
		     "from = service\nuntil = 2030-01-01\nallow = view on in\n",
		"class root: owner (none) becomes 0:0, for a directory that is yet to be made\n"
		"class root: mode 0000 becomes 0700, for a directory that is yet to be made\n"
		"class root: patient 0 becomes 2\nclass root: audit each becomes summary\n"
		"class root: mmap no becomes yes\nclass in: path /in becomes /inbox\n"
		"role r: from any becomes service\nrole r: login system becomes none\n"
		"role r: until (no end) becomes 2030-01-01\n");
}
END_TEST

UNIT_MAIN("policy_check", a_sound_policy_has_no_warnings, service_roles_open_to_sudo,
	  idle_lock_under_a_service, root_with_read_or_write, what_nobody_may_use,
	  rules_that_never_match, modes_that_keep_out_who_has_a_role,
	  roles_that_contradict_each_other_name_the_person, empty_groups,
	  equal_policies_do_not_differ, rights_gained_and_lost, roles_and_classes_that_come_and_go,
	  conditions_and_class_keys)
