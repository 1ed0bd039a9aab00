#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "unit.h"

#define FILE_NAME "/etc/phifs/ehr.conf"
#define NEEDED	  "[volume]\nciphertext = /data/ehr\nmountpoint = /srv/ehr\n"

/* What the parser said, one message a line: "E3: text". */
static char said[8192];

static void remember(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	size_t len = strlen(said);

	(void)ctx;
	(void)hint;
	snprintf(said + len, sizeof(said) - len, "%c%d: %s\n", is_error ? 'E' : 'W', line, text);
}

static enum err parse(const char *text, struct config **config)
{
	said[0] = '\0';
	return config_parse(FILE_NAME, text, strlen(text), remember, NULL, config);
}

/* `text` is refused with exactly this message. */
static void refused(const char *text, const char *message)
{
	struct config *config = NULL;

	ck_assert_int_eq(parse(text, &config), ERR_CONFIG);
	ck_assert_ptr_null(config);
	ck_assert_str_eq(said, message);
}

START_TEST(defaults_of_the_smallest_file)
{
	struct config *config;
	size_t len;

	ck_assert_ok(parse(NEEDED, &config));
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(config->name, "ehr");
	ck_assert_str_eq(config->file, FILE_NAME);
	ck_assert_str_eq(config->ciphertext, "/data/ehr");
	ck_assert_str_eq(config->state, "/var/lib/phifs/ehr");
	ck_assert_str_eq(config->policy, "/etc/phifs/ehr.policy");
	ck_assert_str_eq(config->run_directory, "/run/phifs");
	ck_assert_str_eq(config->sd_id, "phifs@32473");
	ck_assert_int_eq(config->idle_ms, 30 * 60 * 1000);
	ck_assert_int_eq(config->grace_ms, 30 * 1000);
	ck_assert_int_eq(config->deadline_ms, 30 * 1000);
	ck_assert_int_eq(config->segment_size, 64 << 20);
	ck_assert_int_eq(config->segment_age_ms, 86400 * 1000);
	ck_assert_int_eq(config->names, CONFIG_NAMES_SEALED);
	ck_assert_int_eq(config->send, CONFIG_SEND_EACH);
	ck_assert_int_eq(config->anchor, CONFIG_ANCHOR_ASYNC);
	ck_assert_int_eq(config->transport, CONFIG_TRANSPORT_DEVICE);
	ck_assert_ptr_null(config->forward);
	ck_assert_ptr_null(config->contact);
	ck_assert_ptr_null(config->unlock_with);
	ck_assert_ptr_null(config->user);
	ck_assert_str_eq(config_text(config, &len), NEEDED);
	ck_assert_uint_eq(len, strlen(NEEDED));
	config_free(config);
}
END_TEST

START_TEST(every_key_reaches_its_member)
{
	struct config *config;

	ck_assert_ok(parse(
		"\xef\xbb\xbf# comment\n; comment\r\n[volume]\r\nformat = 1\n"
		"  ciphertext=/data/ehr/\nstate = /s ; why\nmountpoint = /srv/ehr\n"
		"policy = /p;q\ncontact = IT, ext. 4711 = night\nunlock-with = credential:ehr\n"
		"anchor = async\nuser = _phifs\nrun-directory = /run/x\n"
		"transport = io-uring\n\n"
		"[lock]\nidle = never\ngrace = 0s\ndeadline = 1500ms\n"
		"[ audit ]\nnames = plain\nforward = unix:/run/syslog.sock\nsend = coalesce\n"
		"sd-id = a@1.2\nsegment-size = 1M\nsegment-age = 2h",
		&config));
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(config->ciphertext, "/data/ehr");
	ck_assert_str_eq(config->state, "/s");
	ck_assert_str_eq(config->policy, "/p;q");
	ck_assert_str_eq(config->contact, "IT, ext. 4711 = night");
	ck_assert_str_eq(config->unlock_with, "credential:ehr");
	ck_assert_str_eq(config->user, "_phifs");
	ck_assert_str_eq(config->run_directory, "/run/x");
	ck_assert_int_eq(config->transport, CONFIG_TRANSPORT_IO_URING);
	ck_assert_int_eq(config->idle_ms, CONFIG_NEVER);
	ck_assert_int_eq(config->grace_ms, 0);
	ck_assert_int_eq(config->deadline_ms, 1500);
	ck_assert_int_eq(config->names, CONFIG_NAMES_PLAIN);
	ck_assert_int_eq(config->send, CONFIG_SEND_COALESCE);
	ck_assert_str_eq(config->forward, "unix:/run/syslog.sock");
	ck_assert_str_eq(config->sd_id, "a@1.2");
	ck_assert_int_eq(config->segment_size, 1 << 20);
	ck_assert_int_eq(config->segment_age_ms, 7200 * 1000);
	config_free(config);
}
END_TEST

START_TEST(unknown_words_name_the_nearest)
{
	refused(NEEDED "[lock]\nidel = 5m\n",
		"E5: unknown key 'idel' in [lock] (did you mean 'idle'?)\n");
	refused(NEEDED "[lock]\nxyzzy = 5m\n", "E5: unknown key 'xyzzy' in [lock]\n");
	refused(NEEDED "[lokc]\nidle = 5m\ngrace = 1s\n",
		"E4: unknown section [lokc] (did you mean [lock]?)\n");
	refused(NEEDED "[test]\nx = y\n", "E4: unknown section [test]\n");
	refused(NEEDED "[lock]\nIdle = 5m\n",
		"E5: unknown key 'Idle' in [lock] (did you mean 'idle'?)\n");
}
END_TEST

START_TEST(what_is_given_twice_is_an_error)
{
	refused(NEEDED "ciphertext = /other\n", "E4: 'ciphertext' is already in line 2\n");
	refused(NEEDED "[lock]\n[volume]\nstate = /s\n",
		"E5: section [volume] is already in line 1\n");
}
END_TEST

START_TEST(what_is_missing_is_an_error)
{
	refused("", "E0: 'ciphertext' is missing in [volume]\n"
		    "E0: 'mountpoint' is missing in [volume]\n");
	refused("[volume]\nmountpoint = /m\n", "E0: 'ciphertext' is missing in [volume]\n");
}
END_TEST

static const struct {
	const char *line;
	const char *message;
} bad_values[] = {
	{"[volume]\nstate = s", "E5: state is not an absolute path\n"},
	{"[volume]\nstate = /a/../b", "E5: state has a component '.', '..' or '//'\n"},
	{"[volume]\nstate = /a//b", "E5: state has a component '.', '..' or '//'\n"},
	{"[volume]\nstate = /a/.", "E5: state has a component '.', '..' or '//'\n"},
	{"[volume]\nformat = 2", "E5: format is not 1: the file is for a later version\n"},
	{"[volume]\nanchor = strict", "E5: anchor strict is not supported by this version\n"},
	{"[volume]\nanchor = lazy", "E5: anchor is not async\n"},
	{"[volume]\ntransport = socket", "E5: transport is neither fuse-device nor io-uring\n"},
	{"[volume]\nunlock-with = credential:",
	 "E5: unlock-with is neither a path nor credential:NAME\n"},
	{"[volume]\nunlock-with = credential:a/b",
	 "E5: unlock-with is neither a path nor credential:NAME\n"},
	{"[volume]\nunlock-with = key", "E5: unlock-with is neither an absolute path nor credential:NAME\n"},
	{"[volume]\nuser = -x", "E5: user is not the name of an account\n"},
	{"[volume]\nuser = Root User", "E5: user is not the name of an account\n"},
	{"[volume]\nrun-directory = run", "E5: run-directory is not an absolute path\n"},
	{"[lock]\nidle = 5", "E5: idle is not a time like 30s, 15m, 12h, 90d or never\n"},
	{"[lock]\nidle = 0s", "E5: idle is not between 1s and 365d\n"},
	{"[lock]\nidle = 366d", "E5: idle is not between 1s and 365d\n"},
	{"[lock]\ngrace = 2h", "E5: grace is not between 0s and 1h\n"},
	{"[lock]\ngrace = never", "E5: grace is not a time like 30s, 15m or 12h\n"},
	{"[lock]\ndeadline = 0s", "E5: deadline is not between 1s and 1h\n"},
	{"[audit]\nnames = both", "E5: names is neither sealed nor plain\n"},
	{"[audit]\nsend = all", "E5: send is neither each nor coalesce\n"},
	{"[audit]\nforward = tls:h:1",
	 "E5: forward tls: is not supported by this version; use unix:PATH\n"},
	{"[audit]\nforward = unix:rel", "E5: forward is not unix:PATH with an absolute path\n"},
	{"[audit]\nforward = udp:h", "E5: forward is not unix:PATH with an absolute path\n"},
	{"[audit]\nsd-id = phifs", "E5: sd-id is not NAME@NUMBER of at most 32 bytes\n"},
	{"[audit]\nsd-id = a b@1", "E5: sd-id has a character that RFC 5424 forbids\n"},
	{"[audit]\nsd-id = a=b@1", "E5: sd-id has a character that RFC 5424 forbids\n"},
	{"[audit]\nsd-id = a@x", "E5: sd-id is not NAME@NUMBER of at most 32 bytes\n"},
	{"[audit]\nsegment-size = 1K", "E5: segment-size is not between 1M and 4G\n"},
	{"[audit]\nsegment-size = big", "E5: segment-size is not a size like 512K, 64M or 2G\n"},
	{"[audit]\nsegment-age = 1s", "E5: segment-age is not between 1m and 31d\n"},
};

START_TEST(bad_values_are_refused_with_their_line)
{
	char text[512];

	for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
		/* [volume] goes on in the needed section. */
		const char *line = bad_values[i].line;

		if (strncmp(line, "[volume]\n", 9) == 0)
			snprintf(text, sizeof(text), "%s# comment\n%s\n", NEEDED, line + 9);
		else
			snprintf(text, sizeof(text), "%s%s\n", NEEDED, line);
		refused(text, bad_values[i].message);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} bad_lines[] = {
	{"[lock\n", "E4: a section is '[name]', alone on its line\n"},
	{"[lock] idle = 5m\n", "E4: a section is '[name]', alone on its line\n"},
	{"[]\n", "E4: a section's name has 1 to 48 bytes\n"},
	{"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
	 "E4: a section's name has 1 to 48 bytes\n"},
	{"state\n", "E4: neither a [section] nor 'key = value'\n"},
	{"state: /s\n", "E4: neither a [section] nor 'key = value'\n"},
	{"state =\n", "E4: a key without a value\n"},
	{"state = ; /s\n", "E4: a key without a value\n"},
	{"= /s\n", "E4: a key's name has 1 to 48 bytes\n"},
	{"state = /a\x01\n", "E4: a control character\n"},
	{"state = /a\rb\n", "E4: a control character\n"},
};

START_TEST(malformed_lines_are_refused_not_skipped)
{
	char text[512];

	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		snprintf(text, sizeof(text), NEEDED "%s", bad_lines[i].text);
		refused(text, bad_lines[i].message);
	}
	refused("idle = 5m\n" NEEDED, "E1: a key before the first [section]\n");
}
END_TEST

START_TEST(an_indented_line_is_a_key_of_its_own)
{
	/* libinih alone would make the second line a part of the contact. */
	struct config *config;

	ck_assert_ok(parse(NEEDED "contact = a\n\tstate = /s\n", &config));
	ck_assert_str_eq(config->contact, "a");
	ck_assert_str_eq(config->state, "/s");
	config_free(config);
	refused(NEEDED "contact = a\n   and more\n", "E5: neither a [section] nor 'key = value'\n");
}
END_TEST

START_TEST(long_lines_are_refused_whole_and_long_comments_pass)
{
	char text[3000] = NEEDED "# ";
	struct config *config;

	memset(text + strlen(text), 'x', 1000);
	strcat(text, "\n");
	ck_assert_ok(parse(text, &config));
	config_free(config);
	strcat(text, "contact = ");
	memset(text + strlen(text), 'y', 1000);
	refused(text, "E5: the line is too long\n");
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	static const char text[] = NEEDED "state = /s\0t\n";
	struct config *config = NULL;

	said[0] = '\0';
	ck_assert_int_eq(config_parse(FILE_NAME, text, sizeof(text) - 1, remember, NULL, &config),
			 ERR_CONFIG);
	ck_assert_str_eq(said, "E4: a control character\n");
}
END_TEST

START_TEST(words_of_later_versions_are_warnings)
{
	struct config *config;

	ck_assert_ok(parse(NEEDED "[session]\nidle = 15m\n[audit]\non-failure = deny\n"
				  "[backup]\nkeep = 7\n",
			   &config));
	ck_assert_str_eq(said,
			 "W5: 'idle' in [session] is known, but not used by this version\n"
			 "W7: 'on-failure' in [audit] is known, but not used by this version\n"
			 "W9: 'keep' in [backup] is known, but not used by this version\n");
	ck_assert_int_eq(config->idle_ms, 30 * 60 * 1000);
	config_free(config);
}
END_TEST

START_TEST(directories_inside_each_other_are_refused)
{
	refused("[volume]\nciphertext = /srv/ehr/c\nmountpoint = /srv/ehr\n",
		"E0: ciphertext lies inside the mount point\n");
	refused("[volume]\nciphertext = /srv\nmountpoint = /srv/ehr\n",
		"E0: mountpoint lies inside the ciphertext directory\n");
	refused("[volume]\nciphertext = /c\nmountpoint = /m\nstate = /c\n",
		"E0: ciphertext and state are the same directory\n");
	refused("[volume]\nciphertext = /c\nmountpoint = /m\nstate = /m/s\n",
		"E0: state lies inside the mount point\n");
	refused("[volume]\nciphertext = /c\nmountpoint = /\n",
		"E0: ciphertext lies inside the mount point\n"
		"E0: state lies inside the mount point\n");
}
END_TEST

START_TEST(directories_beside_each_other_are_fine)
{
	struct config *config;

	ck_assert_ok(parse("[volume]\nciphertext = /srv/ehr.c\nmountpoint = /srv/ehr\n", &config));
	config_free(config);
}
END_TEST

START_TEST(times_and_sizes)
{
	static const char *const bad[] = {"",
					  "s",
					  "5",
					  "-5s",
					  "+5s",
					  "5 s",
					  " 5s",
					  "5S",
					  "5sec",
					  "1.5h",
					  "5ss",
					  "Never",
					  "0x5s",
					  "9223372036854775807ms",
					  "99999999999999999999s",
					  "9223372036854775807d"};
	int64_t value = 42;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!config_parse_time(bad[i], &value), "%s", bad[i]);
	ck_assert_int_eq(value, 42);
	ck_assert(config_parse_time("250ms", &value) && value == 250);
	ck_assert(config_parse_time("30s", &value) && value == 30000);
	ck_assert(config_parse_time("15m", &value) && value == 900000);
	ck_assert(config_parse_time("12h", &value) && value == 43200000);
	ck_assert(config_parse_time("90d", &value) && value == 7776000000);
	ck_assert(config_parse_time("never", &value) && value == CONFIG_NEVER);
	ck_assert(config_parse_size("512", &value) && value == 512);
	ck_assert(config_parse_size("3K", &value) && value == 3072);
	ck_assert(config_parse_size("2G", &value) && value == 2147483648);
	ck_assert(!config_parse_size("2g", &value));
	ck_assert(!config_parse_size("never", &value));
	ck_assert(!config_parse_size("9999999T", &value));
}
END_TEST

START_TEST(nearest_word)
{
	static const char *const words[] = {"idle", "grace", "deadline", "on", NULL};

	ck_assert_str_eq(config_nearest("idel", words), "idle");
	ck_assert_str_eq(config_nearest("graze", words), "grace");
	ck_assert_str_eq(config_nearest("dedaline", words), "deadline");
	ck_assert_ptr_null(config_nearest("xyz", words));
	ck_assert_ptr_null(config_nearest("", words));
	ck_assert_ptr_null(config_nearest(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		words));
}
END_TEST

START_TEST(file_names_that_are_no_volume)
{
	static const char *const bad[] = {"/etc/phifs/ehr",	 "/etc/phifs/.conf",
					  "/etc/phifs/a b.conf", "ehr.conf",
					  "/etc/phifs/-x.conf",	 ""};
	struct config *config = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(config_parse(bad[i], NEEDED, strlen(NEEDED), NULL, NULL, &config),
				 ERR_CONFIG);
}
END_TEST

static void swallow(void *ctx, enum log_level level, const char *text)
{
	size_t len = strlen(said);

	(void)ctx;
	(void)level;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void put_file(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert(fputs(text, file) >= 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void drop_file(const char *directory, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	ck_assert_int_eq(unlink(path), 0);
}

static void expect_found(const char *directory, const char *name, const char *suffix)
{
	char wanted[PATH_MAX];
	char *file = NULL;

	snprintf(wanted, sizeof(wanted), "%s/%s", directory, suffix);
	ck_assert_ok(config_find(directory, name, &file));
	ck_assert_str_eq(file, wanted);
	free(file);
}

START_TEST(names_mean_files)
{
	char directory[] = "/tmp/test_config.XXXXXX";
	char *file = NULL;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	log_set_hook(swallow, NULL);
	expect_found(directory, "ehr", "ehr.conf");
	ck_assert_int_eq(config_find(directory, "a b", &file), ERR_USAGE);
	ck_assert_int_eq(config_find(directory, NULL, &file), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(said, "no volume is configured"));
	put_file(directory, "ehr.conf", NEEDED);
	put_file(directory, "ehr.policy", "");
	put_file(directory, "bad name.conf", "");
	expect_found(directory, NULL, "ehr.conf");
	put_file(directory, "pacs.conf", NEEDED);
	said[0] = '\0';
	ck_assert_int_eq(config_find(directory, NULL, &file), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(said, "ehr"));
	ck_assert_ptr_nonnull(strstr(said, "pacs"));
	ck_assert_ptr_null(file);
	said[0] = '\0';
	config_say_missing(directory, "erh");
	ck_assert_ptr_nonnull(strstr(said, "ehr, pacs") ? strstr(said, "ehr, pacs")
							: strstr(said, "pacs, ehr"));
	said[0] = '\0';
	config_say_missing("/none", "erh");
	ck_assert_ptr_nonnull(strstr(said, "phifs-volume init erh"));
	drop_file(directory, "ehr.conf");
	drop_file(directory, "ehr.policy");
	drop_file(directory, "bad name.conf");
	drop_file(directory, "pacs.conf");
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(load_reads_a_file_and_logs_its_mistakes)
{
	char directory[] = "/tmp/test_config.XXXXXX";
	char path[PATH_MAX];
	struct config *config = NULL;
	char *run;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	log_set_hook(swallow, NULL);
	snprintf(path, sizeof(path), "%s/ehr.conf", directory);
	put_file(directory, "ehr.conf", NEEDED "[lock]\nidel = 5m\n");
	ck_assert_int_eq(chmod(path, 0660), 0);
	ck_assert_int_eq(config_load(path, &config), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(said, "ehr.conf:5: unknown key 'idel' in [lock]"));
	ck_assert_ptr_nonnull(strstr(said, "chmod go-w"));
	put_file(directory, "ehr.conf", NEEDED);
	ck_assert_ok(config_load(path, &config));
	run = config_run_path(config, "sock");
	ck_assert_str_eq(run, "/run/phifs/ehr.sock");
	free(run);
	config_free(config);
	drop_file(directory, "ehr.conf");
	said[0] = '\0';
	ck_assert_int_eq(config_load(path, &config), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(said, "not found"));
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(config_load(path, &config), ERR_CONFIG);
	drop_file(directory, "ehr.conf");
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

static void count_option(void *ctx, const char *section, const char *key, const char *initial,
			 const char *help, bool is_used)
{
	int *counts = ctx;

	(void)initial;
	ck_assert(section[0] != '\0' && key[0] != '\0' && help[0] != '\0');
	counts[is_used ? 1 : 0]++;
}

START_TEST(the_list_of_options_has_all_and_fits_the_tables)
{
	int counts[2] = {0, 0};

	config_option_list(count_option, counts);
	ck_assert_int_ge(counts[1], 19);
	ck_assert_int_ge(counts[0], 15);
	ck_assert_int_le(counts[0] + counts[1], 64);
}
END_TEST

static const char rich[] =
	"# comment\n[volume]\nformat = 1\nciphertext = /data/ehr\nmountpoint = /srv/ehr\n"
	"state = /s\ncontact = IT\nunlock-with = credential:ehr\n[lock]\nidle = never\n"
	"grace = 5s\n[audit]\nforward = unix:/run/s\nsd-id = phifs@32473\nsegment-size = 64M\n";

/* Never a crash, and never a config with a relative path or a number out of range. */
static void try_hostile(const char *text, size_t len)
{
	struct config *config = NULL;
	enum err err = config_parse(FILE_NAME, text, len, NULL, NULL, &config);

	ck_assert(err == ERR_OK || err == ERR_CONFIG);
	ck_assert((err == ERR_OK) == (config != NULL));
	if (config == NULL)
		return;
	ck_assert_int_eq(config->ciphertext[0], '/');
	ck_assert_int_eq(config->mountpoint[0], '/');
	ck_assert_int_ge(config->idle_ms, 1000);
	ck_assert_int_ge(config->segment_size, 1 << 20);
	config_free(config);
}

START_TEST(truncated_and_damaged_files_never_crash)
{
	char text[sizeof(rich)];
	unsigned int seed = 1;

	for (size_t len = 0; len < sizeof(rich); len++)
		try_hostile(rich, len);
	for (size_t i = 0; i < (sizeof(rich) - 1) * 8; i++) {
		memcpy(text, rich, sizeof(rich));
		text[i / 8] = (char)(text[i / 8] ^ (1 << (i % 8)));
		try_hostile(text, sizeof(rich) - 1);
	}
	for (int i = 0; i < 20000; i++) {
		memcpy(text, rich, sizeof(rich));
		for (int j = 0; j < 6; j++)
			text[(size_t)rand_r(&seed) % (sizeof(rich) - 1)] =
				"\n[]=; /#\tab\x00\xff"[rand_r(&seed) % 13];
		try_hostile(text, sizeof(rich) - 1);
	}
}
END_TEST

UNIT_MAIN("config", defaults_of_the_smallest_file, every_key_reaches_its_member,
	  unknown_words_name_the_nearest, what_is_given_twice_is_an_error,
	  what_is_missing_is_an_error, bad_values_are_refused_with_their_line,
	  malformed_lines_are_refused_not_skipped, an_indented_line_is_a_key_of_its_own,
	  long_lines_are_refused_whole_and_long_comments_pass, a_nul_byte_is_refused,
	  words_of_later_versions_are_warnings, directories_inside_each_other_are_refused,
	  directories_beside_each_other_are_fine, times_and_sizes, nearest_word,
	  file_names_that_are_no_volume, names_mean_files, load_reads_a_file_and_logs_its_mistakes,
	  the_list_of_options_has_all_and_fits_the_tables, truncated_and_damaged_files_never_crash)
