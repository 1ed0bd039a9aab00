#include "policy_unit.h"

static const char wards[] = "[class root]\npath = /\n[class wards]\npath = /wards\n"
			    "[class psychiatry]\npath = /wards/*/psychiatry\npatient = 4\n"
			    "[class ward5]\npath = /wards/5\n"
			    "[class special]\npath = /wards/5/psychiatry/vip\n";

START_TEST(the_subtree_below_is_included)
{
	struct policy *policy = parsed(wards);

	ck_assert_str_eq(class_of(policy, "/"), "root");
	ck_assert_str_eq(class_of(policy, "/x/y/z"), "root");
	ck_assert_str_eq(class_of(policy, "/wards"), "wards");
	ck_assert_str_eq(class_of(policy, "/wards/6"), "wards");
	ck_assert_str_eq(class_of(policy, "/wards/6/surgery/p"), "wards");
	ck_assert_str_eq(class_of(policy, "/wards/6/psychiatry"), "psychiatry");
	ck_assert_str_eq(class_of(policy, "/wards/6/psychiatry/p/1"), "psychiatry");
	ck_assert_str_eq(class_of(policy, "/wards/psychiatry"), "wards");
	ck_assert_str_eq(class_of(policy, "/Wards"), "root");
	ck_assert_str_eq(class_of(policy, "/ward"), "root");
	ck_assert_str_eq(class_of(policy, "/wardss"), "root");
	policy_free(policy);
}
END_TEST

START_TEST(more_components_win_before_literals)
{
	struct policy *policy = parsed(wards);

	ck_assert_str_eq(class_of(policy, "/wards/5"), "ward5");
	ck_assert_str_eq(class_of(policy, "/wards/5/surgery"), "ward5");
	/* Three components with a '*' beat two without. */
	ck_assert_str_eq(class_of(policy, "/wards/5/psychiatry"), "psychiatry");
	ck_assert_str_eq(class_of(policy, "/wards/5/psychiatry/vip/x"), "special");
	ck_assert_str_eq(class_of(policy, "/wards/6/psychiatry/vip/x"), "psychiatry");
	policy_free(policy);
}
END_TEST

START_TEST(leftmost_literal_wins_among_equally_long)
{
	struct policy *policy = parsed("[class xx]\npath = /*/*\n[class xb]\npath = /*/b\n"
				       "[class ax]\npath = /a/*\n[class ab]\npath = /a/b\n");

	ck_assert_str_eq(class_of(policy, "/a/b"), "ab");
	ck_assert_str_eq(class_of(policy, "/a/c"), "ax");
	ck_assert_str_eq(class_of(policy, "/c/b"), "xb");
	ck_assert_str_eq(class_of(policy, "/c/d"), "xx");
	ck_assert_str_eq(class_of(policy, "/a"), "");
	ck_assert_str_eq(class_of(policy, "/"), "");
	policy_free(policy);
	/* Without the exact one the leftmost literal decides. */
	policy = parsed("[class xb]\npath = /*/b\n[class ax]\npath = /a/*\n");
	ck_assert_str_eq(class_of(policy, "/a/b"), "ax");
	policy_free(policy);
}
END_TEST

START_TEST(a_star_does_not_match_across_components_or_nothing)
{
	struct policy *policy = parsed("[class c]\npath = /a/*/z\n");

	ck_assert_str_eq(class_of(policy, "/a/b/z"), "c");
	ck_assert_str_eq(class_of(policy, "/a/*/z"), "c");
	ck_assert_str_eq(class_of(policy, "/a/z"), "");
	ck_assert_str_eq(class_of(policy, "/a/b/c/z"), "");
	policy_free(policy);
}
END_TEST

static bool same_place(struct policy *policy, const char *a, const char *b)
{
	return policy_place_of_path(policy, a) == policy_place_of_path(policy, b);
}

START_TEST(renaming_an_ancestor_is_seen_by_its_place)
{
	struct policy *policy = parsed("[class root]\npath = /\n"
				       "[class psychiatry]\npath = /wards/*/psychiatry\n");

	/* The two renames that would carry files into another class: /wards/5 to
	 * /old5 and /wards/5/tmp to /wards/5/psychiatry. */
	ck_assert(!same_place(policy, "/wards/5", "/old5"));
	ck_assert(!same_place(policy, "/wards/5/tmp", "/wards/5/psychiatry"));
	/* Although both ends of the first have one class now. */
	ck_assert_str_eq(class_of(policy, "/wards/5"), class_of(policy, "/old5"));
	/* And renames below which nothing changes are possible. */
	ck_assert(same_place(policy, "/wards/5", "/wards/6"));
	ck_assert(same_place(policy, "/wards/5/tmp", "/wards/5/surgery"));
	ck_assert(same_place(policy, "/wards/5/psychiatry/a", "/wards/6/psychiatry/b/c"));
	ck_assert(same_place(policy, "/old5", "/x/y/z"));
	ck_assert(!same_place(policy, "/wards", "/wards/5"));
	policy_free(policy);
}
END_TEST

START_TEST(a_place_knows_which_literals_may_still_come)
{
	struct policy *policy = parsed("[class root]\npath = /\n[class ab]\npath = /a/b\n"
				       "[class cb]\npath = /c/b\n");

	/* Both wait for "b", but lead to different classes. */
	ck_assert(!same_place(policy, "/a", "/c"));
	ck_assert(same_place(policy, "/a/x", "/c/x"));
	ck_assert(same_place(policy, "/a/x", "/d"));
	policy_free(policy);
}
END_TEST

START_TEST(steps_and_paths_agree)
{
	struct policy *policy = parsed(wards);
	policy_place place = policy_root(policy);

	ck_assert_uint_eq(policy_place_of_path(policy, "/"), place);
	ck_assert_uint_eq(policy_place_of_path(policy, ""), place);
	place = policy_step(policy, place, "wardsxxx", 5);
	place = policy_step(policy, place, "5", 1);
	place = policy_step(policy, place, "psychiatry", 10);
	ck_assert_uint_eq(policy_place_of_path(policy, "//wards/5///psychiatry/"), place);
	ck_assert_int_eq(policy_class_at(policy, 123456789), -1);
	policy_free(policy);
}
END_TEST

START_TEST(a_long_name_is_no_literal)
{
	struct policy *policy = parsed(wards);
	char name[4096];

	memset(name, 'w', sizeof(name));
	ck_assert_int_eq(policy_class_at(policy, policy_step(policy, 0, name, sizeof(name))), 0);
	ck_assert_int_eq(policy_class_at(policy, policy_step(policy, 0, "", 0)), 0);
	policy_free(policy);
}
END_TEST

START_TEST(patterns_that_explode_are_refused)
{
	/* Pattern i spells out component i only: 2^20 sets of patterns can be alive. */
	static char text[65536];
	size_t len = 0;

	for (int i = 0; i < 20; i++) {
		len += (size_t)sprintf(text + len, "[class c%d]\npath = ", i);
		for (int j = 0; j < 21; j++)
			len += (size_t)sprintf(text + len, i == j ? "/x" : "/*");
		len += (size_t)sprintf(text + len, "\n");
	}
	refused(text, "E0: the paths with '*' overlap in too many ways: use fewer of them\n");
}
END_TEST

START_TEST(a_thousand_classes_fit)
{
	static char text[131072];
	char path[64], name[16];
	struct policy *policy;
	size_t len = 0;

	for (int i = 0; i < 512; i++)
		len += (size_t)sprintf(text + len, "[class a%d]\npath = /wards/*/unit%d\n", i, i);
	for (int i = 0; i < 512; i++)
		len += (size_t)sprintf(text + len, "[class b%d]\npath = /wards/%d/x/unit%d\n", i, i,
				       i);
	policy = parsed(text);
	for (int i = 0; i < 512; i++) {
		snprintf(path, sizeof(path), "/wards/%d/unit%d/p", 1000 - i, i);
		snprintf(name, sizeof(name), "a%d", i);
		ck_assert_str_eq(class_of(policy, path), name);
		snprintf(path, sizeof(path), "/wards/%d/x/unit%d/p", i, i);
		snprintf(name, sizeof(name), "b%d", i);
		ck_assert_str_eq(class_of(policy, path), name);
	}
	ck_assert_str_eq(class_of(policy, "/wards/7/x/unit8"), "");
	policy_free(policy);
}
END_TEST

UNIT_MAIN("policy_places", the_subtree_below_is_included, more_components_win_before_literals,
	  leftmost_literal_wins_among_equally_long,
	  a_star_does_not_match_across_components_or_nothing,
	  renaming_an_ancestor_is_seen_by_its_place, a_place_knows_which_literals_may_still_come,
	  steps_and_paths_agree, a_long_name_is_no_literal, patterns_that_explode_are_refused,
	  a_thousand_classes_fit)
