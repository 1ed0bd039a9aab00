/*
 * How fast is a directory, and how does it compare with others?
 *
 *     bench-fs [--size MIB] [--files N] [--rounds N] [--json] [LABEL=]DIRECTORY ...
 *
 * Every workload runs in all directories, one after the other, in each round:
 * what the machine does meanwhile meets all.  Medians are printed, and how many
 * times better the first directory does than each of the others.  Nothing here is a test:
 * numbers of another machine, or of another minute, say nothing.
 */
#include "bench-fs.h"

#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PLACES	   8
#define ROUNDS_MAX 99
#define SYNCS_MAX  200u

struct bench {
	struct bench_place places[PLACES];
	size_t count;        /* of directories given */
	unsigned int rounds;
	bool is_json;
};

static const char usage_line[] =
	"bench-fs [--size MIB] [--files N] [--rounds N] [--json] [LABEL=]DIRECTORY ...";

static int usage(void)
{
	log_error("wrong usage");
	log_hint("%s", usage_line);
	return err_exit_code(ERR_USAGE);
}

/* 1 to `max`; 0: it is none. */
static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || *text < '0' || *text > '9' || value > max)
		return 0;
	return value;
}

/* "LABEL=DIRECTORY", or a directory that is its own label. */
static void name_place(struct bench_place *place, char *word)
{
	char *equals = strchr(word, '=');

	place->label = place->path = word;
	if (equals != NULL && memchr(word, '/', (size_t)(equals - word)) == NULL) {
		*equals = '\0';
		place->path = equals + 1;
	}
}

static enum err parse(int argc, char **argv, struct bench *bench)
{
	static const struct option options[] = {{"size", required_argument, NULL, 's'},
						{"files", required_argument, NULL, 'f'},
						{"rounds", required_argument, NULL, 'r'},
						{"json", no_argument, NULL, 'j'},
						{NULL, 0, NULL, 0}};
	uint64_t size = 128, files = 2000;

	bench->rounds = 3;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 's')
			size = number(optarg, BENCH_SIZE_MAX >> 20);
		else if (c == 'f')
			files = number(optarg, BENCH_FILES_MAX);
		else if (c == 'r')
			bench->rounds = (unsigned int)number(optarg, ROUNDS_MAX);
		else if (c == 'j')
			bench->is_json = true;
		else
			return ERR_USAGE;
	}
	bench->count = (size_t)(argc - optind);
	if (bench->count < 1 || bench->count > PLACES || size == 0 || files == 0 ||
	    bench->rounds == 0)
		return ERR_USAGE;
	for (size_t i = 0; i < bench->count; i++) {
		bench->places[i] = (struct bench_place){
			.size = size << 20, .dir_fd = -1, .files = (unsigned int)files,
			.syncs = files < SYNCS_MAX ? (unsigned int)files : SYNCS_MAX};
		name_place(&bench->places[i], argv[optind + (int)i]);
	}
	return ERR_OK;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *rates, unsigned int count)
{
	qsort(rates, count, sizeof(*rates), compare);
	return count % 2 != 0 ? rates[count / 2] : (rates[count / 2 - 1] + rates[count / 2]) / 2;
}

/*
 * All workloads in order, in all places, again and again: what a workload
 * needs was left by one before it in the same round.
 */
static enum err run(struct bench *bench, double *rates)
{
	for (unsigned int round = 0; round < bench->rounds; round++)
		for (size_t w = 0; w < bench_workload_count; w++)
			for (size_t k = 0; k < bench->count; k++) {
				const struct bench_workload *workload = &bench_workloads[w];
				/* Who is first takes turns. */
				size_t p = (k + round) % bench->count;
				enum err err = workload->run(
					&bench->places[p], workload,
					&rates[(w * PLACES + p) * bench->rounds + round]);

				if (err != ERR_OK)
					return err;
			}
	return ERR_OK;
}

static double rate_of(const struct bench *bench, double *rates, size_t workload, size_t place)
{
	return median(&rates[(workload * PLACES + place) * bench->rounds], bench->rounds);
}

/* How many times better the first place does; of times, how many times less it needs. */
static double ratio(const struct bench_workload *workload, double first, double other)
{
	return workload->flags & BENCH_TIME ? other / first : first / other;
}

static void print_text(const struct bench *bench, double *rates)
{
	printf("%-30s", "median");
	for (size_t p = 0; p < bench->count; p++)
		printf(" %12.12s", bench->places[p].label);
	for (size_t p = 1; p < bench->count; p++)
		printf(" %*s/%.10s", (int)(10 - strnlen(bench->places[p].label, 10)), "",
		       bench->places[p].label);
	printf("\n");
	for (size_t w = 0; w < bench_workload_count; w++) {
		const struct bench_workload *workload = &bench_workloads[w];
		double first = rate_of(bench, rates, w, 0);

		printf("%-30s", workload->name);
		for (size_t p = 0; p < bench->count; p++)
			printf(" %12.1f", rate_of(bench, rates, w, p));
		for (size_t p = 1; p < bench->count; p++)
			printf(" %11.2f", ratio(workload, first, rate_of(bench, rates, w, p)));
		printf(" %s\n", workload->unit);
	}
}

static struct json_object *workload_json(const struct bench *bench, double *rates, size_t w)
{
	const struct bench_workload *workload = &bench_workloads[w];
	struct json_object *one = json_object_new_object(), *of = json_object_new_object();
	struct json_object *ratios = json_object_new_object();
	double first = rate_of(bench, rates, w, 0);

	json_object_object_add(one, "name", json_object_new_string(workload->name));
	json_object_object_add(one, "unit", json_object_new_string(workload->unit));
	for (size_t p = 0; p < bench->count; p++) {
		double rate = rate_of(bench, rates, w, p);

		json_object_object_add(of, bench->places[p].label, json_object_new_double(rate));
		if (p > 0)
			json_object_object_add(ratios, bench->places[p].label,
					       json_object_new_double(ratio(workload, first, rate)));
	}
	json_object_object_add(one, "median", of);
	json_object_object_add(one, "ratio", ratios);
	return one;
}

static void print_json(const struct bench *bench, double *rates)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(top, "first", json_object_new_string(bench->places[0].label));
	json_object_object_add(top, "rounds", json_object_new_int((int)bench->rounds));
	json_object_object_add(top, "size", json_object_new_int64((int64_t)bench->places[0].size));
	json_object_object_add(top, "files", json_object_new_int((int)bench->places[0].files));
	for (size_t w = 0; w < bench_workload_count; w++)
		json_object_array_add(list, workload_json(bench, rates, w));
	json_object_object_add(top, "workloads", list);
	printf("%s\n", json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY));
	json_object_put(top);
}

int main(int argc, char **argv)
{
	struct bench bench = {.count = 0};
	double *rates;
	enum err err;

	log_set_name("bench-fs");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return printf("Usage: %s\n", usage_line) < 0;
	if (parse(argc, argv, &bench) != ERR_OK)
		return usage();
	rates = calloc(bench_workload_count * PLACES * bench.rounds, sizeof(*rates));
	err = rates == NULL ? ERR_NO_MEMORY : ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < bench.count; i++)
		err = bench_place_open(&bench.places[i]);
	if (err == ERR_OK)
		err = run(&bench, rates);
	if (err == ERR_OK && bench.is_json)
		print_json(&bench, rates);
	else if (err == ERR_OK)
		print_text(&bench, rates);
	for (size_t i = 0; i < bench.count; i++)
		bench_place_close(&bench.places[i]);
	free(rates);
	return err_exit_code(err);
}
