/*
 * phifs-volume: makes, checks and looks into volumes.  `init` collects and
 * checks everything first (plan.c) and only then makes it, remembering what it
 * made (made.c), so that it can take all of it back.
 */
#ifndef PHIFS_TOOLS_VOLUME_TOOL_H
#define PHIFS_TOOLS_VOLUME_TOOL_H

#include "format/object_header.h"
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

#define OBJECT_DIGITS 32 /* of an id */

/*
 * The whole id of the first digits of one (or of a path that ends in it), by
 * looking into the ciphertext directory; whole ones need not exist.
 * ERR_NOT_FOUND, ERR_USAGE (several) after a message.
 */
enum err object_complete(const char *ciphertext, const char *text,
			 struct object_id *id) MUST_CHECK;
/* Could this be an object's name rather than a path? */
bool object_is_word(const char *text);

#endif
