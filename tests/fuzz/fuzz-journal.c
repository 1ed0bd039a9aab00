/* A transaction: header, then records until one is refused. */
#include "fuzz.h"

#include "format/journal_record.h"

const unsigned int fuzz_iterations = 150000;
bool fuzz_accepted;

static uint8_t content[ENTRY_LEN + INLINE_MAX];

static void put_samples(struct writer *w)
{
	struct object_id id = {{7}};
	struct journal_record r = {.type = JOURNAL_INODE};

	r.inode = (struct journal_inode){.id = id, .flags = JOURNAL_INODE_CREATE};
	journal_record_encode(w, &r);
	r = (struct journal_record){.type = JOURNAL_ENTRIES};
	r.entries = (struct journal_entries){.id = id, .count = 3, .entries = content};
	journal_record_encode(w, &r);
	r = (struct journal_record){.type = JOURNAL_DATA};
	r.data = (struct journal_data){.id = id, .block = 5, .page = 1};
	journal_record_encode(w, &r);
	r = (struct journal_record){.type = JOURNAL_INLINE};
	r.inlined = (struct journal_inline){.id = id, .size = 100, .content = content};
	journal_record_encode(w, &r);
	r = (struct journal_record){.type = JOURNAL_FRESH};
	r.fresh = (struct journal_fresh){.id = id, .level = 2, .index = 1};
	journal_record_encode(w, &r);
	r = (struct journal_record){.type = JOURNAL_DELETE};
	r.deleted = id;
	journal_record_encode(w, &r);
}

void fuzz_corpus(void)
{
	struct journal_header header = {.seq = 3, .pages = 2, .epoch = 1};
	uint8_t bytes[4096];
	struct writer w;

	writer_init(&w, bytes + JOURNAL_HEADER_LEN, sizeof(bytes) - JOURNAL_HEADER_LEN);
	put_samples(&w);
	FUZZ_CHECK(!w.failed);
	header.records_len = (uint32_t)w.len;
	journal_header_encode(&header, bytes);
	fuzz_seed(bytes, JOURNAL_HEADER_LEN + w.len);
}

/* What was accepted is written again in the same bytes. */
static void check_record(const struct journal_record *record, const uint8_t *bytes, size_t len)
{
	uint8_t again[8192];
	struct writer w;

	writer_init(&w, again, sizeof(again));
	journal_record_encode(&w, record);
	FUZZ_CHECK(!w.failed && w.len == len && memcmp(again, bytes, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[JOURNAL_HEADER_LEN] = {0};
	struct journal_header header = {.pages = 2};
	struct journal_record record;
	struct reader r;

	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	if (journal_header_decode(bytes, &header) == ERR_OK) {
		fuzz_accepted = true;
		FUZZ_CHECK(journal_txn_len(&header) <= JOURNAL_TXN_MAX);
		FUZZ_CHECK(journal_txn_len(&header) % BLOCK_SIZE == 0);
	}
	if (size <= JOURNAL_HEADER_LEN)
		return 0;
	reader_init(&r, data + JOURNAL_HEADER_LEN, size - JOURNAL_HEADER_LEN);
	for (size_t at = 0; journal_record_decode(&r, 2, &record) == ERR_OK; at = r.pos)
		check_record(&record, r.data + at, r.pos - at);
	return 0;
}
