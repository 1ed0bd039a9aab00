/*
 * What was asked of a store and what it answered, in memory that outlives the
 * process: the one who asks may be killed at any instruction, and the next one
 * makes its model again from here.
 *
 * An entry is there as a whole or not at all.  There are two halves, so that a
 * new beginning (the state a volume was found in) is there as a whole, too.
 */
#ifndef PHIFS_TESTS_CRASH_LOG_H
#define PHIFS_TESTS_CRASH_LOG_H

#include <stdbool.h>

#include "crash_model.h"

struct crash_log;

/* Empty; shared with all children.  Aborts on failure. */
struct crash_log *crash_log_new(void);
void crash_log_free(struct crash_log *log);

/* A model_told.  One writer at a time. */
void crash_log_append(void *log, const struct model_change *change, const void *data);
/* No room for many more: time to end. */
bool crash_log_is_full(const struct crash_log *log);
/* The model that was told all this, in one that is new; it is told from then on. */
void crash_log_replay(struct crash_log *log, struct model *model);

/* What is appended from here on is a new log, which counts from crash_log_switch on. */
void crash_log_begin(struct crash_log *log);
void crash_log_switch(struct crash_log *log);

#endif
