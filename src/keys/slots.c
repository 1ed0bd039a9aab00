/* Looking into a slot file, and opening the volume's keys with a factor. */
#include "keys/slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secmem.h"
#include "keys/slots_private.h"

void slots_free(struct slots *slots)
{
	if (slots == NULL)
		return;
	free(slots->file);
	free(slots->other);
	free(slots);
}

const uint8_t *slots_fs_id(const struct slots *slots)
{
	return slots->file->fs_id;
}

uint64_t slots_generation(const struct slots *slots)
{
	return slots->file->generation;
}

uint32_t slots_epoch(const struct slots *slots)
{
	return slots->file->epoch_count;
}

size_t slots_count(const struct slots *slots)
{
	return slots->file->slot_count;
}

const struct slot_record *slots_at(const struct slots *slots, size_t index)
{
	return index < slots->file->slot_count ? &slots->file->slots[index] : NULL;
}

const struct slot_record *slots_find(const struct slots *slots, uint32_t id)
{
	return slot_file_find(slots->file, id);
}

bool slots_need_save(const struct slots *slots)
{
	return slots->needs_save;
}

enum err slots_check_generation(const struct slots *slots, uint64_t minimum)
{
	return slots->file->generation < minimum ? ERR_ROLLBACK : ERR_OK;
}

/* --- finding the slot ------------------------------------------------------------------ */

/*
 * The first slot that the factor opens and that has the right `wanted`.
 * ERR_DENIED: it opens only others; ERR_PASSPHRASE: none.
 */
static enum err find_slot(const struct slot_file *file, const struct slots_factor *factor,
			  uint8_t wanted, const struct slot_record **slot,
			  struct slot_secrets *secrets)
{
	enum err result = ERR_PASSPHRASE;

	for (uint32_t i = 0; i < file->slot_count; i++) {
		const struct slot_record *candidate = &file->slots[i];
		enum err err;

		if (!factor_fits(factor, candidate))
			continue;
		err = slot_open(candidate, factor, file->fs_id, secrets);
		if (err == ERR_OK && (candidate->rights & wanted) != 0) {
			*slot = candidate;
			return ERR_OK;
		}
		if (err == ERR_OK)
			result = ERR_DENIED;
		else if (err != ERR_PASSPHRASE)
			return err;
	}
	return result;
}

static void report(const struct slot_file *file, const struct slot_record *slot,
		   struct slots_opened *opened)
{
	if (opened == NULL)
		return;
	opened->slot = slot->id;
	memcpy(opened->name, slot->name, sizeof(opened->name));
	opened->generation = file->generation;
}

/* --- one copy --------------------------------------------------------------------------- */

/* What an attempt gives; nothing is left in it after an error. */
struct attempt {
	const struct slot_record *slot;
	struct slots_signer *signer;
	struct keyring *keyring;
};

/* VK is used for nothing before the file that gave it is verified and new enough. */
static enum err open_keys(const struct slot_file *file, const struct slot_record *slot,
			  const struct slot_secrets *secrets, uint64_t minimum_generation,
			  struct keyring **keyring)
{
	uint8_t *volume_key = secmem_alloc(SLOT_KEY_LEN);
	enum err err = ERR_NO_MEMORY;

	if (volume_key != NULL)
		err = box_open(slot->box_public, secrets->box, slot->vk_box, SLOT_VK_BOX_LEN,
			       volume_key);
	if (err == ERR_OK)
		err = slots_verify(file, volume_key);
	if (err == ERR_OK && file->generation < minimum_generation)
		err = ERR_ROLLBACK;
	if (err == ERR_OK)
		err = slots_unwrap(file, volume_key, secrets->origin, keyring);
	secmem_free(volume_key);
	return err;
}

static enum err open_copy(const struct slot_file *file, const struct slots_factor *factor,
			  uint64_t minimum_generation, struct attempt *attempt)
{
	struct slot_secrets *secrets = secmem_alloc(sizeof(*secrets));
	struct attempt made = {NULL, NULL, NULL};
	enum err err = ERR_NO_MEMORY;

	if (secrets != NULL)
		err = find_slot(file, factor, SLOT_RIGHT_UNLOCK, &made.slot, secrets);
	if (err == ERR_OK)
		err = open_keys(file, made.slot, secrets, minimum_generation, &made.keyring);
	if (err == ERR_OK && (made.slot->rights & SLOT_RIGHT_KEY_ADMIN))
		err = signer_new(made.slot, secrets, &made.signer);
	if (err == ERR_OK)
		*attempt = made;
	else
		keyring_free(made.keyring);
	secmem_free(secrets);
	return err;
}

static void drop(struct attempt *attempt)
{
	slots_signer_free(attempt->signer);
	keyring_free(attempt->keyring);
}

/* --- both copies ------------------------------------------------------------------------- */

/*
 * The newest copy failed: damaged or edited, or the factor is not in it.  The
 * other one counts unless it was rightly replaced: whoever was removed must not
 * come back through a copy that an interrupted change left behind.
 */
static enum err open_other(struct slots *slots, const struct slots_factor *factor,
			   uint64_t minimum_generation, enum err why, struct attempt *attempt)
{
	struct slot_file *newest = slots->file;
	enum err err = open_copy(slots->other, factor, minimum_generation, attempt);

	if (err != ERR_OK)
		return why == ERR_PASSPHRASE ? err : why;
	if (slots_is_successor(newest, slots->other)) {
		drop(attempt);
		return why;
	}
	log_warning("one copy of the slot file does not verify; the other one is used");
	slots->file = slots->other;
	slots->other = newest;
	return ERR_OK;
}

enum err slots_unlock(struct slots *slots, const struct slots_factor *factor,
		      uint64_t minimum_generation, struct slots_opened *opened,
		      struct slots_signer **signer, struct keyring **keyring)
{
	struct attempt attempt;
	enum err err;

	/* What cannot be a factor opens nothing: no other answer than for a wrong one. */
	if (factor_check(factor) != ERR_OK)
		return ERR_PASSPHRASE;
	err = open_copy(slots->file, factor, minimum_generation, &attempt);
	if (err != ERR_OK && slots->other != NULL)
		err = open_other(slots, factor, minimum_generation, err, &attempt);
	if (err != ERR_OK)
		return err;
	free(slots->other);
	slots->other = NULL;
	slots->is_open = true;
	report(slots->file, attempt.slot, opened);
	if (signer != NULL)
		*signer = attempt.signer;
	else
		slots_signer_free(attempt.signer);
	*keyring = attempt.keyring;
	return ERR_OK;
}

enum err slots_sign_in(const struct slots *slots, const struct slots_factor *factor,
		       struct slots_opened *opened, struct slots_signer **signer)
{
	const struct slot_record *slot = NULL;
	struct slot_secrets *secrets;
	enum err err;

	if (!slots->is_open)
		return ERR_LOCKED;
	if (factor_check(factor) != ERR_OK)
		return ERR_PASSPHRASE;
	if ((secrets = secmem_alloc(sizeof(*secrets))) == NULL)
		return ERR_NO_MEMORY;
	err = find_slot(slots->file, factor, SLOT_RIGHT_KEY_ADMIN, &slot, secrets);
	if (err == ERR_OK)
		err = signer_new(slot, secrets, signer);
	if (err == ERR_OK)
		report(slots->file, slot, opened);
	secmem_free(secrets);
	return err;
}
