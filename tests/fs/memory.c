/*
 * memory PID TEXT...: how often each text is in the memory of a process, a
 * number a line.  Needs root; the process is not stopped.
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

static unsigned long count_in(const char *bytes, size_t len, const char *text)
{
	const char *at = bytes, *found;
	unsigned long count = 0;

	while ((found = memmem(at, len - (size_t)(at - bytes), text, strlen(text)))) {
		count++;
		at = found + 1;
	}
	return count;
}

/* Pieces overlap by one text less a byte, so that nothing is missed or seen twice. */
static unsigned long count_range(int memory, uint64_t start, uint64_t end, const char *text)
{
	static char bytes[PIECE];
	size_t step = PIECE - (strlen(text) - 1);
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

static unsigned long count_all(const char *pid, const char *text)
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

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++)
		printf("%lu\n", count_all(argv[1], argv[i]));
	return 0;
}
