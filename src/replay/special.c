/* SPDX-License-Identifier: MIT
 *
 * Calls with code of their own: the table of them, and those that make programs and children or
 * whose replayability hangs on an argument. Memory is in memory.c and sysv.c.
 */
#include <sched.h>
#include <sys/syscall.h>

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

/* Rows of the action SPECIAL that are not here are emulated. */
static const struct {
	uint16_t nr;
	bool failed_too; /* else a failure is just the recorded result */
	int (*serve)(struct kp_engine *engine, const struct kp_step *step);
} specials[] = {
	{SYS_mmap, false, kp_special_mmap},
	{SYS_munmap, false, kp_special_munmap},
	{SYS_mremap, true, kp_special_mremap},
	{SYS_brk, false, kp_special_brk},
	{SYS_mprotect, true, kp_special_mprotect},
	{SYS_pkey_mprotect, true, kp_special_mprotect},
	{SYS_madvise, true, kp_special_madvise},
	{SYS_mlock, true, kp_special_lock},
	{SYS_mlock2, true, kp_special_lock},
	{SYS_munlock, true, kp_special_lock},
	{SYS_mlockall, false, kp_special_lock_all},
	{SYS_munlockall, false, kp_special_lock_all},
	{SYS_MSEAL, false, kp_special_mseal},
	{SYS_setrlimit, false, kp_special_limit},
	{SYS_prlimit64, false, kp_special_limit},
	{SYS_shmget, false, kp_special_shmget},
	{SYS_shmat, false, kp_special_shmat},
	{SYS_shmdt, false, kp_special_shmdt},
	{SYS_fork, false, do_clone},
	{SYS_vfork, false, do_clone},
	{SYS_clone, false, do_clone},
	{SYS_clone3, false, do_clone},
	{SYS_execve, false, do_exec},
	{SYS_execveat, false, do_exec},
	/* Segment bases and the use of extended state live in the CPU: the real kernel keeps them.
	 */
	{SYS_arch_prctl, false, kp_engine_execute},
};

int kp_engine_special(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;

	for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
		if (specials[i].nr == call->nr &&
		    (specials[i].failed_too || kp_call_succeeded(call)))
			return specials[i].serve(engine, step);
	return kp_engine_emulate(engine, step);
}
