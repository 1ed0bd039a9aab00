/*
 * memory PID TEXT...: how often each text is in the memory of a process, a
 * number a line.  A text "hex:..." is bytes in hexadecimal digits.  Needs root;
 * the process is not stopped.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE       (1u << 20)
/* Larger mappings are a sanitizer's shadow: terabytes in which no content lies. */
#define MAPPING_MAX (64ull << 30)

struct text {
	char bytes[4096];
	size_t len;
};

static unsigned long count_in(const char *bytes, size_t len, const struct text *text)
{
	const char *at = bytes, *found;
	unsigned long count = 0;

	while ((found = memmem(at, len - (size_t)(at - bytes), text->bytes, text->len))) {
		count++;
		at = found + 1;
	}
	return count;
}

/* Pieces overlap by one text less a byte, so that nothing is missed or seen twice. */
static unsigned long count_range(int memory, uint64_t start, uint64_t end,
				 const struct text *text)
{
	static char bytes[PIECE];
	size_t step = PIECE - (text->len - 1);
	unsigned long count = 0;

	for (uint64_t at = start; at < end; at += step) {
		size_t len = end - at < PIECE ? (size_t)(end - at) : PIECE;
		/* Guard pages cannot be read. */
		ssize_t got = pread(memory, bytes, len, (off_t)at);

		if (got > 0)
			count += count_in(bytes, (size_t)got, text);
	}
	return count;
}

static unsigned long count_all(const char *pid, const struct text *text)
{
	unsigned long long start, end;
	char path[64], line[512], mode[8];
	unsigned long count = 0;
	int memory;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%.20s/mem", pid);
	memory = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	maps = fopen(path, "r");
	if (memory < 0 || !maps) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx %4s", &start, &end, mode) == 3 && mode[0] == 'r' &&
		    end - start <= MAPPING_MAX && !strstr(line, "[v"))
			count += count_range(memory, start, end, text);
	fclose(maps);
	close(memory);
	return count;
}

static void parse(const char *argument, struct text *text)
{
	unsigned int byte;

	text->len = 0;
	if (strncmp(argument, "hex:", 4) != 0) {
		text->len = strnlen(argument, sizeof(text->bytes));
		memcpy(text->bytes, argument, text->len);
		return;
	}
	for (argument += 4; sscanf(argument, "%2x", &byte) == 1; argument += 2)
		text->bytes[text->len++ % sizeof(text->bytes)] = (char)byte;
}

int main(int argc, char **argv)
{
	static struct text text;

	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++) {
		parse(argv[i], &text);
		if (text.len == 0 || text.len > sizeof(text.bytes))
			return 2;
		printf("%lu\n", count_all(argv[1], &text));
	}
	return 0;
}
