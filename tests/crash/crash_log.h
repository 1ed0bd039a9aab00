/*
 * What was asked of a store and what it answered, in memory that outlives the
 * process: the one who asks may be killed at any instruction, and the one who
 * survives changes its own model likewise.
 *
 * An entry is there as a whole or not at all; so is a new beginning (the state a
 * volume was found in), from MODEL_BEGIN_AGAIN to MODEL_HAS_BEGUN.
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
/* Nobody appends: makes the changes in `model`, which was as the writer's; empty then. */
void crash_log_replay(struct crash_log *log, struct model *model);

#endif
