/* What `show` counts while it prints. */
#ifndef PHIFS_TOOLS_AUDIT_SHOW_H
#define PHIFS_TOOLS_AUDIT_SHOW_H

#include "tools/audit/tool.h"

struct show {
	struct filter filter;
	bool is_json;
	uint64_t shown, total;
};

#endif
