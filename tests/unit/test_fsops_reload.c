/* What a new policy, or a role that ends, does to what is open. */
#include "fsops_wards.h"

START_TEST(test_reload_ends_open_handles)
{
	struct world w;
	uint64_t file, handle, other, wide;
	int error;
	static const char less[] = "[class wards]\npath = /\n[role nurses]\nmembers = uid:1001\n"
				   "allow = edit on wards\n";

	file = world_with_file(&w);
	handle = world_open(&w, asker(VIEWER), file, O_RDONLY, &error);
	other = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, false), 10);
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, true), 10);
	wide = w.fills;
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(less)));
	ck_assert_uint_eq(w.fills, wide + 1); /* what is mapped is dropped */
	ck_assert_uint_eq(w.filled_length, 0);
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, false), -EACCES);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, other, 0, 10, false), 10);
	/* Dead is dead: a policy that allows it again needs a new open. */
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, false), -EACCES);
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, other, 0, 10), 10);
	world_release(&w, file, handle);
	world_release(&w, file, other);
	world_free(&w);
}
END_TEST

/* As over a lock of the volume: names are not known any more. */
static void forget_names(struct world *w)
{
	struct store_lock_report report;
	struct store_recovery recovery;

	store_lock(w->store.store, 30000, &report);
	ck_assert_ok(report.err);
	places_wipe(w->fsops->places);
	ck_assert_ok(store_unlock(w->store.store, w->store.keyring, &recovery));
}

/* A file without a name is opened by the right to its last one. */
START_TEST(test_a_file_without_a_name_is_opened)
{
	struct world w;
	struct store_attr attr;
	uint64_t file, handle;
	int error;

	file = world_with_file(&w);
	ck_assert_ok(store_lookup(w.store.store, STORE_ROOT, "a", &attr));
	ck_assert_int_eq(world_unlink(&w, NURSE, STORE_ROOT, "a"), 0);
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_int_eq(error, -1);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), 10);
	world_open(&w, asker(4242), file, O_RDONLY, &error);
	ck_assert_int_eq(error, EACCES);
	world_release(&w, file, handle);
	/* Its class is not known then. */
	forget_names(&w);
	world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_int_eq(error, ESTALE);
	world_free(&w);
}
END_TEST

/* A file whose last name is forgotten has the class that it was opened in, if there still is one. */
START_TEST(test_reload_and_a_file_without_a_name)
{
	struct world w;
	uint64_t file, handle;
	int error;
	static const char renamed[] = "[class other]\npath = /\n[role one]\nmembers = uid:1001\n"
				      "allow = edit on other\n";

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_int_eq(world_unlink(&w, NURSE, STORE_ROOT, "a"), 0);
	forget_names(&w);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), 10);
	ck_assert_int_eq(set_attr(&w, asker(NURSE), (struct guard_target){
				  .number = file, .handle = handle, .set = STORE_SET_SIZE}),
			 -1);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(renamed)));
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), -EACCES);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

/* A role that ends ends its open files at the next tick: here it is the first that looks. */
START_TEST(test_a_role_that_ends_is_decided_anew)
{
	struct world w;
	uint64_t file, handle, generation;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	generation = scopes_generation(w.fsops->scopes);
	ticker_work(w.fsops, false);
	ck_assert_uint_eq(scopes_generation(w.fsops->scopes), generation);
	ck_assert_ok(scopes_renew(w.fsops->scopes));
	ck_assert_uint_eq(scopes_generation(w.fsops->scopes), generation + 1);
	/* The policy says the same: the handle goes on. */
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), 10);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), 10);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

UNIT_MAIN("fsops reload", test_reload_ends_open_handles, test_reload_and_a_file_without_a_name,
	  test_a_file_without_a_name_is_opened, test_a_role_that_ends_is_decided_anew)
