#include "audit/pseudonym.h"

#include <string.h>

void pseudonym(const uint8_t key[AUDIT_KEY_LEN], enum pseudonym_kind kind, const void *data,
	       size_t len, pseudonym_text text)
{
	const uint8_t domain = (uint8_t)kind;
	const struct hash_part parts[] = {{&domain, 1}, {data, len}};
	uint8_t hash[16];

	keyed_hash(key, AUDIT_KEY_LEN, parts, 2, hash, sizeof(hash));
	base32_encode_10(hash, text);
}

const char *path_component(const char *path, int index, size_t *len)
{
	for (;;) {
		path += strspn(path, "/");
		*len = strcspn(path, "/");
		if (*len == 0)
			return NULL;
		if (--index == 0)
			return path;
		path += *len;
	}
}
