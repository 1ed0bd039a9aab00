/* Pieces in each other's places: within an object, between objects, between volumes. */
#include "attack.h"
#include "attack_kinds.h"

#include <stdlib.h>
#include <string.h>

/* Of `one`'s page and the other's; false: they are equal where it counts. */
static bool exchange(struct attack *attack, const struct target *one, const struct page *page,
		     const struct target *other, const struct page *other_page)
{
	struct backing *disk = attack->image.ciphertext;
	uint8_t a[BLOCK_SIZE], b[BLOCK_SIZE];

	peek(disk, one->path, a, BLOCK_SIZE, page->at * BLOCK_SIZE);
	peek(disk, other->path, b, BLOCK_SIZE, other_page->at * BLOCK_SIZE);
	if (memcmp(a + NODE_HEADER_LEN, b + NODE_HEADER_LEN, NODE_BODY_LEN) == 0)
		return false;
	poke(disk, one->path, b, BLOCK_SIZE, page->at * BLOCK_SIZE);
	poke(disk, other->path, a, BLOCK_SIZE, other_page->at * BLOCK_SIZE);
	return true;
}

bool swap_blocks_within(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *one = any_page(attack, target, PAGE_DATA);
	const struct page *other = any_page(attack, target, PAGE_DATA);

	if (one == NULL || one == other || !exchange(attack, target, one, target, other))
		return false;
	describe(attack, "blocks %llu and %llu of %s", (unsigned long long)one->index,
		 (unsigned long long)other->index, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

static void entry_place(const struct page *data, uint64_t *at)
{
	*at = layout_page_of_node(1, data->index / TREE_FANOUT) * BLOCK_SIZE + NODE_HEADER_LEN +
	      data->index % TREE_FANOUT * ENTRY_LEN;
}

/* The blocks and their entries: each tag is right, its place is not. */
static bool exchange_entries(struct attack *attack, const struct target *one,
			     const struct page *page, const struct target *other,
			     const struct page *other_page)
{
	struct backing *disk = attack->image.ciphertext;
	uint8_t a[ENTRY_LEN], b[ENTRY_LEN];
	uint64_t at, other_at;

	if (!exchange(attack, one, page, other, other_page))
		return false;
	entry_place(page, &at);
	entry_place(other_page, &other_at);
	peek(disk, one->path, a, ENTRY_LEN, at);
	peek(disk, other->path, b, ENTRY_LEN, other_at);
	poke(disk, one->path, b, ENTRY_LEN, at);
	poke(disk, other->path, a, ENTRY_LEN, other_at);
	return true;
}

bool swap_blocks_and_entries(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *one = any_page(attack, target, PAGE_DATA);
	const struct page *other = any_page(attack, target, PAGE_DATA);

	if (one == NULL || one == other || !exchange_entries(attack, target, one, target, other))
		return false;
	describe(attack, "blocks %llu and %llu of %s with their entries",
		 (unsigned long long)one->index, (unsigned long long)other->index, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* Two objects that have such pages. */
static bool two_pages(struct attack *attack, enum page_kind kind, const struct target *targets[2],
		      const struct page *pages[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		targets[i] = any_target(attack);
		pages[i] = any_page(attack, targets[i], kind);
		if (pages[i] == NULL)
			return false;
	}
	return targets[0] != targets[1];
}

static void expect_both(struct attack *attack, const struct target *const targets[2])
{
	expect(attack, NEED_SEEN, F_TAMPERED, targets[0]->number);
	expect(attack, NEED_SEEN, F_TAMPERED, targets[1]->number);
}

bool swap_blocks_between(struct attack *attack)
{
	const struct target *targets[2];
	const struct page *pages[2];
	bool with_entries = attack->turn % 2 == 0;

	if (!two_pages(attack, PAGE_DATA, targets, pages))
		return false;
	if (with_entries ? !exchange_entries(attack, targets[0], pages[0], targets[1], pages[1])
			 : !exchange(attack, targets[0], pages[0], targets[1], pages[1]))
		return false;
	describe(attack, "block %llu of %s and block %llu of %s%s",
		 (unsigned long long)pages[0]->index, targets[0]->path,
		 (unsigned long long)pages[1]->index, targets[1]->path,
		 with_entries ? " with their entries" : "");
	expect_both(attack, targets);
	return true;
}

bool swap_tree_pages(struct attack *attack)
{
	const struct target *targets[2];
	const struct page *pages[2];

	targets[0] = targets[1] = any_target(attack);
	if (attack->turn % 2 == 0) {
		pages[0] = any_page(attack, targets[0], PAGE_TREE);
		pages[1] = any_page(attack, targets[0], PAGE_TREE);
		if (pages[0] == NULL || pages[0] == pages[1])
			return false;
	} else if (!two_pages(attack, PAGE_TREE, targets, pages)) {
		return false;
	}
	if (!exchange(attack, targets[0], pages[0], targets[1], pages[1]))
		return false;
	describe(attack, "tree pages %llu of %s and %llu of %s", (unsigned long long)pages[0]->at,
		 targets[0]->path, (unsigned long long)pages[1]->at, targets[1]->path);
	expect(attack, NEED_SEEN, F_TAMPERED, targets[0]->number);
	if (targets[0] != targets[1])
		touch(attack, targets[1]->number);
	return true;
}

bool swap_first_pages(struct attack *attack)
{
	const struct target *targets[2] = {any_target(attack), any_target(attack)};
	uint8_t a[BLOCK_SIZE], b[BLOCK_SIZE];
	struct backing *disk = attack->image.ciphertext;
	uint64_t at = attack->turn % 3 == 0 ? OBJECT_HEADER_LEN : 0;
	size_t len = attack->turn % 3 == 1 ? OBJECT_HEADER_LEN : (size_t)(BLOCK_SIZE - at);

	/* Of a long file that begins with a hole nobody looks at leaf 0. */
	if (targets[0] == targets[1] ||
	    (at != 0 && (any_page(attack, targets[0], PAGE_ZERO) == NULL ||
			 any_page(attack, targets[1], PAGE_ZERO) == NULL)))
		return false;
	peek(disk, targets[0]->path, a, len, at);
	peek(disk, targets[1]->path, b, len, at);
	if (memcmp(a, b, len) == 0)
		return false;
	poke(disk, targets[0]->path, b, len, at);
	poke(disk, targets[1]->path, a, len, at);
	describe(attack, "%s of %s and %s", at != 0 ? "leaves 0" : len == BLOCK_SIZE ? "pages 0" : "headers",
		 targets[0]->path, targets[1]->path);
	expect_both(attack, targets);
	return true;
}

bool swap_objects(struct attack *attack)
{
	const struct target *targets[2] = {any_target(attack), any_target(attack)};

	if (targets[0] == targets[1] ||
	    !copy_file(attack->base->ciphertext, targets[1]->path, attack->image.ciphertext,
		       targets[0]->path) ||
	    !copy_file(attack->base->ciphertext, targets[0]->path, attack->image.ciphertext,
		       targets[1]->path))
		return false;
	describe(attack, "%s and %s", targets[0]->path, targets[1]->path);
	expect_both(attack, targets);
	return true;
}

/* One object twice. */
bool double_object(struct attack *attack)
{
	const struct target *targets[2] = {any_target(attack), any_target(attack)};

	if (targets[0] == targets[1] ||
	    !copy_file(attack->base->ciphertext, targets[1]->path, attack->image.ciphertext,
		       targets[0]->path))
		return false;
	describe(attack, "%s is a copy of %s", targets[0]->path, targets[1]->path);
	expect(attack, NEED_SEEN, F_TAMPERED, targets[0]->number);
	return true;
}

bool shift_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	struct backing *disk = attack->image.ciphertext;
	uint64_t size = file_size(disk, target->path);
	uint8_t *bytes;

	if (size > 1u << 20 || size <= BLOCK_SIZE)
		return false;
	bytes = malloc(size);
	if (bytes == NULL)
		abort();
	peek(disk, target->path, bytes, size, 0);
	poke(disk, target->path, bytes + BLOCK_SIZE, size - 2 * BLOCK_SIZE, 2 * BLOCK_SIZE);
	poke(disk, target->path, bytes + (size - BLOCK_SIZE), BLOCK_SIZE, BLOCK_SIZE);
	free(bytes);
	describe(attack, "the pages of %s behind the first turn by one", target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return size > 2 * BLOCK_SIZE;
}

/* --- another volume ------------------------------------------------------------------------------- */

bool put_foreign_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct target *foreign = moment_find(attack->history->foreign, target->number);

	if (foreign == NULL ||
	    !copy_file(attack->history->foreign->ciphertext, foreign->path, attack->image.ciphertext,
		       target->path))
		return false;
	describe(attack, "%s is that of another volume", target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool put_foreign_page(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct target *foreign = moment_find(attack->history->foreign, target->number);
	const struct page *page = any_page(attack, target, attack->turn % 2 == 0 ? PAGE_DATA : PAGE_ZERO);
	uint8_t bytes[BLOCK_SIZE], now[BLOCK_SIZE];

	if (foreign == NULL || page == NULL)
		return false;
	peek(attack->history->foreign->ciphertext, foreign->path, bytes, BLOCK_SIZE,
	     page->at * BLOCK_SIZE);
	peek(attack->image.ciphertext, target->path, now, BLOCK_SIZE, page->at * BLOCK_SIZE);
	if (memcmp(bytes, now, BLOCK_SIZE) == 0)
		return false;
	poke(attack->image.ciphertext, target->path, bytes, BLOCK_SIZE, page->at * BLOCK_SIZE);
	describe(attack, "page %llu of %s is that of another volume", (unsigned long long)page->at,
		 target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}
