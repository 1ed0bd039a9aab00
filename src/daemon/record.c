#include "daemon/record.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define DETAIL_MAX 1024

static struct audit_person phifs_itself(void)
{
	return (struct audit_person){.uid = geteuid(),
				     .login_uid = (uid_t)-1,
				     .session = UINT32_MAX,
				     .pid = getpid(),
				     .user = "phifs",
				     .from = "service"};
}

enum err record_event(struct audit *audit, enum audit_type type, enum err outcome,
		      const struct audit_person *person, const char *format, ...)
{
	const struct audit_person itself = phifs_itself();
	char detail[DETAIL_MAX];
	struct audit_event event = {
		.type = type, .err = outcome, .person = person ? person : &itself, .detail = detail};
	va_list args;
	uint64_t seq;
	enum err err;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	err = audit_append(audit, &event, &seq);
	return err ? err : audit_flush_wait(audit, seq);
}

enum err record_quickly(struct audit *audit, const struct audit_event *event)
{
	const struct audit_person itself = phifs_itself();
	struct audit_event whole = *event;

	if (!whole.person)
		whole.person = &itself;
	return audit_append(audit, &whole, NULL);
}

/* Shared by who waits and by the drain thread; the second to leave frees it. */
struct flush {
	pthread_mutex_t mutex;
	pthread_cond_t done;
	unsigned int users;
	bool is_done;
	enum err err;
};

static void flush_leave(struct flush *flush)
{
	bool is_last = --flush->users == 0;

	pthread_mutex_unlock(&flush->mutex);
	if (!is_last)
		return;
	pthread_cond_destroy(&flush->done);
	pthread_mutex_destroy(&flush->mutex);
	free(flush);
}

static void flush_done(void *ctx, enum err err)
{
	struct flush *flush = ctx;

	pthread_mutex_lock(&flush->mutex);
	flush->is_done = true;
	flush->err = err;
	pthread_cond_signal(&flush->done);
	flush_leave(flush);
}

enum err record_flush(struct audit *audit, int64_t limit_ms)
{
	int64_t deadline = clock_boot_ns() + limit_ms * NS_PER_MS;
	struct flush *flush = calloc(1, sizeof(*flush));
	enum err err;

	if (!flush)
		return ERR_NO_MEMORY;
	flush->users = 2;
	pthread_mutex_init(&flush->mutex, NULL);
	clock_cond_init(&flush->done);
	audit_flush_async(audit, audit_flush_begin(audit), flush_done, flush);
	pthread_mutex_lock(&flush->mutex);
	while (!flush->is_done && clock_boot_ns() < deadline)
		clock_cond_wait(&flush->done, &flush->mutex, deadline);
	err = flush->is_done ? flush->err : ERR_AGAIN;
	flush_leave(flush);
	return err;
}
