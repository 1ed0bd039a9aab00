/* Earlier versions, and those of a history that went another way, of single objects and parts. */
#include "attack.h"
#include "attack_kinds.h"

#include <stdio.h>
#include <string.h>

/* What an older, equal or newer header is found to be. */
static uint32_t finding_of(const struct target *target, const struct target *source)
{
	uint64_t version = source->header.attr.version, now = target->header.attr.version;

	return version < now ? F_ROLLBACK : version > now ? F_LEDGER_OLD : F_TAMPERED;
}

/* The object as of another moment; false: it was not there. */
static bool choose(struct attack *attack, const struct moment *moment,
		   const struct target **target, const struct target **source)
{
	*target = any_target(attack);
	*source = moment_find(moment, (*target)->number);
	return *source != NULL &&
	       memcmp(&(*source)->id, &(*target)->id, sizeof((*target)->id)) == 0;
}

static const struct moment *other_moment(struct attack *attack)
{
	return below(attack, 5) == 0 ? attack->history->branch : any_earlier(attack);
}

/*
 * Takes [skip, BLOCK_SIZE) of a page from another moment; false: it is equal
 * already where it counts.
 */
static bool take_page(struct attack *attack, const struct moment *moment,
		      const struct target *target, uint64_t page, size_t skip, size_t end)
{
	uint8_t then[BLOCK_SIZE], now[BLOCK_SIZE];

	peek(moment->ciphertext, target->path, then, BLOCK_SIZE, page * BLOCK_SIZE);
	peek(attack->image.ciphertext, target->path, now, BLOCK_SIZE, page * BLOCK_SIZE);
	if (memcmp(then + skip, now + skip, end - skip) == 0)
		return false;
	poke(attack->image.ciphertext, target->path, then + skip, end - skip,
	     page * BLOCK_SIZE + skip);
	return true;
}

bool roll_back_block(struct attack *attack)
{
	const struct moment *moment = other_moment(attack);
	const struct target *target, *source;
	const struct page *page;

	if (!choose(attack, moment, &target, &source))
		return false;
	page = any_page(attack, target, PAGE_DATA);
	if (page == NULL || !take_page(attack, moment, target, page->at, 0, BLOCK_SIZE))
		return false;
	describe(attack, "block %llu of %s as of \"%s\"", (unsigned long long)page->index,
		 target->path, moment->name);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* With `with_blocks`, all that the page leads to as well. */
static bool roll_back_tree(struct attack *attack, bool with_blocks)
{
	const struct moment *moment = other_moment(attack);
	const struct target *target, *source;
	const struct page *page;
	uint64_t first, last, span = 1;

	if (!choose(attack, moment, &target, &source))
		return false;
	page = any_page(attack, target, attack->turn % 2 == 0 ? PAGE_TREE : PAGE_ZERO);
	if (page == NULL || !take_page(attack, moment, target, page->at, NODE_HEADER_LEN, BLOCK_SIZE))
		return false;
	for (int level = 0; level < page->level; level++)
		span *= TREE_FANOUT;
	first = page->index * span;
	last = first + span - 1;
	for (size_t i = 0; with_blocks && i < target->page_count; i++) {
		const struct page *below_it = &target->pages[i];

		if (below_it->kind == PAGE_DATA && below_it->index >= first &&
		    below_it->index <= last)
			take_page(attack, moment, target, below_it->at, 0, BLOCK_SIZE);
	}
	describe(attack, "level %d, index %llu of %s%s as of \"%s\"", page->level,
		 (unsigned long long)page->index, target->path, with_blocks ? " and its blocks" : "",
		 moment->name);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool roll_back_tree_page(struct attack *attack)
{
	return roll_back_tree(attack, false);
}

bool roll_back_subtree(struct attack *attack)
{
	return roll_back_tree(attack, true);
}

bool roll_back_header(struct attack *attack)
{
	const struct moment *moment = other_moment(attack);
	const struct target *target, *source;

	if (!choose(attack, moment, &target, &source) ||
	    !take_page(attack, moment, target, 0, 0,
		       attack->turn % 2 == 0 ? OBJECT_HEADER_LEN : BLOCK_SIZE))
		return false;
	describe(attack, "%s of %s as of \"%s\"", attack->turn % 2 == 0 ? "header" : "page 0",
		 target->path, moment->name);
	expect(attack, NEED_SEEN, finding_of(target, source), target->number);
	/* Page 0 has entries too. */
	attack->findings |= attack->turn % 2 == 0 ? 0 : F_TAMPERED;
	return true;
}

bool roll_back_object(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target, *source;

	if (!choose(attack, moment, &target, &source) ||
	    source->header.attr.version == target->header.attr.version ||
	    !copy_file(moment->ciphertext, target->path, attack->image.ciphertext, target->path))
		return false;
	describe(attack, "%s as of \"%s\"", target->path, moment->name);
	expect(attack, NEED_SEEN, F_ROLLBACK, target->number);
	return true;
}

/* Same keys, same id, a version that this volume never had. */
bool put_branch_object(struct attack *attack)
{
	const struct moment *moment = attack->history->branch;
	const struct target *target, *source;

	if (!choose(attack, moment, &target, &source) ||
	    !take_page(attack, moment, target, 0, 0, OBJECT_HEADER_LEN))
		return false;
	copy_file(moment->ciphertext, target->path, attack->image.ciphertext, target->path);
	describe(attack, "%s as of \"%s\"", target->path, moment->name);
	expect(attack, NEED_SEEN, finding_of(target, source), target->number);
	return true;
}

/* The header alone, where the version is the same and the content too: nothing else tells. */
bool put_branch_header(struct attack *attack)
{
	const struct moment *moment = attack->history->branch;
	const struct target *target, *source;

	if (!choose(attack, moment, &target, &source) ||
	    source->header.attr.version != target->header.attr.version ||
	    !take_page(attack, moment, target, 0, 0, OBJECT_HEADER_LEN))
		return false;
	describe(attack, "header of %s as of \"%s\", of the same version", target->path, moment->name);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* In objects/new too: a mount moves it over what is in its place. */
bool put_old_in_new(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target, *source;
	char path[OBJECT_PATH_LEN];

	if (!choose(attack, moment, &target, &source) ||
	    source->header.attr.version == target->header.attr.version)
		return false;
	object_path_new(&target->id, path);
	if (!copy_file(moment->ciphertext, source->path, attack->image.ciphertext, path))
		return false;
	describe(attack, "%s as of \"%s\" in objects/new", target->path, moment->name);
	/* While it is open or locked nobody looks there before the next mount. */
	expect(attack, NEED_EITHER, F_ROLLBACK, target->number);
	return true;
}

/* One that was deleted, where it was or where it is not looked for. */
bool insert_deleted(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *source = &moment->targets[below(attack, moment->target_count)];
	char path[OBJECT_PATH_LEN];

	if (moment_find(attack->base, source->number) != NULL)
		return false;
	snprintf(path, sizeof(path), "%s", source->path);
	if (attack->turn % 2 == 0)
		object_path_new(&source->id, path);
	if (!copy_file(moment->ciphertext, source->path, attack->image.ciphertext, path))
		return false;
	describe(attack, "%s, deleted since \"%s\", is there again", path, moment->name);
	expect(attack, NEED_HARMLESS, 0, source->number);
	attack->check_findings |= F_UNKNOWN;
	return true;
}

/* A deleted one in the place of one that lives. */
bool deleted_for_another(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *source = &moment->targets[below(attack, moment->target_count)];
	const struct target *target = any_target(attack);

	if (moment_find(attack->base, source->number) != NULL ||
	    !copy_file(moment->ciphertext, source->path, attack->image.ciphertext, target->path))
		return false;
	describe(attack, "%s, deleted since \"%s\", in the place of %s", source->path, moment->name,
		 target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* Every object of an earlier moment, and the journal as it is. */
bool roll_back_all_objects(struct attack *attack)
{
	const struct moment *moment = other_moment(attack);
	size_t count = 0;

	for (size_t i = 0; i < attack->base->target_count; i++) {
		const struct target *target = &attack->base->targets[i];
		const struct target *source = moment_find(moment, target->number);

		if (source != NULL && memcmp(&source->id, &target->id, sizeof(target->id)) == 0)
			count += copy_file(moment->ciphertext, target->path, attack->image.ciphertext,
					   target->path);
	}
	describe(attack, "all objects as of \"%s\"", moment->name);
	expect(attack, NEED_SEEN, F_ROLLBACK | F_LEDGER_OLD | F_TAMPERED, 0);
	return count > 0;
}
