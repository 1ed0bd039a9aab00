/*
 * How long a decision and a step take with a thousand rules.  Prints; judges
 * nothing, because a build host may be busy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/policy.h"

#define TEXT_MAX  (1u << 19)
#define CLASSES	  200
#define ROLES	  500
#define ROUNDS	  2000000
#define BENCH_NOW 1800000000

/* 500 roles with two rules each over 200 classes, a quarter of them with a '*'. */
static char *make_text(size_t *len)
{
	char *text = malloc(TEXT_MAX);
	size_t at = 0;

	if (text == NULL)
		abort();
	for (int i = 0; i < CLASSES; i++)
		at += (size_t)snprintf(text + at, TEXT_MAX - at, "[class c%d]\npath = /%s/unit%d\n",
				       i, i % 4 == 0 ? "wards/*" : "archive", i);
	for (int i = 0; i < ROLES; i++)
		at += (size_t)snprintf(text + at, TEXT_MAX - at,
				       "[role r%d]\nmembers = uid:%d-%d\nallow = view on c%d, c%d\n"
				       "deny = delete attr on c%d\n",
				       i, i, i + 10, i % CLASSES, (i * 7) % CLASSES,
				       (i * 3) % CLASSES);
	*len = at;
	return text;
}

static void report(const char *what, int64_t start_ns, int rounds)
{
	printf("%-44s %8.1f ns\n", what, (double)(clock_boot_ns() - start_ns) / rounds);
}

static unsigned int bench_decisions(const struct policy *policy, const struct policy_roles *roles,
				    const char *what)
{
	int64_t start = clock_boot_ns();
	unsigned int allowed = 0;

	for (int i = 0; i < ROUNDS; i++)
		allowed += policy_decide(policy, roles, i % CLASSES,
					 (enum policy_action)(i % ACTION_COUNT), BENCH_NOW)
				   .allowed;
	report(what, start, ROUNDS);
	return allowed;
}

static unsigned int bench_steps(const struct policy *policy)
{
	static const char *const parts[] = {"wards", "5", "unit96", "patient-0042", "ct.dcm"};
	int64_t start = clock_boot_ns();
	policy_place place = policy_root(policy);

	for (int i = 0; i < ROUNDS; i++) {
		const char *part = parts[i % 5];

		place = policy_step(policy, i % 5 == 0 ? policy_root(policy) : place, part,
				    strlen(part));
	}
	report("step of a path of five components", start, ROUNDS);
	return place;
}

static unsigned int bench_roles(const struct policy *policy)
{
	static const gid_t groups[] = {4, 24, 27, 1000, 5000};
	const struct policy_subject subject = {250, 250, groups, 5};
	struct policy_roles roles;
	int64_t start = clock_boot_ns();
	unsigned int sum = 0;

	for (int i = 0; i < ROUNDS / 1000; i++) {
		policy_roles_of(policy, &subject, &roles);
		sum += (unsigned int)roles.bits[3];
	}
	report("roles of a person (once an identity)", start, ROUNDS / 1000);
	return sum;
}

int main(void)
{
	const struct policy_subject person = {250, 250, NULL, 0};
	struct policy_roles few, all;
	struct policy *policy;
	unsigned int sum;
	size_t len;
	char *text = make_text(&len);
	int64_t start = clock_boot_ns();

	if (policy_parse(text, len, NULL, NULL, &policy) != ERR_OK)
		return EXIT_FAILURE;
	report("load of 1,000 rules", start, 1);
	policy_roles_of(policy, &person, &few);
	memset(&all, 0xff, sizeof(all));
	sum = bench_decisions(policy, &few, "decision, person with 11 of 500 roles");
	sum += bench_decisions(policy, &all, "decision, person with all 500 roles");
	sum += bench_steps(policy);
	sum += bench_roles(policy);
	printf("(%u)\n", sum); /* so that nothing is optimised away */
	policy_free(policy);
	free(text);
	return EXIT_SUCCESS;
}
