/*
 * exerciser [OPTION ...] DIR: random operations on files in DIR, compared with a model
 * in memory; ends with "N operations explored, N violations".
 *
 *	--operations N, --seconds N   how long (10000 operations)
 *	--seed S                      one process with no lock commands repeats itself
 *	--processes N                 at most 16
 *	--lock-command CMD, --unlock-command CMD
 *	                              run now and then by the first process
 *	--sabotage N                  for tests of this program: from operation N on a byte
 *	                              is changed behind the model's back now and then
 */
#include "exerciser.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCK_EVERY     300 /* operations of the first process, on average */
#define SABOTAGE_EVERY 50
#define PROGRESS_EVERY 10   /* seconds */

static struct {
	uint64_t operations;
	long seconds;
	unsigned int seed;
	int processes;
	const char *lock, *unlock;
	uint64_t sabotage;
	time_t started;
	bool has_direct;
} given = {.operations = 10000, .seed = 1, .processes = 1};

static struct worker worker;

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static bool is_over(const struct model *model)
{
	if (atomic_load(&model->violations) > 0)
		return true;
	if (given.seconds > 0)
		return seconds_now() - given.started >= given.seconds;
	return atomic_load(&model->next_number) >= given.operations;
}

static void on_bus_error(int number)
{
	(void)number;
	errno = 0;
	violation(&worker, -1, 0, 0, "SIGBUS");
	_exit(1);
}

/* --- locks ---------------------------------------------------------------------------------- */

static void run_command(struct worker *w, const char *command)
{
	if (system(command) != 0) {
		errno = 0;
		violation(w, -1, 0, 0, command);
	}
}

/* What is locked gives nothing away. */
static void check_locked(struct worker *w)
{
	char name[32];
	uint8_t byte;
	int fd;

	name_of_file(DIVIDED, name);
	if (w->fds[DIVIDED] >= 0 && (pread(w->fds[DIVIDED], &byte, 1, 0) != -1 || errno != ENOKEY))
		violation(w, DIVIDED, 0, 1, "read while locked");
	fd = open(name, O_RDONLY);
	if (fd >= 0 || errno != ENOKEY)
		violation(w, DIVIDED, 0, 1, "open while locked");
}

/* The others go on and meet it, but for those that touch mappings. */
static void lock_and_unlock(struct worker *w)
{
	w->what = "lock";
	pthread_rwlock_wrlock(&w->model->gate);
	run_command(w, given.lock);
	check_locked(w);
	run_command(w, given.unlock);
	pthread_rwlock_unlock(&w->model->gate);
	atomic_fetch_add(&w->model->locks, 1);
}

/* --- processes --------------------------------------------------------------------------------- */

static void progress(const struct model *model, time_t *shown)
{
	time_t now = seconds_now();

	if (now - *shown < PROGRESS_EVERY)
		return;
	*shown = now;
	printf("# %lds: %llu operations, %llu locks\n", (long)(now - given.started),
	       (unsigned long long)atomic_load(&model->done),
	       (unsigned long long)atomic_load(&model->locks));
	fflush(stdout);
}

static void begin(struct worker *w, struct model *model, int process)
{
	w->model = model;
	w->process = process;
	w->processes = given.processes;
	w->has_direct = given.has_direct;
	w->seed = given.seed;
	w->random = (uint64_t)given.seed * 0x9e3779b97f4a7c15u + (uint64_t)process * 0xbf58476d1ce4e5b9u;
	memset(w->fds, -1, sizeof(w->fds));
	if (posix_memalign((void **)&w->buffer, 4096, FILE_SIZE_MAX) != 0 ||
	    posix_memalign((void **)&w->other, 4096, FILE_SIZE_MAX) != 0)
		abort();
	signal(SIGBUS, on_bus_error);
}

/* The first process is the one that locks, sabotages and reports. */
static void work(struct model *model, int process)
{
	time_t shown = given.started;

	begin(&worker, model, process);
	while (!is_over(model)) {
		operate(&worker);
		if (process > 0)
			continue;
		if (given.lock && pick(&worker, LOCK_EVERY) == 0)
			lock_and_unlock(&worker);
		if (given.sabotage > 0 && worker.number >= given.sabotage &&
		    worker.number % SABOTAGE_EVERY == 0)
			sabotage(&worker);
		progress(model, &shown);
	}
	worker.what = "the end";
}

/* Each its region; the first also everything that is shared, when the others are done. */
static void check_end(void)
{
	for (int file = 0; file < FILES; file++)
		if (worker.model->violations == 0 && (worker.fds[file] >= 0 || reopen(&worker, file)))
			check_file(&worker, file);
}

static int run(struct model *model)
{
	int status, wrong = 0;

	for (int process = 1; process < given.processes; process++) {
		fflush(stdout);
		if (fork() == 0) {
			work(model, process);
			if (worker.fds[DIVIDED] >= 0 && model->violations == 0)
				check_file(&worker, DIVIDED);
			_exit(0);
		}
	}
	work(model, 0);
	while (wait(&status) > 0)
		wrong += status != 0;
	if (wrong > 0 && model->violations == 0) {
		printf("# %d processes ended badly\n", wrong);
		model->violations++;
	}
	check_end();
	return model->violations;
}

/* ext4 wants whole blocks. */
static bool try_direct(void)
{
	int fd = open("exerciser-direct", O_CREAT | O_RDWR | O_DIRECT, 0644);
	bool has_direct = fd >= 0 && pwrite(fd, "unaligned", 9, 1) == 9;

	if (fd >= 0)
		close(fd);
	unlink("exerciser-direct");
	return has_direct;
}

static bool make_files(struct model *model)
{
	char name[32];
	int fd;

	for (int file = 0; file < FILES; file++) {
		name_of_file(file, name);
		fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);
		if (fd < 0 || ftruncate(fd, model->files[file].size) != 0) {
			perror(name);
			return false;
		}
		close(fd);
	}
	return true;
}

/* --- the command line ------------------------------------------------------------------------------ */

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: exerciser [--operations N | --seconds N] [--seed S] [--processes N] "
			"[--lock-command CMD --unlock-command CMD] [--sabotage N] DIR\n");
	exit(2);
}

static void take_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"operations", 1, NULL, 'o'},   {"seconds", 1, NULL, 's'},	 {"seed", 1, NULL, 'r'},
		{"processes", 1, NULL, 'p'},    {"lock-command", 1, NULL, 'l'}, {"unlock-command", 1, NULL, 'u'},
		{"sabotage", 1, NULL, 'b'},     {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'o': given.operations = strtoull(optarg, NULL, 0); break;
		case 's': given.seconds = atol(optarg); break;
		case 'r': given.seed = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'p': given.processes = atoi(optarg); break;
		case 'l': given.lock = optarg; break;
		case 'u': given.unlock = optarg; break;
		case 'b': given.sabotage = strtoull(optarg, NULL, 0); break;
		default: usage();
		}
	if (argc - optind != 1 || given.processes < 1 || given.processes > PROCESSES_MAX ||
	    !given.lock != !given.unlock)
		usage();
	if (chdir(argv[optind]) != 0) {
		perror(argv[optind]);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct model *model;
	int violations;

	take_options(argc, argv);
	model = model_new();
	counts_shared();
	if (!make_files(model))
		return 2;
	given.has_direct = try_direct();
	given.started = seconds_now();
	violations = run(model);
	print_counts();
	printf("# seed %u, %d processes, %llu locks, %ld s\n%llu operations explored, %d violations\n",
	       given.seed, given.processes, (unsigned long long)model->locks,
	       (long)(seconds_now() - given.started), (unsigned long long)model->done, violations);
	return violations == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
