/*
 * What store and audit trail ask of and tell the daemon: callbacks with the
 * struct volume as their ctx.
 */
#ifndef PHIFS_DAEMON_HOOKS_H
#define PHIFS_DAEMON_HOOKS_H

#include "daemon/volume.h"

/* The store's: flushes of the trail, INTEGRITY records. */
void hooks_of_store(struct volume *volume, struct store_hooks *hooks);

/* audit_get_evidence and audit_failed. */
void hook_evidence(void *volume, struct audit_evidence *evidence);
void hook_audit_failed(void *volume, enum err why);

#endif
