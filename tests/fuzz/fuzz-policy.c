/* A policy, and decisions by one that was accepted. */
#include "fuzz.h"

#include <stdio.h>

#include "crypto/crypto.h"
#include "policy/policy.h"

const unsigned int fuzz_iterations = 15000;
bool fuzz_accepted;

static const char *const samples[] = {
	"[class all]\npath = /\nowner = root:root\nmode = 0755\n\n"
	"[role users]\nmembers = @users, root, uid:1000, uid:2000-3000\nlogin = system\n"
	"from = any\nallow = all on all\n",
	"[class inbox]\npath = /inbox\nmode = 2770\n\n"
	"[class psychiatry]\npath = /wards/*/psychiatry\npatient = 4\naudit = summary\n\n"
	"[class wards]\npath = /wards\nmmap = yes\n\n"
	"# comment\n[role pacs]\nmembers = uid:998\nlogin = none\nfrom = service\n"
	"allow = edit on inbox\nallow = deposit on wards, psychiatry\n\n"
	"[role migration]\nmembers = root\nuntil = 2026-12-15\n"
	"allow = list create rename attr on inbox, wards\ndeny = read on psychiatry\n",
};

void fuzz_corpus(void)
{
	FUZZ_CHECK(crypto_init() == ERR_OK);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		fuzz_seed(samples[i], strlen(samples[i]));
}

static void message(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	*(unsigned int *)ctx += is_error;
	FUZZ_CHECK(line >= 0);
	fuzz_touch(text, strlen(text));
	fuzz_touch(hint, hint != NULL ? strlen(hint) : 0);
}

/* Nobody without a role may do anything; a verdict names what it rests on. */
static void decide(const struct policy *policy, const char *path)
{
	const struct policy_subject nobody = {.uid = 4000000000u, .login_uid = LOGIN_UID_UNSET};
	const struct policy_subject root = {.uid = 0, .login_uid = 0};
	int class_index = policy_class_at(policy, policy_place_of_path(policy, path));
	struct policy_roles none, roles;
	struct policy_verdict verdict;
	char text[256];

	FUZZ_CHECK(class_index >= -1 && class_index < policy_class_count(policy));
	policy_roles_of(policy, &nobody, &none);
	policy_roles_of(policy, &root, &roles);
	for (int action = 0; action < ACTION_COUNT; action++) {
		verdict = policy_decide(policy, &roles, class_index, (enum policy_action)action,
					1800000000);
		FUZZ_CHECK(!verdict.allowed || (class_index >= 0 && verdict.role >= 0 &&
						verdict.line > 0));
		FUZZ_CHECK(verdict.role < policy_role_count(policy));
		policy_verdict_text(policy, &verdict, text, sizeof(text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/", "/inbox/x", "/wards/5/psychiatry/MRN1/a", "//", ""};
	struct policy *policy;
	unsigned int errors = 0;
	enum err err = policy_parse((const char *)data, size, message, &errors, &policy);

	FUZZ_CHECK((err == ERR_CONFIG) <= (errors > 0));
	if (err != ERR_OK)
		return 0;
	fuzz_accepted = true;
	FUZZ_CHECK(errors == 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		decide(policy, paths[i]);
	policy_free(policy);
	return 0;
}
