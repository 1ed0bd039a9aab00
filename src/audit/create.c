#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/auditor_key.h"
#include "audit/identity.h"
#include "audit/state.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secmem.h"
#include "crypto/random.h"
#include "crypto/sign.h"

static enum err load_auditors(struct identity *identity, const char *const *files, size_t count)
{
	if (count == 0 || count > AUDITORS_MAX) {
		log_error("a journal has 1 to %d auditors, not %zu", AUDITORS_MAX, count);
		return ERR_INVALID;
	}
	for (size_t i = 0; i < count; i++) {
		enum err err = auditor_public_load(files[i], identity->auditors[i]);

		if (err != ERR_OK) {
			log_error("%s: %s", files[i],
				  err == ERR_FORMAT ? "not an auditor's public key" : err_text(err));
			log_hint("make a key pair, on another machine: phifs-audit keygen --output "
				 "FILE");
			return err;
		}
		for (size_t j = 0; j < i; j++) {
			if (memcmp(identity->auditors[i], identity->auditors[j], BOX_PUBLIC_LEN))
				continue;
			log_error("%s: the same auditor twice", files[i]);
			return ERR_INVALID;
		}
	}
	identity->auditor_count = (uint16_t)count;
	return ERR_OK;
}

static enum err make_files(int dir_fd, struct identity *identity, struct audit_state *state)
{
	enum err err;

	sign_keypair(state->current.public_key, state->current.secret);
	sign_keypair(state->next.public_key, state->next.secret);
	random_bytes(identity->journal_id, AUDIT_ID_LEN);
	identity->created_ns = clock_wall_ns();
	memcpy(identity->genesis, state->current.public_key, SIGN_PUBLIC_LEN);
	err = identity_create(dir_fd, identity, state->current.secret);
	if (err != ERR_OK)
		return err;
	memcpy(state->journal_id, identity->journal_id, AUDIT_ID_LEN);
	random_bytes(state->pseudonym_key, AUDIT_KEY_LEN);
	memcpy(state->sealed.chain.hash, identity->hash, SHA256_LEN);
	state->is_clean = true;
	err = state_create(dir_fd, state);
	return err == ERR_OK ? io_fsync(dir_fd) : err;
}

static enum err open_directory(const char *directory, int *dir_fd)
{
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return err_from_errno(errno);
	*dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *dir_fd < 0 ? err_from_errno(errno) : ERR_OK;
}

enum err audit_create(const char *directory, const char *const *auditor_key_files, size_t count,
		      char *fingerprint, size_t fingerprint_size)
{
	struct identity identity = {.auditor_count = 0};
	struct audit_state *state = secmem_alloc(sizeof(*state));
	char text[FINGERPRINT_LEN];
	int dir_fd = -1;
	enum err err;

	if (state == NULL)
		return ERR_NO_MEMORY;
	err = load_auditors(&identity, auditor_key_files, count);
	if (err == ERR_OK)
		err = open_directory(directory, &dir_fd);
	if (err == ERR_OK)
		err = make_files(dir_fd, &identity, state);
	if (err == ERR_OK) {
		fingerprint_text(identity.hash, text);
		snprintf(fingerprint, fingerprint_size, "%s", text);
	}
	if (dir_fd >= 0)
		close(dir_fd);
	secmem_free(state);
	return err;
}
