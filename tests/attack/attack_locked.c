/*
 * A volume that was open and is locked: its daemon lives, and knows what it left.
 *
 * SECURITY.md says that the rollback of both directories together is not seen by
 * whoever mounts them.  Who had them mounted sees it.
 */
#include "attack.h"
#include "attack_kinds.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "temp_dir.h"

/* In place: the store has the disk. */
void put_moments_objects(struct attack *attack, const struct moment *moment)
{
	struct backing *disk = attack->image.ciphertext;

	for (size_t i = 0; i < attack->base->target_count; i++)
		if (is_there(disk, attack->base->targets[i].path))
			remove_file(disk, attack->base->targets[i].path);
	for (size_t i = 0; i < moment->target_count; i++)
		copy_file(moment->ciphertext, moment->targets[i].path, disk, moment->targets[i].path);
}

static void overwrite_ciphertext(struct attack *attack, const struct moment *moment)
{
	put_moments_objects(attack, moment);
	copy_file(moment->ciphertext, "journal", attack->image.ciphertext, "journal");
}

static void overwrite_state(struct attack *attack, const struct moment *moment)
{
	put_moments_ledger(attack, moment);
	copy_file(moment->state, "anchor", attack->image.state, "anchor");
}

/* Of the last key rotation, so that it is not the slot file that tells. */
static const struct moment *of_this_epoch(const struct attack *attack)
{
	return attack->history->earlier[EARLIER - 1];
}

bool roll_back_both_locked(struct attack *attack)
{
	const struct moment *moment = of_this_epoch(attack);

	overwrite_ciphertext(attack, moment);
	overwrite_state(attack, moment);
	describe(attack, "both directories as of \"%s\"", moment->name);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

bool put_branch_locked(struct attack *attack)
{
	overwrite_ciphertext(attack, attack->history->branch);
	overwrite_state(attack, attack->history->branch);
	describe(attack, "both directories of the branch");
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

bool roll_back_state_locked(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	overwrite_state(attack, moment);
	describe(attack, "the state directory as of \"%s\"", moment->name);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

/* The ledger is as it was left, and each object is looked at when it is used. */
bool roll_back_ciphertext_locked(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	overwrite_ciphertext(attack, moment);
	describe(attack, "the ciphertext directory as of \"%s\"", moment->name);
	expect_another_time(attack, F_ROLLBACK, F_UNKNOWN);
	return true;
}

/* As if the position had been kept since before the last rotation, and nothing was written since. */
bool roll_back_slots_locked(struct attack *attack)
{
	const struct moment *base = attack->base;
	struct ledger_position position;
	struct ledger *ledger;
	uint8_t key[32];

	must(keyring_ledger_key(base->keyring, key), "the ledger's key");
	must(ledger_open(attack->image.directory, false, &ledger), "the ledger");
	must(ledger_set_key(ledger, key), "the ledger");
	must(ledger_position(ledger, &position), "the ledger");
	position.slots_generation = base->generation - 1;
	must(ledger_commit(ledger, &position), "the ledger");
	ledger_close(ledger);
	attack->generation = base->generation - 1;
	describe(attack, "slot file and position of generation %llu",
		 (unsigned long long)attack->generation);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

/* The pair that SECURITY.md says is not seen is seen by whoever has the object in memory. */
bool roll_back_pair_locked(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target = any_target(attack);
	const struct target *source = moment_find(moment, target->number);

	if (source == NULL || target->header.name_len == 0 ||
	    source->header.attr.version == target->header.attr.version ||
	    !take_row(attack, moment, target->number) ||
	    !copy_file(moment->ciphertext, target->path, attack->image.ciphertext, target->path))
		return false;
	describe(attack, "%s and its row as of \"%s\"", target->path, moment->name);
	expect(attack, NEED_SEEN, F_ROLLBACK, target->number);
	attack->check_findings |= ANY_AGE | F_STALE;
	return true;
}

/* --- SQLite's log --------------------------------------------------------------------------- */

/* The log that `sql` makes of a copy of the ledger goes beside the ledger itself. */
static bool put_log_of(struct attack *attack, const char *sql)
{
	char copy[4096], log[4096 + 8], place[4096];
	sqlite3 *db = NULL;
	FILE *from, *to;
	uint8_t page[4096];
	size_t len;
	bool done;

	snprintf(copy, sizeof(copy), "%s/copy.db", attack->image.directory);
	snprintf(log, sizeof(log), "%s-wal", copy);
	snprintf(place, sizeof(place), "%s/ledger.db-wal", attack->image.directory);
	copy_ledger(attack, copy);
	done = sqlite3_open(copy, &db) == SQLITE_OK &&
	       sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0", NULL, NULL,
			    NULL) == SQLITE_OK &&
	       sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
	from = fopen(log, "rb");
	to = fopen(place, "wb");
	if (to == NULL)
		abort();
	while (done && from != NULL && (len = fread(page, 1, sizeof(page), from)) > 0)
		if (fwrite(page, 1, len, to) != len)
			abort();
	if (from != NULL)
		fclose(from);
	fclose(to);
	sqlite3_close(db);
	return done;
}

/* Valid, and of this ledger: a locked one has none, and what has one reads it. */
bool put_wal(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target = any_target(attack);
	const struct target *source = moment_find(moment, target->number);
	unsigned long long number = target->number;
	char other[4096], sql[6000];

	if (source == NULL || source->header.attr.version == target->header.attr.version)
		return false;
	attach_ledger(attack, moment, other, sizeof(other));
	snprintf(sql, sizeof(sql),
		 attack->turn % 3 == 0
			 ? "ATTACH '%s' AS other; DELETE FROM main.objects WHERE number=%llu;"
			   "INSERT INTO main.objects SELECT * FROM other.objects WHERE number=%llu"
		 : attack->turn % 3 == 1 ? "ATTACH '%s' AS other; DELETE FROM main.objects WHERE number=%llu OR number=-%llu"
					 : "ATTACH '%s' AS other; DELETE FROM main.position WHERE %llu=%llu;"
					   "INSERT INTO main.position SELECT * FROM other.position",
		 other, number, number);
	if (!put_log_of(attack, sql))
		return false;
	describe(attack, "a log that makes %s as of \"%s\"",
		 attack->turn % 3 == 0 ? "a row" : attack->turn % 3 == 1 ? "a row gone, else" : "the position",
		 moment->name);
	if (attack->turn % 3 == 2)
		expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	else
		expect(attack, NEED_SEEN, attack->turn % 3 == 0 ? F_LEDGER_OLD : F_UNKNOWN,
		       target->number);
	return true;
}
