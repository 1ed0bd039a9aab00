/*
 * Sectors.  A write adds a version; a flush makes durable what was there when
 * it began.  After a failed flush nobody knows what was written, and the system
 * below calls it clean: no later flush makes it durable.
 */
#include <string.h>

#include "commit_model.h"

void disk_begin(struct model *m, const struct image *image)
{
	for (int at = 0; at < SECTORS; at++) {
		m->disk[at].first = m->disk[at].lost = 0;
		m->disk[at].count = 1;
		m->disk[at].version[0] = image->sector[at];
	}
	memcpy(m->durable, image->sector, sizeof(m->durable));
	m->pending_count = 0;
	m->fail_in = 0;
	m->has_journal_error = false;
	m->has_changed = true;
}

uint64_t disk_read(const struct model *m, int at)
{
	return m->disk[at].version[m->disk[at].count - 1];
}

static void add_version(struct model *m, int at, uint64_t value)
{
	struct sector *sector = &m->disk[at];

	if (sector->count == VERSIONS) {
		m->is_over = true;
		return;
	}
	if (sector->count == 1 && value == sector->version[0])
		return;
	if (sector->count == 1)
		m->pending[m->pending_count++] = (uint16_t)at;
	sector->version[sector->count++] = value;
	m->has_changed = true;
}

void disk_add(struct model *m, const struct image *image)
{
	for (int at = 0; at < SECTORS; at++)
		if (disk_read(m, at) != image->sector[at])
			add_version(m, at, image->sector[at]);
}

/* A backing call begins; false: it fails. */
static bool begin_call(struct model *m, enum failing call)
{
	step(m);
	if (m->fail_in == 0 || call < m->failing || --m->fail_in > 0)
		return true;
	trace(m, "a backing call fails", 0, 0, 0);
	return false;
}

bool disk_write(struct model *m, int at, const uint64_t *values, int count)
{
	bool succeeds = begin_call(m, FAIL_ANY);

	for (int i = 0; i < count; i++)
		if (succeeds || draw(m) % 2 == 0)
			add_version(m, at + i, values[i]);
	return succeeds;
}

bool disk_zero(struct model *m, int at, int count)
{
	static const uint64_t zeroes[SECTORS];

	return disk_write(m, at, zeroes, count);
}

bool disk_set(struct model *m, int at, uint64_t value)
{
	return disk_write(m, at, &value, 1);
}

/* --- flushes ----------------------------------------- */

static void make_durable(struct model *m, int at, uint32_t number)
{
	struct sector *sector = &m->disk[at];
	uint32_t dropped = number - sector->first;

	if (number <= sector->lost || number <= sector->first)
		return;
	sector->count = (uint8_t)(sector->count - dropped);
	memmove(sector->version, sector->version + dropped,
		sector->count * sizeof(sector->version[0]));
	sector->first = number;
	m->durable[at] = sector->version[0];
	m->has_changed = true;
}

static void drop_settled(struct model *m)
{
	int kept = 0;

	for (int i = 0; i < m->pending_count; i++)
		if (m->disk[m->pending[i]].count > 1)
			m->pending[kept++] = m->pending[i];
	m->pending_count = kept;
}

typedef bool covers_fn(const struct model *m, int at, int arg);

/* Flush all sectors that `covers` says, as they are now. */
static bool flush(struct model *m, covers_fn *covers, int first, int end)
{
	uint16_t list[SECTORS];
	uint32_t number[SECTORS];
	int count = 0;
	bool succeeds = begin_call(m, first >= AT_OBJECTS ? FAIL_OBJECT_FLUSH : FAIL_FLUSH);

	for (int i = 0; i < m->pending_count; i++) {
		int at = m->pending[i];

		if (at < first || at >= end || (covers != NULL && !covers(m, at, first)))
			continue;
		number[count] = m->disk[at].first + m->disk[at].count - 1;
		list[count++] = (uint16_t)at;
	}
	step(m);
	succeeds = succeeds && !(first == AT_JOURNAL && m->has_journal_error);
	for (int i = 0; i < count; i++) {
		if (succeeds)
			make_durable(m, list[i], number[i]);
		else
			m->disk[list[i]].lost = number[i];
	}
	drop_settled(m);
	/* Whoever is told of a failure freezes before anybody else goes on. */
	if (succeeds)
		step(m);
	return succeeds;
}

bool disk_flush(struct model *m, int at, int count)
{
	return flush(m, NULL, at, at + count);
}

static bool is_ciphertext(const struct model *m, int at, int arg)
{
	(void)m;
	(void)arg;
	return at < AT_ANCHOR || at >= AT_JOURNAL;
}

/* The file system of the ciphertext; what fails there the journal is told, too. */
bool disk_flush_all(struct model *m)
{
	bool succeeds = flush(m, is_ciphertext, 0, SECTORS);

	m->has_journal_error |= !succeeds;
	return succeeds;
}

/* Where an entry was when it last was anywhere. */
static uint64_t place_of_entry(const struct model *m, int at)
{
	const struct sector *sector = &m->disk[at];
	uint64_t place = ENTRY_ABSENT;

	for (int i = sector->count - 1; i >= 0 && place == ENTRY_ABSENT; i--)
		place = sector->version[i];
	return place;
}

static bool is_in_new(const struct model *m, int at, int arg)
{
	(void)arg;
	return place_of_entry(m, at) == ENTRY_NEW;
}

static bool is_in_shard(const struct model *m, int at, int arg)
{
	(void)arg;
	return place_of_entry(m, at) == ENTRY_SHARD;
}

bool disk_flush_new(struct model *m)
{
	return flush(m, is_in_new, AT_ENTRIES, AT_ENTRIES + OBJECTS);
}

bool disk_flush_shard(struct model *m, int object)
{
	return flush(m, is_in_shard, AT_ENTRIES + object, AT_ENTRIES + object + 1);
}

/* --- images ----------------------------------------- */

static int file_of(int at)
{
	return at < AT_ANCHOR    ? 0
	       : at < AT_JOURNAL ? 1
	       : at < AT_OBJECTS ? 2
				 : 3 + (at - AT_OBJECTS) / OBJECT_SECTORS;
}

static int choose(struct model *m, enum choice choice, uint64_t bits, int i, int at)
{
	int newest = m->disk[at].count - 1;

	switch (choice) {
	case CHOOSE_OLDEST:
		return 0;
	case CHOOSE_NEWEST:
	case CHOOSE_KILLED:
		return newest;
	case CHOOSE_BITS:
		return bits >> (i % 64) & 1 ? newest : 0;
	case CHOOSE_ANY:
		break;
	case CHOOSE_MOSTLY_NEW:
		if (draw(m) % 8 != 0)
			return newest;
		break;
	case CHOOSE_MOSTLY_OLD:
		if (draw(m) % 8 != 0)
			return 0;
		break;
	case CHOOSE_BY_FILE:
		if (draw(m) % 16 != 0)
			return bits >> file_of(at) & 1 ? newest : 0;
		break;
	}
	return below(m, newest + 1);
}

/* Killed in the middle of a write, which got as far as part of a slot. */
static bool is_torn(const struct model *m, enum choice choice, int at)
{
	return choice == CHOOSE_KILLED && at == AT_ANCHOR + (int)(m->seq & 1);
}

void disk_image(struct model *m, enum choice choice, uint64_t bits, struct image *image)
{
	memcpy(image->sector, m->durable, sizeof(image->sector));
	for (int i = 0; i < m->pending_count; i++) {
		int at = m->pending[i];

		image->sector[at] = is_torn(m, choice, at)
					    ? sector_value(SECTOR_IS_TORN, 0, 0)
					    : m->disk[at].version[choose(m, choice, bits, i, at)];
	}
	/* A file without an entry is not there. */
	for (int object = 0; object < OBJECTS; object++)
		if (image->sector[AT_ENTRIES + object] == ENTRY_ABSENT)
			memset(&image->sector[at_object(object, 0)], 0,
			       OBJECT_SECTORS * sizeof(uint64_t));
}
