/* SPDX-License-Identifier: MIT
 *
 * Calls with code of their own: memory that has to come at its recorded place, programs, children,
 * and those whose replayability hangs on an argument. A failure is always just the recorded result.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "replay/engine.h"

#define PAGE_UP(addr) (((addr) + 4095) & ~4095ULL)
#define USER_END 0x7ffffffff000ULL

/* asm/prctl.h */
#define ARCH_SET_GS 0x1001
#define ARCH_GET_GS 0x1004
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_REQ_XCOMP_GUEST_PERM 0x1025
/* linux/seccomp.h */
#define SECCOMP_GET_NOTIF_SIZES 3
/* Offsets in struct clone_args (linux/sched.h). */
#define CLONE_ARGS_FLAGS 0
#define CLONE_ARGS_PARENT_TID 24

static int inject(struct kp_engine *engine, long nr, const uint64_t args[6], int64_t *ret_value)
{
	return kp_tracee_inject(&engine->tracee, nr, args, ret_value, engine->err);
}

static int set_result(struct kp_engine *engine, const struct kp_step *step)
{
	engine->tracee.regs.rax = step->call->ret;
	engine->tracee.dirty = true;
	return 0;
}

/* The mapping that a recorded mmap made, at its place, from the archive if it was a file's. */
static int do_mmap(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_archived *file = NULL;
	uint64_t drop = MAP_FIXED_NOREPLACE | MAP_HUGETLB | MAP_LOCKED | MAP_POPULATE | MAP_32BIT;
	uint64_t args[6] = {call->ret,    call->arg1, call->arg2, (call->arg3 & ~drop) | MAP_FIXED,
			    (uint64_t)-1, 0};
	int64_t value;
	int rc;

	if (!(call->arg3 & MAP_ANONYMOUS)) {
		if (step->file)
			file = kp_session_file(engine->session, step->file->file_id);
		if (!file)
			return kp_engine_refuse(
				engine,
				"call %u maps a file whose content is not in the log "
				"(a device, or one that could not be read)",
				call->seq);
		args[3] = (args[3] & ~(uint64_t)MAP_TYPE) | MAP_PRIVATE;
		args[4] = file->fd;
		args[5] = call->arg5;
	}
	rc = inject(engine, SYS_mmap, args, &value);
	if (rc < 0)
		return rc;
	if (value != call->ret)
		return kp_engine_refuse(
			engine, "call %u: cannot map %llu bytes at 0x%llx here (%s)", call->seq,
			(unsigned long long)call->arg1, (unsigned long long)call->ret,
			value < 0 && value > -4096 ? strerror((int)-value) : "?");
	return set_result(engine, step);
}

static int do_mremap(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t args[6] = {call->arg0, call->arg1, call->arg2, call->arg3, call->ret};
	int64_t value;
	int rc;

	if ((uint64_t)call->ret == call->arg0)
		args[3] &= ~(uint64_t)(MREMAP_FIXED | MREMAP_MAYMOVE);
	else
		args[3] |= MREMAP_FIXED | MREMAP_MAYMOVE;
	rc = inject(engine, SYS_mremap, args, &value);
	if (rc < 0)
		return rc;
	if (value != call->ret)
		return kp_engine_refuse(engine, "call %u: mremap gives %lld here", call->seq,
					(long long)value);
	return set_result(engine, step);
}

/* The heap is anonymous memory of our own between the recorded ends. */
static int do_brk(struct kp_engine *engine, const struct kp_step *step)
{
	uint64_t now = step->call->ret, from = PAGE_UP(engine->brk), to = PAGE_UP(now);
	uint64_t args[6] = {from,
			    to - from,
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			    (uint64_t)-1,
			    0};
	int64_t value = 0;
	int rc = 0;

	if (now >= USER_END)
		return kp_engine_refuse(engine, "call %u: brk cannot be at 0x%llx", step->call->seq,
					(unsigned long long)now);
	if (engine->brk && to > from)
		rc = inject(engine, SYS_mmap, args, &value);
	if (engine->brk && to < from) {
		args[0] = to;
		args[1] = from - to;
		rc = inject(engine, SYS_munmap, args, &value);
	}
	if (rc < 0)
		return rc;
	if (value < 0 && value > -4096)
		return kp_engine_refuse(engine, "call %u: cannot move the heap's end here (%s)",
					step->call->seq, strerror((int)-value));
	engine->brk = now;
	return set_result(engine, step);
}

/* Children are recorded as processes of their own; here they are only a number. */
static int do_clone(struct kp_engine *engine, const struct kp_step *step, uint64_t flags)
{
	uint64_t parent_tid = 0, args = step->call->arg0;
	bool extended = step->call->nr == SYS_clone3;
	uint32_t tid = step->call->ret;
	int rc;

	if (flags & CLONE_THREAD)
		return kp_engine_refuse(engine,
					"call %u starts a thread: the process is multi-threaded",
					step->call->seq);
	if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
		return kp_engine_refuse(engine, "call %u starts a child that shares the memory",
					step->call->seq);
	rc = kp_engine_emulate(engine, step);
	if (rc == 0 && kp_session_is_vfork(engine->session, step))
		rc = kp_engine_run_child(engine, step);
	if (rc || !extended)
		return rc;
	if (flags & CLONE_PIDFD)
		return kp_engine_refuse(engine, "call %u: the child's pidfd is not in the log",
					step->call->seq);
	if (flags & CLONE_PARENT_SETTID &&
	    kp_tracee_read(&engine->tracee, args + CLONE_ARGS_PARENT_TID, &parent_tid,
			   sizeof parent_tid) == sizeof parent_tid)
		kp_tracee_write(&engine->tracee, parent_tid, &tid, sizeof tid);
	return 0;
}

static int do_clone3(struct kp_engine *engine, const struct kp_step *step)
{
	uint64_t flags;

	if (kp_tracee_read(&engine->tracee, step->call->arg0 + CLONE_ARGS_FLAGS, &flags,
			   sizeof flags) != sizeof flags)
		return kp_engine_diverge(engine, step, "clone3: its arguments are not readable");
	return do_clone(engine, step, flags);
}

static int do_exec(struct kp_engine *engine, const struct kp_step *step)
{
	if (step->image == UINT32_MAX)
		return kp_engine_refuse(engine,
					"call %u: the new program's image is not in the log",
					step->call->seq);
	return kp_engine_enter_image(engine, step->image);
}

/* Segment bases and the use of extended state live in the CPU: the real kernel keeps them. */
static int do_arch_prctl(struct kp_engine *engine, const struct kp_step *step)
{
	uint64_t code = step->call->arg0;

	if ((code >= ARCH_SET_GS && code <= ARCH_GET_GS) ||
	    (code >= ARCH_GET_XCOMP_SUPP && code <= ARCH_REQ_XCOMP_GUEST_PERM))
		return kp_engine_execute(engine, step);
	return kp_engine_refuse(engine, "call %u: arch_prctl code 0x%llx cannot be replayed",
				step->call->seq, (unsigned long long)code);
}

int kp_engine_special(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;

	if (!kp_call_succeeded(call))
		return kp_engine_emulate(engine, step);
	switch (call->nr) {
	case SYS_mmap:
		return do_mmap(engine, step);
	case SYS_mremap:
		return do_mremap(engine, step);
	case SYS_brk:
		return do_brk(engine, step);
	case SYS_vfork:
		return do_clone(engine, step, CLONE_VM | CLONE_VFORK);
	case SYS_clone:
		return do_clone(engine, step, call->arg0);
	case SYS_clone3:
		return do_clone3(engine, step);
	case SYS_execve:
	case SYS_execveat:
		return do_exec(engine, step);
	case SYS_arch_prctl:
		return do_arch_prctl(engine, step);
	case SYS_seccomp:
		if (call->arg0 == SECCOMP_GET_NOTIF_SIZES)
			return kp_engine_refuse(
				engine, "call %u: seccomp's notification sizes are not in the log",
				call->seq);
		break;
	case SYS_process_vm_writev:
		if (call->arg0 == engine->session->pid)
			return kp_engine_refuse(
				engine, "call %u: the process writes its own memory by a call",
				call->seq);
		break;
	}
	return kp_engine_emulate(engine, step);
}
