/* What the guard knows, each by itself: callers, places, scopes, handles, counts of refusals. */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "fsops_fixture.h"

#include "fsops/proc.h"
#include "fsops/users.h"

/* --- callers ------------------------------------------------------------------------ */

static _Atomic pid_t thread_id;
static _Atomic bool thread_may_end;

static void *be_a_thread(void *ctx)
{
	(void)ctx;
	atomic_store(&thread_id, (pid_t)syscall(SYS_gettid));
	while (!atomic_load(&thread_may_end))
		clock_sleep_ns(NS_PER_MS);
	return NULL;
}

static pid_t start_thread(pthread_t *thread)
{
	ck_assert_int_eq(pthread_create(thread, NULL, be_a_thread, NULL), 0);
	for (int i = 0; atomic_load(&thread_id) == 0; i++) {
		ck_assert_int_lt(i, WAIT_LIMIT_MS);
		clock_sleep_ns(NS_PER_MS);
	}
	return atomic_load(&thread_id);
}

START_TEST(test_a_process_and_its_threads)
{
	struct callers *callers;
	struct caller *mine, *threads, *childs;
	pthread_t thread;
	pid_t tid = start_thread(&thread), child = child_new();

	ck_assert_ok(callers_new(&callers));
	ck_assert_ok(caller_of(callers, getpid(), 7, 8, true, &mine));
	ck_assert_ok(caller_of(callers, tid, 9, 8, true, &threads));
	ck_assert_ok(caller_of(callers, child, 7, 8, true, &childs));
	ck_assert(caller_has_thread(mine, getpid()));
	ck_assert(caller_has_thread(mine, tid));
	ck_assert(!caller_has_thread(mine, child));
	ck_assert(!caller_has_thread(mine, 0));
	ck_assert(!caller_has_thread(childs, getpid()));
	ck_assert(caller_same_process(mine, threads));
	ck_assert(!caller_same_process(mine, childs));
	ck_assert_int_eq(caller_person(threads)->pid, getpid());
	ck_assert_uint_eq(caller_person(threads)->uid, 9);
	ck_assert(caller_is_alive(childs));
	child_end(child);
	ck_assert(!caller_is_alive(childs));
	ck_assert(!caller_has_thread(childs, child));
	callers_tick(callers);
	caller_put(mine);
	caller_put(threads);
	caller_put(childs);
	ck_assert_int_eq(caller_of(callers, child, 7, 8, true, &childs), ERR_DENIED);
	ck_assert_int_eq(caller_of(callers, 0, 7, 8, true, &childs), ERR_DENIED);
	callers_free(callers);
	atomic_store(&thread_may_end, true);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(test_what_is_read_of_a_caller)
{
	struct callers *callers;
	struct caller *caller, *again;
	struct policy_subject subject;
	char exe[256];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	ck_assert_int_gt(len, 0);
	exe[len] = '\0';
	ck_assert_ok(callers_new(&callers));
	ck_assert_ok(caller_of(callers, getpid(), 0, 4711, false, &caller));
	ck_assert_str_eq(caller_person(caller)->user, "root");
	ck_assert_str_eq(caller_person(caller)->exe, strlen(exe) > 255 ? "" : exe);
	caller_subject(caller, &subject);
	ck_assert_uint_ge(subject.group_count, 1);
	ck_assert_uint_eq(subject.groups[0], 4711);
	ck_assert_uint_eq(subject.uid, 0);
	/* From the cache; not with another group, not for an open. */
	ck_assert_ok(caller_of(callers, getpid(), 0, 4711, false, &again));
	ck_assert_ptr_eq(again, caller);
	caller_put(again);
	ck_assert_ok(caller_of(callers, getpid(), 0, 4712, false, &again));
	ck_assert_ptr_ne(again, caller);
	caller_put(again);
	callers_wipe(callers);
	ck_assert_ok(caller_of(callers, getpid(), 0, 4711, true, &again));
	ck_assert_ptr_ne(again, caller);
	ck_assert(caller_same_process(again, caller));
	caller_put(again);
	caller_put(caller);
	callers_free(callers);
}
END_TEST

/* Groups are the thread's as it is now: an open must not be judged by old ones. */
START_TEST(test_groups_are_read_afresh)
{
	static const gid_t groups[] = {31001, 31002};
	struct callers *callers;
	struct caller *caller;
	struct policy_subject subject;
	size_t found = 0;

	ck_assert_ok(callers_new(&callers));
	ck_assert_ok(caller_of(callers, getpid(), 0, 0, true, &caller));
	caller_put(caller);
	if (setgroups(2, groups) != 0) {
		callers_free(callers);
		return; /* not root: nothing to see */
	}
	ck_assert_ok(caller_of(callers, getpid(), 0, 0, true, &caller));
	caller_subject(caller, &subject);
	for (size_t i = 0; i < subject.group_count; i++)
		found += subject.groups[i] == 31001 || subject.groups[i] == 31002;
	ck_assert_uint_eq(found, 2);
	caller_put(caller);
	callers_free(callers);
}
END_TEST

/* The command is the caller's own text: it must not be taken for a field. */
START_TEST(test_hostile_command_name)
{
	static const char *const names[] = {") S 1 1 1 1", "x\nTgid:\t1", "\nGroups:\t0 ", "(((",
					    ") R 9 9 9 9 9"};
	gid_t groups[POLICY_GROUPS_MAX];
	uint64_t start, first;
	uint32_t terminal;
	size_t count, before;
	pid_t tgid;

	ck_assert_ok(proc_start(getpid(), &first, &terminal));
	ck_assert_ok(proc_status(-1, getpid(), &tgid, groups, &before));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(prctl(PR_SET_NAME, names[i]), 0);
		ck_assert_ok(proc_start(getpid(), &start, &terminal));
		ck_assert_uint_eq(start, first);
		ck_assert_ok(proc_status(-1, getpid(), &tgid, groups, &count));
		ck_assert_int_eq(tgid, getpid());
		ck_assert_uint_eq(count, before);
	}
}
END_TEST

/* Who has no login is a service: without descriptors everybody would be one. */
START_TEST(test_unreadable_login_is_no_service)
{
	struct rlimit limit, none;
	enum err err;
	uid_t uid;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = proc_login_uid(-1, getpid(), &uid);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_ne(err, ERR_OK);
	ck_assert_ok(proc_login_uid(-1, getpid(), &uid));
}
END_TEST

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Whoever opens files by many processes must not take the daemon's descriptors from others. */
START_TEST(test_many_processes_leave_descriptors)
{
	enum { FILES = 256, PROCESSES = 300 };
	struct rlimit limit, few;
	struct callers *callers;
	struct caller *held[PROCESSES];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){.rlim_cur = FILES, .rlim_max = limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_ok(callers_new(&callers));
	for (size_t i = 0; i < PROCESSES; i++) {
		pid_t child = child_new();

		ck_assert_ok(caller_of(callers, child, 7, 8, true, &held[i]));
		ck_assert(caller_is_alive(held[i]));
		ck_assert(caller_has_thread(held[i], child));
		child_end(child);
		ck_assert(!caller_is_alive(held[i]));
	}
	/* Half of them are for what is stored. */
	ck_assert_uint_lt(open_descriptors(), FILES / 2);
	for (size_t i = 0; i < PROCESSES; i++)
		caller_put(held[i]);
	/* What was given back counts no more. */
	ck_assert_ok(caller_of(callers, getpid(), 7, 8, true, &held[0]));
	caller_put(held[0]);
	callers_free(callers);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

/* Kept open, they are of that process and no other, and say so when it has ended. */
START_TEST(test_kept_files_end_with_their_process)
{
	pid_t child = child_new(), tgid;
	gid_t groups[POLICY_GROUPS_MAX];
	struct proc_files files;
	size_t count;
	uid_t uid;

	proc_open(child, &files);
	ck_assert_int_ge(files.status, 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_ok(proc_status(files.status, child, &tgid, groups, &count));
		ck_assert_int_eq(tgid, child);
		ck_assert_ok(proc_login_uid(files.login_uid, child, &uid));
	}
	child_end(child);
	ck_assert_int_eq(proc_status(files.status, getpid(), &tgid, groups, &count), ERR_NOT_FOUND);
	/* Not "nobody logged in": that would be a service. */
	if (files.login_uid >= 0)
		ck_assert_int_ne(proc_login_uid(files.login_uid, getpid(), &uid), ERR_OK);
	proc_close(&files);
}
END_TEST

START_TEST(test_names_of_users)
{
	struct users *users;
	char name[USER_NAME_MAX];

	ck_assert_ok(users_new(&users));
	users_name(users, 0, name);
	ck_assert_str_eq(name, "root");
	users_name(users, 3999999999u, name);
	ck_assert_str_eq(name, "");
	users_tick(users);
	users_name(users, 3999999999u, name);
	ck_assert_str_eq(name, "");
	/* The same place of the table. */
	users_name(users, USERS_CACHED * 7, name);
	users_name(users, 0, name);
	ck_assert_str_eq(name, "root");
	users_free(users);
}
END_TEST

/* --- scopes and places -------------------------------------------------------------- */

static const char places_text[] = "[class all]\npath = /\n[class deep]\npath = /*/b/*/d\n"
				  "[class left]\npath = /left\n[class right]\npath = /right\n";

START_TEST(test_scope_outlives_a_reload)
{
	struct scopes *scopes;
	struct scope *old, *new;

	ck_assert_ok(scopes_new(world_policy(places_text), &scopes));
	old = scope_take(scopes);
	ck_assert_uint_eq(old->generation, 1);
	ck_assert_ok(scopes_set(scopes, world_policy("[class one]\npath = /\n")));
	new = scope_take(scopes);
	ck_assert_uint_eq(new->generation, 2);
	ck_assert_uint_eq(scopes_generation(scopes), 2);
	ck_assert_int_eq(policy_class_count(old->policy), 4);
	ck_assert_int_eq(policy_class_count(new->policy), 1);
	scope_put(old);
	scopes_free(scopes);
	ck_assert_int_eq(policy_class_count(new->policy), 1);
	scope_put(new);
}
END_TEST

static uint64_t new_dir(struct fixture *f, uint64_t dir, const char *name)
{
	struct store_attr attr;

	ck_assert_ok(store_create_node(f->store, dir, name, S_IFDIR | 0755, 0, 0, 0, &attr));
	return attr.number;
}

static const char *class_of_node(struct places *places, struct scope *scope, uint64_t number)
{
	struct place_set set;

	ck_assert_ok(place_of_node(places, scope, number, &set));
	ck_assert_uint_eq(set.count, 1);
	return set.classes[0] < 0 ? "" : policy_class(scope->policy, set.classes[0])->name;
}

START_TEST(test_places_of_nodes)
{
	struct store_lock_report report;
	struct fixture f;
	struct places *places;
	struct scopes *scopes;
	struct scope *scope;
	struct place_set set;
	struct store_attr attr;
	policy_place place;
	uint64_t a, b, c, d, left, right, file;

	fixture_new(&f);
	ck_assert_ok(places_new(f.store, &places));
	ck_assert_ok(scopes_new(world_policy(places_text), &scopes));
	scope = scope_take(scopes);
	a = new_dir(&f, STORE_ROOT, "a");
	b = new_dir(&f, a, "b");
	c = new_dir(&f, b, "c");
	d = new_dir(&f, c, "d");
	ck_assert_str_eq(class_of_node(places, scope, STORE_ROOT), "all");
	for (int twice = 0; twice < 2; twice++) {
		ck_assert_str_eq(class_of_node(places, scope, d), "deep");
		ck_assert_str_eq(class_of_node(places, scope, c), "all");
	}
	ck_assert_ok(place_of_name(places, scope, c, "d", &place));
	ck_assert_str_eq(policy_class(scope->policy, policy_class_at(scope->policy, place))->name,
			 "deep");
	/* A file that moves, and one with two names. */
	left = new_dir(&f, STORE_ROOT, "left");
	right = new_dir(&f, STORE_ROOT, "right");
	file = fixture_create(&f, left, "f");
	ck_assert_str_eq(class_of_node(places, scope, file), "left");
	ck_assert_ok(fixture_rename(&f, left, "f", right, "f", 0));
	place_moved(places, file);
	ck_assert_str_eq(class_of_node(places, scope, file), "right");
	ck_assert_ok(store_link(f.store, file, left, "g", &attr));
	place_moved(places, file);
	ck_assert_ok(place_of_node(places, scope, file, &set));
	ck_assert_uint_eq(set.count, 2);
	ck_assert_ok(store_unlink(f.store, right, "f"));
	place_moved(places, file);
	ck_assert_str_eq(class_of_node(places, scope, file), "left");
	/* Without a name: by the last one, and nothing once that is forgotten. */
	ck_assert_ok(store_unlink(f.store, left, "g"));
	place_moved(places, file);
	ck_assert_str_eq(class_of_node(places, scope, file), "left");
	places_wipe(places);
	ck_assert_str_eq(class_of_node(places, scope, file), "left");
	places_wipe(places);
	store_lock(f.store, 30000, &report);
	ck_assert_ok(store_unlock(f.store, f.keyring, &f.recovery));
	ck_assert_int_eq(place_of_node(places, scope, file, &set), ERR_STALE);
	store_release_node(f.store, file);
	scope_put(scope);
	scopes_free(scopes);
	places_free(places);
	fixture_free(&f);
}
END_TEST

/* --- handles ------------------------------------------------------------------------ */

static bool count_one(void *ctx, struct handle *handle)
{
	(void)handle;
	++*(unsigned int *)ctx;
	return true;
}

START_TEST(test_handle_numbers)
{
	enum { COUNT = 3000 };
	static struct handle *handles[COUNT];
	static uint64_t numbers[COUNT];
	struct handle_table *table;
	unsigned int seen = 0;

	ck_assert_ok(handle_table_new(&table));
	ck_assert_ptr_null(handle_find(table, 0));
	ck_assert_ptr_null(handle_find(table, UINT64_MAX));
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_ok(handle_new(table, &handles[i]));
		numbers[i] = handle_number(handles[i]);
		handle_list(table, handles[i], i % 10 + 1);
	}
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_ptr_eq(handle_find(table, numbers[i]), handles[i]);
	handle_walk_node(table, 3, count_one, &seen);
	ck_assert_uint_eq(seen, COUNT / 10);
	for (size_t i = 0; i < COUNT; i += 2)
		handle_free(table, handles[i]);
	ck_assert_uint_eq(handle_table_count(table), COUNT / 2);
	seen = 0;
	handle_walk(table, count_one, &seen);
	ck_assert_uint_eq(seen, COUNT / 2);
	/* The place is used again, the number is not. */
	for (size_t i = 0; i < COUNT; i += 2) {
		ck_assert_ptr_null(handle_find(table, numbers[i]));
		ck_assert_ok(handle_new(table, &handles[i]));
		ck_assert_ptr_null(handle_find(table, numbers[i]));
	}
	handle_table_free(table);
}
END_TEST

START_TEST(test_counts_for_a_summary)
{
	struct handle_count count = {.from = UINT64_MAX};
	uint64_t requests, bytes, from, to;

	ck_assert(!handle_count_take(&count, &requests, &bytes, &from, &to));
	handle_count_add(&count, 100, 50);
	handle_count_add(&count, 20, 10);
	handle_count_add(&count, 60, 10);
	ck_assert(handle_count_take(&count, &requests, &bytes, &from, &to));
	ck_assert_uint_eq(requests, 3);
	ck_assert_uint_eq(bytes, 70);
	ck_assert_uint_eq(from, 20);
	ck_assert_uint_eq(to, 150);
	ck_assert(!handle_count_take(&count, &requests, &bytes, &from, &to));
}
END_TEST

/* --- refusals ----------------------------------------------------------------------- */

static struct fsops_refusal kept[REFUSALS_KEPT + 1];
static size_t kept_count;

static void keep_refusal(void *ctx, const struct fsops_refusal *refusal)
{
	(void)ctx;
	kept[kept_count++] = *refusal;
}

START_TEST(test_refusals_are_few_records)
{
	struct trail_fixture f;
	struct refusals *refusals;
	struct audit *audit;
	struct audit_status before, after;
	struct audit_person person = {.uid = 5};
	struct audit_event event = {.type = AUDIT_DENY, .err = ERR_DENIED, .person = &person,
				    .number = 12, .action = "read"};
	unsigned int first = 0;

	fixture_set_up(&f);
	audit = open_trail(&f);
	ck_assert_ok(refusals_new(audit, &refusals));
	audit_status(audit, &before);
	for (int i = 0; i < 1000; i++)
		first += refusals_note(refusals, &event, "no");
	ck_assert_uint_le(first, 3); /* one a second */
	event.action = "write";
	ck_assert(refusals_note(refusals, &event, "no"));
	/* Names that are not there are told apart by their path. */
	event.number = 0;
	event.path = "/a";
	ck_assert(refusals_note(refusals, &event, "no"));
	event.path = "/b";
	ck_assert(refusals_note(refusals, &event, "no"));
	/* Two administrators are both root, and not one person. */
	person.login_uid = 1001;
	ck_assert(refusals_note(refusals, &event, "no"));
	person.login_uid = 0;
	ck_assert(!refusals_note(refusals, &event, "no"));
	person.pid = 99; /* fork(2) makes no new one */
	ck_assert(!refusals_note(refusals, &event, "why not"));
	ck_assert_uint_eq(refusals_total(refusals), 1006);
	refusals_flush(refusals);
	audit_status(audit, &after);
	ck_assert_uint_le(after.appended - before.appended, 8);
	refusals_each(refusals, 5, keep_refusal, NULL);
	ck_assert_uint_eq(kept_count, REFUSALS_KEPT);
	ck_assert_str_eq(kept[0].cause, "why not");
	ck_assert_int_ge(kept[0].wall_ns, kept[REFUSALS_KEPT - 1].wall_ns);
	kept_count = 0;
	refusals_each(refusals, 6, keep_refusal, NULL);
	ck_assert_uint_eq(kept_count, 0);
	refusals_free(refusals);
	audit_close(audit, 0);
	fixture_tear_down(&f);
}
END_TEST

/* The first at once, then what came in a minute as one record. */
START_TEST(test_refusals_of_a_lock_are_counted_by_the_minute)
{
	const int64_t minute = 60 * NS_PER_SECOND;
	const struct audit_event event = {.type = AUDIT_LOCKED, .err = ERR_LOCKED, .action = "OPEN"};
	struct audit_status before, after;
	struct refusals *refusals;
	struct trail_fixture f;
	struct audit *audit;
	int64_t now;

	fixture_set_up(&f);
	audit = open_trail(&f);
	ck_assert_ok(refusals_new(audit, &refusals));
	ck_assert(refusals_note(refusals, &event, "locked"));
	for (int i = 0; i < 1000; i++)
		ck_assert(!refusals_note(refusals, &event, "locked"));
	now = clock_boot_ns();
	audit_status(audit, &before);
	refusals_tick(refusals, now);
	audit_status(audit, &after);
	ck_assert_uint_eq(after.appended, before.appended);
	refusals_tick(refusals, now + minute);
	audit_status(audit, &after);
	ck_assert_uint_eq(after.appended, before.appended + 1);
	/* Nothing is to be counted in the next. */
	refusals_tick(refusals, now + 2 * minute);
	audit_status(audit, &after);
	ck_assert_uint_eq(after.appended, before.appended + 1);
	refusals_free(refusals);
	audit_close(audit, 0);
	fixture_tear_down(&f);
}
END_TEST

UNIT_MAIN("fsops parts", test_a_process_and_its_threads, test_what_is_read_of_a_caller,
	  test_groups_are_read_afresh, test_hostile_command_name,
	  test_unreadable_login_is_no_service, test_many_processes_leave_descriptors,
	  test_kept_files_end_with_their_process, test_names_of_users,
	  test_scope_outlives_a_reload, test_places_of_nodes, test_handle_numbers,
	  test_counts_for_a_summary, test_refusals_are_few_records,
	  test_refusals_of_a_lock_are_counted_by_the_minute)
