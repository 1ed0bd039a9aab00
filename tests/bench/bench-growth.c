/*
 * What a directory costs as it grows: latencies that a shell cannot time.
 *
 *     bench-growth fill|sample|sparse|verify|writers [OPTION]... DIRECTORY
 *
 * Prints lines of JSON; times are microseconds.  growth.sh is who calls it.
 */
#include "bench-growth.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static const struct {
	const char *name;
	growth_run *run;
} commands[] = {
	{"fill", growth_fill},     {"sample", growth_sample},   {"sparse", growth_sparse},
	{"verify", growth_verify}, {"writers", growth_writers},
};

enum err growth_failed(const struct growth *growth, const char *what)
{
	log_error("%s: %s: %s", growth->path, what, strerror(errno));
	return ERR_SYSTEM;
}

/* xorshift64 (Marsaglia 2003): the same offsets each time. */
uint64_t growth_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* --- latencies ---------------------------------------------------------------------------- */

static void keep(struct growth_latencies *latencies, int64_t ns)
{
	if (latencies->count == GROWTH_LATENCIES_MAX)
		return;
	if (latencies->count == latencies->room) {
		size_t room = latencies->room == 0 ? 1024 : 2 * latencies->room;
		int64_t *larger = realloc(latencies->ns, room * sizeof(*larger));

		if (larger == NULL)
			abort();
		latencies->ns = larger;
		latencies->room = room;
	}
	latencies->ns[latencies->count++] = ns;
}

void growth_took(struct growth_latencies *latencies, int64_t begin_ns)
{
	int64_t ns = clock_boot_ns() - begin_ns;

	keep(latencies, ns);
	latencies->total++;
	if (ns > latencies->max_ns)
		latencies->max_ns = ns;
}

void growth_merge(struct growth_latencies *into, struct growth_latencies *from)
{
	for (size_t i = 0; i < from->count; i++)
		keep(into, from->ns[i]);
	into->total += from->total;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	free(from->ns);
	*from = (struct growth_latencies){.ns = NULL};
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double percentile_us(const struct growth_latencies *latencies, size_t percent)
{
	if (latencies->count == 0)
		return 0;
	return (double)latencies->ns[latencies->count * percent / 100] / NS_PER_US;
}

void growth_print(const char *what, struct growth_latencies *latencies, double seconds)
{
	double sum = 0;

	if (latencies->count > 0)
		qsort(latencies->ns, latencies->count, sizeof(*latencies->ns), by_time);
	for (size_t i = 0; i < latencies->count; i++)
		sum += (double)latencies->ns[i] / NS_PER_SECOND;
	if (seconds <= 0)
		seconds = sum > 0 ? sum : 1;
	printf("{\"what\":\"%s\",\"count\":%llu,\"per_second\":%.1f,\"p50_us\":%.1f,"
	       "\"p99_us\":%.1f,\"max_us\":%.1f}\n",
	       what, (unsigned long long)latencies->total, (double)latencies->total / seconds,
	       percentile_us(latencies, 50), percentile_us(latencies, 99),
	       (double)latencies->max_ns / NS_PER_US);
	fflush(stdout);
	free(latencies->ns);
	*latencies = (struct growth_latencies){.ns = NULL};
}

/* --- arguments ------------------------------------------------------------------------------ */

static const char usage_line[] =
	"bench-growth fill|sample|sparse|verify|writers [--files N] [--first N] "
	"[--per-directory N] [--size BYTES] [--count N] [--writers N] [--seconds N] "
	"[--one-file] DIRECTORY";

static int usage(void)
{
	log_error("wrong usage");
	log_hint("%s", usage_line);
	return err_exit_code(ERR_USAGE);
}

static enum err number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' || *text < '0' || *text > '9' || *value > max
		       ? ERR_USAGE : ERR_OK;
}

static enum err parse(int argc, char **argv, struct growth *growth)
{
	static const struct option options[] = {
		{"files", required_argument, NULL, 0},   {"first", required_argument, NULL, 1},
		{"per-directory", required_argument, NULL, 2},
		{"size", required_argument, NULL, 3},    {"count", required_argument, NULL, 4},
		{"writers", required_argument, NULL, 5}, {"seconds", required_argument, NULL, 6},
		{"one-file", no_argument, NULL, 'o'},    {NULL, 0, NULL, 0}};
	static const uint64_t maxima[] = {GROWTH_FILES_MAX, GROWTH_FILES_MAX, GROWTH_FILES_MAX,
					  1ull << 50, GROWTH_FILES_MAX, GROWTH_WRITERS_MAX, 3600};
	uint64_t values[] = {1000, 0, 1000, 1024, 1000, 1, 10};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'o')
			growth->is_one_file = true;
		else if (c == '?' || number(optarg, maxima[c], &values[c]) != ERR_OK)
			return ERR_USAGE;
	}
	growth->files = values[0];
	growth->first = values[1];
	growth->per_directory = values[2];
	growth->size = values[3];
	growth->count = values[4];
	growth->writers = (unsigned int)values[5];
	growth->seconds = (unsigned int)values[6];
	growth->path = argv[optind + 1];
	return argc != optind + 2 || growth->per_directory == 0 || growth->writers == 0
		       ? ERR_USAGE : ERR_OK;
}

int main(int argc, char **argv)
{
	static struct growth growth;

	log_set_name("bench-growth");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return printf("Usage: %s\n", usage_line) < 0;
	if (parse(argc, argv, &growth) != ERR_OK)
		return usage();
	for (size_t i = 0; i < sizeof(growth.block); i++)
		growth.block[i] = (char)(i * 2654435761u >> 13);
	growth.dir_fd = open(growth.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (growth.dir_fd < 0)
		return err_exit_code(growth_failed(&growth, "open"));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[optind], commands[i].name) == 0)
			return err_exit_code(commands[i].run(&growth));
	return usage();
}
