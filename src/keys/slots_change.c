/* Making and changing a slot file.  A change is made on a draft and taken over whole. */
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"
#include "crypto/random.h"
#include "keys/slots_private.h"

/* --- common to all changes ------------------------------------------------------------ */

/*
 * Everything is verified again: what lies in memory may have been loaded long
 * ago, and the signer may be of another file.
 */
static enum err begin(const struct slots *slots, const struct keyring *keyring,
		      const struct slots_signer *signer, struct slot_file **draft)
{
	const struct slot_record *slot;
	struct slot_file *copy;
	enum err err;

	if (!slots->is_open)
		return ERR_LOCKED;
	err = slots_verify(slots->file, keyring_volume_key(keyring));
	if (err != ERR_OK)
		return err;
	slot = slot_file_find(slots->file, signer->slot);
	if (slot == NULL || (slot->rights & SLOT_RIGHT_KEY_ADMIN) == 0 ||
	    memcmp(slot->sign_public, signer->public_key, SIGN_PUBLIC_LEN) != 0)
		return ERR_DENIED;
	if ((copy = malloc(sizeof(*copy))) == NULL)
		return ERR_NO_MEMORY;
	*copy = *slots->file;
	*draft = copy;
	return ERR_OK;
}

/* Takes the draft over, or drops it. */
static enum err finish(struct slots *slots, struct slot_file *draft,
		       const struct keyring *keyring, const struct slots_signer *signer,
		       enum err err)
{
	if (err == ERR_OK)
		err = slots_seal(draft, keyring_volume_key(keyring), signer);
	if (err != ERR_OK) {
		free(draft);
		return err;
	}
	free(slots->file);
	slots->file = draft;
	slots->needs_save = true;
	return ERR_OK;
}

static enum err append(struct slot_file *draft, const struct slots_new *new_slot,
		       const struct keyring *keyring, struct slot_secrets *secrets)
{
	enum err err;

	if (draft->slot_count == SLOTS_MAX || draft->next_id == UINT32_MAX)
		return ERR_FULL;
	err = slot_make(new_slot, draft->next_id, keyring, &draft->slots[draft->slot_count],
			secrets);
	if (err == ERR_OK) {
		draft->slot_count++;
		draft->next_id++;
	}
	return err;
}

enum err slots_add(struct slots *slots, const struct keyring *keyring,
		   const struct slots_signer *signer, const struct slots_new *new_slot,
		   uint32_t *id)
{
	struct slot_secrets *secrets;
	struct slot_file *draft;
	enum err err = begin(slots, keyring, signer, &draft);

	if (err != ERR_OK)
		return err;
	secrets = secmem_alloc(sizeof(*secrets));
	err = secrets != NULL ? append(draft, new_slot, keyring, secrets) : ERR_NO_MEMORY;
	secmem_free(secrets);
	err = finish(slots, draft, keyring, signer, err);
	if (err == ERR_OK && id != NULL)
		*id = slots->file->slots[slots->file->slot_count - 1].id;
	return err;
}

/* --- new keys ------------------------------------------------------------------------- */

/* The keyring with another VK and one epoch more; `old` NULL: of a new volume. */
static enum err renew_keyring(const uint8_t fs_id[FS_ID_LEN], const struct keyring *old,
			      struct keyring **renewed)
{
	uint32_t epochs = old != NULL ? keyring_epoch(old) : 0;
	uint8_t *volume_key, *master_keys;
	enum err err = ERR_NO_MEMORY;

	if (epochs == EPOCHS_MAX)
		return ERR_FULL;
	volume_key = secmem_alloc(SLOT_KEY_LEN);
	master_keys = secmem_alloc((size_t)(epochs + 1) * SLOT_KEY_LEN);
	if (volume_key != NULL && master_keys != NULL) {
		random_bytes(volume_key, SLOT_KEY_LEN);
		for (uint32_t epoch = 1; epoch <= epochs; epoch++)
			memcpy(master_keys + (size_t)(epoch - 1) * SLOT_KEY_LEN,
			       keyring_master_key(old, epoch), SLOT_KEY_LEN);
		random_bytes(master_keys + (size_t)epochs * SLOT_KEY_LEN, SLOT_KEY_LEN);
		err = keyring_new(fs_id, volume_key, master_keys, epochs + 1, renewed);
	}
	secmem_free(master_keys);
	secmem_free(volume_key);
	return err;
}

static enum err seal_to_all(struct slot_file *draft, const struct keyring *keyring)
{
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < draft->slot_count && err == ERR_OK; i++) {
		if (draft->slots[i].rights & SLOT_RIGHT_UNLOCK)
			err = slot_seal_volume_key(&draft->slots[i], keyring_volume_key(keyring));
	}
	return err;
}

/* After the draft's slots were changed: new keys for those that are left. */
static enum err renew(struct slots *slots, struct slot_file *draft, const struct keyring *keyring,
		      const struct slots_signer *signer, struct keyring **renewed)
{
	struct keyring *made = NULL;
	enum err err = renew_keyring(draft->fs_id, keyring, &made);

	if (err == ERR_OK)
		err = seal_to_all(draft, made);
	if (err == ERR_OK)
		err = slots_wrap(draft, made);
	err = finish(slots, draft, made, signer, err);
	if (err == ERR_OK)
		*renewed = made;
	else
		keyring_free(made);
	return err;
}

enum err slots_rotate(struct slots *slots, const struct keyring *keyring,
		      const struct slots_signer *signer, struct keyring **renewed)
{
	struct slot_file *draft;
	enum err err = begin(slots, keyring, signer, &draft);

	return err == ERR_OK ? renew(slots, draft, keyring, signer, renewed) : err;
}

static enum err take_out(struct slot_file *draft, uint32_t id, uint32_t signer)
{
	struct slot_record *slot = slot_file_find(draft, id);
	uint32_t unlocking = 0;

	if (slot == NULL)
		return ERR_NOT_FOUND;
	for (uint32_t i = 0; i < draft->slot_count; i++)
		unlocking += draft->slots[i].id != id &&
			     (draft->slots[i].rights & SLOT_RIGHT_UNLOCK) != 0;
	if (id == signer || unlocking == 0)
		return ERR_DENIED;
	memmove(slot, slot + 1,
		(size_t)(&draft->slots[draft->slot_count] - (slot + 1)) * sizeof(*slot));
	draft->slot_count--;
	return ERR_OK;
}

enum err slots_remove(struct slots *slots, const struct keyring *keyring,
		      const struct slots_signer *signer, uint32_t id, struct keyring **renewed)
{
	struct slot_file *draft;
	enum err err = begin(slots, keyring, signer, &draft);

	if (err != ERR_OK)
		return err;
	if ((err = take_out(draft, id, signer->slot)) != ERR_OK) {
		free(draft);
		return err;
	}
	return renew(slots, draft, keyring, signer, renewed);
}

/* --- a new volume --------------------------------------------------------------------- */

static enum err append_all(struct slot_file *draft, const struct slots_new *news, size_t count,
			   const struct keyring *keyring, struct slots_signer **signer)
{
	struct slot_secrets *secrets = secmem_alloc(sizeof(*secrets));
	enum err err = secrets != NULL ? ERR_OK : ERR_NO_MEMORY;

	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		err = append(draft, &news[i], keyring, secrets);
		if (err == ERR_OK && i == 0)
			err = signer_new(&draft->slots[0], secrets, signer);
	}
	secmem_free(secrets);
	return err;
}

enum err slots_create(const uint8_t fs_id[FS_ID_LEN], const struct slots_new *news, size_t count,
		      struct slots **slots, struct keyring **keyring)
{
	struct slots *made = NULL;
	struct slot_file *draft = NULL;
	struct slots_signer *signer = NULL;
	struct keyring *keys = NULL;
	enum err err;

	if (count == 0 || count > SLOTS_MAX || news[0].rights != SLOT_RIGHTS_ALL)
		return ERR_INVALID;
	if ((err = renew_keyring(fs_id, NULL, &keys)) != ERR_OK)
		return err;
	made = calloc(1, sizeof(*made));
	draft = calloc(1, sizeof(*draft));
	if (made == NULL || draft == NULL) {
		free(draft);
		err = ERR_NO_MEMORY;
		goto out;
	}
	memcpy(draft->fs_id, fs_id, FS_ID_LEN);
	draft->next_id = 1;
	err = append_all(draft, news, count, keys, &signer);
	if (err == ERR_OK)
		err = slots_wrap(draft, keys);
	err = finish(made, draft, keys, signer, err);
out:
	slots_signer_free(signer);
	if (err != ERR_OK) {
		slots_free(made);
		keyring_free(keys);
		return err;
	}
	made->is_open = true;
	*slots = made;
	*keyring = keys;
	return ERR_OK;
}
