/* The ring before the segments: what is put comes back, and a full one has its reserve. */
#include "audit/ring.h"
#include "tests/unit/audit_unit.h"

START_TEST(test_ring_wraps)
{
	static const uint8_t jid[AUDIT_ID_LEN] = {1};
	static uint8_t data[RECORD_MAX];
	struct ring *ring;
	struct ring_entry entry;
	enum ring_found found;
	uint64_t put = 0, got = 0;

	set_up();
	ck_assert_ok(ring_open(f.ring, jid, &ring, &found));
	ck_assert_int_eq(found, RING_NEW);
	while (put < 3 * (RING_SIZE / 5000)) {
		size_t len = 1000 + put * 37 % 9000;
		enum err err;

		memset(data, (int)put, len);
		err = ring_put(ring, RING_RECORD, data, len, false);
		if (err == ERR_OK) {
			put++;
			continue;
		}
		ck_assert_int_eq(err, ERR_FULL);
		/* Half of it back, each entry as it was put. */
		for (uint64_t stop = got + (put - got) / 2; got < stop;) {
			ck_assert_ok(ring_get(ring, ring_drained(ring), &entry));
			if (entry.kind == RING_RECORD) {
				ck_assert_uint_eq(entry.len, 1000 + got * 37 % 9000);
				ck_assert_uint_eq(entry.data[0], (uint8_t)got);
				ck_assert_uint_eq(entry.data[entry.len - 1], (uint8_t)got);
				got++;
			}
			ring_release(ring, entry.next);
		}
	}
	ck_assert_uint_gt(ring_head(ring), 2 * (uint64_t)RING_SIZE);
	ring_close(ring, false);
	ck_assert_ok(ring_open(f.ring, jid, &ring, &found));
	ck_assert_int_eq(found, RING_OLD);
	ring_close(ring, false);
	ck_assert_ok(ring_open(f.ring, (const uint8_t[AUDIT_ID_LEN]){2}, &ring, &found));
	ck_assert_int_eq(found, RING_NEW);
	ck_assert_uint_eq(ring_head(ring), 0);
	ring_close(ring, true);
	ck_assert_int_ne(access(f.ring, F_OK), 0);
	tear_down();
}
END_TEST

START_TEST(test_ring_reserve)
{
	static const uint8_t jid[AUDIT_ID_LEN] = {1};
	static uint8_t data[RECORD_MAX];
	struct ring *ring;
	enum ring_found found;

	set_up();
	ck_assert_ok(ring_open(f.ring, jid, &ring, &found));
	while (ring_put(ring, RING_RECORD, data, 8000, false) == ERR_OK)
		;
	for (unsigned i = 0; i < 20; i++)
		ck_assert_ok(ring_put(ring, RING_RECORD, data, 8000, true));
	ring_close(ring, true);
	tear_down();
}
END_TEST

UNIT_MAIN("audit ring", test_ring_wraps, test_ring_reserve)
