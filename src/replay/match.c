/* SPDX-License-Identifier: MIT
 * Matching of another build's calls with recorded ones; see match.h.
 */
#include "replay/match.h"

#include <string.h>
#include <sys/mman.h>

#include "event/doubt.h"
#include "replay/change.h"
#include "replay/filter.h"

/* Recorded calls that are looked at before a call counts as unanswered. */
#define LOOK_AHEAD 64
#define NAME_MAX_LEN 4096

bool kp_match_runs_for_real(uint64_t nr, uint64_t flags)
{
	const struct kp_syscall *row = nr < KP_SYSCALL_MAX ? kp_syscall_get((unsigned)nr) : NULL;

	if (nr == KP_NR_mmap)
		return flags & MAP_ANONYMOUS;
	return row && (row->action == KP_ACT_EXECUTE || row->traits & KP_TRAIT_MEMORY);
}

static bool is_matched(const struct kp_ev_syscall *call)
{
	return !kp_match_runs_for_real(call->nr, call->arg3) &&
	       !kp_syscall_has(call->nr, KP_TRAIT_SETUP);
}

/* Whether a call gave bytes away: to a file, a socket, a queue, a terminal. */
static bool gives_bytes(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	bool gives = kp_syscall_has(call->nr, KP_TRAIT_KERNEL_COPIES);

	if (!row)
		return false;
	for (int i = 0; i < KP_ARG_MAX; i++)
		gives |= kp_arg_is_output(&row->rule.args[i]);
	return gives && (row->result == KP_RESULT_ZERO ? call->ret == 0 : call->ret > 0);
}

const char *kp_match_left_out(const struct kp_session *session, const struct kp_step *step)
{
	if (gives_bytes(step->call))
		return "write what it wrote";
	return kp_change_was_made(session, step) ? "change what it changed" : NULL;
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

/* The bits of an argument that say which call it is, or where in a file: those must be equal. */
static uint64_t telling_bits(const struct kp_syscall *row, int i)
{
	const struct kp_arg *arg = &row->rule.args[i];

	for (int k = 0; k < KP_ARG_MAX; k++)
		if (row->rule.args[k].rule == KP_LEN_COMMAND && row->rule.args[k].len_arg == i)
			return (uint32_t)~row->rule.args[k].unit;
	if (arg->type == KP_ARG_OFF)
		return UINT64_MAX;
	if (arg->type == KP_ARG_FD ||
	    (arg->type == KP_ARG_FLAGS && kp_flags_is_choice((enum kp_flag_set)arg->unit)))
		return UINT32_MAX;
	return 0;
}

static bool same_name(struct kp_engine *engine, const struct kp_step *step, int arg, uint64_t addr)
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

static bool answers(struct kp_engine *engine, const struct kp_step *step, uint64_t nr,
		    const uint64_t own[6])
{
	const struct kp_syscall *row = kp_syscall_get(nr);
	uint64_t then[6];

	if (!step->call || step->call->nr != nr || !row)
		return false;
	/* Its record has the new program's registers; what it was given is compared behind. */
	if (kp_step_is_exec(step))
		return true;
	kp_call_args(step->call, then);
	for (int i = 0; i < KP_ARG_MAX; i++) {
		const struct kp_arg *arg = &row->rule.args[i];

		if ((own[i] ^ then[i]) & telling_bits(row, i))
			return false;
		if (arg->rule == KP_LEN_STR &&
		    (!own[i] != !then[i] || !same_name(engine, step, i, own[i])))
			return false;
	}
	return true;
}

uint32_t kp_match_find(struct kp_engine *engine, uint64_t nr, const uint64_t own[6],
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
		if (!skipped && kp_match_left_out(session, step))
			skipped = step;
		seen++;
	}
	return UINT32_MAX;
}

/* Whether the call only asks, and gives nothing that it may set; a name is part of the question. */
static bool only_asks(uint64_t nr, const uint64_t own[6])
{
	const struct kp_syscall *row = nr < KP_SYSCALL_MAX ? kp_syscall_get((unsigned)nr) : NULL;

	return row && row->traits & KP_TRAIT_ASKS && !kp_syscall_sets(row, own);
}

/* Whether a recorded call asked the same: of the same process, with the same flags … */
static bool asked_alike(const struct kp_ev_syscall *call, const uint64_t own[6])
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	uint64_t then[6];

	kp_call_args(call, then);
	for (int i = 0; i < KP_ARG_MAX; i++) {
		unsigned type = row->rule.args[i].type;

		if ((type == KP_ARG_INT || type == KP_ARG_MS || type == KP_ARG_FLAGS ||
		     type == KP_ARG_HEX || type == KP_ARG_OCT) &&
		    (uint32_t)own[i] != (uint32_t)then[i])
			return false;
	}
	return true;
}

uint32_t kp_match_repeat(struct kp_engine *engine, uint64_t nr, const uint64_t own[6])
{
	const struct kp_session *session = engine->session;
	const struct kp_step *step;

	if (!only_asks(nr, own))
		return UINT32_MAX;
	/* The nearest before, else the first behind. */
	for (uint32_t n = 0; n < session->steps.cnt; n++) {
		uint32_t i = n < engine->at ? engine->at - 1 - n : n;

		step = &session->steps.at[i];
		if (answers(engine, step, nr, own) && asked_alike(step->call, own))
			return i;
	}
	return UINT32_MAX;
}

bool kp_match_loader_may(const struct kp_engine *engine)
{
	const struct user_regs_struct *r = &engine->tracee.regs;
	const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

	/* What the replayer itself has it run. */
	if (r->orig_rax == KP_NR_execveat || r->orig_rax == KP_NR_seccomp ||
	    r->orig_rax == KP_NR_exit_group)
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
		if (call->nr == KP_NR_mmap && strstr(mapped_path(session, step), "/ld.so.cache"))
			cache = call->ret;
		if (call->nr == KP_NR_mprotect)
			end = i + 1;
		if (call->nr == KP_NR_munmap && cache && call->arg0 == cache)
			return i + 1;
	}
	return end;
}
