/* SPDX-License-Identifier: MIT
 *
 * Calls that make or change memory. They are run again in the process, at the recorded place. Some
 * change memory although they fail: what comes before a hole, or the target of a move. Those are
 * run again whatever they returned, and must return the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "event/advice.h"
#include "replay/rules.h"
#include "replay/special.h"

#define PAGE_UP(addr) (((addr) + 4095) & ~4095ULL)
#define USER_END 0x7ffffffff000ULL

/* asm-generic/mman-common.h and linux/mman.h, as far as an older C library lacks them */
#define MAP_DROPPABLE_TYPE 0x08
#define HUGE_SHIFT 26
#define HUGE_MASK 0x3f
#define HUGE_DEFAULT_SHIFT 21

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

static const char *outcome(int64_t value)
{
	return value < 0 && value > -4096 ? strerror((int)-value) : "success";
}

/* Runs a call again that must have the recorded result. */
static int run_again(struct kp_engine *engine, const struct kp_step *step, long nr,
		     const uint64_t args[6])
{
	const struct kp_ev_syscall *call = step->call;
	int64_t value;
	int rc = inject(engine, nr, args, &value);

	if (rc < 0)
		return rc;
	if (value != call->ret)
		return kp_engine_refuse(engine, "call %u (%s) gives '%s' here, recorded was '%s'",
					call->seq, kp_syscall_name(call->nr), outcome(value),
					outcome(call->ret));
	return set_result(engine, step);
}

/* --- mappings --- */

static int lost_locks(struct kp_engine *engine, int rc)
{
	return rc < 0 ? kp_engine_refuse(engine, "the process locks memory in too many pieces") : 0;
}

int kp_engine_list_fds(const struct kp_engine *engine, size_t more, int **ret_fds, size_t *ret_cnt)
{
	const struct kp_session *session = engine->session;
	size_t read_only = kp_files_fd_cnt(engine->files), segments = kp_sysv_fd_cnt(engine->sysv);
	int *fds = calloc(session->files.cnt + read_only + segments + more + 1, sizeof *fds);
	size_t n = 0;

	if (!fds)
		return kp_err_set(engine->err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < session->files.cnt; i++)
		if (session->files.at[i].fd >= 0)
			fds[n++] = session->files.at[i].fd;
	for (size_t i = 0; i < read_only; i++)
		fds[n++] = kp_files_fds(engine->files)[i];
	for (size_t i = 0; i < segments; i++)
		fds[n++] = kp_sysv_fd(engine->sysv, i);
	*ret_fds = fds;
	*ret_cnt = n;
	return 0;
}

/* Huge pages are served with normal ones, of which as many are mapped. */
static uint64_t mapped_len(const struct kp_ev_syscall *call)
{
	uint64_t shift = call->arg3 >> HUGE_SHIFT & HUGE_MASK, page;

	if (!(call->arg3 & MAP_HUGETLB))
		return call->arg1;
	page = 1ULL << (shift ? shift : HUGE_DEFAULT_SHIFT);
	return (call->arg1 + page - 1) & ~(page - 1);
}

/* Flags that mean the same at the recorded place. */
static uint64_t map_flags(const struct kp_ev_syscall *call, bool anonymous)
{
	uint64_t type = call->arg3 & MAP_TYPE;
	uint64_t flags = MAP_FIXED | MAP_NORESERVE | (call->arg3 & MAP_GROWSDOWN);

	if (type == MAP_PRIVATE || type == MAP_DROPPABLE_TYPE)
		flags |= MAP_PRIVATE;
	else
		flags |= MAP_SHARED;
	if (anonymous)
		return flags | MAP_ANONYMOUS;
	/* It gives the process copies that later writes to the file do not reach. */
	if (flags & MAP_PRIVATE && call->arg2 & PROT_WRITE)
		flags |= call->arg3 & (MAP_POPULATE | MAP_LOCKED) ? MAP_POPULATE : 0;
	return flags;
}

/* Maps what the flags say at the recorded place, from fd or KP_FILE_ANON. */
static int map(struct kp_engine *engine, const struct kp_step *step, int fd)
{
	const struct kp_ev_syscall *call = step->call;
	bool anonymous = fd == KP_FILE_ANON;
	uint64_t args[6] = {call->ret,
			    mapped_len(call),
			    kp_rules_prot(engine, call->arg2),
			    map_flags(call, anonymous),
			    anonymous ? (uint64_t)-1 : (uint64_t)fd,
			    anonymous ? 0 : call->arg5};
	int64_t value;
	int rc;

	rc = inject(engine, SYS_mmap, args, &value);
	if (rc < 0)
		return rc;
	if (value != call->ret)
		return kp_engine_refuse(
			engine, "call %u: cannot map %llu bytes at 0x%llx here (%s)", call->seq,
			(unsigned long long)args[1], (unsigned long long)call->ret, outcome(value));
	if (anonymous && args[3] & MAP_SHARED)
		kp_files_share(engine->files);
	set_result(engine, step);
	rc = kp_locks_map(engine->locks, args[0], PAGE_UP(args[0] + args[1]),
			  call->arg3 & MAP_LOCKED);
	return lost_locks(engine, rc);
}

int kp_special_mmap(struct kp_engine *engine, const struct kp_step *step)
{
	int fd = KP_FILE_ANON;

	if (!(step->call->arg3 & MAP_ANONYMOUS))
		fd = kp_files_map(engine->files, &engine->tracee, step, engine->err);
	if (fd == -ENODATA)
		return kp_engine_refuse(engine,
					"call %u maps a file whose content is not in the log "
					"(a device, or one that could not be read)",
					step->call->seq);
	if (fd < 0)
		return kp_engine_refuse(engine, "%s", engine->err->text);
	return map(engine, step, fd);
}

int kp_special_munmap(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t args[6] = {call->arg0, call->arg1};
	int rc = run_again(engine, step, SYS_munmap, args);

	return rc ? rc
		  : lost_locks(engine, kp_locks_remove(engine->locks, call->arg0,
						       PAGE_UP(call->arg0 + call->arg1)));
}

/* What was locked is so at its new place. */
static int move_locks(struct kp_engine *engine, const struct kp_ev_syscall *call)
{
	uint64_t old_end = PAGE_UP(call->arg0 + call->arg1), to = call->ret;
	bool locked = kp_locks_first(engine->locks, call->arg0, old_end) == call->arg0 &&
		      old_end > call->arg0;
	int rc = kp_locks_remove(engine->locks, call->arg0, old_end);

	if (rc == 0 && locked)
		rc = kp_locks_add(engine->locks, to, PAGE_UP(to + call->arg2));
	else if (rc == 0)
		rc = kp_locks_remove(engine->locks, to, PAGE_UP(to + call->arg2));
	return lost_locks(engine, rc);
}

/* One that fails has unmapped its target, if it named one. */
int kp_special_mremap(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t args[6] = {call->arg0, call->arg1, call->arg2, call->arg3, call->arg4};
	int rc;

	if (!kp_call_succeeded(call))
		return call->arg3 & MREMAP_FIXED ? run_again(engine, step, SYS_mremap, args)
						 : kp_engine_emulate(engine, step);
	args[4] = call->ret;
	if ((uint64_t)call->ret == call->arg0)
		args[3] &= ~(uint64_t)(MREMAP_FIXED | MREMAP_MAYMOVE);
	else
		args[3] |= MREMAP_FIXED | MREMAP_MAYMOVE;
	rc = run_again(engine, step, SYS_mremap, args);
	return rc ? rc : move_locks(engine, call);
}

/* The heap is anonymous memory of our own between the recorded ends. */
int kp_special_brk(struct kp_engine *engine, const struct kp_step *step)
{
	uint64_t now = step->call->ret, from = PAGE_UP(engine->brk), to = PAGE_UP(now);
	uint64_t args[6] = {from,
			    to - from,
			    kp_rules_prot(engine, PROT_READ | PROT_WRITE),
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
	set_result(engine, step);
	rc = to > from ? kp_locks_map(engine->locks, from, to, false)
		       : kp_locks_remove(engine->locks, to, from);
	return lost_locks(engine, rc);
}

/* --- protection and advice --- */

/* What comes before the place at which the call failed. */
static int protect_until(struct kp_engine *engine, const struct kp_step *step,
			 const uint64_t args[6])
{
	int64_t value;
	int rc = args[1] ? inject(engine, SYS_mprotect, args, &value) : 0;

	return rc < 0 ? rc : set_result(engine, step);
}

/*
 * What comes before a hole (ENOMEM), before a file that may not be written (EACCES) or before a
 * sealed mapping (EPERM) has the new protection.
 */
int kp_special_mprotect(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t args[6] = {call->arg0, call->arg1, kp_rules_prot(engine, call->arg2)}, at;
	bool with_key = call->nr == KP_NR_pkey_mprotect && call->arg3 && (int)call->arg3 != -1;

	if (!with_key && kp_rules_deny(engine, call, PAGE_UP(call->arg0 + call->arg1), &at)) {
		args[1] = at - call->arg0;
		return protect_until(engine, step, args);
	}
	if (!with_key && (kp_call_succeeded(call) || call->ret == -ENOMEM || call->ret == -EACCES ||
			  call->ret == -EPERM))
		return run_again(engine, step, SYS_mprotect, args);
	return kp_engine_emulate(engine, step);
}

/* Locked memory ends the call; what comes before it has been advised. */
static int advise_to_lock(struct kp_engine *engine, const struct kp_step *step,
			  const uint64_t args[6])
{
	uint64_t end = PAGE_UP(args[0] + args[1]);
	uint64_t locked = kp_locks_first(engine->locks, args[0], end);
	const uint64_t before[6] = {args[0], locked - args[0], args[2]};
	int64_t value;
	int rc = 0;

	if (locked >= end)
		return run_again(engine, step, SYS_madvise, args);
	if (locked > args[0])
		rc = inject(engine, SYS_madvise, before, &value);
	return rc < 0 ? rc : set_result(engine, step);
}

int kp_special_madvise(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const uint64_t args[6] = {call->arg0, call->arg1, call->arg2};

	if (kp_advice_effect((uint32_t)call->arg2) != KP_ADVICE_CHANGES)
		return kp_engine_emulate(engine, step);
	if (call->ret == -EINVAL)
		return advise_to_lock(engine, step, args);
	return run_again(engine, step, SYS_madvise, args);
}

/* --- locks and seals, which decide what other calls do --- */

struct hole {
	uint64_t at, end;
};

static int find_hole(const struct kp_region *region, void *arg)
{
	struct hole *hole = arg;

	if (region->start > hole->at || hole->at >= hole->end)
		return 1;
	if (region->end > hole->at)
		hole->at = region->end;
	return 0;
}

/* End of the memory from start on that has no hole, at most end. */
static uint64_t mapped_until(const struct kp_engine *engine, uint64_t start, uint64_t end)
{
	struct hole hole = {start, end};

	kp_tracee_each_region(&engine->tracee, find_hole, &hole);
	return hole.at < end ? hole.at : end;
}

/*
 * mlock and its kin. Over a hole they fail behind what comes before it; a limit that forbids them
 * makes them fail at once.
 */
int kp_special_lock(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t start = call->arg0 & ~4095ULL, end = PAGE_UP(call->arg0 + call->arg1), until;
	int rc = kp_engine_emulate(engine, step);

	if (rc || (call->ret < 0 && call->ret != -ENOMEM && call->ret != -EAGAIN))
		return rc;
	until = call->ret == -ENOMEM ? mapped_until(engine, start, end) : end;
	if (call->ret == -ENOMEM && until == end)
		return 0;
	if (call->nr == KP_NR_munlock)
		rc = kp_locks_remove(engine->locks, start, until);
	else
		rc = kp_locks_add(engine->locks, start, until);
	return lost_locks(engine, rc);
}

int kp_special_lock_all(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	int rc = 0;

	if (call->nr == KP_NR_munlockall)
		kp_locks_done(engine->locks);
	else if (call->arg0 & MCL_CURRENT)
		rc = kp_locks_add(engine->locks, 0, USER_END);
	engine->locks->future = call->nr == KP_NR_mlockall && call->arg0 & MCL_FUTURE;
	rc = lost_locks(engine, rc);
	return rc ? rc : kp_engine_emulate(engine, step);
}

/* A kernel without mseal answers ENOSYS; what a sealed mapping forbids then shows as refusal. */
int kp_special_mseal(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const uint64_t args[6] = {call->arg0, call->arg1, call->arg2};
	int64_t value;
	int rc = 0;

	if (kp_call_succeeded(call))
		rc = inject(engine, KP_NR_mseal, args, &value);
	return rc < 0 ? rc : kp_engine_emulate(engine, step);
}

/* --- the limit up to which the stack grows --- */

void kp_engine_limit_stack(struct kp_engine *engine, uint64_t limit)
{
	struct rlimit own, wanted = {limit, limit};
	pid_t pid = engine->tracee.pid;

	if (!limit || prlimit(pid, RLIMIT_STACK, NULL, &own) < 0)
		return;
	wanted.rlim_max = limit > own.rlim_max ? limit : own.rlim_max;
	if (!prlimit(pid, RLIMIT_STACK, &wanted, NULL))
		return;
	kp_files_doubt(engine->files,
		       "its stack might grow to %llu bytes when it was recorded, here to %llu "
		       "(ulimit -H -s)",
		       (unsigned long long)limit, (unsigned long long)own.rlim_max);
	own.rlim_cur = own.rlim_max;
	prlimit(pid, RLIMIT_STACK, &own, NULL);
}

/* setrlimit and prlimit64 */
int kp_special_limit(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	bool own = call->nr == KP_NR_setrlimit || !call->arg0 ||
		   (uint32_t)call->arg0 == engine->session->pid;
	uint64_t resource = call->nr == KP_NR_setrlimit ? call->arg0 : call->arg1;
	uint64_t address = call->nr == KP_NR_setrlimit ? call->arg1 : call->arg2;
	uint64_t limit;
	int rc = kp_engine_emulate(engine, step);

	if (rc || !own || (uint32_t)resource != RLIMIT_STACK || !address ||
	    kp_tracee_read(&engine->tracee, address, &limit, sizeof limit) != sizeof limit)
		return rc;
	kp_engine_limit_stack(engine, limit);
	return 0;
}
