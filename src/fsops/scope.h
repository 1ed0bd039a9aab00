/*
 * The policy in force, as held by one request or one handle.
 *
 * A scope is a policy with its generation and a count of those who use it.
 * fsops_set_policy puts a new one in its place; the old one is freed with its
 * last user.  Requests on open handles only compare the generation, an atomic;
 * taking a scope costs a short lock and is not done for READ and WRITE.
 */
#ifndef PHIFS_FSOPS_SCOPE_H
#define PHIFS_FSOPS_SCOPE_H

#include <stdint.h>

#include "base/err.h"
#include "policy/policy.h"

struct scope {
	struct policy *policy;
	struct scope *owner;   /* who frees the policy; NULL: this scope */
	uint64_t generation;   /* 1, 2, 3 ... */
	_Atomic uint32_t users;
};

struct scopes;

/* Takes the policy over, also on failure. */
enum err scopes_new(struct policy *policy, struct scopes **scopes) MUST_CHECK;
void scopes_free(struct scopes *scopes);
/* Takes the policy over. ERR_NO_MEMORY: the one in force stays, and `policy` is freed. */
enum err scopes_set(struct scopes *scopes, struct policy *policy) MUST_CHECK;
/*
 * The same policy with a new generation: everything is decided anew, because
 * time changes what it says.  ERR_NO_MEMORY: nothing happened.
 */
enum err scopes_renew(struct scopes *scopes) MUST_CHECK;
/* No lock. */
uint64_t scopes_generation(const struct scopes *scopes);
/* The one in force; until scope_put. */
struct scope *scope_take(struct scopes *scopes);
struct scope *scope_hold(struct scope *scope);
void scope_put(struct scope *scope); /* NULL is harmless */

#endif
