/* One case: an image is attacked and mounted, what it shows is judged. */
#include "attack.h"

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

const struct target *any_target(struct attack *attack)
{
	return &attack->base->targets[below(attack, attack->base->target_count)];
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

/* --- findings ---------------------------------------------------------------------------------- */

uint32_t finding_bit(enum err err)
{
	static const struct {
		enum err err;
		uint32_t bit;
	} bits[] = {
		{ERR_TAMPERED, F_TAMPERED}, {ERR_ROLLBACK, F_ROLLBACK},
		{ERR_LEDGER_OLD, F_LEDGER_OLD}, {ERR_DELETED, F_DELETED},
		{ERR_UNKNOWN, F_UNKNOWN}, {ERR_FORMAT, F_FORMAT}, {ERR_VERSION, F_VERSION},
		{ERR_UNPROVEN, F_UNPROVEN}, {ERR_NOT_FOUND, F_NOT_FOUND}, {ERR_STALE, F_STALE},
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (bits[i].err == err)
			return bits[i].bit;
	return F_OTHER;
}

static void told(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	struct sight *sight = ctx;

	(void)block;
	if (sight->finding_count < FINDINGS_MAX)
		sight->findings[sight->finding_count++] = (struct finding){number, what, 0};
}

struct store_hooks sight_hooks(struct sight *sight)
{
	return (struct store_hooks){.ctx = sight, .integrity = told};
}

/* --- the judge ----------------------------------------------------------------------------------- */

struct verdict {
	const struct attack *attack;
	const struct sight *sight;
	char *why;
	size_t size;
};

static void blame(const struct verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void blame(const struct verdict *verdict, const char *format, ...)
{
	va_list arguments;

	if (verdict->why[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(verdict->why, verdict->size, format, arguments);
	va_end(arguments);
}

static bool is_touched(const struct attack *attack, uint64_t number)
{
	if (attack->touches_all)
		return true;
	for (size_t i = 0; i < attack->touched_count; i++)
		if (attack->touched[i] == number)
			return number != 0;
	return false;
}

/* Its own object, its attributes, the directory it was looked up in. */
static bool is_near(const struct attack *attack, const struct finding *error)
{
	return is_touched(attack, error->number) || is_touched(attack, error->directory) ||
	       is_touched(attack, truth_attributes(attack->base->truth, error->number));
}

static bool has_finding(const struct sight *sight, uint64_t number)
{
	for (size_t i = 0; i < sight->finding_count; i++)
		if (sight->findings[i].number == number && number != 0)
			return true;
	return false;
}

static void judge_findings(const struct verdict *verdict)
{
	const struct attack *attack = verdict->attack;

	for (size_t i = 0; i < verdict->sight->finding_count; i++) {
		const struct finding *finding = &verdict->sight->findings[i];

		if (!is_touched(attack, finding->number) ||
		    (attack->findings & finding_bit(finding->what)) == 0)
			blame(verdict, "alarm about object %llu: %s",
			      (unsigned long long)finding->number, err_text(finding->what));
	}
}

static void judge_errors(const struct verdict *verdict)
{
	const struct attack *attack = verdict->attack;
	const struct sight *sight = verdict->sight;

	for (size_t i = 0; i < sight->error_count; i++) {
		const struct finding *error = &sight->errors[i];
		uint64_t attributes = truth_attributes(attack->base->truth, error->number);

		if (!is_near(attack, error) || (attack->findings & finding_bit(error->what)) == 0)
			blame(verdict, "an access to object %llu fails: %s",
			      (unsigned long long)error->number, err_text(error->what));
		else if (!has_finding(sight, error->number) && !has_finding(sight, attributes) &&
			 !has_finding(sight, error->directory))
			blame(verdict, "no record that object %llu fails: %s",
			      (unsigned long long)error->number, err_text(error->what));
	}
}

static void judge_attributes(const struct verdict *verdict)
{
	const struct sight *sight = verdict->sight;

	for (size_t i = 0; i < sight->differing_count; i++)
		if (!has_finding(sight, sight->differing[i]))
			blame(verdict, "attributes of object %llu differ",
			      (unsigned long long)sight->differing[i]);
}

enum outcome attack_judge(const struct attack *attack, enum err refusal, struct sight *sight,
			  char *why, size_t size)
{
	struct verdict verdict = {attack, sight, why, size};
	bool is_seen = refusal != ERR_OK || sight->finding_count > 0 || sight->error_count > 0;
	bool differs = sight->why[0] != '\0' || sight->differing_count > 0;

	if (refusal != ERR_OK && (attack->refusals & finding_bit(refusal)) == 0)
		blame(&verdict, "refused: %s", err_text(refusal));
	judge_findings(&verdict);
	judge_errors(&verdict);
	if (attack->need == NEED_KNOWN) {
		if (is_seen)
			blame(&verdict, "known as not seen, and was: the list is out of date");
		return why[0] != '\0' ? OUTCOME_VIOLATION
		       : differs      ? OUTCOME_KNOWN
				      : OUTCOME_HARMLESS;
	}
	judge_attributes(&verdict);
	if (sight->why[0] != '\0')
		blame(&verdict, "%s", sight->why);
	if (is_seen && attack->need == NEED_HARMLESS)
		blame(&verdict, "seen, though it has no effect");
	if (!is_seen && attack->need == NEED_SEEN)
		blame(&verdict, "not seen");
	return why[0] != '\0' ? OUTCOME_VIOLATION : is_seen ? OUTCOME_SEEN : OUTCOME_HARMLESS;
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
	    (number != 0 && !is_touched(attack, number)))
		blame(verdict, "check: object %llu: %s", (unsigned long long)number,
		      err_text(what));
}

static void check(const struct attack *attack, struct store *store, char *why, size_t size)
{
	struct verdict verdict = {attack, NULL, why, size};
	struct store_check_counts counts;
	enum err err = store_check(store, check_told, NULL, &verdict, &counts);

	if (err != ERR_OK && (attack->refusals & finding_bit(err)) == 0)
		blame(&verdict, "check fails: %s", err_text(err));
}

/* --- mounts ------------------------------------------------------------------------------------------ */

enum when { WHEN_CLOSED, WHEN_LOCKED, WHEN_OPEN };

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

	return store_unlock(attack->image.store, attack->base->keyring, &recovery);
}

/* The attack itself, at its time, and the mount around it. */
static enum err mount_attacked(struct attack *attack, const struct kind *kind, enum when when,
			       struct sight *sight, bool *is_done)
{
	enum err err = ERR_OK;

	*is_done = true;
	if (when != WHEN_CLOSED)
		must(open_image(attack, sight), "opening what is not attacked yet");
	if (when == WHEN_OPEN)
		must(unlock_image(attack), "unlocking what is not attacked yet");
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
	enum err err;

	store_lock(attack->image.store, 30000, &report);
	if (report.err != ERR_OK)
		return report.err;
	world_image_now(&attack->image, 1, 1, &again);
	world_free(&attack->image);
	attack->image = again;
	memset(sight, 0, sizeof(*sight));
	err = open_image(attack, sight);
	return err == ERR_OK ? unlock_image(attack) : err;
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

	if (err != ERR_OK && is_touched(attack, STORE_ROOT))
		return;
	if (err == ERR_OK)
		store_write(store, attr.number, 0, "after", 5, false, answered, &answer);
	store_lock(store, 30000, &report);
	if (err != ERR_OK || answer != ERR_OK || report.err != ERR_OK)
		blame(&verdict, "the volume cannot be used: %s",
		      err_text(err != ERR_OK ? err : answer != ERR_OK ? answer : report.err));
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
	if ((flags & WHILE_LOCKED) != 0 && below(attack, 8) == 0)
		return WHEN_LOCKED;
	if ((flags & WHILE_OPEN) != 0 && attack->base->is_clean && below(attack, 8) == 0)
		return WHEN_OPEN;
	return WHEN_CLOSED;
}

/*
 * Recovery may write over an edit, or find that an object cannot be recovered;
 * and of an open volume the root directory is in memory already.
 */
static void relax(struct attack *attack, const struct kind *kind, enum when when)
{
	bool has_root = false;

	for (size_t i = 0; i < attack->touched_count; i++)
		has_root = has_root || attack->touched[i] == STORE_ROOT;
	if ((kind->flags & IS_OBJECT) != 0 && !attack->base->is_clean) {
		attack->findings |= F_TAMPERED | F_ROLLBACK | F_DELETED | F_LEDGER_OLD;
		attack->need = NEED_EITHER;
	} else if (when == WHEN_OPEN && has_root && attack->need == NEED_SEEN) {
		attack->need = NEED_EITHER;
	}
}

static enum outcome run(struct attack *attack, const struct kind *kind, char *why, size_t size)
{
	struct sight *sight = calloc(1, sizeof(*sight));
	enum when when;
	enum outcome outcome = OUTCOME_VIOLATION;
	enum err refusal;
	bool is_done;

	if (sight == NULL)
		abort();
	why[0] = '\0';
	attack->base = choose_base(attack, kind == NULL ? ON_CLOSED | ON_DIRTY : kind->flags);
	when = kind == NULL ? WHEN_CLOSED : choose_time(attack, kind->flags);
	if (kind != NULL && (kind->flags & IS_REAL) != 0)
		attack->root = real_image(attack->base, &attack->image);
	else
		moment_image(attack->base, &attack->image);
	refusal = mount_attacked(attack, kind, when, sight, &is_done);
	if (kind != NULL)
		relax(attack, kind, when);
	if (is_done)
		outcome = look(attack, refusal, sight, why, size);
	else
		snprintf(why, size, "this attack is not possible here");
	if (outcome != OUTCOME_VIOLATION && refusal == ERR_OK && attack->root == NULL && below(attack, AGAIN_ONE_IN) == 0)
		outcome = look_again(attack, outcome, sight, why, size);
	world_free(&attack->image);
	temp_dir_free(attack->root);
	free(sight);
	if (outcome == OUTCOME_VIOLATION) {
		size_t len = strlen(why);

		snprintf(why + len, size - len, " (%s; moment \"%s\"%s)", attack->what,
			 attack->base->name,
			 when == WHEN_OPEN ? ", while open" : when == WHEN_LOCKED ? ", while locked" : "");
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
