/* One case: an image is attacked and mounted, what it shows is judged. */
#include "attack.h"
#include "attack_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "temp_dir.h"

#define NO_TIMER_MS 3600000u
#define TRIES       2000
#define AGAIN_ONE_IN 8  /* mounted and looked at a second time */
#define CHECK_ONE_IN 8  /* store_check as well */
#define LOCKED_ONE_IN 4 /* attacked while it is mounted and locked, where that may be */

/* --- numbers -------------------------------------------------------------------------- */

static uint64_t mix(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t draw(struct attack *attack)
{
	return mix(&attack->random);
}

uint64_t below(struct attack *attack, uint64_t limit)
{
	return draw(attack) % limit;
}

/* --- for kinds ------------------------------------------------------------------------------ */

void describe(struct attack *attack, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(attack->what, sizeof(attack->what), format, arguments);
	va_end(arguments);
}

void touch(struct attack *attack, uint64_t number)
{
	if (attack->touched_count == TOUCHES_MAX)
		abort();
	attack->touched[attack->touched_count++] = number;
}

void expect(struct attack *attack, enum need need, uint32_t findings, uint64_t number)
{
	attack->need = need;
	attack->findings |= findings;
	if (number == 0)
		attack->touches_all = true;
	else
		touch(attack, number);
}

void expect_refusal(struct attack *attack, enum need need, uint32_t refusals)
{
	attack->need = need;
	attack->refusals |= refusals;
}

/* One of several: not a directory, below which nothing is seen, nor what another one has. */
static bool is_free(const struct attack *attack, const struct target *target)
{
	struct finding object = {.number = target->number};

	if (S_ISDIR(target->header.attr.mode) || target->header.name_len == 0)
		return false;
	for (size_t i = 0; i < attack->beside_count; i++)
		if (attack_is_near(&attack->beside[i], &object))
			return false;
	return true;
}

const struct target *any_target(struct attack *attack)
{
	const struct target *target;

	do {
		target = &attack->base->targets[below(attack, attack->base->target_count)];
	} while (attack->beside != NULL && !is_free(attack, target));
	return target;
}

const struct page *any_page(struct attack *attack, const struct target *target,
			    enum page_kind kind)
{
	size_t count = 0, chosen;

	for (size_t i = 0; i < target->page_count; i++)
		count += target->pages[i].kind == kind;
	if (count == 0)
		return NULL;
	chosen = below(attack, count);
	for (size_t i = 0;; i++)
		if (target->pages[i].kind == kind && chosen-- == 0)
			return &target->pages[i];
}

const struct moment *any_earlier(struct attack *attack)
{
	return attack->history->earlier[below(attack, EARLIER)];
}

/* --- store_check ---------------------------------------------------------------------------------- */

static void check_told(void *ctx, const struct object_id *id, enum err what, uint64_t block)
{
	const struct verdict *verdict = ctx;
	const struct attack *attack = verdict->attack;
	uint64_t number = object_id_number(id);

	(void)block;
	if ((attack->check_findings & finding_bit(what)) != 0)
		return;
	/* A row that does not verify has no number. */
	if ((attack->findings & finding_bit(what)) == 0 ||
	    (number != 0 && !attack_is_touched(attack, number)))
		verdict_blame(verdict, "check: object %llu: %s", (unsigned long long)number,
		      err_text(what));
}

static void check(const struct attack *attack, struct store *store, char *why, size_t size)
{
	struct verdict verdict = {attack, NULL, why, size};
	struct store_check_counts counts;
	enum err err = store_check(store, check_told, NULL, &verdict, &counts);

	if (err != ERR_OK && (attack->refusals & finding_bit(err)) == 0)
		verdict_blame(&verdict, "check fails: %s", err_text(err));
}

static void told(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	struct sight *sight = ctx;

	(void)block;
	if (sight->finding_count < FINDINGS_MAX)
		sight->findings[sight->finding_count++] = (struct finding){number, what, 0};
}

static struct store_hooks sight_hooks(struct sight *sight)
{
	return (struct store_hooks){.ctx = sight, .integrity = told};
}

/* --- mounts ------------------------------------------------------------------------------------------ */

/* WHEN_AFTER: locked, and it was open before. */
enum when { WHEN_CLOSED, WHEN_LOCKED, WHEN_AFTER, WHEN_OPEN };

static const char *const when_words[] = {"", ", while locked", ", locked after it was open",
					 ", while open"};

static enum err open_image(struct attack *attack, struct sight *sight)
{
	struct store_config config = {
		.ciphertext = attack->image.ciphertext,
		.state = attack->image.state,
		.state_path = attack->image.directory,
		.commit_interval_ms = NO_TIMER_MS,
		.hooks = sight_hooks(sight),
	};

	return store_open(&config, &attack->image.store);
}

static enum err unlock_image(struct attack *attack)
{
	struct store_recovery recovery;

	store_set_slots_generation(attack->image.store, attack->generation);
	return store_unlock(attack->image.store, attack->keyring, &recovery);
}

/* Open until its idle clock ran out. */
static void open_and_lock(struct attack *attack, bool is_held)
{
	struct store_lock_report report;

	must(unlock_image(attack), "unlocking what is not attacked yet");
	if (is_held)
		truth_hold(attack->base->truth, attack->image.store);
	store_lock(attack->image.store, 30000, &report);
	must(report.err, "locking what is not attacked yet");
}

enum err attack_mount(struct attack *attack, struct sight *sight)
{
	enum err err = open_image(attack, sight);

	return err == ERR_OK ? unlock_image(attack) : err;
}

/* The attack itself, at its time, and the mount around it. */
static enum err mount_attacked(struct attack *attack, const struct kind *kind, enum when when,
			       bool is_held, struct sight *sight, bool *is_done)
{
	enum err err = ERR_OK;

	*is_done = true;
	if (when != WHEN_CLOSED)
		must(open_image(attack, sight), "opening what is not attacked yet");
	if (when == WHEN_OPEN)
		must(unlock_image(attack), "unlocking what is not attacked yet");
	if (when == WHEN_AFTER)
		open_and_lock(attack, is_held);
	if (kind != NULL) {
		*is_done = false;
		for (int i = 0; i < TRIES && !*is_done; i++)
			*is_done = kind->attack(attack);
	}
	if (when == WHEN_CLOSED)
		err = open_image(attack, sight);
	if (err == ERR_OK && when != WHEN_OPEN)
		err = unlock_image(attack);
	return err;
}

/* A second mount of what the first one left. */
static enum err mount_again(struct attack *attack, struct sight *sight)
{
	struct store_lock_report report;
	struct world again;

	store_lock(attack->image.store, 30000, &report);
	if (report.err != ERR_OK)
		return report.err;
	world_image_now(&attack->image, 1, 1, &again);
	world_free(&attack->image);
	attack->image = again;
	memset(sight, 0, sizeof(*sight));
	return attack_mount(attack, sight);
}

static void answered(void *ctx, enum err err, size_t bytes)
{
	(void)bytes;
	*(enum err *)ctx = err;
}

/* Who is not attacked goes on working. */
static void use(const struct attack *attack, char *why, size_t size)
{
	struct verdict verdict = {attack, NULL, why, size};
	struct store *store = attack->image.store;
	struct store_lock_report report;
	struct store_attr attr;
	enum err answer = ERR_AGAIN;
	enum err err = store_create_node(store, STORE_ROOT, "after", S_IFREG | 0600, 0, 0, 0, &attr);

	if (err != ERR_OK && attack_is_touched(attack, STORE_ROOT))
		return;
	if (err == ERR_OK)
		store_write(store, attr.number, 0, "after", 5, false, answered, &answer);
	store_lock(store, 30000, &report);
	err = err != ERR_OK ? err : answer != ERR_OK ? answer : report.err;
	/* What is broken in the ledger's tree may show only when something is put into it. */
	if (err != ERR_OK && (finding_bit(err) & attack->refusals & F_FORMAT) == 0)
		verdict_blame(&verdict, "the volume cannot be used: %s", err_text(err));
}

static enum outcome look(struct attack *attack, enum err refusal, struct sight *sight, char *why,
			 size_t size)
{
	enum outcome outcome;

	if (refusal == ERR_OK)
		truth_compare(attack->base->truth, attack->image.store, sight);
	outcome = attack_judge(attack, refusal, sight, why, size);
	if (refusal == ERR_OK && outcome != OUTCOME_VIOLATION && attack->need != NEED_KNOWN &&
	    below(attack, CHECK_ONE_IN) == 0) {
		check(attack, attack->image.store, why, size);
		if (why[0] != '\0')
			outcome = OUTCOME_VIOLATION;
	}
	return outcome;
}

static enum outcome look_again(struct attack *attack, enum outcome outcome, struct sight *sight,
			       char *why, size_t size)
{
	enum err refusal = mount_again(attack, sight);
	enum outcome second;

	second = look(attack, refusal, sight, why, size);
	if (refusal == ERR_OK && second != OUTCOME_VIOLATION && attack->need != NEED_KNOWN)
		use(attack, why, size);
	return why[0] != '\0' ? OUTCOME_VIOLATION : outcome;
}

static const struct moment *choose_base(struct attack *attack, unsigned int flags)
{
	const struct history *history = attack->history;
	const struct moment *dirty[] = {history->applied, history->pending, history->other_half};

	if ((flags & ON_OTHER_HALF) != 0)
		return history->other_half;
	if ((flags & ON_PENDING) != 0)
		return history->pending;
	if ((flags & ON_APPLIED) != 0)
		return below(attack, 2) == 0 ? history->applied : history->other_half;
	if ((flags & ON_DIRTY) == 0)
		return history->closed;
	if ((flags & ON_CLOSED) == 0 || below(attack, 4) == 0)
		return dirty[below(attack, 3)];
	return history->closed;
}

static enum when choose_time(struct attack *attack, unsigned int flags)
{
	if ((flags & AFTER_OPEN) != 0)
		return WHEN_AFTER;
	if ((flags & WHILE_LOCKED) != 0 && below(attack, LOCKED_ONE_IN) == 0)
		return attack->base->is_clean && below(attack, 3) > 0 ? WHEN_AFTER : WHEN_LOCKED;
	if ((flags & WHILE_OPEN) != 0 && attack->base->is_clean && below(attack, 8) == 0)
		return WHEN_OPEN;
	return WHEN_CLOSED;
}

/*
 * Recovery may write over an edit, or find that an object cannot be recovered; of
 * an open volume the root directory is in memory already; and what a row says of an
 * object that the kernel knows is asked of memory, until the next mount.
 */
static void relax(struct attack *attack, const struct kind *kind, enum when when, bool is_held)
{
	bool has_root = false;

	for (size_t i = 0; i < attack->touched_count; i++)
		has_root = has_root || attack->touched[i] == STORE_ROOT;
	if ((kind->flags & IS_OBJECT) != 0 && !attack->base->is_clean) {
		attack->findings |= F_TAMPERED | F_ROLLBACK | F_DELETED | F_LEDGER_OLD;
		attack->need = NEED_EITHER;
	} else if ((when == WHEN_OPEN && has_root && attack->need == NEED_SEEN) ||
		   (is_held && (kind->flags & HELD_HIDES) != 0)) {
		attack->need = NEED_EITHER;
	}
}

static enum outcome run(struct attack *attack, const struct kind *kind, char *why, size_t size)
{
	struct sight *sight = calloc(1, sizeof(*sight));
	enum when when;
	enum outcome outcome = OUTCOME_VIOLATION;
	enum err refusal;
	bool is_done, is_held;

	if (sight == NULL)
		abort();
	why[0] = '\0';
	attack->base = choose_base(attack, kind == NULL ? ON_CLOSED | ON_DIRTY : kind->flags);
	when = choose_time(attack, kind == NULL ? WHILE_LOCKED : kind->flags);
	is_held = when == WHEN_AFTER && ((kind != NULL && (kind->flags & IS_HELD) != 0) || below(attack, 2) == 0);
	attack->keyring = attack->base->keyring;
	attack->generation = attack->base->generation;
	if (kind != NULL && (kind->flags & IS_REAL) != 0)
		attack->root = real_image(attack->base, &attack->image);
	else
		moment_image(attack->base, &attack->image);
	refusal = mount_attacked(attack, kind, when, is_held, sight, &is_done);
	if (kind != NULL)
		relax(attack, kind, when, is_held);
	if (is_done)
		outcome = look(attack, refusal, sight, why, size);
	else
		snprintf(why, size, "this attack is not possible here");
	/* What only the living daemon sees is not there any more the second time. */
	if (outcome != OUTCOME_VIOLATION && refusal == ERR_OK && attack->root == NULL &&
	    (kind == NULL || (kind->flags & IS_HELD) == 0) && below(attack, AGAIN_ONE_IN) == 0)
		outcome = look_again(attack, outcome, sight, why, size);
	world_free(&attack->image);
	temp_dir_free(attack->root);
	free(sight);
	if (outcome == OUTCOME_VIOLATION) {
		size_t len = strlen(why);

		snprintf(why + len, size - len, " (%s; moment \"%s\"%s%s)", attack->what,
			 attack->base->name, when_words[when], is_held ? ", its names known" : "");
	}
	return outcome;
}

enum outcome attack_run(const struct history *history, const struct kind *kind, uint64_t seed,
			uint64_t turn, char *why, size_t size)
{
	struct attack attack = {.history = history, .random = seed, .turn = turn};

	return run(&attack, kind, why, size);
}

enum outcome twin_run(const struct history *history, uint64_t seed, char *why, size_t size)
{
	struct attack attack = {.history = history, .random = seed, .need = NEED_HARMLESS,
				.what = "untouched twin"};

	return run(&attack, NULL, why, size);
}
