/*
 * A file's content and what it is known by: the sum of its blocks' digests, so
 * that a change costs what it touches and not the whole file.  A block of zeroes
 * adds nothing, so a hole, and what lies behind the end, need not be looked at.
 */
#include "crash_model_private.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS (MODEL_SIZE_MAX / CONTENT_BLOCK)

static const uint8_t zeroes[CONTENT_BLOCK];

static struct model_content_sum digest_block(uint64_t index, const uint8_t *data)
{
	const struct hash_part parts[] = {{&index, sizeof(index)}, {data, CONTENT_BLOCK}};
	struct model_content_sum sum = {{0}};

	if (memcmp(data, zeroes, CONTENT_BLOCK) != 0)
		sha256(parts, 2, (uint8_t *)sum.words);
	return sum;
}

static void add(struct model_content_sum *sum, const struct model_content_sum *block)
{
	for (size_t i = 0; i < CONTENT_SUM_WORDS; i++)
		sum->words[i] += block->words[i];
}

static void take_away(struct model_content_sum *sum, const struct model_content_sum *block)
{
	for (size_t i = 0; i < CONTENT_SUM_WORDS; i++)
		sum->words[i] -= block->words[i];
}

static void finish(const struct model_content_sum *sum, uint64_t size, uint8_t digest[SHA256_LEN])
{
	const struct hash_part parts[] = {{&size, sizeof(size)}, {sum, sizeof(*sum)}};

	sha256(parts, 2, digest);
}

/* Bytes from ... to - 1 are others now. */
static void changed(struct model_content *content, uint64_t from, uint64_t to)
{
	for (uint64_t i = from / CONTENT_BLOCK; i * CONTENT_BLOCK < to; i++) {
		take_away(&content->sum, &content->blocks[i]);
		content->blocks[i] = digest_block(i, content->bytes + i * CONTENT_BLOCK);
		add(&content->sum, &content->blocks[i]);
	}
}

void model_content_init(struct model_content *content)
{
	content->bytes = calloc(1, MODEL_SIZE_MAX);
	content->blocks = calloc(BLOCKS, sizeof(*content->blocks));
	if (content->bytes == NULL || content->blocks == NULL)
		abort();
}

void model_content_destroy(struct model_content *content)
{
	free(content->bytes);
	free(content->blocks);
}

void model_content_put(struct model_content *content, uint64_t offset, const void *data, size_t len)
{
	memcpy(content->bytes + offset, data, len);
	changed(content, offset, offset + len);
	if (offset + len > content->size)
		content->size = offset + len;
}

void model_content_resize(struct model_content *content, uint64_t size)
{
	if (size < content->size) {
		memset(content->bytes + size, 0, (size_t)(content->size - size));
		changed(content, size, content->size);
	}
	content->size = size;
}

void model_content_digest(const struct model_content *content, uint8_t digest[SHA256_LEN])
{
	finish(&content->sum, content->size, digest);
}

void model_content_digest_bytes(const void *bytes, size_t size, uint8_t digest[SHA256_LEN])
{
	struct model_content_sum sum = {{0}}, block;
	uint8_t last[CONTENT_BLOCK] = {0};
	const uint8_t *data = bytes;
	uint64_t whole = size / CONTENT_BLOCK;

	for (uint64_t i = 0; i < whole; i++) {
		block = digest_block(i, data + i * CONTENT_BLOCK);
		add(&sum, &block);
	}
	memcpy(last, data + whole * CONTENT_BLOCK, size % CONTENT_BLOCK);
	block = digest_block(whole, last);
	add(&sum, &block);
	finish(&sum, size, digest);
}
