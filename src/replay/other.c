/* SPDX-License-Identifier: MIT
 *
 * Another build against the log: `--exe`. The kernel makes its image for real, its loader and its
 * memory-class calls run for real and are never matched. Every other call takes the next recorded
 * one with the same number, descriptor, command and names; recorded calls in between are skipped as
 * long as nothing left the process by them and they changed nothing that others see. The first
 * output or change that differs, or call that the log cannot answer, is the verdict.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "event/doubt.h"
#include "replay/carried.h"
#include "replay/change.h"
#include "replay/exe.h"
#include "replay/filter.h"
#include "replay/match.h"
#include "replay/reaction.h"
#include "replay/startup.h"

struct other {
	struct kp_engine *engine;
	struct kp_carried *carried;
	struct kp_map epoll; /* recorded epoll_event.data → the process's own */
	int signal;          /* to deliver when it goes on */
};

static uint64_t own_nr(const struct kp_engine *engine)
{
	return engine->tracee.regs.orig_rax;
}

static void own_args(const struct kp_engine *engine, uint64_t own[6])
{
	const struct user_regs_struct *r = &engine->tracee.regs;
	const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

	memcpy(own, args, sizeof args);
}

/* The process's number as it knows itself. */
static uint32_t own_pid(const struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;

	return session->own_pid ? session->own_pid : session->pid;
}

static int give(struct kp_engine *engine, int64_t value)
{
	engine->tracee.regs.rax = value;
	engine->tracee.dirty = true;
	return 0;
}

/* Descriptors, epoll's: the process's own pointers come back to it in place of recorded ones. */
static void learn_epoll(struct other *other, const struct kp_step *step, const uint64_t own[6])
{
	struct kp_tracee *tracee = &other->engine->tracee;
	uint64_t then, now;

	if (step->call->nr != KP_NR_epoll_ctl)
		return;
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *p =
			other->engine->session->payloads.at[step->payload + i];

		if (p->arg != 3 || p->data_len < 12 ||
		    kp_tracee_read(tracee, own[3] + 4, &now, 8) != 8)
			continue;
		memcpy(&then, KP_TAIL(p) + 4, 8);
		kp_map_put(&other->epoll, then, now);
	}
}

static void translate_epoll(struct other *other, const struct kp_step *step, const uint64_t own[6])
{
	struct kp_tracee *tracee = &other->engine->tracee;
	const uint64_t *now;
	uint64_t then;
	const struct kp_syscall *row = kp_syscall_get(step->call->nr);

	/* Of those that wait for many, epoll's alone do it by a descriptor. */
	if (!row || !(row->traits & KP_TRAIT_WAITS_MANY) || row->rule.args[0].type != KP_ARG_FD)
		return;
	for (int64_t i = 0; i < step->call->ret; i++) {
		uint64_t addr = own[1] + i * 12 + 4;

		if (kp_tracee_read(tracee, addr, &then, 8) != 8)
			return;
		now = kp_map_get(&other->epoll, then);
		if (now)
			kp_tracee_write(tracee, addr, now, 8);
	}
}

/* A recorded file, mapped where the process's kernel likes. */
static int map_file(struct kp_engine *engine, const struct kp_step *step, const uint64_t own[6])
{
	uint64_t args[6];
	int64_t value;
	int fd, rc;

	if (!kp_call_succeeded(step->call))
		return give(engine, step->call->ret);
	fd = kp_files_map(engine->files, &engine->tracee, step, engine->err);
	if (fd == -ENODATA)
		return kp_engine_refuse(engine,
					"call %u maps a file whose content is not in the log",
					step->call->seq);
	if (fd < 0)
		return fd;
	memcpy(args, own, sizeof args);
	args[3] |= fd == KP_FILE_ANON ? MAP_ANONYMOUS : 0;
	args[4] = fd == KP_FILE_ANON ? (uint64_t)-1 : (uint64_t)fd;
	rc = kp_tracee_inject(&engine->tracee, SYS_mmap, args, &value, engine->err);
	return rc < 0 ? rc : give(engine, value);
}

/* Recorded calls that replay, or another build, cannot repeat. */
static int check_special(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	int rc = kp_engine_check_replayable(engine, step);

	if (rc)
		return rc;
	if (kp_call_succeeded(call) && call->nr == KP_NR_shmat)
		return kp_engine_refuse(engine, "call %u: %s cannot be replayed with another build",
					call->seq, kp_syscall_name(call->nr));
	return kp_engine_check_bytes(engine, step);
}

static bool signal_follows(const struct kp_engine *engine)
{
	for (uint32_t i = engine->at; i < engine->session->steps.cnt; i++) {
		const struct kp_ev_signal_deliver *d = engine->session->steps.at[i].deliver;

		if (!d || !kp_signal_leaves_no_trace(d))
			return d;
	}
	return false;
}

/* Answers the process's call with a recorded one. */
static int answer(struct other *other, const struct kp_step *step, const uint64_t own[6])
{
	struct kp_engine *engine = other->engine;
	const struct kp_ev_syscall *call = step->call;
	int rc = check_special(engine, step);

	if (rc)
		return rc;
	if (kp_step_is_exec(step))
		return kp_engine_other_exec(engine, step);
	rc = kp_change_check(engine, step, own);
	if (rc)
		return rc;
	learn_epoll(other, step, own);
	if (call->nr == KP_NR_mmap)
		return map_file(engine, step, own);
	rc = kp_engine_move_bytes_to(engine, step, own);
	if (rc)
		return rc;
	translate_epoll(other, step, own);
	give(engine, call->ret);
	if (kp_syscall_restarts(call->ret) && !signal_follows(engine))
		kp_tracee_restart(&engine->tracee,
				  call->ret == -516 ? SYS_restart_syscall : call->nr);
	return 0;
}

static int serve_match(struct other *other, uint32_t index, const uint64_t own[6])
{
	struct kp_engine *engine = other->engine;
	const struct kp_step *step = &engine->session->steps.at[index];
	int rc;

	engine->at = index + 1;
	engine->result->seq = step->call->seq;
	engine->result->time_ns = step->call->hdr.time_ns;
	rc = kp_carried_check(other->carried, index, own);
	if (rc == 0)
		rc = answer(other, step, own);
	if (rc)
		return rc;
	if (kp_files_apply(engine->files, step, engine->session->payloads.at + step->payload,
			   engine->err) < 0)
		return kp_engine_refuse(engine, "%s", engine->err->text);
	engine->result->calls++;
	kp_engine_trace(engine, step);
	kp_engine_emit(engine, step);
	kp_fds_apply(&engine->fds, step->call);
	return kp_carried_apply(other->carried, index, own);
}

/* What a C library tells the kernel of itself: taken note of, or, if it cannot be served, refused.
 */
static int serve_setup(struct kp_engine *engine, uint64_t nr)
{
	const struct kp_syscall *row = kp_syscall_get((unsigned)nr);

	if (row->action == KP_ACT_REFUSE)
		return give(engine, -ENOSYS);
	return give(engine, row->result == KP_RESULT_PID ? own_pid(engine) : 0);
}

/* What the process may do without the log. 0 done, 1 not such a call, or an error. */
static int serve_own(struct other *other, uint64_t nr)
{
	struct kp_engine *engine = other->engine;
	int rc;

	if (kp_syscall_has((unsigned)nr, KP_TRAIT_SETUP))
		return serve_setup(engine, nr);
	if (!kp_match_runs_for_real(nr, engine->tracee.regs.r10))
		return 1;
	if (nr == KP_NR_rt_sigaction || nr == KP_NR_rt_sigprocmask)
		kp_carried_set_signals(other->carried);
	rc = kp_tracee_execute(&engine->tracee, nr, engine->err);
	return rc < 0 ? rc : 0;
}

/* The process ends: nothing that the recording gave away may be left, and the status is the same.
 */
static int serve_exit(struct other *other)
{
	struct kp_engine *engine = other->engine;
	const struct kp_session *session = engine->session;
	uint32_t status = (engine->tracee.regs.rdi & 0xff) << 8;
	const char *left_out;

	kp_carried_end(other->carried);
	for (; engine->at < session->steps.cnt; engine->at++) {
		const struct kp_step *step = &session->steps.at[engine->at];

		left_out = step->call ? kp_match_left_out(session, step) : NULL;
		if (left_out)
			return kp_engine_diverge(engine, step,
						 "the process ends and does not %s: %s", left_out,
						 kp_syscall_name(step->call->nr));
		if (step->deliver && step->deliver->handler == 0 &&
		    !kp_signal_leaves_no_trace(step->deliver))
			return kp_engine_note(engine, "the recorded end by %s does not happen",
					      kp_reaction_signal_name(step->deliver->sig));
	}
	if (!session->exit)
		return kp_engine_diverge(
			engine, NULL,
			"the process ends with status %u where the recorded one went on",
			status >> 8);
	if (status != (session->exit->exit_code & 0xffff))
		return kp_engine_diverge(
			engine, NULL,
			"the process exits with status %u; recorded was wait status %#x",
			status >> 8, session->exit->exit_code & 0xffff);
	engine->result->exit_status = status;
	return KP_END;
}

/* Where the recorded one ended by a signal the process goes on: to another end, or it is mended. */
static int outlive(struct kp_engine *engine, const struct kp_step *end)
{
	uint64_t nr = own_nr(engine);

	if (nr == KP_NR_getpid || nr == KP_NR_gettid)
		return give(engine, own_pid(engine));
	if (kp_reaction_sends((unsigned)nr)) /* as abort(3) does */
		return kp_engine_diverge(engine, end,
					 "the process sends a signal and does not end by %s",
					 kp_reaction_signal_name(end->deliver->sig));
	return kp_engine_note(engine, "the recorded end by %s does not happen",
			      kp_reaction_signal_name(end->deliver->sig));
}

/* No recorded call answers: a crash that is gone, the recording's end, or the difference. */
static int unmatched(struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	const struct kp_step *next = kp_match_next(engine);

	if (!next && !session->exit)
		return kp_engine_log_ends(engine);
	if (next && next->deliver && next->deliver->handler == 0)
		return outlive(engine, next);
	return kp_engine_diverge(engine, next,
				 "the process makes a call that the log does not answer: %s",
				 kp_syscall_name(own_nr(engine)));
}

static int serve(struct other *other)
{
	struct kp_engine *engine = other->engine;
	uint64_t own[6], nr = own_nr(engine);
	const struct kp_step *skipped;
	uint32_t index;
	int rc = serve_own(other, nr);

	if (rc != 1)
		return rc;
	if (nr == KP_NR_exit_group || nr == KP_NR_exit)
		return serve_exit(other);
	own_args(engine, own);
	index = kp_match_find(engine, nr, own, &skipped);
	if (index != UINT32_MAX && skipped)
		return kp_engine_diverge(engine, skipped, "the process does not %s: %s",
					 kp_match_left_out(engine->session, skipped),
					 kp_syscall_name(skipped->call->nr));
	if (index != UINT32_MAX)
		return serve_match(other, index, own);
	/* A call that only asks can be asked again. */
	index = kp_match_repeat(engine, nr, own);
	if (index != UINT32_MAX)
		return answer(other, &engine->session->steps.at[index], own);
	return unmatched(engine);
}

/* A signal that the kernel gives the process for what it did. */
static int native_signal(struct other *other, const struct kp_stop *stop)
{
	struct kp_engine *engine = other->engine;
	const struct kp_step *next = kp_match_next(engine);

	if (stop->kind != KP_STOP_SIGNAL || !next || !next->deliver ||
	    next->deliver->sig != stop->sig)
		return kp_engine_unexpected(engine, stop);
	engine->at = (uint32_t)(next - engine->session->steps.at) + 1;
	engine->result->signals++;
	if (next->deliver->handler == 0 &&
	    kp_carried_reaction(other->carried, stop->sig) != KP_REACTION_HANDLER)
		return kp_engine_note(engine, "it ends by %s as recorded",
				      kp_reaction_signal_name(stop->sig));
	other->signal = stop->sig;
	return 0;
}

/*
 * A signal that the process blocks: the call in which it came had a mask of its own, like
 * sigsuspend, and is not made here. It is taken at once; the frame has the process's own mask.
 */
static int take_blocked(struct other *other, uint64_t mask)
{
	struct kp_engine *engine = other->engine;
	struct kp_stop stop;
	int rc = kp_engine_run(engine, PTRACE_SYSEMU_SINGLESTEP, other->signal, &stop);

	if (rc)
		return rc;
	other->signal = 0;
	if (stop.kind != KP_STOP_TRAP)
		return kp_engine_unexpected(engine, &stop);
	kp_engine_set_frame_mask(engine, mask);
	return 0;
}

/* A signal that does nothing to this build, of which no stop would tell. */
static bool ignores(struct other *other, const struct kp_ev_signal_deliver *deliver)
{
	if (kp_carried_reaction(other->carried, deliver->sig) != KP_REACTION_NONE)
		return false;
	kp_engine_uncovered(other->engine, "%s behind call %u, which the process ignores",
			    kp_reaction_signal_name(deliver->sig), deliver->seq);
	return true;
}

/* The next recorded step is a signal from outside: it comes at this call. */
static int outside_signal(struct other *other, const struct kp_step *step)
{
	struct kp_engine *engine = other->engine;
	struct kp_stop stop;
	uint64_t mask;
	int rc;

	engine->at = (uint32_t)(step - engine->session->steps.at) + 1;
	if (kp_signal_leaves_no_trace(step->deliver))
		return 0;
	if (step->deliver->data_len < sizeof(struct kp_pt_regs) || step->deliver->sig < 1 ||
	    step->deliver->sig > 64)
		return kp_engine_refuse(engine, "a recorded signal is incomplete");
	if (ignores(other, step->deliver))
		return 0;
	mask = kp_engine_unblock(engine, step->deliver->sig);
	rc = kp_engine_raise(engine, step->deliver, &stop);
	if (rc)
		return rc;
	engine->result->signals++;
	engine->guess = step->deliver; /* where another build takes it, nobody knows */
	other->signal = step->deliver->sig;
	return step->deliver->handler > 1 && mask & 1ULL << (step->deliver->sig - 1)
		       ? take_blocked(other, mask)
		       : 0;
}

/* The process ends by the signal that it was given: so must the recorded one. */
static int serve_death(struct other *other)
{
	struct kp_engine *engine = other->engine;
	const struct kp_ev_task_exit *exit = engine->session->exit;

	if (!exit || (exit->exit_code & 0x7f) != (uint32_t)other->signal)
		return kp_engine_diverge(engine, kp_match_next(engine),
					 "the process ends by %s; recorded was wait status %#x",
					 kp_reaction_signal_name(other->signal),
					 exit ? exit->exit_code & 0xffff : 0);
	engine->result->exit_status = other->signal;
	return KP_END;
}

static int advance(struct other *other)
{
	struct kp_engine *engine = other->engine;
	const struct kp_step *next = kp_match_next(engine);
	struct kp_stop stop;
	int rc;

	if (!other->signal && next && next->deliver && !kp_signal_is_fault(next->deliver))
		return outside_signal(other, next);
	rc = kp_engine_run(engine, PTRACE_SYSEMU, other->signal, &stop);
	if (rc)
		return rc;
	if (stop.kind == KP_STOP_KILLED && stop.sig == other->signal)
		return serve_death(other);
	other->signal = 0;
	return stop.kind == KP_STOP_SYSCALL ? serve(other) : native_signal(other, &stop);
}

/* The dynamic loader's calls up to the program's entry run for real: it only reads libraries. */
static int run_loader(struct kp_engine *engine, uint64_t entry)
{
	struct kp_stop stop;
	int rc = kp_tracee_breakpoint(&engine->tracee, entry, engine->err);

	while (rc == 0) {
		uint64_t nr;

		rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, &stop);
		if (rc || stop.kind == KP_STOP_TRAP)
			break;
		if (stop.kind != KP_STOP_SYSCALL)
			return kp_engine_unexpected(engine, &stop);
		nr = own_nr(engine);
		if (nr == KP_NR_exit_group)
			return kp_engine_refuse(engine, "the loader cannot run '%s'",
						engine->options->exe);
		if (kp_syscall_has((unsigned)nr, KP_TRAIT_SETUP))
			serve_setup(engine, nr);
		else if (kp_match_loader_may(engine))
			rc = kp_tracee_execute(&engine->tracee, nr, engine->err);
		else
			give(engine, -ENOSYS);
	}
	return rc ? rc : kp_tracee_breakpoint(&engine->tracee, 0, engine->err);
}

static int run(struct kp_engine *engine, const struct kp_startup *startup)
{
	struct other other = {.engine = engine};
	uint64_t entry;
	int rc = kp_startup_apply(startup, &engine->tracee, &entry, engine->err);

	if (rc == 0 && entry)
		rc = run_loader(engine, entry);
	if (rc == 0)
		rc = kp_exe_lock_up(&engine->tracee, engine->err);
	if (startup->dynamic)
		engine->at = kp_match_loader_end(engine->session);
	if (rc == 0)
		rc = kp_carried_new(engine, &other.carried);
	while (rc == 0)
		rc = advance(&other);
	if (rc == KP_END && engine->result->verdict == KP_VERDICT_NONE)
		engine->result->verdict = KP_VERDICT_EQUIVALENT;
	kp_map_done(&other.epoll);
	kp_carried_free(other.carried);
	return rc;
}

/* The process keeps the archive's files, which its own mappings of them will need. */
static int run_in_sandbox(struct kp_engine *engine, const struct kp_exe *exe,
			  struct kp_startup *startup)
{
	struct kp_filter filter;
	struct kp_spawn spawn = {.exe_fd = exe->fd,
				 .argv = startup->argv,
				 .envp = startup->envp,
				 .filter = &filter,
				 .libraries = exe->dynamic};
	int *fds, rc;

	rc = kp_engine_list_fds(engine, 0, &fds, &spawn.fd_cnt);
	if (rc < 0)
		return rc;
	spawn.fds = fds;
	kp_filter_build(KP_FILTER_LOADER, &filter);
	rc = kp_engine_spawn(engine, &spawn);
	if (rc == 0)
		rc = run(engine, startup);
	kp_tracee_done(&engine->tracee);
	free(fds);
	return rc;
}

int kp_engine_run_other(struct kp_engine *engine)
{
	struct kp_startup startup;
	struct kp_exe exe;
	int rc = kp_exe_open(engine->options->exe, &exe, engine->err);

	if (rc < 0)
		return rc;
	rc = kp_startup_read(&engine->session->images.at[0], &startup, engine->err);
	if (rc == 0) {
		kp_exe_clean_environment(&startup, engine->withheld, sizeof engine->withheld);
		rc = run_in_sandbox(engine, &exe, &startup);
	}
	kp_startup_done(&startup);
	close(exe.fd);
	return rc;
}
