/* SPDX-License-Identifier: MIT
 * States of the process that change what its memory calls do; see rules.h.
 */
#include "replay/rules.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>

/* linux/prctl.h, since Linux 6.3 and 6.6 */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#define MDWE_NO_INHERIT 2u

#define ASKS_ONLY UINT32_MAX /* personality(2) */

void kp_rules_note(struct kp_engine *engine, const struct kp_ev_syscall *call)
{
	if (!kp_call_succeeded(call) || kp_call_was_refused(call))
		return;
	if (call->nr == KP_NR_prctl && (int)call->arg0 == PR_SET_MDWE)
		engine->rules.mdwe = (uint32_t)call->arg1;
	/* A child that borrows the memory has its own. */
	if (call->nr == KP_NR_personality && (uint32_t)call->arg0 != ASKS_ONLY && !engine->in_child)
		engine->rules.reads_run = call->arg0 & READ_IMPLIES_EXEC;
}

void kp_rules_exec(struct kp_engine *engine)
{
	engine->rules.reads_run = false;
	if (engine->rules.mdwe & MDWE_NO_INHERIT)
		engine->rules.mdwe = 0;
}

uint64_t kp_rules_prot(const struct kp_engine *engine, uint64_t prot)
{
	return engine->rules.reads_run && prot & PROT_READ ? prot | PROT_EXEC : prot;
}

struct denial {
	uint64_t at, end; /* what is left to look at */
	uint64_t prot;
	bool by_mdwe;    /* else by the limit of memory that may be written */
	uint64_t denied; /* begin of the first mapping that cannot have the protection, or 0 */
};

static bool is_denied(const struct denial *denial, const struct kp_region *region)
{
	if (denial->by_mdwe)
		return denial->prot & PROT_EXEC &&
		       (denial->prot & PROT_WRITE || region->perms[2] != 'x');
	return denial->prot & PROT_WRITE && region->perms[1] != 'w' && region->perms[3] == 'p';
}

static int look(const struct kp_region *region, void *arg)
{
	struct denial *denial = arg;

	if (region->end <= denial->at)
		return 0;
	if (region->start > denial->at || denial->at >= denial->end)
		return 1;
	if (!denial->denied && is_denied(denial, region))
		denial->denied = denial->at;
	denial->at = region->end;
	return 0;
}

bool kp_rules_deny(const struct kp_engine *engine, const struct kp_ev_syscall *call, uint64_t end,
		   uint64_t *ret_at)
{
	struct denial denial = {call->arg0, end, kp_rules_prot(engine, call->arg2),
				call->ret == -EACCES, 0};

	if (call->ret != -ENOMEM && !(call->ret == -EACCES && engine->rules.mdwe))
		return false;
	if (kp_tracee_each_region(&engine->tracee, look, &denial) < 0)
		return false;
	/* Over a hole it fails by itself. */
	*ret_at = denial.denied;
	return denial.denied && (denial.by_mdwe || denial.at >= denial.end);
}
