/* Attacks of different objects with one mount: each is judged by what it touched. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 2000

/* --- attacks -------------------------------------------------------------------------------- */

/* False: not possible beside the others. */
static bool add(struct batch *batch, const struct kind *kind, uint64_t seed, uint64_t turn)
{
	struct attack *attack = &batch->attacks[batch->count];
	struct attack *first = &batch->attacks[0];

	*attack = (struct attack){
		.history = first->history,
		.base = first->base,
		.image = first->image,
		.keyring = first->base->keyring,
		.generation = first->base->generation,
		.random = seed + batch->count,
		.turn = turn,
		.beside = first,
		.beside_count = batch->count,
	};
	for (int i = 0; i < TRIES; i++)
		if (kind->attack(attack)) {
			batch->kinds[batch->count++] = kind;
			return true;
		}
	return false;
}

bool batch_may(const struct kind *kind)
{
	return (kind->flags & IS_OBJECT) != 0 && (kind->flags & IS_ALONE) == 0;
}

/* Any kinds that can stand beside others, each as often as its weight. */
static const struct kind *any_kind(struct attack *attack)
{
	for (;;) {
		const struct kind *kind = &kinds[below(attack, kind_count)];

		if (batch_may(kind) && below(attack, 6) < kind->weight)
			return kind;
	}
}

/* --- what came of them --------------------------------------------------------------------------- */

static void keep_findings(struct finding *findings, size_t *count, const struct attack *attack,
			  bool *taken)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		if (!attack_is_near(attack, &findings[i]))
			continue;
		taken[i] = true;
		findings[kept++] = findings[i];
	}
	*count = kept;
}

/* Findings and errors that belong to nobody. */
struct taken {
	bool findings[FINDINGS_MAX], errors[FINDINGS_MAX];
	bool differing[FINDINGS_MAX], why;
};

/* The share of one attack in what was seen. */
static void take_share(const struct attack *attack, const struct sight *all, struct sight *share,
		       struct taken *taken)
{
	struct finding object = {.number = all->why_number};

	*share = *all;
	keep_findings(share->findings, &share->finding_count, attack, taken->findings);
	keep_findings(share->errors, &share->error_count, attack, taken->errors);
	share->differing_count = 0;
	for (size_t i = 0; i < all->differing_count; i++) {
		struct finding differing = {.number = all->differing[i]};

		if (!attack_is_near(attack, &differing))
			continue;
		taken->differing[i] = true;
		share->differing[share->differing_count++] = all->differing[i];
	}
	if (all->why[0] == '\0' || attack_is_near(attack, &object))
		taken->why = true;
	else
		share->why[0] = '\0';
}

static void blame_rest(const struct sight *all, const struct taken *taken, char *why, size_t size)
{
	for (size_t i = 0; i < all->finding_count; i++)
		if (!taken->findings[i])
			snprintf(why, size, "alarm about object %llu, which nobody touched: %s",
				 (unsigned long long)all->findings[i].number,
				 err_text(all->findings[i].what));
	for (size_t i = 0; i < all->error_count; i++)
		if (!taken->errors[i])
			snprintf(why, size, "an access to object %llu, which nobody touched, fails: %s",
				 (unsigned long long)all->errors[i].number,
				 err_text(all->errors[i].what));
	for (size_t i = 0; i < all->differing_count; i++)
		if (!taken->differing[i])
			snprintf(why, size, "attributes of object %llu, which nobody touched, differ",
				 (unsigned long long)all->differing[i]);
	if (all->why[0] != '\0' && !taken->why)
		snprintf(why, size, "%.200s, and nobody touched it", all->why);
}

static void judge(struct batch *batch, enum err refusal, const struct sight *all, char *why,
		  size_t size)
{
	struct taken *taken = calloc(1, sizeof(*taken));
	struct sight *share = malloc(sizeof(*share));
	char others[256] = "";

	if (taken == NULL || share == NULL)
		abort();
	for (size_t i = 0; i < batch->count; i++) {
		char one[400] = "";

		take_share(&batch->attacks[i], all, share, taken);
		batch->outcomes[i] = attack_judge(&batch->attacks[i], refusal, share, one, sizeof(one));
		if (one[0] != '\0')
			snprintf(why, size, "%s (%s), one of %zu", one, batch->attacks[i].what,
				 batch->count);
	}
	blame_rest(all, taken, others, sizeof(others));
	if (others[0] != '\0') {
		snprintf(why, size, "%s", others);
		batch->outcomes[0] = OUTCOME_VIOLATION;
	}
	free(taken);
	free(share);
}

void batch_run(const struct history *history, const struct kind *kind, struct batch *batch,
	       uint64_t seed, uint64_t turn, char *why, size_t size)
{
	struct attack *first = &batch->attacks[0];
	struct sight *sight = calloc(1, sizeof(*sight));
	struct attack wheel = {.random = seed ^ 0x5a5a5a5aull};
	enum err refusal;

	if (sight == NULL)
		abort();
	why[0] = '\0';
	first->history = history;
	first->base = history->closed;
	moment_image(first->base, &first->image);
	batch->count = 0;
	for (uint64_t i = 0; i < BATCH_MAX; i++)
		add(batch, i == 0 ? kind : any_kind(&wheel), seed, turn + i);
	refusal = attack_mount(first, sight);
	if (refusal == ERR_OK)
		truth_compare(first->base->truth, first->image.store, sight);
	judge(batch, refusal, sight, why, size);
	world_free(&first->image);
	free(sight);
}
