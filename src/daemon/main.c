/* phifsd(8): one daemon for each mounted volume. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secmem.h"
#include "daemon/options.h"
#include "daemon/parent.h"
#include "daemon/reload.h"

#define FILES_MAX 65536

/* What every process of the daemon has: no core, no inherited files, a late OOM kill. */
static enum err harden(void)
{
	struct rlimit files = {FILES_MAX, FILES_MAX};
	int fd;

	umask(077);
	closefrom(3);
	if (chdir("/"))
		return err_from_errno(errno);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "-900", 4);
		close(fd);
	}
	return secmem_init();
}

int main(int argc, char **argv)
{
	struct config *config = NULL;
	struct options options;
	enum err err;
	int status;

	log_set_name("phifsd");
	err = options_parse(argc, argv, &options);
	if (err || options.is_done)
		return err_exit_code(err);
	err = config_load(options.volume, &config);
	if (!err && options.is_check)
		err = reload_check(config);
	if (!err && !options.is_check)
		err = harden();
	status = err || options.is_check ? err_exit_code(err) : parent_run(&options, config);
	config_free(config);
	return status;
}
