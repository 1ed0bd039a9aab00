/*
 * The operational log: what a program is doing, for its operator.
 *
 * Not the audit trail (src/audit).  Never names of files in a volume, never
 * keys, never content.  One line per message: "NAME: level: text" on standard
 * error, or the same through a hook (daemon: sd_journal or syslog; tests:
 * capture).  The layer that first understands a failure logs it; those above
 * return it.  Thread-safe.
 */
#ifndef PHIFS_BASE_LOG_H
#define PHIFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

typedef void log_hook(void *ctx, enum log_level level, const char *text);

/* The program's name in front of each line; kept, not copied. */
void log_set_name(const char *name);
/* Messages above this level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
/* Send messages to `hook` instead of standard error; NULL restores that. */
void log_set_hook(log_hook *hook, void *ctx);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A command the reader can type next, printed as "NAME: hint: ...". */
void log_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
