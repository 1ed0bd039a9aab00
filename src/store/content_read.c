#include <stdlib.h>
#include <string.h>

#include "base/crew.h"
#include "base/secmem.h"
#include "crypto/aead.h"
#include "store/break.h"
#include "store/content.h"
#include "store/scratch.h"

/* What one block of a read needs from the backing. */
enum source { SOURCE_DONE, SOURCE_DISK, SOURCE_INLINE };

/* Blocks side by side on the backing; one piece of work for the crew. */
struct read_run {
	uint32_t first, count; /* of the plan */
	uint64_t bad;          /* the block, if err is not ERR_OK */
	enum err err;
};

struct plan {
	struct store *store;
	struct content *content;
	uint64_t first;      /* block */
	uint32_t count;
	uint64_t offset;     /* of the whole request */
	uint8_t *data;
	size_t len;
	uint64_t apply_count;
	uint8_t source[WRITE_MAX / BLOCK_SIZE + 2];
	uint8_t entries[WRITE_MAX / BLOCK_SIZE + 2][ENTRY_LEN];
	uint8_t body[NODE_BODY_LEN]; /* SOURCE_INLINE */
	uint32_t inline_len;
	struct read_run runs[WRITE_MAX / BLOCK_SIZE + 2];
	uint32_t run_count;
};

/* The part of block `i` of the plan that the request wants. */
static uint8_t *wanted(const struct plan *plan, uint32_t i, uint32_t *from, uint32_t *len)
{
	uint64_t start = (plan->first + i) * BLOCK_SIZE;
	uint64_t low = plan->offset > start ? plan->offset : start;
	uint64_t end = plan->offset + plan->len;
	uint64_t high = end < start + BLOCK_SIZE ? end : start + BLOCK_SIZE;

	*from = (uint32_t)(low - start);
	*len = (uint32_t)(high - low);
	return plan->data + (low - plan->offset);
}

static void give(const struct plan *plan, uint32_t i, const uint8_t block[BLOCK_SIZE])
{
	uint32_t from, len;
	uint8_t *out = wanted(plan, i, &from, &len);

	if (block != NULL)
		memcpy(out, block + from, len);
	else
		memset(out, 0, len);
}

/* Decide about every block; what is in memory is copied.  node->mutex held. */
static enum err make_plan(struct store *store, struct content *content, struct plan *plan)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		struct block_state state;
		bool reloaded = false;
		enum err err = content_block(store, content, plan->first + i, &state, &reloaded);

		if (err != ERR_OK)
			return err;
		if (reloaded) {
			/* The lock was released: earlier decisions may be stale. */
			i = UINT32_MAX;
			continue;
		}
		plan->source[i] = SOURCE_DONE;
		if (state.extent != NULL && state.extent->kind == EXTENT_DIRTY)
			give(plan, i, state.extent->page);
		else if (state.extent != NULL && state.extent->kind == EXTENT_HOLE)
			give(plan, i, NULL);
		/* I20 */
		else if (state.extent == NULL && entry_is_hole(state.entry) &&
			 !STORE_BREAK(I20_HOLE))
			give(plan, i, NULL);
		else {
			bool from_tree = state.extent == NULL;
			const uint8_t *entry = from_tree ? state.entry
					       : extent_entry(state.extent, plan->first + i);

			plan->source[i] = from_tree && content->is_inline ? SOURCE_INLINE
									  : SOURCE_DISK;
			memcpy(plan->entries[i], entry, ENTRY_LEN);
		}
		if (plan->source[i] == SOURCE_INLINE) {
			memcpy(plan->body, tree_find(&content->tree, 1, 0)->body, NODE_BODY_LEN);
			plan->inline_len = (uint32_t)content->tree_size;
		}
	}
	plan->apply_count = content->apply_count;
	return ERR_OK;
}

static enum err open_inline(const struct content *content, const struct plan *plan, uint32_t i)
{
	uint8_t *block = scratch_plain();
	uint8_t ad[BLOCK_AD_LEN];
	const uint8_t *entry = plan->body;
	enum err err;

	if (block == NULL)
		return ERR_NO_MEMORY;
	if (plan->inline_len > INLINE_MAX)
		return ERR_TAMPERED;
	memset(block, 0, BLOCK_SIZE);
	block_ad(0, BLOCK_KIND_INLINE, ad);
	err = aead_open(aead_thread(), content->key, entry, ad, sizeof(ad), entry + ENTRY_LEN,
			plan->inline_len, entry + AEAD_NONCE_LEN, block);
	if (err == ERR_OK)
		give(plan, i, block);
	secmem_wipe(block, BLOCK_SIZE);
	return err;
}

static enum err open_block(const struct content *content, const struct plan *plan, uint32_t i,
			   const uint8_t *cipher)
{
	const uint8_t *entry = plan->entries[i];
	uint8_t ad[BLOCK_AD_LEN];
	uint32_t from, len;
	uint8_t *out = wanted(plan, i, &from, &len);
	uint8_t *block = out;
	enum err err;

	block_ad(plan->first + i, BLOCK_KIND_DATA, ad);
	if (len < BLOCK_SIZE) {
		block = scratch_plain();
		if (block == NULL)
			return ERR_NO_MEMORY;
	}
	err = aead_open(aead_thread(), content->key, entry, ad, sizeof(ad), cipher, BLOCK_SIZE,
			entry + AEAD_NONCE_LEN, block);
	if (err != ERR_OK && STORE_BREAK(I16_BLOCK))
		err = ERR_OK;
	if (block != out) {
		if (err == ERR_OK)
			memcpy(out, block + from, len);
		secmem_wipe(block, BLOCK_SIZE);
	}
	return err;
}

/* Blocks from `i` on that lie side by side on the backing and are read in one go. */
static uint32_t run_length(const struct plan *plan, uint32_t i)
{
	uint32_t n = 1;

	while (i + n < plan->count && n < CHUNK_BLOCKS && plan->source[i + n] == SOURCE_DISK &&
	       (plan->first + i + n) % TREE_FANOUT != 0)
		n++;
	return n;
}

static enum err fetch_run(struct plan *plan, const struct read_run *run, uint8_t *cipher)
{
	struct backing *disk = plan->store->ciphertext;
	int file;
	enum err err = content_open_file(plan->store, plan->content, CONTENT_EXISTING, &file);

	if (err == ERR_OK)
		err = disk->ops->pread(disk, file, cipher, (size_t)run->count * BLOCK_SIZE,
				       layout_page_of_block(plan->first + run->first) * BLOCK_SIZE);
	return err == ERR_NOT_FOUND ? ERR_DELETED : err;
}

/* Read a run and decrypt it to where it is wanted; on any thread. */
static void read_run(void *ctx, unsigned int piece)
{
	struct plan *plan = ctx;
	struct read_run *run = &plan->runs[piece];
	uint8_t *cipher = scratch_cipher();

	run->bad = 0;
	run->err = cipher == NULL ? ERR_NO_MEMORY : fetch_run(plan, run, cipher);
	for (uint32_t k = 0; k < run->count && run->err == ERR_OK; k++) {
		run->bad = plan->first + run->first + k;
		run->err = open_block(plan->content, plan, run->first + k,
				      cipher + (size_t)k * BLOCK_SIZE);
	}
}

/* The first error, and where it is. */
static enum err read_runs(struct plan *plan, uint64_t *bad)
{
	crew_run(plan->store->crew, plan->run_count, read_run, plan);
	for (uint32_t i = 0; i < plan->run_count; i++) {
		*bad = plan->runs[i].bad;
		if (plan->runs[i].err != ERR_OK)
			return plan->runs[i].err;
	}
	return ERR_OK;
}

static enum err follow_plan(struct plan *plan, uint64_t *bad)
{
	enum err err = ERR_OK;

	plan->run_count = 0;
	for (uint32_t i = 0; i < plan->count && err == ERR_OK;) {
		uint32_t n = 1;

		if (plan->source[i] == SOURCE_INLINE) {
			*bad = 0;
			err = open_inline(plan->content, plan, i);
		} else if (plan->source[i] == SOURCE_DISK) {
			n = run_length(plan, i);
			plan->runs[plan->run_count++] = (struct read_run){.first = i, .count = n};
		}
		i += n;
	}
	return err == ERR_OK ? read_runs(plan, bad) : err;
}

/*
 * A block that does not verify is damage only if no apply ran since its entry
 * was looked up: else the applier has put a newer block in its place.
 */
static bool must_retry(struct store *store, struct content *content, uint64_t apply_count,
		       enum err *err)
{
	struct node *node = content->node;
	uint64_t seen = store_change_count(store);
	uint64_t now;
	bool is_stuck;

	pthread_mutex_lock(&node->mutex);
	now = content->apply_count;
	is_stuck = content_is_stuck(store, content);
	pthread_mutex_unlock(&node->mutex);
	if (is_stuck) {
		*err = ERR_FROZEN;
		return false;
	}
	if (now == apply_count && now % 2 == 0)
		return false;
	if (now % 2 != 0)
		store_wait_change(store, seen);
	return true;
}

static enum err read_piece(struct store *store, struct content *content, struct plan *plan)
{
	enum err err;
	uint64_t bad = 0;

	do {
		pthread_mutex_lock(&content->node->mutex);
		err = make_plan(store, content, plan);
		pthread_mutex_unlock(&content->node->mutex);
		if (err != ERR_OK)
			return err;
		err = follow_plan(plan, &bad);
	} while (err == ERR_TAMPERED && must_retry(store, content, plan->apply_count, &err));
	if (err == ERR_TAMPERED || err == ERR_DELETED)
		store_report(store, content->node, err, bad);
	return err;
}

enum err content_read(struct store *store, struct content *content, uint64_t offset, void *data,
		      size_t len)
{
	struct plan *plan = scratch_plan(sizeof(*plan));
	uint8_t *out = data;
	enum err err = plan == NULL ? ERR_NO_MEMORY : ERR_OK;

	while (len > 0 && err == ERR_OK) {
		size_t piece = len < WRITE_MAX ? len : WRITE_MAX;

		plan->store = store;
		plan->content = content;
		plan->first = offset / BLOCK_SIZE;
		plan->count = (uint32_t)((offset + piece + BLOCK_SIZE - 1) / BLOCK_SIZE - plan->first);
		plan->offset = offset;
		plan->data = out;
		plan->len = piece;
		err = read_piece(store, content, plan);
		offset += piece;
		out += piece;
		len -= piece;
	}
	return err;
}

enum err content_read_block(struct store *store, struct content *content, uint64_t block,
			    uint8_t data[BLOCK_SIZE])
{
	return content_read(store, content, block * BLOCK_SIZE, data, BLOCK_SIZE);
}
