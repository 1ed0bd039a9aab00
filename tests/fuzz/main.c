/*
 * Runs one driver: its corpus, then mutations of it; or the files named.
 *
 *     fuzz-X [--iterations N] [--seed N]
 *     fuzz-X --write DIRECTORY
 *     fuzz-X FILE...
 *
 * What made it crash is left in fuzz-X.crash, to be given as FILE.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define SEEDS_MAX 64

struct input {
	uint8_t *data;
	size_t size;
};

static struct input seeds[SEEDS_MAX];
static size_t seed_count;
static struct input current;
static char crash_file[256];
static uint64_t state = 0x9e3779b97f4a7c15u;

void fuzz_seed(const void *data, size_t size)
{
	struct input *seed = &seeds[seed_count++];

	if (seed_count > SEEDS_MAX || size > FUZZ_INPUT_MAX)
		abort();
	seed->data = malloc(size + 1);
	if (seed->data == NULL)
		abort();
	memcpy(seed->data, data, size);
	seed->size = size;
}

/* --- a crash leaves its input behind ----------------------------------------------- */

static void save_input(void)
{
	int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (write(fd, current.data, current.size) == (ssize_t)current.size)
		(void)!write(STDERR_FILENO, "# the input was saved\n", 22);
	close(fd);
}

static void on_signal(int number)
{
	save_input();
	signal(number, SIG_DFL);
	raise(number);
}

/* Sanitizers ask for these: what they find becomes a signal too. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1:handle_abort=0";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void watch(const char *program)
{
	const char *slash = strrchr(program, '/');

	snprintf(crash_file, sizeof(crash_file), "%s.crash", slash != NULL ? slash + 1 : program);
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	signal(SIGSEGV, on_signal);
}

/* In memory of exactly its size, so that a sanitizer sees the first byte behind it. */
static bool run(const uint8_t *data, size_t size)
{
	fuzz_accepted = false;
	current.data = malloc(size + (size == 0));
	if (current.data == NULL)
		abort();
	memcpy(current.data, data, size);
	current.size = size;
	alarm(20);
	(void)LLVMFuzzerTestOneInput(current.data, size);
	alarm(0);
	free(current.data);
	current.data = NULL;
	current.size = 0;
	return fuzz_accepted;
}

/* --- mutations ------------------------------------------------------------------------ */

/* xorshift64 (Marsaglia 2003). */
static uint64_t below(uint64_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return limit == 0 ? 0 : state % limit;
}

static void set_value(uint8_t *data, size_t size)
{
	static const uint64_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff,
					  0xffffffff, INT64_MAX, UINT64_MAX};
	const size_t width = 1u << below(4);
	uint64_t value = values[below(sizeof(values) / sizeof(values[0]))];

	if (size >= width)
		memcpy(data + below(size - width + 1), &value, width);
}

/* Bytes from `from` are put in at a random place, or over what is there. */
static size_t put_piece(uint8_t *data, size_t size, const uint8_t *from, size_t from_size, bool over)
{
	size_t len = below(from_size < 64 ? from_size : 64) + 1, at = below(size + 1);
	const uint8_t *piece;

	if (from_size == 0)
		return size;
	if (len > from_size)
		len = from_size;
	piece = from + below(from_size - len + 1);
	if (over) {
		if (len > size - at)
			len = size - at;
		memmove(data + at, piece, len);
		return size;
	}
	if (size + len > FUZZ_INPUT_MAX)
		return size;
	memmove(data + at + len, data + at, size - at);
	/* The piece may have been moved: what is copied is bytes, whichever. */
	memmove(data + at, piece, len);
	return size + len;
}

static size_t cut_out(uint8_t *data, size_t size)
{
	size_t len, at;

	if (size == 0)
		return 0;
	len = below(size < 64 ? size : 64) + 1;
	at = below(size - len + 1);
	memmove(data + at, data + at + len, size - at - len);
	return size - len;
}

static size_t mutate(uint8_t *data, size_t size)
{
	const struct input *other = &seeds[below(seed_count)];

	switch (below(8)) {
	case 0:
		if (size > 0)
			data[below(size)] ^= (uint8_t)(1u << below(8));
		return size;
	case 1:
		if (size > 0)
			data[below(size)] = (uint8_t)below(256);
		return size;
	case 2:
		set_value(data, size);
		return size;
	case 3:
		return below(size + 1);
	case 4:
		return cut_out(data, size);
	case 5:
		return put_piece(data, size, data, size, false);
	default:
		return put_piece(data, size, other->data, other->size, below(2) == 0);
	}
}

/* How many were accepted. */
static unsigned int run_mutations(unsigned int iterations)
{
	uint8_t *data = malloc(FUZZ_INPUT_MAX + 64);
	unsigned int accepted = 0;

	if (data == NULL)
		abort();
	for (unsigned int i = 0; i < iterations; i++) {
		const struct input *seed = &seeds[below(seed_count)];
		size_t size = seed->size;

		memcpy(data, seed->data, size);
		for (uint64_t times = 1 + below(4); times > 0; times--)
			size = mutate(data, size);
		accepted += run(data, size);
	}
	free(data);
	return accepted;
}

/* --- ways to be called ------------------------------------------------------------------ */

static void write_corpus(const char *directory)
{
	char path[4096];

	for (size_t i = 0; i < seed_count; i++) {
		snprintf(path, sizeof(path), "%s/seed-%zu", directory, i);
		if (io_create_file(AT_FDCWD, path, seeds[i].data, seeds[i].size, 0600) != ERR_OK)
			fprintf(stderr, "fuzz: error: %s cannot be written\n", path);
	}
}

static int run_file(const char *path)
{
	uint8_t *data;
	size_t size;
	enum err err = io_read_file(AT_FDCWD, path, FUZZ_INPUT_MAX, &data, &size);

	if (err != ERR_OK) {
		fprintf(stderr, "fuzz: error: %s: %s\n", path, err_text(err));
		return EXIT_FAILURE;
	}
	printf("%s: %s\n", path, run(data, size) ? "accepted" : "refused");
	free(data);
	return EXIT_SUCCESS;
}

static void be_quiet(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static int run_as_test(unsigned int iterations)
{
	size_t refused = 0;

	printf("1..2\n");
	for (size_t i = 0; i < seed_count; i++)
		refused += !run(seeds[i].data, seeds[i].size);
	printf("%s 1 - %zu valid inputs are accepted\n", refused == 0 ? "ok" : "not ok", seed_count);
	fflush(stdout);
	printf("# %u accepted\n", run_mutations(iterations));
	printf("ok 2 - %u mutations\n", iterations);
	return refused == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	unsigned int iterations = fuzz_iterations;
	int status = EXIT_SUCCESS;

	log_set_hook(be_quiet, NULL);
	watch(argv[0]);
	fuzz_corpus();
	if (argc == 3 && strcmp(argv[1], "--write") == 0) {
		write_corpus(argv[2]);
		return status;
	}
	while (argc >= 3 && (strcmp(argv[1], "--iterations") == 0 ||
			     strcmp(argv[1], "--seed") == 0)) {
		if (argv[1][2] == 'i')
			iterations = (unsigned int)strtoul(argv[2], NULL, 0);
		else
			state ^= strtoull(argv[2], NULL, 0) << 1;
		argc -= 2;
		argv += 2;
	}
	if (argc > 1) {
		for (int i = 1; i < argc && status == EXIT_SUCCESS; i++)
			status = run_file(argv[i]);
		return status;
	}
	status = run_as_test(iterations);
	for (size_t i = 0; i < seed_count; i++)
		free(seeds[i].data);
	return status;
}
