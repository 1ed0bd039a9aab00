/*
 * A volume's configuration, /etc/phifs/NAME.conf: parsed once into an
 * immutable struct.  phifs.conf(5).  The one list of keys is options.def.
 */
#ifndef PHIFS_CONFIG_CONFIG_H
#define PHIFS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config/ini.h"

#define CONFIG_FILE_MAX   (64u << 10)
#define CONFIG_DIRECTORY  "/etc/phifs"
#define CONFIG_NAME_MAX   64

enum config_send { CONFIG_SEND_EACH, CONFIG_SEND_COALESCE };
enum config_names { CONFIG_NAMES_SEALED, CONFIG_NAMES_PLAIN };
enum config_transport { CONFIG_TRANSPORT_DEVICE, CONFIG_TRANSPORT_IO_URING };
enum config_anchor { CONFIG_ANCHOR_ASYNC, CONFIG_ANCHOR_STRICT };

#define CONFIG_NEVER INT64_MAX

struct config {
	char *name;              /* NAME: file name without .conf */
	char *file;              /* absolute path of the configuration file */
	char *words;             /* the volume in a command for people: "NAME" or "--config FILE" */
	/* [volume]; paths are absolute, without "..", without a slash at the end */
	char *ciphertext, *state, *mountpoint, *policy;
	char *contact;           /* or NULL */
	char *unlock_with;       /* path of a key file, "credential:NAME", or NULL */
	char *user;              /* account name or NULL */
	enum config_anchor anchor;
	enum config_transport transport;
	/* [lock] all in milliseconds; idle_ms may be CONFIG_NEVER */
	int64_t idle_ms, grace_ms, deadline_ms;
	/* [audit] */
	enum config_names names;
	char *forward;           /* "unix:/path" or NULL; "tls:host:port" is for later */
	enum config_send send;
	char *sd_id;             /* RFC 5424 SD-ID, "phifs@32473" */
	int64_t segment_size;    /* bytes; rotation */
	int64_t segment_age_ms;
	/* run-time directory: /run/phifs unless set (tests) */
	char *run_directory;
};

/*
 * Load a configuration.  `name` is a NAME, a path with a '/', or NULL if the
 * host has exactly one; messages go to the log with file, line and the nearest
 * known word for an unknown key.
 */
enum err config_load(const char *name, struct config **config) MUST_CHECK;
void config_free(struct config *config);

/*
 * The same from memory: `file` is the absolute path that `text` has or will
 * have, its last component gives NAME.  Messages go to `message` (may be NULL).
 */
enum err config_parse(const char *file, const char *text, size_t len, config_message *message,
		      void *ctx, struct config **config) MUST_CHECK;

/* A config_message that writes to the log; `file` is the name (char *) that lines begin with. */
void config_log_message(void *file, bool is_error, int line, const char *text, const char *hint);

/*
 * Which file `name` means, as for config_load, `directory` standing for
 * CONFIG_DIRECTORY; the file need not exist if `name` was given.  ERR_USAGE
 * for a bad name, ERR_CONFIG if `name` is NULL and there is not exactly one
 * volume (the message lists them).  `*file` is malloc'd.
 */
enum err config_find(const char *directory, const char *name, char **file) MUST_CHECK;

/* Hints after config_find's file was not there: which volumes there are, or how to make one. */
void config_say_missing(const char *directory, const char *name);

/* Letters, digits, '.', '_', '-', not beginning with '.' or '-', 1 to CONFIG_NAME_MAX. */
bool config_is_name(const char *name);

/* run-directory/NAME.SUFFIX ("sock", "tail" ...), malloc'd; NULL: out of memory. */
char *config_run_path(const struct config *config, const char *suffix);

/* "30s", "15m", "12h", "90d", "never", plain milliseconds "250ms". */
bool config_parse_time(const char *text, int64_t *ms);
/* "64M", "2G", bytes. */
bool config_parse_size(const char *text, int64_t *bytes);
/* The word of `words` (NULL-terminated) nearest to `word`, or NULL if none is near. */
const char *config_nearest(const char *word, const char *const words[]);

/* SHA-256 is not config's business: the raw text, for the daemon's digest. */
const char *config_text(const struct config *config, size_t *len);

/*
 * All keys in the order of options.def.  `initial` is the default as it would
 * be written, NULL if there is none, "!" if the key must be given; `is_used` is
 * false for words of a later version.
 */
typedef void config_option_each(void *ctx, const char *section, const char *key,
				const char *initial, const char *help, bool is_used);
void config_option_list(config_option_each *each, void *ctx);

#endif
