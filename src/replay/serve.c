/* SPDX-License-Identifier: MIT
 * Serves a system call from the log; see engine.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "event/doubt.h"
#include "replay/engine.h"
#include "replay/rules.h"

void kp_call_args(const struct kp_ev_syscall *call, uint64_t ret_args[6])
{
	const uint64_t args[6] = {call->arg0, call->arg1, call->arg2,
				  call->arg3, call->arg4, call->arg5};

	memcpy(ret_args, args, sizeof args);
}

/* Index of the first declared argument that is not as recorded, or -1. */
static int differing_arg(const struct kp_engine *engine, const struct kp_ev_syscall *call)
{
	const struct user_regs_struct *regs = &engine->tracee.regs;
	const uint64_t native[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
	const uint64_t i386[6] = {(uint32_t)regs->rbx, (uint32_t)regs->rcx, (uint32_t)regs->rdx,
				  (uint32_t)regs->rsi, (uint32_t)regs->rdi, (uint32_t)regs->rbp};
	const uint64_t *got = call->flags & KP_SYSF_I386 ? i386 : native;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	uint64_t want[6];

	kp_call_args(call, want);
	for (int i = 0; row && i < KP_ARG_MAX && row->arg_names[i]; i++)
		if (got[i] != want[i])
			return i;
	return -1;
}

static int set_result(struct kp_engine *engine, int64_t value)
{
	engine->tracee.regs.rax = value;
	engine->tracee.dirty = true;
	return 0;
}

int kp_engine_emulate(struct kp_engine *engine, const struct kp_step *step)
{
	int rc = kp_engine_move_bytes(engine, step);

	if (rc)
		return rc;
	return set_result(engine, step->call->ret);
}

/* A child that borrows memory has signal actions of its own, which the row executes. */
static bool needs_no_run(const struct kp_engine *engine, const struct kp_ev_syscall *call)
{
	return engine->in_child && kp_syscall_get(call->nr)->action == KP_ACT_EXECUTE;
}

int kp_engine_execute(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	bool sigreturn = call->nr == KP_NR_rt_sigreturn;
	int64_t value;
	int rc;

	if (!sigreturn && (!kp_call_succeeded(call) || needs_no_run(engine, call)))
		return kp_engine_emulate(engine, step);
	rc = kp_tracee_execute(&engine->tracee, call->nr, engine->err);
	if (rc < 0)
		return rc;
	value = (int64_t)engine->tracee.regs.rax;
	if (value != call->ret && sigreturn)
		return kp_engine_diverge(engine, step,
					 "the signal handler returns to another state: result "
					 "0x%llx, recorded 0x%llx",
					 (unsigned long long)value, (unsigned long long)call->ret);
	if (value != call->ret)
		return kp_engine_refuse(engine, "call %u (%s) gives %lld here, recorded was %lld",
					call->seq, kp_syscall_name(call->nr), (long long)value,
					(long long)call->ret);
	if (sigreturn)
		return 0;
	return kp_engine_emulate(engine, step);
}

static int act(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_syscall *row = kp_syscall_get(step->call->nr);

	switch (row ? row->action : KP_ACT_EMULATE) {
	case KP_ACT_EXECUTE:
		return kp_engine_execute(engine, step);
	case KP_ACT_SPECIAL:
		return kp_engine_special(engine, step);
	case KP_ACT_NONE:
	case KP_ACT_EMULATE:
	case KP_ACT_REFUSE: /* it failed, or kp_engine_check_replayable has refused it */
		break;
	}
	return kp_engine_emulate(engine, step);
}

void kp_engine_trace(struct kp_engine *engine, const struct kp_step *step)
{
	struct kp_buf line = {0};

	if (!engine->options->trace)
		return;
	kp_buf_printf(&line, "%6u ", step->call->seq);
	kp_engine_print_step(engine, step, &line);
	if (!line.failed)
		engine->options->trace(line.data, engine->options->arg);
	kp_buf_done(&line);
}

int kp_engine_check_replayable(struct kp_engine *engine, const struct kp_step *step)
{
	struct kp_call_bytes bytes = kp_session_call_bytes(engine->session, step);
	char reason[KP_REASON_LEN];

	if (!kp_call_unreplayable(step->call, &bytes, reason))
		return 0;
	return kp_engine_refuse(engine, "call %u: the process %s, which replay cannot serve",
				step->call->seq, reason);
}

/* Whether nr, of which the kernel looks at 32 bits, is the recorded call's in its own table. */
static bool is_number_of(const struct kp_ev_syscall *call, uint32_t nr)
{
	if (!(call->flags & KP_SYSF_I386))
		return nr == call->nr;
	return call->nr == KP_NR_I386 + nr || kp_syscall_from_i386(nr) == (int)call->nr;
}

static int check_call(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	int arg, rc;

	if (!is_number_of(call, (uint32_t)engine->tracee.regs.orig_rax))
		return kp_engine_diverge(engine, step,
					 "the process makes another call: %s instead of %s",
					 kp_syscall_name((uint32_t)engine->tracee.regs.orig_rax),
					 kp_syscall_name(call->nr));
	/* A successful exec was recorded with the registers of the new program. */
	arg = step->image == UINT32_MAX ? differing_arg(engine, call) : -1;
	if (arg >= 0)
		return kp_engine_diverge(engine, step, "%s: argument %d (%s) differs", row->name,
					 arg, row->arg_names[arg]);
	if (kp_call_was_refused(call))
		return 0;
	rc = kp_engine_check_replayable(engine, step);
	return rc ? rc : kp_engine_check_bytes(engine, step);
}

/* The text of the step's path, or NULL. */
static const char *path_of(const struct kp_engine *engine, const struct kp_step *step)
{
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload =
			engine->session->payloads.at[step->payload + i];
		const struct kp_arg *arg = kp_payload_rule(payload);

		if (arg && arg->rule == KP_LEN_STR && payload->data_len &&
		    memchr(KP_TAIL(payload), 0, payload->data_len))
			return (const char *)KP_TAIL(payload);
	}
	return NULL;
}

/* Files that lead back to the process: its descriptors and its memory. */
static void note_opened(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	struct kp_call_bytes bytes;
	const char *path;

	if (call->ret < 0 || !kp_syscall_has(call->nr, KP_TRAIT_OPENS))
		return;
	path = path_of(engine, step);
	if (!path)
		return;
	bytes = kp_session_call_bytes(engine->session, step);
	kp_fds_opened(&engine->fds, path, engine->session->pid, (uint64_t)call->ret,
		      kp_call_open_flags(call, &bytes) & O_CLOEXEC);
	if (!engine->own_memory && kp_call_opens_own_memory(call, &bytes))
		engine->own_memory = call;
}

int kp_engine_serve(struct kp_engine *engine)
{
	const struct kp_step *step = &engine->session->steps.at[engine->at];
	const struct kp_ev_syscall *call = step->call;
	int rc;

	rc = check_call(engine, step);
	if (rc)
		return rc;
	engine->result->seq = call->seq;
	engine->result->time_ns = call->hdr.time_ns;
	engine->at++;
	rc = kp_engine_note_torn(engine, call);
	if (rc == 0)
		rc = kp_call_was_refused(call) ? set_result(engine, call->ret) : act(engine, step);
	if (rc == 0 && !kp_call_was_refused(call) &&
	    kp_files_apply(engine->files, step, engine->session->payloads.at + step->payload,
			   engine->err) < 0)
		rc = kp_engine_refuse(engine, "%s", engine->err->text);
	if (rc)
		return rc;
	engine->result->calls++;
	kp_engine_trace(engine, step);
	if (!kp_call_was_refused(call))
		kp_engine_emit(engine, step);
	else if (kp_call_succeeded(call)) /* an error has no bytes */
		engine->result->refused++;
	kp_fds_apply(&engine->fds, call);
	kp_rules_note(engine, call);
	note_opened(engine, step);
	if (kp_syscall_restarts(call->ret) && call->nr != KP_NR_rt_sigreturn)
		kp_engine_settle_restart(engine, step);
	return 0;
}
