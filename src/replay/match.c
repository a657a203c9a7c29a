/* SPDX-License-Identifier: MIT
 * Matching of another build's calls with recorded ones; see match.h.
 */
#include "replay/match.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "replay/filter.h"

/* Recorded calls that are looked at before a call counts as unanswered. */
#define LOOK_AHEAD 64
#define NAME_MAX_LEN 4096

bool kp_match_runs_for_real(uint64_t nr, uint64_t flags)
{
	switch (nr) {
	case SYS_mmap:
		return flags & MAP_ANONYMOUS;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_mremap:
	case SYS_madvise:
	case SYS_brk:
	case SYS_arch_prctl:
	case SYS_rt_sigaction:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigreturn:
	case SYS_sigaltstack:
		return true;
	}
	return false;
}

static bool is_matched(const struct kp_ev_syscall *call)
{
	return !kp_match_runs_for_real(call->nr, call->arg3) && call->nr != SYS_set_tid_address &&
	       call->nr != SYS_set_robust_list && call->nr != SYS_rseq;
}

bool kp_match_gives_bytes(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);

	bool gives = kp_syscall_has(call->nr, KP_TRAIT_KERNEL_COPIES);

	for (int i = 0; row && i < KP_ARG_MAX; i++)
		gives |= kp_arg_is_output(&row->rule.args[i]);
	return gives && (row->result == KP_RESULT_ZERO ? call->ret == 0 : call->ret > 0);
}

const struct kp_step *kp_match_next(const struct kp_engine *engine)
{
	for (uint32_t i = engine->at; i < engine->session->steps.cnt; i++) {
		const struct kp_step *step = &engine->session->steps.at[i];

		if (step->deliver ? !kp_signal_leaves_no_trace(step->deliver)
				  : is_matched(step->call))
			return step;
	}
	return NULL;
}

/* The argument that says which call it is, besides the number and descriptors; or -1. */
static int command_arg(uint64_t nr)
{
	switch (nr) {
	case SYS_ioctl:
	case SYS_fcntl:
	case SYS_prlimit64:
	case SYS_epoll_ctl:
	case SYS_futex:
	case SYS_lseek:
		return 1;
	case SYS_prctl:
	case SYS_getrlimit:
	case SYS_clock_gettime:
	case SYS_clock_getres:
	case SYS_socket:
		return 0;
	}
	return -1;
}

static bool same_name(const struct kp_engine *engine, const struct kp_step *step, int arg,
		      uint64_t addr)
{
	unsigned char name[NAME_MAX_LEN];

	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *p = engine->session->payloads.at[step->payload + i];

		if (p->arg != arg || p->data_len > sizeof name)
			continue;
		return kp_tracee_read(&engine->tracee, addr, name, p->data_len) == p->data_len &&
		       !memcmp(name, KP_TAIL(p), p->data_len);
	}
	return true;
}

static bool answers(const struct kp_engine *engine, const struct kp_step *step, uint64_t nr,
		    const uint64_t own[6])
{
	const struct kp_syscall *row = kp_syscall_get(nr);
	uint64_t then[6];

	if (!step->call || step->call->nr != nr || !row)
		return false;
	kp_call_args(step->call, then);
	for (int i = 0; i < KP_ARG_MAX; i++) {
		const struct kp_arg *arg = &row->rule.args[i];

		if ((arg->type == KP_ARG_FD || i == command_arg(nr)) &&
		    (int32_t)own[i] != (int32_t)then[i])
			return false;
		if (arg->rule == KP_LEN_STR &&
		    (!own[i] != !then[i] || !same_name(engine, step, i, own[i])))
			return false;
	}
	return true;
}

uint32_t kp_match_find(const struct kp_engine *engine, uint64_t nr, const uint64_t own[6],
		       const struct kp_step **ret_skipped)
{
	const struct kp_session *session = engine->session;
	const struct kp_step *skipped = NULL;
	uint32_t seen = 0;

	*ret_skipped = NULL;
	for (uint32_t i = engine->at; i < session->steps.cnt && seen < LOOK_AHEAD; i++) {
		const struct kp_step *step = &session->steps.at[i];

		if (step->deliver) {
			if (kp_signal_leaves_no_trace(step->deliver))
				continue;
			break;
		}
		if (!is_matched(step->call))
			continue;
		if (answers(engine, step, nr, own)) {
			*ret_skipped = skipped;
			return i;
		}
		if (!skipped && kp_match_gives_bytes(step->call))
			skipped = step;
		seen++;
	}
	return UINT32_MAX;
}

static bool only_asks(uint64_t nr)
{
	switch (nr) {
	case SYS_getpid:
	case SYS_gettid:
	case SYS_getppid:
	case SYS_getuid:
	case SYS_geteuid:
	case SYS_getgid:
	case SYS_getegid:
	case SYS_clock_gettime:
	case SYS_gettimeofday:
	case SYS_time:
	case SYS_times:
	case SYS_getrusage:
	case SYS_uname:
	case SYS_sysinfo:
	case SYS_getcwd:
	case SYS_stat:
	case SYS_fstat:
	case SYS_lstat:
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_access:
	case SYS_prlimit64:
	case SYS_getrlimit:
	case SYS_sched_getaffinity:
		return true;
	}
	return false;
}

uint32_t kp_match_repeat(const struct kp_engine *engine, uint64_t nr, const uint64_t own[6])
{
	const struct kp_session *session = engine->session;

	if (!only_asks(nr))
		return UINT32_MAX;
	for (uint32_t i = engine->at; i-- > 0;)
		if (answers(engine, &session->steps.at[i], nr, own))
			return i;
	for (uint32_t i = engine->at; i < session->steps.cnt; i++)
		if (answers(engine, &session->steps.at[i], nr, own))
			return i;
	return UINT32_MAX;
}

bool kp_match_loader_may(const struct kp_engine *engine)
{
	const struct user_regs_struct *r = &engine->tracee.regs;
	const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

	/* What the replayer itself has it run. */
	if (r->orig_rax == SYS_execveat || r->orig_rax == SYS_seccomp ||
	    r->orig_rax == SYS_exit_group)
		return false;
	return kp_filter_permits(KP_FILTER_LOADER, r->orig_rax, args);
}

static const char *mapped_path(const struct kp_session *session, const struct kp_step *step)
{
	const struct kp_archived *file =
		step->file ? kp_session_file(session, step->file->file_id) : NULL;

	return file ? file->path : "";
}

/*
 * The loader's last call is to unmap the library cache; without libraries from the cache, the last
 * mprotect (of the relocated parts) of the run of calls that only loaders make.
 */
uint32_t kp_match_loader_end(const struct kp_session *session)
{
	uint64_t cache = 0;
	uint32_t end = 0;

	for (uint32_t i = 0; i < session->steps.cnt; i++) {
		const struct kp_step *step = &session->steps.at[i];
		const struct kp_ev_syscall *call = step->call;

		if (!call || (is_matched(call) && !kp_filter_has(KP_FILTER_LOADER, call->nr)))
			break;
		if (call->nr == SYS_mmap && strstr(mapped_path(session, step), "/ld.so.cache"))
			cache = call->ret;
		if (call->nr == SYS_mprotect)
			end = i + 1;
		if (call->nr == SYS_munmap && cache && call->arg0 == cache)
			return i + 1;
	}
	return end;
}
