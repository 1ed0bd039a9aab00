#include "audit/auditor_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/base64.h"
#include "base/io.h"
#include "base/secmem.h"
#include "crypto/passphrase_kdf.h"
#include "crypto/random.h"

/*
 * Text files; lines that begin with '#' are comments.
 *
 *	phifs-auditor-1 PUBLIC
 *	phifs-auditor-secret-1 plain SECRET
 *	phifs-auditor-secret-1 argon2id OPS MIB SALT NONCE+SECRET+TAG
 *
 * All binary values are base64.  The additional data of the encryption is the
 * line up to and including the salt.
 */
#define KEY_FILE_MAX   4096
#define PUBLIC_WORD    "phifs-auditor-1 "
#define PLAIN_WORDS    "phifs-auditor-secret-1 plain "
#define ARGON_WORDS    "phifs-auditor-secret-1 argon2id "
#define ARGON_OPS      3u
#define ARGON_MIB      256u
#define SEALED_LEN     (AEAD_NONCE_LEN + BOX_SECRET_LEN + AEAD_TAG_LEN)
#define KEY_LINE_MAX   512

void auditor_fingerprint(const uint8_t public_key[BOX_PUBLIC_LEN], char text[FINGERPRINT_LEN])
{
	const struct hash_part part = {public_key, BOX_PUBLIC_LEN};
	uint8_t hash[SHA256_LEN];

	sha256(&part, 1, hash);
	fingerprint_text(hash, text);
}

/* The file with its first line that is no comment, cut at its newline. */
static enum err read_line(const char *path, uint8_t **data, size_t *len, char **line)
{
	enum err err = io_read_file(AT_FDCWD, path, KEY_FILE_MAX, data, len);
	char *text;

	if (err != ERR_OK)
		return err == ERR_TOO_LARGE ? ERR_FORMAT : err;
	text = (char *)*data;
	while (*text == '#' || *text == '\n') {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	text[strcspn(text, "\n")] = '\0';
	*line = text;
	return ERR_OK;
}

static void free_line(uint8_t *data, size_t len)
{
	secmem_wipe(data, len);
	free(data);
}

enum err auditor_public_load(const char *path, uint8_t public_key[BOX_PUBLIC_LEN])
{
	uint8_t *data, key[BOX_PUBLIC_LEN];
	char *line;
	size_t len, key_len;
	enum err err = read_line(path, &data, &len, &line);

	if (err != ERR_OK)
		return err;
	/* A comment may follow the key. */
	line[strlen(PUBLIC_WORD) < strlen(line)
		     ? strlen(PUBLIC_WORD) + strcspn(line + strlen(PUBLIC_WORD), " ")
		     : strlen(line)] = '\0';
	if (strncmp(line, PUBLIC_WORD, strlen(PUBLIC_WORD)) != 0 ||
	    !base64_decode(line + strlen(PUBLIC_WORD), strlen(line) - strlen(PUBLIC_WORD), key,
			   sizeof(key), &key_len) ||
	    key_len != sizeof(key))
		err = ERR_FORMAT;
	else
		memcpy(public_key, key, sizeof(key));
	free_line(data, len);
	return err;
}

static enum err write_public(const char *path, const struct auditor_key *key)
{
	char name[PATH_MAX], text[256], fingerprint[FINGERPRINT_LEN];
	char encoded[BASE64_LEN(BOX_PUBLIC_LEN) + 1];

	if (snprintf(name, sizeof(name), "%s.pub", path) >= (int)sizeof(name))
		return ERR_NAME_LENGTH;
	auditor_fingerprint(key->public_key, fingerprint);
	base64_encode(key->public_key, BOX_PUBLIC_LEN, encoded);
	snprintf(text, sizeof(text),
		 "# phifs auditor, public key. Fingerprint %s\n" PUBLIC_WORD "%s\n", fingerprint,
		 encoded);
	return io_create_file(AT_FDCWD, name, text, strlen(text), 0644);
}

/* The passphrase's key, in secret memory. */
static enum err stretch(const char *passphrase, size_t len, const uint8_t *salt, uint32_t ops,
			uint32_t mib, uint8_t **key)
{
	enum err err;

	*key = secmem_alloc(AEAD_KEY_LEN);
	if (*key == NULL)
		return ERR_NO_MEMORY;
	err = passphrase_kdf(passphrase, len, salt, ops, (uint64_t)mib << 20, *key);
	if (err == ERR_OK)
		return ERR_OK;
	secmem_free(*key);
	*key = NULL;
	return err;
}

static enum err seal_secret(const struct auditor_key *key, const char *passphrase,
			    size_t passphrase_len, char *line, size_t size)
{
	uint8_t salt[PASSPHRASE_KDF_SALT_LEN], sealed[SEALED_LEN], *stretched = NULL;
	char salt_text[BASE64_LEN(sizeof(salt)) + 1], text[BASE64_LEN(SEALED_LEN) + 1];
	uint8_t *cipher = sealed + AEAD_NONCE_LEN;
	size_t ad_len;
	enum err err;

	random_bytes(salt, sizeof(salt));
	random_bytes(sealed, AEAD_NONCE_LEN);
	base64_encode(salt, sizeof(salt), salt_text);
	ad_len = (size_t)snprintf(line, size, ARGON_WORDS "%u %u %s", ARGON_OPS, ARGON_MIB,
				  salt_text);
	err = stretch(passphrase, passphrase_len, salt, ARGON_OPS, ARGON_MIB, &stretched);
	if (err == ERR_OK)
		err = aead_seal(aead_thread(), stretched, sealed, line, ad_len, key->secret,
				BOX_SECRET_LEN, cipher, cipher + BOX_SECRET_LEN);
	secmem_free(stretched);
	if (err != ERR_OK)
		return err;
	base64_encode(sealed, sizeof(sealed), text);
	snprintf(line + ad_len, size - ad_len, " %s", text);
	return ERR_OK;
}

static enum err write_secret(const char *path, const struct auditor_key *key,
			     const char *passphrase, size_t passphrase_len)
{
	static const char head[] = "# phifs auditor, secret key. Keep it off the server.\n";
	char *text = secmem_alloc(sizeof(head) + KEY_LINE_MAX);
	char *line;
	enum err err = ERR_OK;

	if (text == NULL)
		return ERR_NO_MEMORY;
	strcpy(text, head);
	line = text + strlen(head);
	if (passphrase != NULL) {
		err = seal_secret(key, passphrase, passphrase_len, line, KEY_LINE_MAX - 1);
	} else {
		strcpy(line, PLAIN_WORDS);
		base64_encode(key->secret, BOX_SECRET_LEN, line + strlen(line));
	}
	strcat(line, "\n");
	if (err == ERR_OK)
		err = io_create_file(AT_FDCWD, path, text, strlen(text), 0600);
	secmem_free(text);
	return err;
}

enum err auditor_key_create(const char *path, const char *passphrase, size_t passphrase_len,
			    char fingerprint[FINGERPRINT_LEN])
{
	struct auditor_key *key = secmem_alloc(sizeof(*key));
	enum err err;

	if (key == NULL)
		return ERR_NO_MEMORY;
	box_keypair(key->public_key, key->secret);
	err = write_secret(path, key, passphrase, passphrase_len);
	if (err == ERR_OK) {
		err = write_public(path, key);
		/* Half a pair is of no use to anyone. */
		if (err != ERR_OK)
			unlink(path);
	}
	if (err == ERR_OK)
		auditor_fingerprint(key->public_key, fingerprint);
	secmem_free(key);
	return err;
}

enum err auditor_key_needs_passphrase(const char *path, bool *needs)
{
	uint8_t *data;
	char *line;
	size_t len;
	enum err err = read_line(path, &data, &len, &line);

	if (err != ERR_OK)
		return err;
	if (strncmp(line, ARGON_WORDS, strlen(ARGON_WORDS)) == 0)
		*needs = true;
	else if (strncmp(line, PLAIN_WORDS, strlen(PLAIN_WORDS)) == 0)
		*needs = false;
	else
		err = ERR_FORMAT;
	free_line(data, len);
	return err;
}

static enum err open_secret(char *line, const char *passphrase, size_t passphrase_len,
			    uint8_t secret[BOX_SECRET_LEN])
{
	uint8_t salt[PASSPHRASE_KDF_SALT_LEN], sealed[SEALED_LEN], *stretched = NULL;
	const uint8_t *cipher = sealed + AEAD_NONCE_LEN;
	char salt_text[64], text[128];
	unsigned int ops, mib;
	size_t salt_len, sealed_len, ad_len;
	enum err err;

	if (sscanf(line, ARGON_WORDS "%2u %4u %63s %127s", &ops, &mib, salt_text, text) != 4 ||
	    !base64_decode(salt_text, strlen(salt_text), salt, sizeof(salt), &salt_len) ||
	    !base64_decode(text, strlen(text), sealed, sizeof(sealed), &sealed_len) ||
	    salt_len != sizeof(salt) || sealed_len != sizeof(sealed))
		return ERR_FORMAT;
	if (passphrase == NULL)
		return ERR_PASSPHRASE;
	ad_len = (size_t)(strrchr(line, ' ') - line);
	err = stretch(passphrase, passphrase_len, salt, ops, mib, &stretched);
	if (err == ERR_OK) {
		err = aead_open(aead_thread(), stretched, sealed, line, ad_len, cipher,
				BOX_SECRET_LEN, cipher + BOX_SECRET_LEN, secret);
		err = err == ERR_TAMPERED ? ERR_PASSPHRASE : err;
	}
	secmem_free(stretched);
	return err == ERR_INVALID ? ERR_FORMAT : err;
}

enum err auditor_key_load(const char *path, const char *passphrase, size_t passphrase_len,
			  struct auditor_key **out)
{
	struct auditor_key *key = secmem_alloc(sizeof(*key));
	uint8_t *data = NULL;
	char *line;
	size_t len = 0, secret_len = 0;
	enum err err;

	if (key == NULL)
		return ERR_NO_MEMORY;
	err = read_line(path, &data, &len, &line);
	if (err == ERR_OK && strncmp(line, PLAIN_WORDS, strlen(PLAIN_WORDS)) == 0) {
		line += strlen(PLAIN_WORDS);
		if (!base64_decode(line, strlen(line), key->secret, BOX_SECRET_LEN, &secret_len) ||
		    secret_len != BOX_SECRET_LEN)
			err = ERR_FORMAT;
	} else if (err == ERR_OK) {
		err = open_secret(line, passphrase, passphrase_len, key->secret);
	}
	if (data != NULL)
		free_line(data, len);
	if (err != ERR_OK) {
		secmem_free(key);
		return err;
	}
	box_public_from_secret(key->secret, key->public_key);
	*out = key;
	return ERR_OK;
}
