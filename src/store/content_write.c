/*
 * Writing.  A write first claims its blocks (R5: nobody else changes them),
 * then prepares new extents without any lock - reading what it overwrites
 * partly, encrypting and writing in place what may stream - and at the end
 * makes everything visible at once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "crypto/nonce.h"
#include "store/break.h"
#include "store/content.h"
#include "store/node.h"
#include "store/scratch.h"

#define BATCH_MAX (WRITE_MAX / BLOCK_SIZE + 2)
#define RUNS_MAX  (BATCH_MAX / 2 + 1)

/* Blocks side by side that go in place; one piece of work for the crew. */
struct stream_run {
	uint32_t first, count;  /* of the batch */
	struct extent *extent;
	enum err err;
};

/* One write on its way. */
struct batch {
	struct store *store;
	struct content *content;
	uint64_t offset, end;      /* bytes */
	const uint8_t *data;
	uint64_t first;            /* block */
	uint32_t count;            /* blocks */
	bool rewrites_block0;      /* besides: the object may be inline now and not later */
	bool stream[BATCH_MAX];    /* goes in place at once */
	bool was_hole[BATCH_MAX];
	struct nonce_source nonces;
	int file;                  /* of the object, if something streams */
	struct stream_run runs[RUNS_MAX];
	uint32_t run_count;
	struct extent *extents[BATCH_MAX + 1];
	uint32_t extent_count;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The part of block `i` of the batch that the caller's data covers. */
static const uint8_t *source_of(const struct batch *batch, uint32_t i, uint32_t *from,
				uint32_t *len)
{
	uint64_t start = (batch->first + i) * BLOCK_SIZE;
	uint64_t low = larger(batch->offset, start);
	uint64_t high = batch->end < start + BLOCK_SIZE ? batch->end : start + BLOCK_SIZE;

	*from = (uint32_t)(low - start);
	*len = (uint32_t)(high - low);
	return batch->data + (low - batch->offset);
}

static bool is_whole(const struct batch *batch, uint32_t i)
{
	uint32_t from, len;

	(void)source_of(batch, i, &from, &len);
	return len == BLOCK_SIZE;
}

static enum err find_holes(struct batch *batch)
{
	struct content *content = batch->content;

	for (uint32_t i = 0; i < batch->count; i++) {
		struct block_state state;
		bool reloaded = false;
		enum err err;

		batch->was_hole[i] = true;
		if (batch->first + i >= content->high_block || STORE_BREAK(I1_IN_PLACE))
			continue;
		err = content_block(batch->store, content, batch->first + i, &state, &reloaded);
		if (err != ERR_OK)
			return err;
		batch->was_hole[i] = state.extent != NULL ? state.extent->kind == EXTENT_HOLE
							  : entry_is_hole(state.entry);
	}
	return ERR_OK;
}

/* Which blocks go in place at once: whole, never-durable ones of large writes or growing files. */
static enum err choose_streams(struct batch *batch)
{
	struct content *content = batch->content;
	uint64_t fresh = 0;

	for (uint32_t i = 0; i < batch->count; i++)
		fresh += is_whole(batch, i) && batch->was_hole[i] ? BLOCK_SIZE : 0;
	if (fresh < STREAM_REQUEST_MIN &&
	    content->fresh_bytes + fresh <= batch->store->stream_threshold)
		return ERR_OK;
	for (uint32_t i = 0; i < batch->count; i++) {
		enum err err;

		if (!is_whole(batch, i) || !batch->was_hole[i])
			continue;
		err = content_streamable(batch->store, content, batch->first + i,
					 &batch->stream[i]);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

/* A dirty extent of one block: old content where the data does not cover it. */
static enum err prepare_dirty(struct batch *batch, uint64_t block, const uint8_t *data,
			      uint32_t from, uint32_t len)
{
	struct extent *extent = extent_new_dirty(&batch->store->pages, block);
	enum err err = ERR_OK;

	if (extent == NULL)
		return ERR_NO_MEMORY;
	if (len < BLOCK_SIZE)
		err = content_read_block(batch->store, batch->content, block, extent->page);
	if (err != ERR_OK) {
		extent_put(extent);
		return err;
	}
	if (len > 0)
		memcpy(extent->page + from, data, len);
	batch->extents[batch->extent_count++] = extent;
	return ERR_OK;
}

static enum err seal_run(struct batch *batch, const struct stream_run *run, uint8_t *cipher)
{
	enum err err = ERR_OK;

	for (uint32_t k = 0; k < run->count && err == ERR_OK; k++) {
		uint8_t ad[BLOCK_AD_LEN];
		uint8_t *entry = run->extent->entries[k];
		uint32_t from, len;

		block_ad(batch->first + run->first + k, BLOCK_KIND_DATA, ad);
		/* I19 */
		if (!STORE_BREAK(I19_SAME_NONCE))
			nonce_next(&batch->nonces, entry);
		err = aead_seal(aead_thread(), batch->content->key, entry, ad, sizeof(ad),
				source_of(batch, run->first + k, &from, &len), BLOCK_SIZE,
				cipher + (size_t)k * BLOCK_SIZE, entry + AEAD_NONCE_LEN);
	}
	return err;
}

/* Encrypt a run and write it in place; on any thread. */
static void stream_run(void *ctx, unsigned int piece)
{
	struct batch *batch = ctx;
	struct stream_run *run = &batch->runs[piece];
	struct backing *disk = batch->store->ciphertext;
	uint64_t block = batch->first + run->first;
	uint8_t *cipher = scratch_cipher();

	run->extent = extent_new_stream(block, run->count);
	run->err = run->extent == NULL || cipher == NULL ? ERR_NO_MEMORY
							  : seal_run(batch, run, cipher);
	if (run->err == ERR_OK)
		run->err = disk->ops->pwrite(disk, batch->file, cipher,
					     (size_t)run->count * BLOCK_SIZE,
					     layout_page_of_block(block) * BLOCK_SIZE);
}

static enum err stream_runs(struct batch *batch)
{
	enum err err;

	if (batch->run_count == 0)
		return ERR_OK;
	err = nonce_source_init(&batch->nonces);
	if (err == ERR_OK)
		err = content_open_file(batch->store, batch->content, CONTENT_CREATE_NEW,
					&batch->file);
	if (err != ERR_OK)
		return err;
	crew_run(batch->store->crew, batch->run_count, stream_run, batch);
	for (uint32_t i = 0; i < batch->run_count; i++) {
		struct stream_run *run = &batch->runs[i];

		if (run->extent != NULL)
			batch->extents[batch->extent_count++] = run->extent;
		if (err == ERR_OK)
			err = run->err;
	}
	return err;
}

static uint32_t stream_run_length(const struct batch *batch, uint32_t i)
{
	uint32_t n = 1;

	while (i + n < batch->count && n < CHUNK_BLOCKS && batch->stream[i + n] &&
	       (batch->first + i + n) % TREE_FANOUT != 0)
		n++;
	return n;
}

static enum err prepare(struct batch *batch)
{
	enum err err = ERR_OK;

	if (batch->rewrites_block0)
		err = prepare_dirty(batch, 0, NULL, 0, 0);
	for (uint32_t i = 0; i < batch->count && err == ERR_OK;) {
		uint32_t n = 1, from, len;

		if (batch->stream[i]) {
			n = stream_run_length(batch, i);
			batch->runs[batch->run_count++] =
				(struct stream_run){.first = i, .count = n};
		} else {
			const uint8_t *data = source_of(batch, i, &from, &len);

			err = prepare_dirty(batch, batch->first + i, data, from, len);
		}
		i += n;
	}
	return err == ERR_OK ? stream_runs(batch) : err;
}

static void count_dirty(struct store *store, struct content *content)
{
	atomic_fetch_add(&store->pending_bytes, BLOCK_SIZE);
	content->load.dirty += BLOCK_COST;
}

static void note_unwritten(struct content *content, const struct extent *extent)
{
	uint64_t end = extent->first + extent->count;

	if (content->unwritten_end == 0 || extent->first < content->unwritten_first)
		content->unwritten_first = extent->first;
	content->unwritten_end = larger(content->unwritten_end, end);
	content->unwritten_count += extent->count;
}

/* Everything becomes visible; node->mutex held. */
static enum err publish(struct batch *batch)
{
	struct content *content = batch->content;
	struct node *node = content->node;
	bool streamed = false;
	enum err err = overlay_reserve(&content->live, batch->first, batch->count);

	if (err == ERR_OK && batch->rewrites_block0)
		err = overlay_reserve(&content->live, 0, 1);
	for (uint32_t i = 0; i < batch->extent_count && err == ERR_OK; i++) {
		struct extent *extent = batch->extents[i];

		err = overlay_set(&content->live, extent);
		if (extent->kind == EXTENT_STREAM) {
			streamed = true;
			note_unwritten(content, extent);
			content->load.streamed += STREAM_COST + extent->count * ENTRY_LEN;
		} else {
			count_dirty(batch->store, content);
		}
	}
	if (err != ERR_OK)
		return err;
	for (uint32_t i = 0; i < batch->count; i++) {
		node->attr.blocks += batch->was_hole[i];
		if (batch->was_hole[i] && !batch->stream[i])
			content->fresh_bytes += BLOCK_SIZE;
	}
	content->high_block = larger(content->high_block, batch->first + batch->count);
	node->attr.size = larger(node->attr.size, batch->end);
	node->attr.mtime = node->attr.ctime = clock_wall();
	node_changed(batch->store, node);
	if (streamed)
		content->streamed_op = node->op;
	return ERR_OK;
}

static void batch_clear(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->extent_count; i++)
		extent_put(batch->extents[i]);
}

/*
 * An object of at most INLINE_MAX bytes may lie inline in page 0.  Whenever
 * its size changes its first block is written anew, so that a transaction
 * always has the plaintext to put it where it then belongs.
 */
static bool must_rewrite_block0(const struct node *node, uint64_t new_size)
{
	return node->attr.size > 0 && node->attr.size <= INLINE_MAX && new_size != node->attr.size;
}

enum err content_write(struct store *store, struct content *content, uint64_t offset,
		       const void *data, size_t len, bool may_stream)
{
	struct node *node = content->node;
	struct batch batch = {.store = store, .content = content, .offset = offset,
			      .end = offset + len, .data = data, .first = offset / BLOCK_SIZE};
	struct range range;
	enum err err;

	if (len == 0)
		return ERR_OK;
	if (len > WRITE_MAX || offset > FILE_SIZE_MAX - len)
		return ERR_TOO_LARGE;
	batch.count = (uint32_t)((batch.end + BLOCK_SIZE - 1) / BLOCK_SIZE - batch.first);
	range = (struct range){batch.first, batch.first + batch.count, NULL};
	pthread_mutex_lock(&node->mutex);
	content_begin_range(store, content, &range);
	/* Only now is its size known for sure; if it is small, block 0 is claimed too. */
	while (node->attr.size <= INLINE_MAX && range.first > 0) {
		content_end_range(content, &range);
		range.first = 0;
		content_begin_range(store, content, &range);
	}
	batch.rewrites_block0 = batch.first > 0 &&
				must_rewrite_block0(node, larger(batch.end, node->attr.size));
	err = find_holes(&batch);
	if (err == ERR_OK && may_stream)
		err = choose_streams(&batch);
	pthread_mutex_unlock(&node->mutex);

	if (err == ERR_OK)
		err = prepare(&batch);

	pthread_mutex_lock(&node->mutex);
	if (err == ERR_OK)
		err = publish(&batch);
	content_end_range(content, &range);
	pthread_mutex_unlock(&node->mutex);
	store_announce_change(store);
	batch_clear(&batch);
	return err;
}

/* --- size ------------------------------------------------------------------------- */

/* The block that the new end cuts through, its tail zeroed; or block 0 rewritten. */
static enum err prepare_boundary(struct batch *batch, uint64_t size, bool shrinks)
{
	uint32_t tail = (uint32_t)(size % BLOCK_SIZE);
	uint64_t block = size / BLOCK_SIZE;
	enum err err = ERR_OK;

	if (batch->rewrites_block0) {
		err = prepare_dirty(batch, 0, NULL, 0, 0);
		if (err == ERR_OK && shrinks && block == 0)
			memset(batch->extents[0]->page + tail, 0, BLOCK_SIZE - tail);
		return err;
	}
	if (!shrinks || tail == 0 || batch->was_hole[0])
		return ERR_OK;
	err = prepare_dirty(batch, block, NULL, 0, 0);
	if (err == ERR_OK)
		memset(batch->extents[0]->page + tail, 0, BLOCK_SIZE - tail);
	return err;
}

/* node->mutex held. */
static enum err publish_size(struct batch *batch, uint64_t size)
{
	struct content *content = batch->content;
	struct node *node = content->node;
	enum err err = ERR_OK;

	if (size < node->attr.size) {
		/* I10: what lies behind the end is in no later transaction. */
		err = STORE_BREAK(I10_KEEP_DATA)
			      ? ERR_OK
			      : overlay_drop_from(&content->live, layout_blocks(size));
		if (err != ERR_OK)
			return err;
		if (size < content->shrink)
			content->shrink = size;
		if (node->attr.blocks > layout_blocks(size))
			node->attr.blocks = layout_blocks(size);
	}
	for (uint32_t i = 0; i < batch->extent_count && err == ERR_OK; i++) {
		err = overlay_set(&content->live, batch->extents[i]);
		/* R4: something is there from now on. */
		content->high_block = larger(content->high_block, batch->extents[i]->first + 1);
		count_dirty(batch->store, content);
	}
	if (err != ERR_OK)
		return err;
	node->attr.size = size;
	node->attr.mtime = node->attr.ctime = clock_wall();
	node_changed(batch->store, node);
	return ERR_OK;
}

enum err content_truncate(struct store *store, struct content *content, uint64_t size)
{
	struct node *node = content->node;
	struct batch batch = {.store = store, .content = content, .first = size / BLOCK_SIZE,
			      .count = 1};
	struct range everything = {0, UINT64_MAX, NULL};
	enum err err = ERR_OK;
	bool shrinks;

	if (size > FILE_SIZE_MAX)
		return ERR_TOO_LARGE;
	pthread_mutex_lock(&node->mutex);
	content_begin_range(store, content, &everything);
	shrinks = size < node->attr.size;
	batch.rewrites_block0 = size > 0 && must_rewrite_block0(node, size);
	if (shrinks)
		err = find_holes(&batch);
	pthread_mutex_unlock(&node->mutex);

	if (err == ERR_OK)
		err = prepare_boundary(&batch, size, shrinks);

	pthread_mutex_lock(&node->mutex);
	if (err == ERR_OK)
		err = publish_size(&batch, size);
	content_end_range(content, &everything);
	pthread_mutex_unlock(&node->mutex);
	store_announce_change(store);
	batch_clear(&batch);
	return err;
}

/* --- holes --------------------------------------------------------------------------- */

/* Put one hole over [first, end); node->mutex held. */
static enum err set_hole(struct store *store, struct content *content, uint64_t first,
			 uint64_t end)
{
	struct extent *hole = extent_new_hole(first, (uint32_t)(end - first));
	enum err err = hole == NULL ? ERR_NO_MEMORY : overlay_set(&content->live, hole);

	extent_put(hole);
	if (err == ERR_OK) {
		uint64_t count = end - first;
		struct object_attr *attr = &content->node->attr;

		attr->blocks -= count < attr->blocks ? count : attr->blocks;
		content->load.streamed += STREAM_COST + count * ENTRY_LEN;
		node_changed(store, content->node);
	}
	return err;
}

/* Whole blocks [first, end) that are not holes yet become holes; node->mutex held. */
static enum err punch_blocks(struct store *store, struct content *content, uint64_t first,
			     uint64_t end)
{
	uint64_t start = first;
	bool in_run = false;
	enum err err = ERR_OK;

	for (uint64_t block = first; block < end && err == ERR_OK; block++) {
		struct block_state state;
		bool reloaded = false, is_hole;
		uint64_t next;

		err = in_run ? ERR_OK : content_skip_holes(store, content, block, &next);
		if (err == ERR_OK && !in_run && next > block) {
			block = next - 1;
			continue;
		}
		if (err == ERR_OK)
			err = content_block(store, content, block, &state, &reloaded);
		if (err != ERR_OK)
			break;
		is_hole = state.extent != NULL ? state.extent->kind == EXTENT_HOLE
					       : entry_is_hole(state.entry);
		if (!is_hole && !in_run) {
			start = block;
			in_run = true;
		}
		if (in_run && (is_hole || block + 1 == end)) {
			err = set_hole(store, content, start, is_hole ? block : block + 1);
			in_run = false;
		}
	}
	return err;
}

static enum err punch_whole(struct store *store, struct content *content, uint64_t first,
			    uint64_t end)
{
	struct node *node = content->node;
	struct range range = {first, end, NULL};
	enum err err;

	pthread_mutex_lock(&node->mutex);
	content_begin_range(store, content, &range);
	err = punch_blocks(store, content, first, end);
	if (err == ERR_OK) {
		node->attr.mtime = node->attr.ctime = clock_wall();
		/* Also if all of it was a hole: what the header says is compared with this. */
		node_changed(store, node);
	}
	content_end_range(content, &range);
	pthread_mutex_unlock(&node->mutex);
	store_announce_change(store);
	return err;
}

static enum err write_zeroes(struct store *store, struct content *content, uint64_t offset,
			     uint64_t end)
{
	static const uint8_t zeroes[BLOCK_SIZE];
	enum err err = ERR_OK;

	while (offset < end && err == ERR_OK) {
		size_t len = end - offset < BLOCK_SIZE ? (size_t)(end - offset) : BLOCK_SIZE;

		err = content_write(store, content, offset, zeroes, len, false);
		offset += len;
	}
	return err;
}

enum err content_punch(struct store *store, struct content *content, uint64_t offset, uint64_t len)
{
	struct node *node = content->node;
	uint64_t size, end, first, last;
	enum err err;

	pthread_mutex_lock(&node->mutex);
	size = node->attr.size;
	pthread_mutex_unlock(&node->mutex);
	if (offset >= size)
		return ERR_OK;
	end = len > size - offset ? size : offset + len;
	first = (offset + BLOCK_SIZE - 1) / BLOCK_SIZE;
	/* The block that the end of the file cuts through is zero behind it: whole. */
	last = end == size ? layout_blocks(end) : end / BLOCK_SIZE;
	if (size <= INLINE_MAX || first >= last)
		return write_zeroes(store, content, offset, end);
	err = write_zeroes(store, content, offset, first * BLOCK_SIZE);
	if (err == ERR_OK)
		err = punch_whole(store, content, first, last);
	if (err == ERR_OK && last * BLOCK_SIZE < end)
		err = write_zeroes(store, content, last * BLOCK_SIZE, end);
	return err;
}
