/*
 * posix-suite [OPTION ...] MOUNTDIR PLAINDIR: every case on both, as TAP; then
 * "N steps explored, N violations".
 *
 *	--seed S           of what is random and of the choice out of matrices
 *	--differences F    a list of differences that may be, and then must be
 *	--long             all of each matrix, a large directory of 100,000 names
 *	--quick            little of everything
 *	--steps N          of the random sequence
 *	--only WORD        cases with this word in their name
 *	--alter CASE       for tests of this program: the first step of that case is
 *	                   expected to give something else
 */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_SECONDS     60
#define CASE_SECONDS_LONG 900
#define SHOWN_MAX        12

struct suite_options suite_options = {
	.seed = 1, .entries = 1200, .storm = 150, .steps = 3000, .one_in = 61};

static const struct check *const groups[] = {
	content_checks, range_checks, name_checks, rename_checks, attribute_checks, special_checks,
	sync_checks, mapping_checks, open_cases, error_cases, rename_cases, attribute_cases,
	permission_cases, time_cases, content_cases, large_cases, storm_cases, random_cases};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

enum { PLAIN, MOUNT, SIDES };

static struct {
	const char *dirs[SIDES];
	const char *only, *alter;
	struct difference_list *list;
	unsigned int seconds;
	int cases, failed;
	long steps, violations;
} suite = {.seconds = CASE_SECONDS};

/* --- running a case on one side ---------------------------------------------------- */

struct outcome {
	char *text; /* lines */
	int status; /* of the child */
	bool is_removed;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static _Noreturn void run_in_child(const struct check *check, const char *dir, int record)
{
	alarm(suite.seconds);
	umask(022);
	record_to(record);
	if (mkdir(dir, 0755) != 0 || chdir(dir) != 0)
		check_fail(__FILE__, __LINE__, dir);
	check->run();
	_exit(EXIT_SUCCESS);
}

static char *text_of(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);

	if (!text || pread(fd, text, (size_t)size, 0) != size)
		abort();
	text[size] = '\0';
	return text;
}

static struct outcome run_side(const struct check *check, const char *base)
{
	struct outcome outcome = {.status = -1};
	char dir[4096];
	int record = memfd_create("steps", 0);
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/case", base);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_in_child(check, dir, record);
	if (pid > 0)
		waitpid(pid, &outcome.status, 0);
	outcome.is_removed = nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
	outcome.text = text_of(record);
	close(record);
	return outcome;
}

/* --- comparing ----------------------------------------------------------------------- */

struct comparison {
	const char *name;
	long steps, violations;
	char *rest[SIDES]; /* of the lines */
};

static void violation(struct comparison *c, const char *text, const char *plain, const char *mount)
{
	if (c->violations++ < SHOWN_MAX)
		printf("# step %ld: %s\n#   plain: %s\n#   mount: %s\n", c->steps, text, plain, mount);
}

/* The next line without its result, which goes to *result; NULL at the end. */
static const char *next_line(char **rest, const char **result)
{
	char *line = *rest, *end = strchr(line, '\n'), *split = NULL;

	if (!end)
		return NULL;
	*end = '\0';
	*rest = end + 1;
	for (char *at = strstr(line, " = "); at; at = strstr(at + 1, " = "))
		split = at;
	*split = '\0';
	*result = split + 3;
	return line;
}

/* False at the end, or if the rest makes no sense to compare. */
static bool compare_line(struct comparison *c)
{
	const char *results[SIDES], *lines[SIDES];
	static const char end[] = "(end)";

	for (int side = 0; side < SIDES; side++)
		lines[side] = next_line(&c->rest[side], &results[side]);
	if (!lines[PLAIN] && !lines[MOUNT])
		return false;
	c->steps++;
	if (!lines[PLAIN] || !lines[MOUNT] || strcmp(lines[PLAIN], lines[MOUNT]) != 0) {
		for (int side = 0; side < SIDES; side++)
			lines[side] = lines[side] ? lines[side] : end;
		if (!list_has(suite.list, c->name, "", lines[PLAIN], lines[MOUNT]))
			violation(c, "the two go different ways", lines[PLAIN], lines[MOUNT]);
		return false;
	}
	if (c->steps == 1 && suite.alter && strcmp(suite.alter, c->name) == 0)
		results[PLAIN] = "something else";
	if (strcmp(results[PLAIN], results[MOUNT]) != 0 &&
	    !list_has(suite.list, c->name, lines[PLAIN], results[PLAIN], results[MOUNT]))
		violation(c, lines[PLAIN], results[PLAIN], results[MOUNT]);
	return true;
}

static void judge_ends(struct comparison *c, const struct outcome sides[SIDES])
{
	static const char *const names[SIDES] = {"plain", "mount"};

	for (int side = 0; side < SIDES; side++) {
		if (WIFSIGNALED(sides[side].status)) {
			printf("# %s: ended by signal %d\n", names[side], WTERMSIG(sides[side].status));
			c->violations++;
		} else if (WEXITSTATUS(sides[side].status) != 0 && c->violations == 0) {
			printf("# %s: ended with status %d\n%s\n", names[side],
			       WEXITSTATUS(sides[side].status), strstr(sides[side].text, "failed"));
			c->violations++;
		}
		if (!sides[side].is_removed) {
			printf("# %s: what it made cannot be removed\n", names[side]);
			c->violations++;
		}
	}
}

static void run_case(const struct check *check)
{
	struct comparison c = {.name = check->name};
	struct outcome sides[SIDES];

	for (int side = 0; side < SIDES; side++) {
		sides[side] = run_side(check, suite.dirs[side]);
		c.rest[side] = sides[side].text;
	}
	while (compare_line(&c))
		continue;
	c.violations += list_unseen(suite.list, c.name);
	judge_ends(&c, sides);
	if (c.violations > 0)
		printf("# seed %u, %ld violations\n", suite_options.seed, c.violations);
	printf("%s %d - %s: %ld steps\n", c.violations ? "not ok" : "ok", ++suite.cases, c.name,
	       c.steps);
	suite.steps += c.steps;
	suite.violations += c.violations;
	for (int side = 0; side < SIDES; side++)
		free(sides[side].text);
}

/* --- the program ----------------------------------------------------------------------- */

static bool is_case(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++)
		for (const struct check *check = groups[i]; check->name; check++)
			if (strcmp(check->name, name) == 0)
				return true;
	return false;
}

static void run_all(void)
{
	for (size_t i = 0; i < GROUPS; i++)
		for (const struct check *check = groups[i]; check->name; check++)
			if (!suite.only || strstr(check->name, suite.only))
				run_case(check);
}

static void take_long(void)
{
	suite_options.entries = 100000;
	suite_options.storm = 20000;
	suite_options.steps = 100000;
	suite_options.one_in = 1;
	suite.seconds = CASE_SECONDS_LONG;
}

static void take_quick(void)
{
	suite_options.entries = 400;
	suite_options.storm = 50;
	suite_options.steps = 500;
	suite_options.one_in = 151;
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: posix-suite [--seed S] [--differences FILE] [--long | --quick] "
			"[--steps N] [--only WORD] [--alter CASE] MOUNTDIR PLAINDIR\n");
	exit(2);
}

static void take_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", 1, NULL, 's'},  {"differences", 1, NULL, 'd'}, {"long", 0, NULL, 'l'},
		{"steps", 1, NULL, 'n'}, {"only", 1, NULL, 'o'},	{"alter", 1, NULL, 'a'},
		{"quick", 0, NULL, 'q'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 's': suite_options.seed = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'n': suite_options.steps = atoi(optarg); break;
		case 'l': take_long(); break;
		case 'q': take_quick(); break;
		case 'o': suite.only = optarg; break;
		case 'a': suite.alter = optarg; break;
		case 'd':
			if (!list_read(&suite.list, optarg))
				exit(2);
			break;
		default: usage();
		}
	if (argc - optind != 2)
		usage();
	suite.dirs[MOUNT] = argv[optind];
	suite.dirs[PLAIN] = argv[optind + 1];
}

int main(int argc, char **argv)
{
	int unknown;

	setvbuf(stdout, NULL, _IOLBF, 0);
	take_options(argc, argv);
	run_all();
	unknown = list_unknown(suite.list, is_case);
	printf("%s %d - the written list names cases that there are\n", unknown ? "not ok" : "ok",
	       ++suite.cases);
	suite.violations += unknown;
	list_free(suite.list);
	printf("1..%d\n# seed %u\n%ld steps explored, %ld violations\n", suite.cases,
	       suite_options.seed, suite.steps, suite.violations);
	return suite.violations == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
