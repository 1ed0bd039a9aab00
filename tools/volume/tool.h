/*
 * phifs-volume: makes, checks and looks into volumes.  `init` collects and
 * checks everything first (plan.c) and only then makes it, remembering what it
 * made (made.c), so that it can take all of it back.
 */
#ifndef PHIFS_TOOLS_VOLUME_TOOL_H
#define PHIFS_TOOLS_VOLUME_TOOL_H

#include "tools/cli/command.h"

enum {
#define OPT(id, name, letter, argument, help) OPT_##id,
#include "tools/volume/options.def"
#undef OPT
	OPT_COUNT
};

enum err cmd_init(const struct call *call);
enum err cmd_check(const struct call *call);
enum err cmd_locate(const struct call *call);

#endif
