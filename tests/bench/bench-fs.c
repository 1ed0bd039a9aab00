/*
 * How fast is a directory, and how does it compare with another one?
 *
 *     bench-fs [--size MIB] [--files N] [--rounds N] [--json] DIRECTORY [SECOND]
 *
 * Every workload runs in both directories, one after the other, in each round:
 * what the machine does meanwhile meets both.  Medians are printed, and the
 * first directory's rate as a part of the second's.  Nothing here is a test:
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

#define PLACES	   2
#define ROUNDS_MAX 99

struct bench {
	struct bench_place places[PLACES];
	size_t count;        /* of directories given */
	unsigned int rounds;
	bool is_json;
};

static int usage(void)
{
	log_error("wrong usage");
	log_hint("bench-fs [--size MIB] [--files N] [--rounds N] [--json] DIRECTORY [SECOND]");
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
	for (size_t i = 0; i < bench->count; i++)
		bench->places[i] = (struct bench_place){
			.path = argv[optind + (int)i], .size = size << 20, .dir_fd = -1,
			.files = (unsigned int)files, .syncs = files < 200 ? (unsigned int)files : 200};
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
 * All workloads in order, in both places, again and again: what a workload
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

static void print_text(const struct bench *bench, double *rates)
{
	printf("first:  %s\n", bench->places[0].path);
	if (bench->count > 1)
		printf("second: %s\n", bench->places[1].path);
	printf("%-28s %12s %s\n", "median", "first", bench->count > 1 ? "      second   first/second" : "");
	for (size_t w = 0; w < bench_workload_count; w++) {
		double first = rate_of(bench, rates, w, 0);

		printf("%-28s %12.1f ", bench_workloads[w].name, first);
		if (bench->count > 1) {
			double second = rate_of(bench, rates, w, 1);

			printf("%12.1f %14.2f ", second, first / second);
		}
		printf("%s\n", bench_workloads[w].unit);
	}
}

static void print_json(const struct bench *bench, double *rates)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(top, "first", json_object_new_string(bench->places[0].path));
	if (bench->count > 1)
		json_object_object_add(top, "second",
				       json_object_new_string(bench->places[1].path));
	json_object_object_add(top, "rounds", json_object_new_int((int)bench->rounds));
	json_object_object_add(top, "size", json_object_new_int64((int64_t)bench->places[0].size));
	json_object_object_add(top, "files", json_object_new_int((int)bench->places[0].files));
	for (size_t w = 0; w < bench_workload_count; w++) {
		struct json_object *one = json_object_new_object();
		double first = rate_of(bench, rates, w, 0);

		json_object_object_add(one, "name", json_object_new_string(bench_workloads[w].name));
		json_object_object_add(one, "unit", json_object_new_string(bench_workloads[w].unit));
		json_object_object_add(one, "first", json_object_new_double(first));
		if (bench->count > 1) {
			double second = rate_of(bench, rates, w, 1);

			json_object_object_add(one, "second", json_object_new_double(second));
			json_object_object_add(one, "ratio", json_object_new_double(first / second));
		}
		json_object_array_add(list, one);
	}
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
