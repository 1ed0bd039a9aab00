/* The templates are accepted by the parsers that will read them. */
#include "policy_unit.h"

#include <fcntl.h>

#include "base/io.h"
#include "config/config.h"

static char *read_template(const char *name, size_t *len)
{
	const char *source = getenv("srcdir");
	char path[4096];
	uint8_t *text;

	snprintf(path, sizeof(path), "%s/examples/templates/%s", source == NULL ? "." : source,
		 name);
	ck_assert_msg(io_read_file(AT_FDCWD, path, POLICY_FILE_MAX, &text, len) == ERR_OK, "%s",
		      path);
	return (char *)text;
}

static struct config *config_of(const char *name)
{
	struct config *config = NULL;
	size_t len;
	char *text = read_template(name, &len);

	said[0] = '\0';
	ck_assert_msg(config_parse("/etc/phifs/ehr.conf", text, len, remember, NULL, &config) ==
			      ERR_OK,
		      "%s", said);
	ck_assert_str_eq(said, "");
	free(text);
	return config;
}

/* The host of the test need not know the names, so only errors count. */
static struct policy *policy_of(const char *name)
{
	size_t len;
	char *text = read_template(name, &len);
	struct policy *policy = parsed(text);

	free(text);
	return policy;
}

START_TEST(configurations)
{
	struct config *config = config_of("service.conf");

	ck_assert_int_eq(config->idle_ms, CONFIG_NEVER);
	ck_assert_str_eq(config->policy, "/etc/phifs/ehr.policy");
	config_free(config);
	config = config_of("people.conf");
	ck_assert_int_eq(config->idle_ms, 30 * 60000);
	ck_assert_int_eq(config->grace_ms, 5000);
	config_free(config);
}
END_TEST

START_TEST(service_archive_is_write_once)
{
	struct policy *policy = policy_of("service.policy");
	int archive = policy_class_at(policy, policy_place_of_path(policy, "/archive/MRN1/x"));

	ck_assert_str_eq(policy_class(policy, archive)->name, "archive");
	ck_assert_int_eq(policy_class(policy, archive)->patient, 2);
	ck_assert_uint_eq(policy_class_actions(policy, archive, NOW),
			  1u << ACTION_LIST | 1u << ACTION_READ | 1u << ACTION_CREATE);
	policy_free(policy);
}
END_TEST

START_TEST(people_keep_psychiatry_apart)
{
	struct policy *policy = policy_of("people.policy");

	ck_assert_str_eq(class_of(policy, "/wards/3/psychiatry/MRN1/x"), "psychiatry");
	ck_assert_str_eq(class_of(policy, "/wards/3/MRN1/x"), "wards");
	policy_free(policy);
}
END_TEST

static void no_trap(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	(void)is_error;
	(void)hint;
	/* Groups that this host lacks or that are empty here are no fault of the template. */
	ck_assert_msg(strstr(text, "empty on this host") != NULL, "%s:%d: %s", (char *)ctx, line,
		      text);
}

START_TEST(no_template_has_a_trap)
{
	static char names[][16] = {"service.policy", "people.policy"};

	for (size_t i = 0; i < 2; i++) {
		struct policy *policy = policy_of(names[i]);

		policy_check(policy, CONFIG_NEVER, no_trap, names[i]);
		policy_free(policy);
	}
}
END_TEST

UNIT_MAIN("templates", configurations, service_archive_is_write_once, people_keep_psychiatry_apart,
	  no_template_has_a_trap)
