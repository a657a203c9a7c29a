/* SPDX-License-Identifier: MIT
 *
 * Calls with code of their own: memory that has to come at its recorded place, programs, children,
 * and those whose replayability hangs on an argument. A failure is always just the recorded result.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "replay/engine.h"

#define PAGE_UP(addr) (((addr) + 4095) & ~4095ULL)
#define USER_END 0x7ffffffff000ULL

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
static int do_clone(struct kp_engine *engine, const struct kp_step *step)
{
	int rc = kp_engine_emulate(engine, step);

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
	case SYS_clone:
	case SYS_clone3:
		return do_clone(engine, step);
	case SYS_execve:
	case SYS_execveat:
		return do_exec(engine, step);
	case SYS_arch_prctl:
		/* Segment bases and the use of extended state live in the CPU: the real kernel
		 * keeps them. */
		return kp_engine_execute(engine, step);
	}
	return kp_engine_emulate(engine, step);
}
