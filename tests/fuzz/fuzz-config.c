/* A volume's configuration. */
#include "fuzz.h"

#include "config/config.h"

const unsigned int fuzz_iterations = 25000;
bool fuzz_accepted;

static const char *const samples[] = {
	"[volume]\nciphertext = /srv/phifs/ehr\nstate = /var/lib/phifs/ehr\n"
	"mountpoint = /ehr\npolicy = /etc/phifs/ehr.policy\ncontact = it@example.org\n"
	"unlock-with = credential:ehr\n\n[lock]\nidle = 15m\ngrace = 30s\ndeadline = 30s\n\n"
	"[audit]\nforward = unix:/run/phifs/syslog.sock\nnames = sealed\nsend = each\n"
	"segment-size = 64M\nsegment-age = 1d\n",
	"# comment\n[volume]\nciphertext = /a ; comment\nstate = /b\nmountpoint = /c\n"
	"policy = /d\n[lock]\nidle = never\n",
};

void fuzz_corpus(void)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		fuzz_seed(samples[i], strlen(samples[i]));
}

static void message(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	*(unsigned int *)ctx += is_error;
	FUZZ_CHECK(line >= 0);
	fuzz_touch(text, strlen(text));
	fuzz_touch(hint, hint != NULL ? strlen(hint) : 0);
}

static void check_path(const char *path)
{
	FUZZ_CHECK(path != NULL && path[0] == '/' && strstr(path, "/../") == NULL);
	FUZZ_CHECK(path[1] == '\0' || path[strlen(path) - 1] != '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config;
	unsigned int errors = 0;
	enum err err = config_parse("/etc/phifs/ehr.conf", (const char *)data, size, message,
				    &errors, &config);

	FUZZ_CHECK((err == ERR_CONFIG) <= (errors > 0));
	if (err != ERR_OK)
		return 0;
	fuzz_accepted = true;
	FUZZ_CHECK(errors == 0);
	check_path(config->ciphertext);
	check_path(config->state);
	check_path(config->mountpoint);
	FUZZ_CHECK(config->idle_ms > 0 && config->grace_ms >= 0 && config->deadline_ms > 0);
	FUZZ_CHECK(config->segment_size > 0);
	config_free(config);
	return 0;
}
