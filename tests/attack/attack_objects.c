/* Single objects: every class of byte, ends of files, holes, files in wrong places. */
#include "attack.h"
#include "attack_kinds.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

/* --- bytes -------------------------------------------------------------------------------- */

struct field {
	const char *name;
	uint16_t at, len;
};

static const struct field header_fields[] = {
	{"magic", 0, 8}, {"format", 8, 2}, {"block_log2", 10, 1}, {"flags", 11, 1},
	{"epoch", 12, 4}, {"id", 16, 16}, {"nonce", 32, 12}, {"tag", 44, 16}, {"cipher", 60, 4},
	{"key_check", 64, 16}, {"version", 80, 8}, {"size", 88, 8}, {"root", 96, 32},
	{"mode", 128, 4}, {"uid", 132, 4}, {"gid", 136, 4}, {"nlink", 140, 4}, {"rdev", 144, 8},
	{"blocks", 152, 8}, {"atime", 160, 12}, {"mtime", 172, 12}, {"ctime", 184, 12},
	{"btime", 196, 12}, {"attributes", 208, 16}, {"parent", 224, 16}, {"name_len", 240, 1},
	{"name", 241, 255}, {"zero", 496, 16},
};

bool flip_header_field(struct attack *attack)
{
	const size_t count = sizeof(header_fields) / sizeof(header_fields[0]);
	const struct field *field = &header_fields[attack->turn % count];
	const struct target *target = any_target(attack);

	if (!flip(attack, attack->image.ciphertext, target->path,
		  field->at + below(attack, field->len)))
		return false;
	describe(attack, "%s of the header of %s", field->name, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

struct downgrade {
	const char *name;
	uint16_t at;
	uint8_t value;
};

static const struct downgrade downgrades[] = {
	{"format 0", 8, 0}, {"format 2", 8, 2}, {"blocks of 2 KiB", 10, 11},
	{"blocks of 8 KiB", 10, 13}, {"blocks of 1 byte", 10, 0}, {"blocks of 2^255", 10, 255},
	{"public key flag", 11, 2}, {"unknown flag", 11, 4}, {"all flags", 11, 255},
	{"epoch 0", 12, 0}, {"epoch 2", 12, 2}, {"epoch 255", 12, 255}, {"cipher 0", 60, 0},
	{"cipher 2", 60, 2}, {"cipher 255", 60, 255},
};

bool downgrade_header(struct attack *attack)
{
	const size_t count = sizeof(downgrades) / sizeof(downgrades[0]);
	const struct downgrade *downgrade = &downgrades[attack->turn % count];
	const struct target *target = any_target(attack);
	uint8_t now;

	if (!peek(attack->image.ciphertext, target->path, &now, 1, downgrade->at) ||
	    now == downgrade->value)
		return false;
	poke(attack->image.ciphertext, target->path, &downgrade->value, 1, downgrade->at);
	describe(attack, "%s says %s", target->path, downgrade->name);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool toggle_inline(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint8_t flags = target->header.is_inline ? 0 : OBJECT_FLAG_INLINE;

	if (!poke(attack->image.ciphertext, target->path, &flags, 1, 11))
		return false;
	describe(attack, "%s says that it is %sinline", target->path, flags ? "" : "not ");
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* A byte of the entries (or of inline content) in page 0, a leaf, a node. */
bool flip_entry(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, attack->turn % 2 == 0 ? PAGE_ZERO : PAGE_TREE);
	uint64_t at;

	if (page == NULL)
		return false;
	at = NODE_HEADER_LEN + below(attack, NODE_BODY_LEN);
	if (!flip(attack, attack->image.ciphertext, target->path, page->at * BLOCK_SIZE + at))
		return false;
	describe(attack, "byte %llu of level %d, index %llu of %s", (unsigned long long)at,
		 page->level, (unsigned long long)page->index, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* Entries that are holes become something; others become holes. */
bool toggle_hole(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, attack->turn % 2 == 0 ? PAGE_ZERO : PAGE_TREE);
	uint8_t entry[ENTRY_LEN], other[ENTRY_LEN] = {0};
	uint64_t at;

	if (page == NULL)
		return false;
	at = page->at * BLOCK_SIZE + NODE_HEADER_LEN + below(attack, TREE_FANOUT) * ENTRY_LEN;
	peek(attack->image.ciphertext, target->path, entry, ENTRY_LEN, at);
	if (memcmp(entry, other, ENTRY_LEN) == 0)
		memset(other, (int)draw(attack) | 1, ENTRY_LEN);
	poke(attack->image.ciphertext, target->path, other, ENTRY_LEN, at);
	describe(attack, "entry at %llu of %s is %sa hole", (unsigned long long)at, target->path,
		 other[0] == 0 ? "" : "not ");
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool flip_node_header(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, PAGE_TREE);

	if (page == NULL || !flip(attack, attack->image.ciphertext, target->path,
				  page->at * BLOCK_SIZE + below(attack, NODE_HEADER_LEN)))
		return false;
	describe(attack, "node header of page %llu of %s", (unsigned long long)page->at,
		 target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

bool flip_data(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, PAGE_DATA);

	if (page == NULL || !flip(attack, attack->image.ciphertext, target->path,
				  page->at * BLOCK_SIZE + below(attack, BLOCK_SIZE)))
		return false;
	describe(attack, "block %llu of %s", (unsigned long long)page->index, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool zero_data(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, PAGE_DATA);

	if (page == NULL)
		return false;
	if (attack->turn % 2 == 0)
		punch(attack->image.ciphertext, target->path, page->at * BLOCK_SIZE, BLOCK_SIZE);
	else
		punch(attack->image.ciphertext, target->path,
		      page->at * BLOCK_SIZE + below(attack, 8) * 512, 512);
	describe(attack, "hole in block %llu of %s", (unsigned long long)page->index, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool zero_tree(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, attack->turn % 2 == 0 ? PAGE_ZERO : PAGE_TREE);

	if (page == NULL)
		return false;
	punch(attack->image.ciphertext, target->path, page->at * BLOCK_SIZE, BLOCK_SIZE);
	describe(attack, "hole in page %llu of %s", (unsigned long long)page->at, target->path);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* --- where nothing of the file is ----------------------------------------------------------- */

static bool is_used(const struct target *target, uint64_t at)
{
	for (size_t i = 0; i < target->page_count; i++)
		if (target->pages[i].at == at)
			return true;
	return false;
}

bool write_into_hole(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint64_t page = below(attack, layout_pages(target->header.attr.size) + 1);
	uint8_t noise[BLOCK_SIZE];

	if (is_used(target, page))
		return false;
	memset(noise, (int)draw(attack) | 1, sizeof(noise));
	poke(attack->image.ciphertext, target->path, noise, sizeof(noise), page * BLOCK_SIZE);
	describe(attack, "something in page %llu of %s, which is a hole", (unsigned long long)page,
		 target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

bool extend_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint64_t size = file_size(attack->image.ciphertext, target->path);
	uint64_t pages = layout_pages(target->header.attr.size) * BLOCK_SIZE;
	uint8_t noise[9000];

	size = size > pages ? size : pages;
	memset(noise, (int)draw(attack) | 1, sizeof(noise));
	if (attack->turn % 2 == 0)
		poke(attack->image.ciphertext, target->path, noise, 1 + below(attack, sizeof(noise)),
		     size);
	else
		resize(attack->image.ciphertext, target->path, size + below(attack, 1ull << 40));
	describe(attack, "%s grows behind its end", target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

/* Does anything of what counts lie at or behind it?  Not zeroes: those are there when it is gone. */
static bool cuts_something(struct attack *attack, const struct target *target, uint64_t size)
{
	uint8_t bytes[BLOCK_SIZE];

	for (size_t i = 0; i < target->page_count; i++) {
		const struct page *page = &target->pages[i];
		uint64_t begin = page->at * BLOCK_SIZE;
		uint64_t skip = page->kind == PAGE_TREE ? NODE_HEADER_LEN : 0;

		skip = size > begin + skip ? size - begin : skip;
		if (skip >= BLOCK_SIZE)
			continue;
		peek(attack->base->ciphertext, target->path, bytes, BLOCK_SIZE, begin);
		for (uint64_t at = skip; at < BLOCK_SIZE; at++)
			if (bytes[at] != 0)
				return true;
	}
	return false;
}

bool truncate_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint64_t size = file_size(attack->image.ciphertext, target->path);
	uint64_t to = attack->turn % 3 == 0   ? 0
		      : attack->turn % 3 == 1 ? below(attack, size / BLOCK_SIZE + 1) * BLOCK_SIZE
					      : below(attack, size + 1);
	bool matters = cuts_something(attack, target, to);

	if (size == 0)
		return false;
	resize(attack->image.ciphertext, target->path, to);
	describe(attack, "%s is cut to %llu bytes", target->path, (unsigned long long)to);
	expect(attack, matters ? NEED_SEEN : NEED_HARMLESS, F_TAMPERED, target->number);
	return true;
}

bool punch_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = &target->pages[below(attack, target->page_count)];
	uint64_t from = page->at * BLOCK_SIZE + below(attack, BLOCK_SIZE - 64);

	/* A range that begins in something and may end anywhere. */
	if (page->kind == PAGE_TREE || page->at == 0)
		return false;
	punch(attack->image.ciphertext, target->path, from, 64 + below(attack, 1u << 20));
	describe(attack, "hole in %s from %llu", target->path, (unsigned long long)from);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* --- files ------------------------------------------------------------------------------------- */

bool delete_object(struct attack *attack)
{
	const struct target *target = any_target(attack);

	if (!is_there(attack->image.ciphertext, target->path))
		return false;
	remove_file(attack->image.ciphertext, target->path);
	describe(attack, "%s is removed", target->path);
	expect(attack, NEED_SEEN, F_DELETED, target->number);
	return true;
}

bool delete_shard(struct attack *attack)
{
	const struct target *target = any_target(attack);
	size_t dir = strlen("objects/xx/");

	for (size_t i = 0; i < attack->base->target_count; i++) {
		const struct target *other = &attack->base->targets[i];

		if (strncmp(other->path, target->path, dir) != 0 ||
		    !is_there(attack->image.ciphertext, other->path))
			continue;
		if (attack->touched_count == TOUCHES_MAX)
			break;
		remove_file(attack->image.ciphertext, other->path);
		expect(attack, NEED_SEEN, F_DELETED, other->number);
	}
	describe(attack, "all of the directory of %s is removed", target->path);
	return attack->touched_count > 0;
}

bool move_to_wrong_shard(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char path[OBJECT_PATH_LEN];

	if (!is_there(attack->image.ciphertext, target->path))
		return false;
	snprintf(path, sizeof(path), "objects/%02x/%s",
		 (target->id.bytes[15] + 1 + (unsigned int)below(attack, 255)) & 255u,
		 strrchr(target->path, '/') + 1);
	must(attack->image.ciphertext->ops->rename(attack->image.ciphertext, target->path, path), path);
	describe(attack, "%s is moved to %s", target->path, path);
	expect(attack, NEED_SEEN, F_DELETED, target->number);
	attack->check_findings |= F_UNKNOWN;
	return true;
}

/* Where new objects are born; a mount puts what has a row where it belongs. */
bool move_to_new(struct attack *attack)
{
	const struct target *target = any_target(attack);
	char path[OBJECT_PATH_LEN];

	if (!is_there(attack->image.ciphertext, target->path))
		return false;
	object_path_new(&target->id, path);
	must(attack->image.ciphertext->ops->rename(attack->image.ciphertext, target->path, path), path);
	describe(attack, "%s is moved to objects/new", target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

bool rename_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	struct object_id id = target->id;
	char path[OBJECT_PATH_LEN];

	if (!is_there(attack->image.ciphertext, target->path))
		return false;
	if (attack->turn % 2 == 0)
		id.bytes[8 + below(attack, 8)] ^= 0x40;
	else
		store_u64(id.bytes, target->number + 100000);
	object_path(&id, path);
	must(attack->image.ciphertext->ops->rename(attack->image.ciphertext, target->path, path), path);
	describe(attack, "%s is renamed to %s", target->path, path);
	expect(attack, NEED_SEEN, F_DELETED, target->number);
	attack->check_findings |= F_UNKNOWN;
	return true;
}

bool add_unknown_file(struct attack *attack)
{
	static const char *const names[] = {
		"objects/00/README", "objects/7f/ffffffffffffffffffffffffffffff7f",
		"objects/new/0000000000000000000000000000zzzz",
		"objects/new/ffffffffffffffffffffffffffffff7f", "objects/new/x", "README",
		"objects/x", "objects/00/00000000000000000000000000000000",
	};
	const char *name = names[attack->turn % (sizeof(names) / sizeof(names[0]))];
	const struct target *target = any_target(attack);

	if (!copy_file(attack->base->ciphertext, target->path, attack->image.ciphertext, name))
		return false;
	describe(attack, "%s is copied to %s", target->path, name);
	expect(attack, NEED_HARMLESS, 0, target->number);
	attack->check_findings |= F_UNKNOWN;
	return true;
}

bool edit_ballast(struct attack *attack)
{
	struct backing *disk = attack->turn % 2 == 0 ? attack->image.ciphertext
						     : attack->image.state;

	if (attack->turn % 4 < 2)
		poke(disk, "ballast", "junk", 4, below(attack, 64u << 20));
	else if (attack->turn % 8 < 4)
		resize(disk, "ballast", 0);
	else
		remove_file(disk, "ballast");
	describe(attack, "the ballast is edited");
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}
