/*
 * phifs-key: who can open a volume.  Reads and writes the slot file where it
 * lies; the daemon is asked only whether it has the volume open, and told what
 * was changed, for the audit trail.
 */
#ifndef PHIFS_TOOLS_KEY_TOOL_H
#define PHIFS_TOOLS_KEY_TOOL_H

#include "tools/cli/command.h"

enum {
#define OPT(id, name, letter, argument, help) OPT_##id,
#include "tools/key/options.def"
#undef OPT
	OPT_COUNT
};

enum err cmd_list(const struct call *call);
enum err cmd_add(const struct call *call);
enum err cmd_remove(const struct call *call);
enum err cmd_rotate(const struct call *call);

#endif
