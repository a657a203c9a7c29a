/* SPDX-License-Identifier: MIT
 *
 * States of the process that change what its memory calls do: memory that may not become executable
 * (PR_SET_MDWE), reading that implies running (personality), limits. The replayed process is not
 * put into them, for replay itself must write to what the process runs; what they do is done here.
 */
#ifndef KP_REPLAY_RULES_H
#define KP_REPLAY_RULES_H

#include "replay/engine.h"

/* Takes note of a call that was served. */
void kp_rules_note(struct kp_engine *engine, const struct kp_ev_syscall *call);
/* The process runs a new program. */
void kp_rules_exec(struct kp_engine *engine);

/* The protection that the process gets when it asks for prot. */
uint64_t kp_rules_prot(const struct kp_engine *engine, uint64_t prot);

/*
 * Whether a failed mprotect up to end failed for a state or a limit of the process, and at which
 * address: what comes before it has the new protection.
 */
bool kp_rules_deny(const struct kp_engine *engine, const struct kp_ev_syscall *call, uint64_t end,
		   uint64_t *ret_at);

#endif
