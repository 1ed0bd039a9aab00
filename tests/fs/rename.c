/*
 * rename(2) or link(2) and nothing else, for scripts.
 *
 *	rename [--link] FROM TO
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int is_link = argc == 4 && strcmp(argv[1], "--link") == 0;
	const char *from = argv[argc - 2], *to = argv[argc - 1];

	if (argc != 3 + is_link)
		return 2;
	if ((is_link ? link(from, to) : rename(from, to)) == 0)
		return 0;
	perror(to);
	return 1;
}
