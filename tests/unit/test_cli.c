#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/cli/prompt.h"
#include "unit.h"

/* --- the dispatcher ---------------------------------------------------------- */

enum { OPT_JSON, OPT_COUNT_OF, OPT_KEY };
static const struct cli_option options[] = {
	{"json", 0, NULL, "print JSON"},
	{"count", 'n', "N", "how many"},
	{"key", 'k', "FILE...", "a key"},
};

/* What the command saw; each Check case is its own process. */
static struct {
	int calls;
	char volume[64];
	char operand[64];
	size_t keys;
	long number;
	char words[64];
} seen;
static char last_error[512];

static void capture(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	if (level == LOG_LEVEL_ERROR && last_error[0] == '\0')
		snprintf(last_error, sizeof(last_error), "%s", text);
}

static enum err cmd_show(const struct call *call)
{
	seen.calls++;
	snprintf(seen.volume, sizeof(seen.volume), "%s", call->volume ? call->volume : "-");
	snprintf(seen.operand, sizeof(seen.operand), "%s",
		 call->operand_count ? call->operands[0] : "-");
	snprintf(seen.words, sizeof(seen.words), "%s", cli_volume_words(call));
	seen.keys = cli_count(call, OPT_KEY);
	seen.number = 7;
	return cli_number(call, OPT_COUNT_OF, 1, 100, &seen.number);
}

static enum err cmd_fail(const struct call *call)
{
	(void)call;
	return ERR_LOCKED;
}

static const struct command commands[] = {
	{"show", cmd_show, "show one", "[NAME] OBJECT", CLI_BIT(OPT_COUNT_OF) | CLI_BIT(OPT_KEY), 1,
	 1, true},
	{"lock", cmd_fail, "lock it", "[NAME]", 0, 0, 0, true},
	{"keygen", cmd_show, "make a key", "", 0, 0, 0, false},
};
static const struct tool tool = {"phifs-test", "a tool of the tests", options, 3, commands, 3};

static int run(const char *const words[])
{
	char *argv[16] = {(char *)"phifs-test"};
	int argc = 1;

	while (words[argc - 1] != NULL) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	memset(&seen, 0, sizeof(seen));
	last_error[0] = '\0';
	log_set_hook(capture, NULL);
	return cli_main(&tool, argc, argv);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

START_TEST(test_volume_stands_before_or_behind_the_command)
{
	ck_assert_int_eq(RUN("show", "ehr", "/x"), 0);
	ck_assert_str_eq(seen.volume, "ehr");
	ck_assert_str_eq(seen.operand, "/x");
	ck_assert_str_eq(seen.words, " ehr");
	ck_assert_int_eq(RUN("ehr", "show", "/x"), 0);
	ck_assert_str_eq(seen.volume, "ehr");
	ck_assert_str_eq(seen.operand, "/x");
	ck_assert_int_eq(RUN("show", "/x"), 0);
	ck_assert_str_eq(seen.volume, "-");
	ck_assert_str_eq(seen.words, "");
	ck_assert_int_eq(RUN("--config", "a.conf", "show", "/x"), 0);
	ck_assert_str_eq(seen.volume, "./a.conf");
	ck_assert_str_eq(seen.words, " --config ./a.conf");
}
END_TEST

START_TEST(test_options_are_found_anywhere)
{
	ck_assert_int_eq(RUN("show", "-n", "12", "ehr", "/x", "--key=a", "-kb"), 0);
	ck_assert_int_eq(seen.number, 12);
	ck_assert_uint_eq(seen.keys, 2);
	ck_assert_int_eq(RUN("show", "ehr", "--", "--count"), 0);
	ck_assert_str_eq(seen.operand, "--count");
	ck_assert_int_eq(seen.number, 7);
}
END_TEST

START_TEST(test_wrong_usage_is_2_and_runs_nothing)
{
	static const char *const wrong[][8] = {
		{NULL},
		{"shw", "x"},
		{"show"},
		{"show", "a", "b", "c"},
		{"ehr", "show", "a", "b"},
		{"show", "x", "--nonsense"},
		{"show", "x", "-z"},
		{"show", "x", "-n"},
		{"show", "x", "--count=1", "--count=2"},
		{"show", "x", "--json"},
		{"show", "--config", "a", "ehr", "x"},
		{"ehr", "show", "--config", "a", "x"},
		{"show", "", "x"},
		{"ehr", "keygen"},
		{"keygen", "--config", "a"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_int_eq(run(wrong[i]), 2);
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_str_ne(last_error, "");
	}
	ck_assert_int_eq(RUN("show", "x", "--count=0"), 2);
	ck_assert_int_eq(RUN("show", "x", "--count=101"), 2);
	ck_assert_int_eq(RUN("show", "x", "--count=5x"), 2);
	ck_assert_int_eq(RUN("show", "x", "--count="), 2);
	ck_assert_int_eq(RUN("show", "x", "--count=99999999999999999999"), 2);
}
END_TEST

START_TEST(test_exit_code_is_the_error)
{
	ck_assert_int_eq(RUN("lock", "ehr"), 4);
	ck_assert_int_eq(RUN("--help"), 0);
	ck_assert_int_eq(RUN("show", "--help"), 0);
	ck_assert_int_eq(seen.calls, 0);
}
END_TEST

START_TEST(test_full_output_is_a_failure)
{
	ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
	ck_assert_int_eq(RUN("--help"), 1);
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
}
END_TEST

/* --- prompts ------------------------------------------------------------------ */

static void write_file(const char *name, const void *data, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static char directory[] = "test_cli.XXXXXX";
static char file[64];

static void make_directory(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/file", directory);
	log_set_hook(capture, NULL);
	last_error[0] = '\0';
}

static void remove_directory(void)
{
	unlink(file);
	ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(test_passphrase_file_gives_its_first_line)
{
	struct passphrase got = {NULL, 0};

	make_directory();
	write_file(file, "secret word \nsecond\n", 20, 0600);
	ck_assert_ok(passphrase_get(file, "?", &got));
	ck_assert_uint_eq(got.len, 12);
	ck_assert_str_eq(got.bytes, "secret word ");
	ck_assert_str_eq(last_error, "");
	passphrase_clear(&got);
	ck_assert_ptr_null(got.bytes);
	write_file(file, "no newline", 10, 0600);
	ck_assert_ok(passphrase_get_new(file, "?", &got));
	ck_assert_str_eq(got.bytes, "no newline");
	passphrase_clear(&got);
	remove_directory();
}
END_TEST

START_TEST(test_bad_passphrase_files_are_refused)
{
	static char line[PASSPHRASE_MAX + 2];
	struct passphrase got = {NULL, 0};

	make_directory();
	ck_assert_int_eq(passphrase_get(file, "?", &got), ERR_USAGE);
	write_file(file, "", 0, 0600);
	ck_assert_int_eq(passphrase_get(file, "?", &got), ERR_USAGE);
	write_file(file, "\nword\n", 6, 0600);
	ck_assert_int_eq(passphrase_get(file, "?", &got), ERR_USAGE);
	memset(line, 'a', sizeof(line));
	write_file(file, line, PASSPHRASE_MAX + 1, 0600);
	ck_assert_int_eq(passphrase_get(file, "?", &got), ERR_USAGE);
	ck_assert_ptr_null(got.bytes);
	write_file(file, line, PASSPHRASE_MAX, 0600);
	ck_assert_ok(passphrase_get(file, "?", &got));
	ck_assert_uint_eq(got.len, PASSPHRASE_MAX);
	passphrase_clear(&got);
	remove_directory();
}
END_TEST

START_TEST(test_each_prompt_takes_one_line_of_stdin)
{
	struct passphrase got = {NULL, 0};
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "one\ntwo\n", 8), 8);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	ck_assert_ok(passphrase_get("-", "?", &got));
	ck_assert_str_eq(got.bytes, "one");
	passphrase_clear(&got);
	ck_assert_ok(passphrase_get("-", "?", &got));
	ck_assert_str_eq(got.bytes, "two");
	passphrase_clear(&got);
	ck_assert_int_eq(passphrase_get("-", "?", &got), ERR_USAGE);
}
END_TEST

START_TEST(test_key_file_is_binary_and_bounded)
{
	static char bytes[KEYFILE_MAX + 1];
	struct passphrase got = {NULL, 0};

	make_directory();
	write_file(file, bytes, KEYFILE_MIN - 1, 0600);
	ck_assert_int_eq(keyfile_get(file, &got), ERR_USAGE);
	write_file(file, bytes, KEYFILE_MAX + 1, 0600);
	ck_assert_int_eq(keyfile_get(file, &got), ERR_USAGE);
	bytes[3] = '\n';
	write_file(file, bytes, KEYFILE_MAX, 0600);
	ck_assert_ok(keyfile_get(file, &got));
	ck_assert_uint_eq(got.len, KEYFILE_MAX);
	ck_assert_mem_eq(got.bytes, bytes, KEYFILE_MAX);
	passphrase_clear(&got);
	remove_directory();
}
END_TEST

/*
 * Runs `body` in a child on a fresh terminal, types `typed` one line for each
 * question mark or colon that appears, collects what the terminal showed.
 */
static int on_terminal(enum err (*body)(void), const char *const typed[], char *shown, size_t size)
{
	int master, status;
	size_t used = 0, next = 0;
	pid_t pid = forkpty(&master, NULL, NULL, NULL);

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(-body());
	for (;;) {
		ssize_t got = read(master, shown + used, size - 1 - used);

		if (got <= 0)
			break;
		used += (size_t)got;
		shown[used] = '\0';
		if (used >= 2 && strcmp(shown + used - 2, ": ") == 0 && typed[next] != NULL) {
			ck_assert_int_gt(write(master, typed[next], strlen(typed[next])), 0);
			next++;
		}
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(master);
	ck_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static enum err choose(void)
{
	struct passphrase got = {NULL, 0};
	struct termios after;
	enum err err = passphrase_get_new(NULL, "New", &got);

	if (err == ERR_OK && strcmp(got.bytes, "hunter2") != 0)
		err = ERR_INVALID;
	if (tcgetattr(STDIN_FILENO, &after) != 0 || !(after.c_lflag & ECHO))
		err = ERR_SYSTEM;
	passphrase_clear(&got);
	return err;
}

START_TEST(test_terminal_asks_twice_and_does_not_echo)
{
	char shown[4096];

	ck_assert_int_eq(on_terminal(choose, (const char *const[]){"hunter2\n", "hunter2\n", NULL},
				     shown, sizeof(shown)),
			 ERR_OK);
	ck_assert_ptr_nonnull(strstr(shown, "New: "));
	ck_assert_ptr_nonnull(strstr(shown, "Again: "));
	ck_assert_ptr_null(strstr(shown, "hunter2"));
	ck_assert_int_eq(on_terminal(choose, (const char *const[]){"hunter2\n", "hunter3\n", NULL},
				     shown, sizeof(shown)),
			 ERR_USAGE);
	ck_assert_int_eq(on_terminal(choose, (const char *const[]){"\n", NULL}, shown,
				     sizeof(shown)),
			 ERR_USAGE);
	ck_assert_int_eq(on_terminal(choose, (const char *const[]){"hun\x03", NULL}, shown,
				     sizeof(shown)),
			 ERR_INTERRUPTED);
}
END_TEST

static enum err choose_without_terminal(void)
{
	struct passphrase got = {NULL, 0};

	setsid();
	return passphrase_get(NULL, "?", &got);
}

START_TEST(test_no_terminal_is_wrong_usage)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(-choose_without_terminal());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(-WEXITSTATUS(status), ERR_USAGE);
}
END_TEST

static enum err confirm(void)
{
	char line[8];
	enum err err = prompt_line("Letters: ", line, sizeof(line));

	return err != ERR_OK ? err : strcmp(line, "hlunj") == 0 ? ERR_OK : ERR_NO;
}

START_TEST(test_a_visible_line_is_trimmed_and_bounded)
{
	char shown[4096];

	ck_assert_int_eq(on_terminal(confirm, (const char *const[]){" hlunj \n", NULL}, shown,
				     sizeof(shown)),
			 ERR_OK);
	ck_assert_int_eq(on_terminal(confirm, (const char *const[]){"hlunjhlunj\n", NULL}, shown,
				     sizeof(shown)),
			 ERR_TOO_LARGE);
}
END_TEST

/* --- output --------------------------------------------------------------------- */

START_TEST(test_hostile_text_is_made_printable)
{
	char out[64];

	output_printable("Müller 12€", out, sizeof(out));
	ck_assert_str_eq(out, "Müller 12€");
	output_printable("a\nb\033[2Jc\x7f", out, sizeof(out));
	ck_assert_str_eq(out, "a\\x0ab\\x1b[2Jc\\x7f");
	output_printable("\xe2\x80\xae|\xff|\xc0\x80|\xed\xa0\x80", out, sizeof(out));
	ck_assert_str_eq(out, "\\xe2\\x80\\xae|\\xff|\\xc0\\x80|\\xed\\xa0\\x80");
	output_printable("a\\x0a", out, sizeof(out));
	ck_assert_str_eq(out, "a\\x5cx0a");
	for (size_t size = 1; size < 12; size++) {
		output_printable("ab\nü\xff", out, size);
		ck_assert_uint_lt(strlen(out), size);
	}
}
END_TEST

START_TEST(test_numbers_read_well)
{
	char out[32];

	output_size(1023, out, sizeof(out));
	ck_assert_str_eq(out, "1023 B");
	output_size(512u << 10, out, sizeof(out));
	ck_assert_str_eq(out, "512 KiB");
	output_size(UINT64_C(1979120929997), out, sizeof(out));
	ck_assert_str_eq(out, "1.8 TiB");
	output_size(UINT64_MAX, out, sizeof(out));
	ck_assert_str_eq(out, "16 EiB");
	output_duration(900, out, sizeof(out));
	ck_assert_str_eq(out, "900 ms");
	output_duration(119 * 1000, out, sizeof(out));
	ck_assert_str_eq(out, "119 s");
	output_duration(30 * 60 * 1000, out, sizeof(out));
	ck_assert_str_eq(out, "30 min");
}
END_TEST

START_TEST(test_table_aligns_by_characters)
{
	static const char *const headers[] = {"WHO", "WHAT", NULL};
	struct table *table = table_new(headers);
	char text[256] = "";
	FILE *back;
	int copy, ends[2];

	table_add(table, (const char *const[]){"Müller", "a\n"});
	table_add(table, (const char *const[]){"x", NULL});
	ck_assert_int_eq(pipe(ends), 0);
	copy = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	ck_assert_ok(table_print(table));
	fflush(stdout);
	dup2(copy, STDOUT_FILENO);
	close(ends[1]);
	back = fdopen(ends[0], "r");
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, back), 0);
	fclose(back);
	ck_assert_str_eq(text, "WHO     WHAT\nMüller  a\\x0a\nx       \n");
	table_free(table);
}
END_TEST

UNIT_MAIN("cli", test_volume_stands_before_or_behind_the_command, test_options_are_found_anywhere,
	  test_wrong_usage_is_2_and_runs_nothing, test_exit_code_is_the_error,
	  test_full_output_is_a_failure, test_passphrase_file_gives_its_first_line,
	  test_bad_passphrase_files_are_refused, test_each_prompt_takes_one_line_of_stdin,
	  test_key_file_is_binary_and_bounded, test_terminal_asks_twice_and_does_not_echo,
	  test_no_terminal_is_wrong_usage, test_a_visible_line_is_trimmed_and_bounded,
	  test_hostile_text_is_made_printable, test_numbers_read_well,
	  test_table_aligns_by_characters)
