/*
 * A service manager as far as notifications go: prints what arrives at a new
 * datagram socket, one message a line.  Or a collector: what one client sends to
 * a stream socket, as it comes.
 *
 *	notified [--stream] SOCKET
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	bool is_stream = argc == 3 && strcmp(argv[1], "--stream") == 0;
	int fd = socket(AF_UNIX, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	char text[4096];
	ssize_t len;

	if (argc != 2 + is_stream || fd < 0 || strlen(argv[argc - 1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[argc - 1]);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (is_stream && (listen(fd, 1) || (fd = accept(fd, NULL, NULL)) < 0)))
		return EXIT_FAILURE;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((len = recv(fd, text, sizeof(text), 0)) > 0)
		printf("%.*s%s", (int)len, text, is_stream ? "" : "\n");
	return is_stream ? EXIT_SUCCESS : EXIT_FAILURE;
}
