#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

static const char *program_name = "phifs";
static enum log_level max_level = LOG_LEVEL_INFO;
static log_hook *hook_function;
static void *hook_ctx;

void log_set_name(const char *name)
{
	program_name = name;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_set_hook(log_hook *hook, void *ctx)
{
	hook_function = hook;
	hook_ctx = ctx;
}

static void emit(enum log_level level, const char *word, const char *format, va_list args)
{
	char text[LINE_MAX_BYTES];

	if (level > max_level)
		return;
	vsnprintf(text, sizeof(text), format, args);
	if (hook_function != NULL) {
		hook_function(hook_ctx, level, text);
	} else {
		/* In the order in which it was said, where both go to one file. */
		fflush(stdout);
		fprintf(stderr, "%s: %s: %s\n", program_name, word, text);
	}
}

#define LOG_FUNCTION(function, level, word)          \
	void function(const char *format, ...)       \
	{                                            \
		va_list args;                        \
		va_start(args, format);              \
		emit(level, word, format, args);     \
		va_end(args);                        \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, "error")
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING, "warning")
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, "info")
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, "debug")
LOG_FUNCTION(log_hint, LOG_LEVEL_ERROR, "hint")
