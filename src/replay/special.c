/* SPDX-License-Identifier: MIT
 *
 * Calls with code of their own: the table of them, and those that make programs and children or
 * whose replayability hangs on an argument. Memory is in memory.c and sysv.c.
 */
#include <sched.h>

#include "replay/special.h"

/* Children are recorded as processes of their own; here they are only a number. */
static int do_clone(struct kp_engine *engine, const struct kp_step *step)
{
	struct kp_call_bytes bytes = kp_session_call_bytes(engine->session, step);
	int rc = kp_engine_emulate(engine, step);

	if (!(kp_call_clone_flags(step->call, &bytes) & CLONE_VM) && kp_files_shares(engine->files))
		kp_files_doubt(engine->files,
			       "call %u starts a child that shares memory with the process; what "
			       "it stores there is not served",
			       step->call->seq);
	if (rc == 0 && kp_session_is_vfork(engine->session, step))
		rc = kp_engine_run_child(engine, step);
	return rc;
}

static int do_exec(struct kp_engine *engine, const struct kp_step *step)
{
	if (step->image == UINT32_MAX)
		return kp_engine_refuse(engine,
					"call %u: the new program's image is not in the log",
					step->call->seq);
	return kp_engine_enter_image(engine, step->image);
}

/* The rows of the action SPECIAL but for exit and exit_group, which end the replay. */
static const struct {
	uint16_t nr;
	bool failed_too; /* else a failure is just the recorded result */
	int (*serve)(struct kp_engine *engine, const struct kp_step *step);
} specials[] = {
	{KP_NR_mmap, false, kp_special_mmap},
	{KP_NR_munmap, false, kp_special_munmap},
	{KP_NR_mremap, true, kp_special_mremap},
	{KP_NR_brk, false, kp_special_brk},
	{KP_NR_mprotect, true, kp_special_mprotect},
	{KP_NR_pkey_mprotect, true, kp_special_mprotect},
	{KP_NR_madvise, true, kp_special_madvise},
	{KP_NR_mlock, true, kp_special_lock},
	{KP_NR_mlock2, true, kp_special_lock},
	{KP_NR_munlock, true, kp_special_lock},
	{KP_NR_mlockall, false, kp_special_lock_all},
	{KP_NR_munlockall, false, kp_special_lock_all},
	{KP_NR_mseal, false, kp_special_mseal},
	{KP_NR_setrlimit, false, kp_special_limit},
	{KP_NR_prlimit64, false, kp_special_limit},
	{KP_NR_shmget, false, kp_special_shmget},
	{KP_NR_shmat, false, kp_special_shmat},
	{KP_NR_shmdt, false, kp_special_shmdt},
	{KP_NR_fork, false, do_clone},
	{KP_NR_vfork, false, do_clone},
	{KP_NR_clone, false, do_clone},
	{KP_NR_clone3, false, do_clone},
	{KP_NR_execve, false, do_exec},
	{KP_NR_execveat, false, do_exec},
	/* Segment bases and the use of extended state live in the CPU: the real kernel keeps them.
	 */
	{KP_NR_arch_prctl, false, kp_engine_execute},
};

bool kp_special_has(uint32_t nr)
{
	for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
		if (specials[i].nr == nr)
			return true;
	return false;
}

int kp_engine_special(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;

	for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
		if (specials[i].nr == call->nr &&
		    (specials[i].failed_too || kp_call_succeeded(call)))
			return specials[i].serve(engine, step);
	return kp_engine_emulate(engine, step);
}
