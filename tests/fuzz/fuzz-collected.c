/* Lines of a collector's file, which anybody may have edited. */
#include "fuzz.h"

#include <stdio.h>

#include "audit/collected.h"
#include "crypto/crypto.h"

const unsigned int fuzz_iterations = 15000;
bool fuzz_accepted;

static const char *const samples[] = {
	"<110>1 2026-11-25T13:00:00.123456Z ehr1 phifs 77 READ [phifs@32473 v=\"1\" "
	"vol=\"ehr\" jid=\"0123456789abcdef0123456789abcdef\" seg=\"1\" seq=\"17\" "
	"h=\"9\" off=\"0\" len=\"4096\" n=\"4096\" err=\"OK\"]",
	"2026-11-25T13:00:00.123456+01:00 ehr1 phifs 77 OPEN [phifs@32473 v=\"1\" "
	"vol=\"e\\\"h\\]r\" jid=\"0123456789abcdef0123456789abcdef\" seq=\"1-9\" "
	"user=\"nurse\" file=\"abc\" path=\"%41%0a\"] text",
};

void fuzz_corpus(void)
{
	FUZZ_CHECK(crypto_init() == ERR_OK);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		fuzz_seed(samples[i], strlen(samples[i]));
}

static void parse(const char *text, size_t size)
{
	static struct syslog_line line;

	if (syslog_line_parse(text, size, &line) != ERR_OK)
		return;
	fuzz_accepted = true;
	FUZZ_CHECK(line.param_count <= SYSLOG_PARAMS_MAX);
	for (size_t i = 0; i < line.param_count; i++) {
		uint64_t number;

		FUZZ_CHECK(line.params[i].name >= line.text);
		FUZZ_CHECK(line.params[i].value <= line.text + SYSLOG_LINE_MAX);
		fuzz_touch(line.params[i].value, strlen(line.params[i].value));
		(void)syslog_line_number(&line, line.params[i].name, &number);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct collected_record record;
	struct collected *collected;

	parse((const char *)data, size);
	FUZZ_CHECK(collected_new(NULL, &collected) == ERR_OK);
	for (int twice = 0; twice < 2; twice++)
		(void)!collected_line(collected, (const char *)data, size, &record);
	collected_free(collected);
	return 0;
}
