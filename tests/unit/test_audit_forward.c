/*
 * The forwarder against a collector of the test's own: what was recorded
 * arrives, over restarts, kills and outages; what comes twice is the same.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "audit/collected.h"
#include "tests/unit/audit_fixture.h"

#define WAIT_NS     (20 * NS_PER_SECOND)
#define DELIVER_MS  20000
#define RECORDS_MAX 20000
#define BATCHES     600 /* more than MARKS_MAX */

/* A listening socket and a thread that reads lines; stopped, it is not there at all. */
struct collector {
	char path[96];
	int fd;
	pthread_t thread;
	_Atomic bool is_stopping;
	pthread_mutex_t lock;
	struct collected *collected;
	struct collected_record record;
	uint64_t messages, doubled, first, last;
	bool has[RECORDS_MAX];
};

static struct fixture f;
static struct collector c;

static void take_line(const char *line, size_t len)
{
	enum err err;

	pthread_mutex_lock(&c.lock);
	err = collected_line(c.collected, line, len, &c.record);
	c.messages++;
	c.doubled += err == ERR_EXISTS;
	if (err == ERR_OK) {
		for (uint64_t seq = c.record.first_seq; seq <= c.record.seq; seq++)
			c.has[seq % RECORDS_MAX] = true;
		c.last = c.record.seq;
	}
	/* Under the lock: Check has one of its own, which a fork must not copy either. */
	ck_assert_msg(err == ERR_OK || err == ERR_EXISTS, "%s: %.*s", err_name(err), (int)len,
		      line);
	pthread_mutex_unlock(&c.lock);
}

/* Whole lines only: what a broken connection leaves is no message. */
static void read_connection(int fd)
{
	static char buffer[64 << 10];
	size_t used = 0;

	while (!c.is_stopping) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		char *end, *line = buffer;
		ssize_t got;

		if (poll(&ready, 1, 20) <= 0)
			continue;
		got = recv(fd, buffer + used, sizeof(buffer) - used, 0);
		if (got <= 0)
			break;
		used += (size_t)got;
		while ((end = memchr(line, '\n', used - (size_t)(line - buffer))) != NULL) {
			take_line(line, (size_t)(end - line));
			line = end + 1;
		}
		used -= (size_t)(line - buffer);
		memmove(buffer, line, used);
	}
	close(fd);
}

static void *collect(void *arg)
{
	(void)arg;
	while (!c.is_stopping) {
		struct pollfd ready = {.fd = c.fd, .events = POLLIN};

		if (poll(&ready, 1, 20) > 0)
			read_connection(accept(c.fd, NULL, NULL));
	}
	return NULL;
}

static void collector_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, c.path);
	unlink(c.path);
	c.is_stopping = false;
	c.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(c.fd, 0);
	ck_assert_int_eq(bind(c.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(c.fd, 4), 0);
	ck_assert_int_eq(pthread_create(&c.thread, NULL, collect, NULL), 0);
}

static void collector_stop(void)
{
	c.is_stopping = true;
	pthread_join(c.thread, NULL);
	close(c.fd);
	unlink(c.path);
}

/* A fork in the midst of a line would copy locks that nobody in the child ever lets go. */
static void hold_collector(void)
{
	pthread_mutex_lock(&c.lock);
}

static void release_collector(void)
{
	pthread_mutex_unlock(&c.lock);
}

static void set_up(void)
{
	static char forward[128];

	fixture_set_up(&f);
	memset(&c, 0, sizeof(c));
	pthread_mutex_init(&c.lock, NULL);
	ck_assert_int_eq(pthread_atfork(hold_collector, release_collector, release_collector), 0);
	snprintf(c.path, sizeof(c.path), "%s/collector", f.directory);
	snprintf(forward, sizeof(forward), "unix:%s", c.path);
	f.config.forward = forward;
	ck_assert_ok(collected_new(f.key, &c.collected));
}

static void tear_down(void)
{
	collected_free(c.collected);
	pthread_mutex_destroy(&c.lock);
	fixture_tear_down(&f);
}

static bool has_last(uint64_t seq)
{
	bool has;

	pthread_mutex_lock(&c.lock);
	has = c.has[seq % RECORDS_MAX];
	pthread_mutex_unlock(&c.lock);
	return has;
}

static void wait_for(uint64_t seq)
{
	int64_t deadline = clock_boot_ns() + WAIT_NS;

	while (!has_last(seq) && clock_boot_ns() < deadline)
		clock_sleep_ns(5 * NS_PER_MS);
	ck_assert_msg(has_last(seq), "record %llu did not arrive", (unsigned long long)seq);
}

/* Every record of the journal has arrived. */
static void expect_all(void)
{
	struct findings findings;

	verify(&f, f.key, &findings);
	/* What it has taken out of the socket it may not have looked at yet. */
	wait_for(findings.last_seq);
	for (uint64_t seq = 1; seq <= findings.last_seq; seq++)
		ck_assert_msg(c.has[seq], "record %llu of %llu did not arrive",
			      (unsigned long long)seq, (unsigned long long)findings.last_seq);
	ck_assert_int_ne(findings.worst, ERR_TAMPERED);
}

static void run_delivering(unsigned int reads)
{
	struct audit *audit = open_trail(&f);

	ck_assert_ok(append_open(audit, 1, "/archive/MRN0042/ct1.dcm"));
	append_reads(audit, reads);
	audit_close(audit, DELIVER_MS);
}

START_TEST(test_runs)
{
	/* Clean stops, everything delivered: each run goes on where the last one ended. */
	set_up();
	collector_start();
	for (unsigned int i = 0; i < 4; i++) {
		run_delivering(200);
		expect_all();
	}
	ck_assert_uint_eq(c.doubled, 0);
	collector_stop();
	tear_down();
}
END_TEST

START_TEST(test_collector_away)
{
	/* Three runs without it, then all at once. */
	set_up();
	for (unsigned int i = 0; i < 3; i++)
		run_once(&f, 200);
	collector_start();
	run_delivering(10);
	expect_all();
	collector_stop();
	tear_down();
}
END_TEST

START_TEST(test_collector_returns)
{
	struct audit *audit;
	uint64_t seq = 0;

	/* It goes in the midst of a run and comes back. */
	set_up();
	collector_start();
	audit = open_trail(&f);
	ck_assert_ok(append_open(audit, 1, "/archive/MRN0042/ct1.dcm"));
	for (unsigned int round = 0; round < 4; round++) {
		append_reads(audit, 500);
		ck_assert_ok(append_read(audit, 1, 0, &seq));
		wait_for(seq);
		collector_stop();
		append_reads(audit, 500);
		collector_start();
	}
	audit_close(audit, DELIVER_MS);
	expect_all();
	/* Nobody knows what was in the sockets: it came twice, and was the same. */
	ck_assert_uint_gt(c.doubled, 0);
	collector_stop();
	tear_down();
}
END_TEST

static void work_and_wait(struct audit *audit, void *ctx)
{
	uint64_t seq = 0;

	for (unsigned int i = 0; i < *(unsigned int *)ctx; i++)
		if (append_read(audit, 1, i, &seq) != ERR_OK)
			_exit(1);
	if (audit_flush_wait(audit, seq) != ERR_OK)
		_exit(1);
}

START_TEST(test_killed)
{
	unsigned int reads = 300;

	/* Killed with and without a collector; the next run sends what is left. */
	set_up();
	for (unsigned int i = 0; i < 3; i++) {
		killed_run(&f, work_and_wait, &reads);
		collector_start();
		killed_run(&f, work_and_wait, &reads);
		collector_stop();
	}
	collector_start();
	run_delivering(10);
	expect_all();
	collector_stop();
	tear_down();
}
END_TEST

START_TEST(test_small_segments)
{
	unsigned int reads = 2000;

	/* Rotations, stops and kills in all orders. */
	set_up();
	f.config.segment_size = 16 << 10;
	collector_start();
	for (unsigned int i = 0; i < 4; i++) {
		killed_run(&f, work_and_wait, &reads);
		if (i % 2 == 0)
			run_delivering(500);
		else
			run_once(&f, 500);
	}
	run_delivering(1);
	expect_all();
	collector_stop();
	tear_down();
}
END_TEST

START_TEST(test_coalesce)
{
	struct findings findings;

	/* Runs of reads in one message: fewer messages, no record missing. */
	set_up();
	f.config.coalesce = true;
	collector_start();
	run_delivering(3000);
	expect_all();
	verify(&f, f.key, &findings);
	ck_assert_uint_lt(c.messages, findings.records / 10);
	collector_stop();
	tear_down();
}
END_TEST

START_TEST(test_forward_later)
{
	const char *forward;
	struct findings findings;

	/* A volume that did not forward begins to: with what comes then. */
	set_up();
	forward = f.config.forward;
	f.config.forward = NULL;
	run_once(&f, 100);
	verify(&f, f.key, &findings);
	f.config.forward = forward;
	collector_start();
	run_delivering(10);
	ck_assert(!c.has[findings.last_seq]);
	ck_assert(c.has[findings.last_seq + 1]);
	collector_stop();
	tear_down();
}
END_TEST

/* The forwarder's end of the connection, or the collector's: both are of this process. */
static int find_socket(bool is_forwarders)
{
	for (int fd = 3; fd < 64; fd++) {
		struct sockaddr_un name = {.sun_family = AF_UNSPEC}, peer;
		socklen_t len = sizeof(name), peer_len = sizeof(peer);
		struct sockaddr *at = (struct sockaddr *)&name;

		/* One that listens has the path, too, but no peer. */
		if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
		    (is_forwarders ? getpeername(fd, at, &len) : getsockname(fd, at, &len)) == 0 &&
		    name.sun_family == AF_UNIX && len > sizeof(name.sun_family) &&
		    strcmp(name.sun_path, c.path) == 0)
			return fd;
	}
	return -1;
}

/* A trail whose collector has the first read, number `*seq`. */
static struct audit *start_talking(uint64_t *seq)
{
	struct audit *audit;

	set_up();
	collector_start();
	audit = open_trail(&f);
	ck_assert_ok(append_open(audit, 1, "/archive/MRN0042/ct1.dcm"));
	ck_assert_ok(append_read(audit, 1, 0, seq));
	wait_for(*seq);
	return audit;
}

static void end_talking(struct audit *audit)
{
	audit_close(audit, DELIVER_MS);
	expect_all();
	collector_stop();
	tear_down();
}

static int64_t used_processor_ns(void)
{
	struct timespec used;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
	return used.tv_sec * NS_PER_SECOND + used.tv_nsec;
}

START_TEST(test_collector_that_speaks)
{
	struct audit *audit;
	uint64_t seq = 0;
	int64_t used;

	/* Nobody asked it: the forwarder does not turn round and round for it. */
	audit = start_talking(&seq);
	ck_assert_int_eq(write(find_socket(false), "hello\n", 6), 6);
	used = used_processor_ns();
	clock_sleep_ns(500 * NS_PER_MS);
	ck_assert_int_lt(used_processor_ns() - used, 200 * NS_PER_MS);
	ck_assert_ok(append_read(audit, 1, 1, &seq));
	wait_for(seq);
	end_talking(audit);
}
END_TEST

START_TEST(test_collector_that_lets_many_batches_lie)
{
	const int large = 8 << 20; /* as where net.core.wmem_default is raised */
	struct audit *audit;
	uint64_t seq = 0;
	int fd;

	/* It reads nothing while more is sent, a little at a time, than there are marks for. */
	audit = start_talking(&seq);
	fd = find_socket(true);
	ck_assert_int_ge(fd, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large)) == 0) {
		hold_collector();
		for (unsigned int i = 0; i < BATCHES; i++) {
			ck_assert_ok(append_read(audit, 1, i, &seq));
			ck_assert_ok(audit_flush_wait(audit, seq));
			clock_sleep_ns(52 * NS_PER_MS);
		}
		release_collector();
		wait_for(seq);
	}
	end_talking(audit);
}
END_TEST

UNIT_MAIN("audit-forward", test_runs, test_collector_away, test_collector_returns, test_killed,
	  test_small_segments, test_coalesce, test_forward_later,
	  test_collector_that_speaks, test_collector_that_lets_many_batches_lie)
