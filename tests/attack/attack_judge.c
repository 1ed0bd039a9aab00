/* What must come of an attack, and what came. */
#include "attack.h"
#include "attack_judge.h"

#include <stdarg.h>
#include <stdio.h>

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

/* --- the judge ----------------------------------------------------------------------------------- */

void verdict_blame(const struct verdict *verdict, const char *format, ...)
{
	va_list arguments;

	if (verdict->why[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(verdict->why, verdict->size, format, arguments);
	va_end(arguments);
}

bool attack_is_touched(const struct attack *attack, uint64_t number)
{
	if (attack->touches_all)
		return true;
	for (size_t i = 0; i < attack->touched_count; i++)
		if (attack->touched[i] == number)
			return number != 0;
	return false;
}

/* Its own object, its attributes, the directory it was looked up in. */
bool attack_is_near(const struct attack *attack, const struct finding *error)
{
	return attack_is_touched(attack, error->number) || attack_is_touched(attack, error->directory) ||
	       attack_is_touched(attack, truth_attributes(attack->base->truth, error->number));
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

		if (!attack_is_touched(attack, finding->number) ||
		    (attack->findings & finding_bit(finding->what)) == 0)
			verdict_blame(verdict, "alarm about object %llu: %s",
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

		if (!attack_is_near(attack, error) || (attack->findings & finding_bit(error->what)) == 0)
			verdict_blame(verdict, "an access to object %llu fails: %s",
			      (unsigned long long)error->number, err_text(error->what));
		else if (!has_finding(sight, error->number) && !has_finding(sight, attributes) &&
			 !has_finding(sight, error->directory))
			verdict_blame(verdict, "no record that object %llu fails: %s",
			      (unsigned long long)error->number, err_text(error->what));
	}
}

static void judge_attributes(const struct verdict *verdict)
{
	const struct sight *sight = verdict->sight;

	for (size_t i = 0; i < sight->differing_count; i++)
		if (!has_finding(sight, sight->differing[i]))
			verdict_blame(verdict, "attributes of object %llu differ",
			      (unsigned long long)sight->differing[i]);
}

enum outcome attack_judge(const struct attack *attack, enum err refusal, const struct sight *sight,
			  char *why, size_t size)
{
	struct verdict verdict = {attack, sight, why, size};
	bool is_seen = refusal != ERR_OK || sight->finding_count > 0 || sight->error_count > 0;
	bool differs = sight->why[0] != '\0' || sight->differing_count > 0;

	if (refusal != ERR_OK && (attack->refusals & finding_bit(refusal)) == 0)
		verdict_blame(&verdict, "refused: %s", err_text(refusal));
	judge_findings(&verdict);
	judge_errors(&verdict);
	if (attack->need == NEED_KNOWN) {
		if (is_seen)
			verdict_blame(&verdict, "known as not seen, and was: the list is out of date");
		return why[0] != '\0' ? OUTCOME_VIOLATION
		       : differs      ? OUTCOME_KNOWN
				      : OUTCOME_HARMLESS;
	}
	judge_attributes(&verdict);
	if (sight->why[0] != '\0')
		verdict_blame(&verdict, "%s", sight->why);
	if (is_seen && attack->need == NEED_HARMLESS)
		verdict_blame(&verdict, "seen, though it has no effect");
	if (!is_seen && attack->need == NEED_SEEN)
		verdict_blame(&verdict, "not seen");
	return why[0] != '\0' ? OUTCOME_VIOLATION : is_seen ? OUTCOME_SEEN : OUTCOME_HARMLESS;
}
