/*
 * What a new daemon finds: checks the end of the journal, moves an old ring's
 * records into it and says where the chain goes on.
 */
#ifndef PHIFS_AUDIT_RECOVER_H
#define PHIFS_AUDIT_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/identity.h"
#include "audit/ring.h"
#include "audit/state.h"

struct recovery {
	struct position end;            /* of the last whole record */
	bool was_clean;                 /* the last run made its stop seal, or there was none */
	uint64_t from_ring;             /* records that were only in the ring */
	uint64_t torn;                  /* bytes behind the end that are no record */
	uint32_t counts[AUDIT_TYPE_COUNT]; /* records by type since the last seal */
};

/*
 * Verifies everything since the state's last sealed position, and the segment
 * of that position from its start.  What a power cut can explain is counted as
 * torn and cut off; anything else is ERR_TAMPERED, after a message.  `state` goes over the
 * epochs of seals that were made after its last commit.
 */
enum err recover_trail(int dir_fd, const char *volume, const struct identity *identity,
		       struct audit_state *state, struct ring *ring, enum ring_found found,
		       const uint8_t boot_id[AUDIT_ID_LEN], struct recovery *recovery) MUST_CHECK;

#endif
