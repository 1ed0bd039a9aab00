/* Single rows of the ledger. */
#include "attack.h"
#include "attack_kinds.h"

#include <stdio.h>
#include <string.h>

#define SQL_MAX 6000

static const char *const edits[] = {
	"tail=x'0000000000000000'", "version=version-1", "version=version+1", "size=size+1",
	"size=size+4096", "size=-1", "size=9223372036854775807", "root=zeroblob(32)", "root=x'00'",
	"root=zeroblob(5000)", "mode=mode+1", "mode=mode+4096", "mode=-1", "mode=4294967296",
	"uid=4242", "gid=4242", "nlink=nlink+1", "nlink=0", "rdev=rdev+1", "atime=atime+1",
	"atime_ns=(atime_ns+1)%1000000000", "atime_ns=1000000000", "mtime=mtime+1",
	"mtime_ns=(mtime_ns+1)%1000000000", "ctime=ctime-1", "ctime_ns=(ctime_ns+1)%1000000000",
	"btime=btime-1", "btime_ns=(btime_ns+1)%1000000000", "blocks=blocks+1", "epoch=epoch+1",
	"epoch=0", "mac=zeroblob(32)", "mac=x''",
};

static unsigned long long plain(uint64_t number)
{
	return (unsigned long long)number;
}

bool edit_row(struct attack *attack)
{
	const char *edit = edits[attack->turn % (sizeof(edits) / sizeof(edits[0]))];
	const struct target *target = any_target(attack);
	char sql[256];

	snprintf(sql, sizeof(sql), "UPDATE objects SET %s WHERE number=%llu", edit,
		 plain(target->number));
	if (!edit_ledger(attack, sql))
		return false;
	describe(attack, "%s", sql);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	/* Its number of names is not known then. */
	return true;
}

/* The number is what a row is looked up by. */
bool renumber_row(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char sql[256];

	snprintf(sql, sizeof(sql), "UPDATE objects SET number=number+100000 WHERE number=%llu",
		 plain(target->number));
	if (!edit_ledger(attack, sql))
		return false;
	describe(attack, "%s", sql);
	expect(attack, NEED_SEEN, F_UNKNOWN, target->number);
	attack->check_findings |= F_TAMPERED | F_UNKNOWN;
	return true;
}

bool delete_row(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char sql[256];

	snprintf(sql, sizeof(sql), "DELETE FROM objects WHERE number=%llu", plain(target->number));
	if (!edit_ledger(attack, sql))
		return false;
	describe(attack, "%s", sql);
	expect(attack, NEED_SEEN, F_UNKNOWN, target->number);
	return true;
}

/* All but the number change places. */
bool swap_rows(struct attack *attack)
{
	const struct target *one = any_target(attack), *other = any_target(attack);
	char sql[512];

	if (one == other)
		return false;
	snprintf(sql, sizeof(sql),
		 "UPDATE objects SET number=-1 WHERE number=%llu;"
		 "UPDATE objects SET number=%llu WHERE number=%llu;"
		 "UPDATE objects SET number=%llu WHERE number=-1",
		 plain(one->number), plain(one->number), plain(other->number), plain(other->number));
	if (!edit_ledger(attack, sql))
		return false;
	describe(attack, "rows %llu and %llu", plain(one->number), plain(other->number));
	expect(attack, NEED_SEEN, F_TAMPERED, one->number);
	expect(attack, NEED_SEEN, F_TAMPERED, other->number);
	return true;
}

/* --- rows of other moments ------------------------------------------------------------------- */

bool take_row(struct attack *attack, const struct moment *moment, uint64_t number)
{
	char path[4096], sql[SQL_MAX];

	attach_ledger(attack, moment, path, sizeof(path));
	snprintf(sql, sizeof(sql),
		 "ATTACH '%s' AS other; DELETE FROM main.objects WHERE number=%llu;"
		 "INSERT INTO main.objects SELECT * FROM other.objects WHERE number=%llu",
		 path, plain(number), plain(number));
	return edit_ledger(attack, sql);
}

bool roll_back_row(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target = any_target(attack);
	const struct target *source = moment_find(moment, target->number);

	if (source == NULL || source->header.attr.version == target->header.attr.version ||
	    !take_row(attack, moment, target->number))
		return false;
	describe(attack, "row of %s as of \"%s\"", target->path, moment->name);
	expect(attack, NEED_SEEN, F_LEDGER_OLD, target->number);
	return true;
}

bool put_branch_row(struct attack *attack)
{
	const struct moment *moment = attack->history->branch;
	const struct target *target = any_target(attack);
	const struct target *source = moment_find(moment, target->number);
	uint64_t version, now = target->header.attr.version;

	if (source == NULL || memcmp(&source->id, &target->id, sizeof(source->id)) != 0)
		return false;
	version = source->header.attr.version;
	if (memcmp(&source->header.attr, &target->header.attr, sizeof(source->header.attr)) == 0 ||
	    !take_row(attack, moment, target->number))
		return false;
	describe(attack, "row of %s of the branch", target->path);
	expect(attack, NEED_SEEN,
	       version < now ? F_LEDGER_OLD : version > now ? F_ROLLBACK : F_TAMPERED,
	       target->number);
	return true;
}

bool put_foreign_row(struct attack *attack)
{
	const struct moment *foreign = attack->history->foreign;
	const struct target *target = any_target(attack);

	if (moment_find(foreign, target->number) == NULL ||
	    !take_row(attack, foreign, target->number))
		return false;
	describe(attack, "row %llu of another volume", plain(target->number));
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* Of an object that was deleted since, with or without its file. */
bool insert_deleted_row(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *source = &moment->targets[below(attack, moment->target_count)];

	if (moment_find(attack->base, source->number) != NULL ||
	    !take_row(attack, moment, source->number))
		return false;
	if (attack->turn % 2 == 0)
		copy_file(moment->ciphertext, source->path, attack->image.ciphertext, source->path);
	describe(attack, "row%s of %s, deleted since \"%s\", is there again",
		 attack->turn % 2 == 0 ? " and file" : "", source->path, moment->name);
	expect(attack, NEED_HARMLESS, 0, source->number);
	attack->check_findings |= F_STALE | F_DELETED;
	return true;
}
