/* The ledger against a naive model: changes, commits, failed ones and reopening, drawn. */
#include "draw.h"
#include "ledger_unit.h"

#define MODEL_NUMBERS 40
#define MODEL_STEPS   6000

struct model {
	uint64_t now[MODEL_NUMBERS + 1]; /* version; 0: no row */
	uint64_t disk[MODEL_NUMBERS + 1];
	uint64_t version;
	uint64_t seq;
};

static void model_compare(const struct model *model, struct ledger *ledger)
{
	struct seen seen = {.count = 0};
	size_t count = 0;

	ck_assert_ok(ledger_walk(ledger, see, &seen));
	for (uint64_t number = 1; number <= MODEL_NUMBERS; number++) {
		struct ledger_row row, expected = row_of(number, model->now[number]);

		if (model->now[number] == 0) {
			ck_assert_int_eq(ledger_get(ledger, number, &row), ERR_NOT_FOUND);
			continue;
		}
		ck_assert_ok(ledger_get(ledger, number, &row));
		assert_row(&row, &expected);
		ck_assert_uint_eq(seen.numbers[count], number);
		count++;
	}
	ck_assert_uint_eq(ledger_count(ledger), count);
	ck_assert_uint_eq(seen.count, count);
}

static void model_fail_commit(struct ledger *ledger)
{
	struct ledger_position bad = position_at(1, 1);

	/* Too small a next_number fails after the overlay was swapped away. */
	if (ledger_changes_count(&ledger->changed) > 0)
		ck_assert_int_eq(ledger_commit(ledger, &bad), ERR_INVALID);
}

static struct ledger *model_reopen(struct model *model, struct ledger *ledger)
{
	ledger_close(ledger);
	memcpy(model->now, model->disk, sizeof(model->now));
	return open_ledger();
}

START_TEST(test_model)
{
	struct model model = {.version = 1};
	struct ledger *ledger;

	create();
	ledger = open_ledger();
	for (int step = 0; step < MODEL_STEPS; step++) {
		uint64_t number = 1 + draw() % MODEL_NUMBERS;

		switch (draw() % 64) {
		case 0:
			commit(ledger, ++model.seq);
			memcpy(model.disk, model.now, sizeof(model.disk));
			break;
		case 1:
			model_fail_commit(ledger);
			break;
		case 2:
			if (draw() % 8 == 0)
				ledger = model_reopen(&model, ledger);
			break;
		case 3 ... 30:
			ck_assert_ok(ledger_remove(ledger, number));
			model.now[number] = 0;
			break;
		default:
			put(ledger, number, ++model.version);
			model.now[number] = model.version;
		}
		if (step % 16 == 0)
			model_compare(&model, ledger);
	}
	model_compare(&model, ledger);
	finish(ledger);
}
END_TEST

UNIT_MAIN("ledger model", test_model)
