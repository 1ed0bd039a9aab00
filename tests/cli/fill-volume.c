/*
 * Puts files into a volume without a daemon, for the tests of phifs-volume:
 *
 *	fill-volume CIPHERTEXT STATE PASSPHRASE-FILE WORD...
 *
 * NAME=SIZE writes a file of the root directory (new bytes each time), NAME>OTHER
 * makes a hard link, NAME/ a directory; "crash" ends at once, everything committed
 * and nothing locked.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "crypto/crypto.h"
#include "crypto/random.h"
#include "keys/slots.h"
#include "store/store.h"

#define PIECE 65536

static void must(enum err err, const char *what)
{
	if (err == ERR_OK)
		return;
	fprintf(stderr, "fill-volume: %s: %s\n", what, err_text(err));
	exit(1);
}

/* Completions are called exactly once, on any thread. */
static void signal_done(void *ctx, enum err err, size_t bytes)
{
	int *end = ctx;

	(void)bytes;
	must(err, "a write");
	must(io_write_all(*end, "", 1), "a pipe");
}

static int done_pipe[2];

static void wait_done(void)
{
	char byte;

	if (read(done_pipe[0], &byte, 1) != 1)
		exit(1);
}

static void write_file(struct store *store, const char *name, size_t size)
{
	static uint8_t piece[PIECE];
	struct store_attr attr;
	enum err err = store_lookup(store, STORE_ROOT, name, &attr);

	if (err == ERR_NOT_FOUND)
		err = store_create_node(store, STORE_ROOT, name, S_IFREG | 0644, 0, 0, 0, &attr);
	must(err, name);
	must(store_open_node(store, attr.number, true), name);
	for (size_t at = 0; at < size; at += PIECE) {
		random_bytes(piece, sizeof(piece));
		store_write(store, attr.number, at, piece, size - at < PIECE ? size - at : PIECE,
			    false, signal_done, &done_pipe[1]);
		wait_done();
	}
	store_release_node(store, attr.number);
}

static void do_word(struct store *store, char *word)
{
	struct store_attr attr;
	char *sign = strpbrk(word, "=>/"), kind = sign == NULL ? '?' : *sign;

	if (sign != NULL)
		*sign = '\0';
	if (kind == '=') {
		write_file(store, word, strtoul(sign + 1, NULL, 10));
	} else if (kind == '>') {
		must(store_lookup(store, STORE_ROOT, word, &attr), word);
		must(store_link(store, attr.number, STORE_ROOT, sign + 1, &attr), sign + 1);
	} else if (kind == '/') {
		must(store_create_node(store, STORE_ROOT, word, S_IFDIR | 0755, 0, 0, 0, &attr),
		     word);
	} else if (strcmp(word, "crash") == 0) {
		store_sync(store, signal_done, &done_pipe[1]);
		wait_done();
		_exit(0);
	} else {
		must(ERR_USAGE, word);
	}
}

static struct keyring *open_keys(char **argv)
{
	struct slots_factor factor = {.kind = SLOT_PASSPHRASE};
	struct keyring *keyring;
	struct slots *slots;
	uint8_t *text;
	size_t len;

	must(io_read_file(AT_FDCWD, argv[3], SLOTS_PASSPHRASE_MAX, &text, &len), argv[3]);
	factor.bytes = text;
	factor.len = strcspn((char *)text, "\n");
	must(slots_load(argv[1], argv[2], &slots), "slots");
	must(slots_unlock(slots, &factor, 0, NULL, NULL, &keyring), "unlock");
	slots_free(slots);
	free(text);
	return keyring;
}

int main(int argc, char **argv)
{
	struct store_config config = {.state_path = argv[2]};
	struct store_lock_report report;
	struct store_recovery recovery;
	struct keyring *keyring;
	struct store *store;

	if (argc < 4 || pipe(done_pipe) != 0)
		return 2;
	must(crypto_init(), "crypto");
	keyring = open_keys(argv);
	must(backing_real_new(argv[1], &config.ciphertext), argv[1]);
	must(backing_real_new(argv[2], &config.state), argv[2]);
	must(store_open(&config, &store), "open");
	must(store_unlock(store, keyring, &recovery), "unlock");
	for (int i = 4; i < argc; i++)
		do_word(store, argv[i]);
	store_lock(store, 30000, &report);
	must(report.err, "lock");
	store_close(store);
	keyring_free(keyring);
	return 0;
}
