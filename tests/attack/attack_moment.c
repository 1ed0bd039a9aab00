/* Moments of a volume, images of them, and what lies where. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/journal.h"
#include "temp_dir.h"

#define LEDGER_FILE_MAX (4u << 20)
#define SHARDS          256u

/* --- objects ------------------------------------------------------------------------- */

static void add_page(struct target *target, struct page page)
{
	target->pages = realloc(target->pages, (target->page_count + 1) * sizeof(page));
	if (target->pages == NULL)
		abort();
	target->pages[target->page_count++] = page;
}

/* The tree page and all that it leads to. */
static void add_tree(struct backing *disk, struct target *target, int level, uint64_t index)
{
	uint8_t bytes[BLOCK_SIZE];
	uint64_t at = layout_page_of_node(level, index);

	peek(disk, target->path, bytes, sizeof(bytes), at * BLOCK_SIZE);
	add_page(target, (struct page){at, at == 0 ? PAGE_ZERO : PAGE_TREE, level, index});
	for (unsigned int i = 0; i < TREE_FANOUT; i++) {
		const uint8_t *entry = bytes + NODE_HEADER_LEN + i * ENTRY_LEN;
		static const uint8_t hole[ENTRY_LEN];
		uint64_t child = index * TREE_FANOUT + i;

		if (memcmp(entry, hole, ENTRY_LEN) == 0)
			continue;
		if (level > 1)
			add_tree(disk, target, level - 1, child);
		else
			add_page(target, (struct page){layout_page_of_block(child), PAGE_DATA, 0,
						       child});
	}
}

static bool open_header(const struct moment *moment, struct target *target)
{
	uint8_t bytes[OBJECT_HEADER_LEN], key[OBJECT_KEY_LEN];

	peek(moment->ciphertext, target->path, bytes, sizeof(bytes), 0);
	return object_header_peek(bytes, &target->header) == ERR_OK &&
	       keyring_object_key(moment->keyring, target->header.epoch, target->id.bytes, key) ==
		       ERR_OK &&
	       object_header_open(bytes, key, &target->header) == ERR_OK;
}

struct listing {
	struct moment *moment;
	char names[64][OBJECT_PATH_LEN];
	size_t count;
};

static void note_name(void *ctx, const char *name)
{
	struct listing *listing = ctx;

	if (listing->count < 64)
		snprintf(listing->names[listing->count++], OBJECT_PATH_LEN, "%s", name);
}

static void add_target(struct moment *moment, const char *name)
{
	struct target target = {.number = 0};

	if (!hex_decode(name, target.id.bytes, sizeof(target.id.bytes)))
		return;
	target.number = object_id_number(&target.id);
	object_path(&target.id, target.path);
	if (!open_header(moment, &target))
		return;
	if (target.header.is_inline)
		add_page(&target, (struct page){0, PAGE_ZERO, 1, 0});
	else
		add_tree(moment->ciphertext, &target, layout_levels(target.header.attr.size), 0);
	moment->targets = realloc(moment->targets, (moment->target_count + 1) * sizeof(target));
	if (moment->targets == NULL)
		abort();
	moment->targets[moment->target_count++] = target;
}

static void add_targets(struct moment *moment)
{
	for (unsigned int shard = 0; shard < SHARDS; shard++) {
		struct listing listing = {.moment = moment};
		char path[OBJECT_PATH_LEN];

		snprintf(path, sizeof(path), "objects/%02x", shard);
		must(moment->ciphertext->ops->list(moment->ciphertext, path, note_name, &listing),
		     "listing a shard");
		for (size_t i = 0; i < listing.count; i++)
			add_target(moment, listing.names[i]);
	}
}

const struct target *moment_find(const struct moment *moment, uint64_t number)
{
	for (size_t i = 0; i < moment->target_count; i++)
		if (moment->targets[i].number == number)
			return &moment->targets[i];
	return NULL;
}

/* --- journal ------------------------------------------------------------------------------ */

static void add_txns(struct moment *moment)
{
	struct journal_scan *scan;
	struct journal_txn txn;
	uint64_t offset = 0;
	uint32_t half = moment->position.half;

	must(journal_scan_new(moment->ciphertext, moment->keyring, &moment->position, &scan),
	     "scanning the journal");
	while (journal_scan_next(scan, &txn) == ERR_OK) {
		if (journal_scan_half(scan) != half) {
			half = journal_scan_half(scan);
			offset = 0;
		}
		moment->txns = realloc(moment->txns,
				       (moment->txn_count + 1) * sizeof(*moment->txns));
		if (moment->txns == NULL)
			abort();
		moment->txns[moment->txn_count++] = (struct txn_place){
			JOURNAL_START + (uint64_t)half * JOURNAL_HALF_LEN + offset, txn.header};
		offset += journal_txn_len(&txn.header);
		free(txn.data);
	}
	journal_scan_free(scan);
}

/* --- ledger --------------------------------------------------------------------------------- */

static void read_ledger_file(struct moment *moment, const char *directory)
{
	FILE *file = fopen(temp_path(directory, "ledger.db"), "rb");

	moment->ledger = malloc(LEDGER_FILE_MAX);
	if (file == NULL || moment->ledger == NULL)
		abort();
	moment->ledger_len = fread(moment->ledger, 1, LEDGER_FILE_MAX, file);
	fclose(file);
}

static void read_position(struct moment *moment, const char *directory)
{
	struct ledger *ledger;
	uint8_t key[32];

	must(ledger_open(directory, true, &ledger), "opening the ledger");
	must(keyring_ledger_key(moment->keyring, key), "ledger key");
	must(ledger_set_key(ledger, key), "the ledger's position");
	must(ledger_position(ledger, &moment->position), "the ledger's position");
	ledger_close(ledger);
}

static void write_ledger(const struct moment *moment, const char *directory)
{
	FILE *file = fopen(temp_path(directory, "ledger.db"), "wb");

	if (file == NULL || fwrite(moment->ledger, 1, moment->ledger_len, file) != moment->ledger_len ||
	    fclose(file) != 0)
		abort();
}

/* --- life --------------------------------------------------------------------------------------- */

struct moment *moment_take(struct world *world, const char *name, const struct keyring *keyring,
			   uint64_t generation, uint64_t choice)
{
	struct moment *moment = calloc(1, sizeof(*moment));
	struct world image;

	if (moment == NULL)
		abort();
	world_image_now(world, choice, 1, &image);
	moment->name = name;
	moment->keyring = keyring;
	moment->generation = generation;
	moment->ciphertext = image.ciphertext;
	moment->state = image.state;
	read_ledger_file(moment, image.directory);
	read_position(moment, image.directory);
	temp_dir_free(image.directory);
	must(journal_read_anchor(moment->state, keyring, &moment->anchor), "the anchor");
	add_targets(moment);
	add_txns(moment);
	moment->is_clean = moment->txn_count == 0;
	return moment;
}

void moment_free(struct moment *moment)
{
	if (moment == NULL)
		return;
	for (size_t i = 0; i < moment->target_count; i++)
		free(moment->targets[i].pages);
	free(moment->targets);
	free(moment->txns);
	free(moment->ledger);
	truth_free(moment->truth);
	backing_free(moment->ciphertext);
	backing_free(moment->state);
	free(moment);
}

void moment_image(const struct moment *moment, struct world *image)
{
	memset(image, 0, sizeof(*image));
	image->directory = temp_dir_new();
	write_ledger(moment, image->directory);
	must(backing_sim_crash(moment->ciphertext, 1, &image->ciphertext), "copying a disk");
	must(backing_sim_crash(moment->state, 1, &image->state), "copying a disk");
}
