#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "config/option.h"

#define OPTIONS_MAX  64 /* at least the rows of options.def: asserted by the unit test */
#define MESSAGE_MAX  512
#define SECTIONS_MAX 16

/* A struct config together with the text that config_text gives. */
struct loaded {
	struct config config; /* first: config_free gets its address */
	char *text;
	size_t len;
};

struct load {
	struct config *config;
	config_message *message;
	void *ctx;
	int errors;
	bool no_memory;
	bool skip;		   /* the section is unknown: said once, not for each key */
	int seen[OPTIONS_MAX];	   /* line of each option, 0: not seen */
	int sections[OPTIONS_MAX]; /* line of the section, kept at its first option */
};

__attribute__((format(printf, 5, 6))) static void say(struct load *load, bool is_error, int line,
						      const char *hint, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (is_error)
		load->errors++;
	if (load->message != NULL)
		load->message(load->ctx, is_error, line, text, hint);
}

/* --- sections and keys ----------------------------------------------------- */

/* The first option of a section; config_option_count if there is none. */
static size_t find_section(const char *section)
{
	size_t i = 0;

	while (i < config_option_count && strcmp(config_options[i].section, section) != 0)
		i++;
	return i;
}

static void unknown_section(struct load *load, int line, const char *section)
{
	const char *words[SECTIONS_MAX] = {NULL};
	const char *nearest;
	size_t count = 0;

	for (size_t i = 0; i < config_option_count && count + 1 < SECTIONS_MAX; i++)
		if (count == 0 || strcmp(words[count - 1], config_options[i].section) != 0)
			words[count++] = config_options[i].section;
	nearest = config_nearest(section, words);
	if (nearest != NULL)
		say(load, true, line, NULL, "unknown section [%s] (did you mean [%s]?)", section,
		    nearest);
	else
		say(load, true, line, NULL, "unknown section [%s]", section);
}

static void begin_section(struct load *load, int line, const char *section)
{
	size_t first = find_section(section);

	load->skip = first == config_option_count;
	if (load->skip)
		unknown_section(load, line, section);
	else if (load->sections[first] != 0)
		say(load, true, line, NULL, "section [%s] is already in line %d", section,
		    load->sections[first]);
	else
		load->sections[first] = line;
}

static size_t find_option(const char *section, const char *key)
{
	size_t i = 0;

	while (i < config_option_count && (strcmp(config_options[i].section, section) != 0 ||
					   strcmp(config_options[i].key, key) != 0))
		i++;
	return i;
}

static void unknown_key(struct load *load, int line, const char *section, const char *key)
{
	const char *words[OPTIONS_MAX + 1] = {NULL};
	const char *nearest;
	size_t count = 0;

	for (size_t i = 0; i < config_option_count; i++)
		if (strcmp(config_options[i].section, section) == 0)
			words[count++] = config_options[i].key;
	nearest = config_nearest(key, words);
	if (nearest != NULL)
		say(load, true, line, NULL, "unknown key '%s' in [%s] (did you mean '%s'?)", key,
		    section, nearest);
	else
		say(load, true, line, NULL, "unknown key '%s' in [%s]", key, section);
}

static void set_option(struct load *load, int line, const struct option *option, const char *value)
{
	char problem[OPTION_TEXT_MAX] = "";

	if (option->parse == NULL)
		say(load, false, line, NULL, "'%s' in [%s] is known, but not used by this version",
		    option->key, option->section);
	else if (!option->parse(option, value, load->config, problem)) {
		load->no_memory |= problem[0] == '\0';
		say(load, true, line, NULL, "%s",
		    problem[0] == '\0' ? err_text(ERR_NO_MEMORY) : problem);
	}
}

static void take(void *ctx, int line, const char *section, const char *key, const char *value)
{
	struct load *load = ctx;
	size_t i;

	if (key == NULL) {
		begin_section(load, line, section);
		return;
	}
	if (load->skip)
		return;
	i = find_option(section, key);
	if (i == config_option_count) {
		unknown_key(load, line, section, key);
	} else if (load->seen[i] != 0) {
		say(load, true, line, NULL, "'%s' is already in line %d", key, load->seen[i]);
	} else {
		load->seen[i] = line;
		set_option(load, line, &config_options[i], value);
	}
}

/* --- defaults and what must fit together ------------------------------------ */

/* NAME and DIRECTORY in a default become this volume's. */
static char *expand(const struct config *config, const char *initial)
{
	const char *directory_end = strrchr(config->file, '/');
	const char *rest = strstr(initial, "NAME");
	bool in_directory = strncmp(initial, "DIRECTORY/", 10) == 0;
	char *text = NULL;
	int len;

	if (rest == NULL)
		return strdup(initial);
	if (in_directory)
		len = asprintf(&text, "%.*s%.*s%s%s", (int)(directory_end - config->file),
			       config->file, (int)(rest - initial - 9), initial + 9, config->name,
			       rest + 4);
	else
		len = asprintf(&text, "%.*s%s%s", (int)(rest - initial), initial, config->name,
			       rest + 4);
	return len < 0 ? NULL : text;
}

static void set_defaults(struct load *load)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];
		char *initial;

		if (load->seen[i] != 0 || option->initial == NULL)
			continue;
		if (strcmp(option->initial, "!") == 0) {
			say(load, true, 0, NULL, "'%s' is missing in [%s]", option->key,
			    option->section);
			continue;
		}
		initial = expand(load->config, option->initial);
		if (initial == NULL)
			load->no_memory = true;
		else
			set_option(load, 0, option, initial);
		free(initial);
	}
}

/* `inner` is `outer` or lies below it. */
static bool is_inside(const char *inner, const char *outer)
{
	size_t len = strcmp(outer, "/") == 0 ? 0 : strlen(outer);

	return strncmp(inner, outer, len) == 0 && (inner[len] == '/' || inner[len] == '\0');
}

/* By their names only: the daemon compares the directories themselves. */
static void check_directories(struct load *load)
{
	static const char *const apart = "ciphertext, state and mountpoint must lie apart";
	const struct config *config = load->config;

	if (is_inside(config->ciphertext, config->mountpoint))
		say(load, true, 0, apart, "ciphertext lies inside the mount point");
	if (is_inside(config->state, config->mountpoint))
		say(load, true, 0, apart, "state lies inside the mount point");
	if (is_inside(config->mountpoint, config->ciphertext))
		say(load, true, 0, apart, "mountpoint lies inside the ciphertext directory");
	if (is_inside(config->mountpoint, config->state))
		say(load, true, 0, apart, "mountpoint lies inside the state directory");
	if (strcmp(config->ciphertext, config->state) == 0)
		say(load, true, 0, apart, "ciphertext and state are the same directory");
}

/* --- the whole ----------------------------------------------------------------- */

/* For hints that can be pasted: a NAME stands for a file of CONFIG_DIRECTORY only. */
static char *words_of(const char *file, const char *name)
{
	size_t len = strlen(CONFIG_DIRECTORY);
	char *words = NULL;

	if (strncmp(file, CONFIG_DIRECTORY "/", len + 1) == 0 && strchr(file + len + 1, '/') == NULL)
		return strdup(name);
	return asprintf(&words, "--config %s", file) < 0 ? NULL : words;
}

static enum err set_file(struct load *load, const char *file)
{
	const char *base = strrchr(file, '/');
	size_t len = base == NULL ? 0 : strlen(base + 1);

	if (file[0] != '/' || len <= 5 || strcmp(base + 1 + len - 5, ".conf") != 0) {
		say(load, true, 0, NULL, "the file's name does not end in .conf");
		return ERR_CONFIG;
	}
	load->config->file = strdup(file);
	load->config->name = strndup(base + 1, len - 5);
	if (load->config->file == NULL || load->config->name == NULL)
		return ERR_NO_MEMORY;
	load->config->words = words_of(file, load->config->name);
	if (load->config->words == NULL)
		return ERR_NO_MEMORY;
	if (config_is_name(load->config->name))
		return ERR_OK;
	say(load, true, 0, NULL, "'%s' cannot be the name of a volume", load->config->name);
	return ERR_CONFIG;
}

static enum err fill(struct load *load, const char *file, const char *text, size_t len)
{
	enum err err = set_file(load, file);

	if (err == ERR_OK)
		err = config_ini_parse(text, len, take, load, load->message, load->ctx);
	if (err != ERR_OK && err != ERR_CONFIG)
		return err;
	if (load->config->name != NULL)
		set_defaults(load);
	if (load->no_memory)
		return ERR_NO_MEMORY;
	if (err == ERR_OK && load->errors == 0)
		check_directories(load);
	return err == ERR_OK && load->errors > 0 ? ERR_CONFIG : err;
}

enum err config_parse(const char *file, const char *text, size_t len, config_message *message,
		      void *ctx, struct config **config)
{
	struct load load = {.message = message, .ctx = ctx};
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	enum err err = ERR_NO_MEMORY;

	if (loaded == NULL)
		return err;
	load.config = &loaded->config;
	loaded->text = malloc(len + 1);
	if (loaded->text != NULL) {
		memcpy(loaded->text, text, len);
		loaded->text[len] = '\0';
		loaded->len = len;
		err = len > CONFIG_FILE_MAX ? ERR_TOO_LARGE : fill(&load, file, text, len);
	}
	if (err == ERR_OK)
		*config = &loaded->config;
	else
		config_free(&loaded->config);
	return err;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	free(config->name);
	free(config->file);
	free(config->words);
	free(config->ciphertext);
	free(config->state);
	free(config->mountpoint);
	free(config->policy);
	free(config->contact);
	free(config->unlock_with);
	free(config->user);
	free(config->forward);
	free(config->sd_id);
	free(config->run_directory);
	free(((struct loaded *)config)->text);
	free(config);
}

const char *config_text(const struct config *config, size_t *len)
{
	const struct loaded *loaded = (const struct loaded *)config;

	*len = loaded->len;
	return loaded->text;
}

char *config_run_path(const struct config *config, const char *suffix)
{
	char *path;

	if (asprintf(&path, "%s/%s.%s", config->run_directory, config->name, suffix) < 0)
		return NULL;
	return path;
}

/* --- from the disk, messages to the log ------------------------------------------ */

void config_log_message(void *file, bool is_error, int line, const char *text, const char *hint)
{
	const char *name = file;

	if (line > 0)
		(is_error ? log_error : log_warning)("%s:%d: %s", name, line, text);
	else
		(is_error ? log_error : log_warning)("%s: %s", name, text);
	if (hint != NULL)
		log_hint("%s", hint);
}

/* Whoever may write this file decides where keys and records go. */
static void warn_if_writable(const char *file)
{
	struct stat st;

	if (fstatat(AT_FDCWD, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		log_warning("%s may be written by others than its owner", file);
		log_hint("chmod go-w %s", file);
	}
}

static enum err read_and_parse(const char *file, struct config **config)
{
	uint8_t *text = NULL;
	size_t len;
	enum err err = io_read_file(AT_FDCWD, file, CONFIG_FILE_MAX, &text, &len);

	if (err != ERR_OK) {
		log_error("cannot read %s: %s", file,
			  err == ERR_INVALID ? "not a regular file" : err_text(err));
		return err == ERR_NO_MEMORY ? err : ERR_CONFIG;
	}
	warn_if_writable(file);
	err = config_parse(file, (const char *)text, len, config_log_message, (void *)file, config);
	free(text);
	return err;
}

enum err config_load(const char *name, struct config **config)
{
	char *file = NULL;
	enum err err = config_find(CONFIG_DIRECTORY, name, &file);

	if (err == ERR_OK)
		err = read_and_parse(file, config);
	if (err != ERR_OK && file != NULL && access(file, F_OK) < 0 && errno == ENOENT)
		config_say_missing(CONFIG_DIRECTORY, name);
	free(file);
	return err;
}
