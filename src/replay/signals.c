/* SPDX-License-Identifier: MIT
 *
 * Signals come where they came. The log has the registers at each delivery:
 *
 * - a fault happens by itself and is only compared;
 * - a signal taken on the way out of a call finds the process at exactly that stop;
 * - one that interrupted the program elsewhere is reached with a hardware breakpoint at its
 *   instruction, until all registers, what they point to and the stack are as recorded. A loop
 *   whose state is elsewhere comes by in that state more than once; so a difference found behind
 *   such a signal proves nothing (engine.h, guess).
 *
 * The tracee's kernel then builds the real frame. Signals that are ignored leave no trace but the
 * restart of the call that they interrupted.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/doubt.h"
#include "event/syscall.h"
#include "replay/engine.h"

#define EFLAGS_TF 0x100ULL
#define EFLAGS_RF 0x10000ULL
#define NS_PER_S 1000000000ULL
#define HITS_PER_LOOK 1024 /* at the clock */
/* uc_sigmask in the kernel's struct ucontext: flags, link, stack (24), sigcontext (256). */
#define UC_SIGMASK (8 + 8 + 24 + 256)
#define NR_RESTART_SYSCALL 219

static const struct kp_pt_regs *recorded_regs(const struct kp_ev_signal_deliver *deliver)
{
	return deliver->data_len >= sizeof(struct kp_pt_regs)
		       ? (const struct kp_pt_regs *)KP_TAIL(deliver)
		       : NULL;
}

static bool same_stack(struct kp_engine *engine, const struct kp_ev_signal_deliver *deliver)
{
	const struct kp_delivery *then = (const struct kp_delivery *)KP_TAIL(deliver);
	unsigned char now[KP_STACK_LEN];

	if (deliver->data_len < sizeof *then)
		return true;
	return kp_tracee_read(&engine->tracee, then->regs.sp - KP_STACK_BELOW, now, sizeof now) ==
		       sizeof now &&
	       !memcmp(now, then->stack, sizeof now);
}

/* Whether what the registers point to is as recorded; what is not known is not compared. */
static bool same_pointed(struct kp_engine *engine, const struct kp_ev_signal_deliver *deliver)
{
	const struct kp_delivery *then = (const struct kp_delivery *)KP_TAIL(deliver);
	static const unsigned char unknown[KP_POINTED_LEN];
	unsigned char now[KP_POINTED_LEN];
	uint64_t regs[KP_POINTED_CNT];

	if (deliver->data_len < offsetof(struct kp_delivery, stack))
		return true;
	memcpy(regs, &then->regs, sizeof regs);
	for (int i = 0; i < KP_POINTED_CNT; i++)
		if (memcmp(then->pointed[i], unknown, sizeof unknown) &&
		    (kp_tracee_read(&engine->tracee, regs[i], now, sizeof now) != sizeof now ||
		     memcmp(now, then->pointed[i], sizeof now)))
			return false;
	return true;
}

/* Whether all registers that a program can see are as recorded, but for those that rep changes. */
static bool same_regs(const struct user_regs_struct *now, const struct kp_pt_regs *then, bool rep)
{
	const uint64_t hidden = EFLAGS_TF | EFLAGS_RF;

	return now->rip == then->ip && now->rsp == then->sp && now->rbp == then->bp &&
	       now->rbx == then->bx && now->r12 == then->r12 && now->r13 == then->r13 &&
	       now->r14 == then->r14 && now->r15 == then->r15 && now->rax == then->ax &&
	       now->rdx == then->dx && now->r8 == then->r8 && now->r9 == then->r9 &&
	       now->r10 == then->r10 && now->r11 == then->r11 &&
	       (rep || (now->rcx == then->cx && now->rsi == then->si && now->rdi == then->di)) &&
	       (rep || !((now->eflags ^ then->flags) & ~hidden));
}

/*
 * Whether the process stands where the signal was taken on the way out of a call. The number of
 * calls and the place are enough: scratch registers hold what the C library's functions left there,
 * which are others on another model of CPU.
 */
static bool at_call_exit(const struct user_regs_struct *now, const struct kp_pt_regs *then)
{
	return (int64_t)then->orig_ax >= 0 && now->rip == then->ip && now->rsp == then->sp &&
	       now->rax == then->ax;
}

static int send_signal(struct kp_engine *engine, int sig)
{
	pid_t pid = engine->tracee.pid;

	if (syscall(SYS_tgkill, pid, pid, sig) < 0)
		return kp_err_sys(engine->err, -errno, "cannot send signal %d to the process", sig);
	return 0;
}

/* Takes sig out of the mask of blocked signals; the mask before. */
uint64_t kp_engine_unblock(struct kp_engine *engine, int sig)
{
	uint64_t mask = 0, open;

	if (ptrace(PTRACE_GETSIGMASK, engine->tracee.pid, sizeof mask, &mask) < 0)
		return 0;
	open = mask & ~(1ULL << (sig - 1));
	/* A mask that cannot be set shows as a signal that does not come. */
	if (open != mask && ptrace(PTRACE_SETSIGMASK, engine->tracee.pid, sizeof open, &open) < 0)
		errno = 0;
	return mask;
}

/* Gives the signal at whose stop the process stands the recorded siginfo. */
static int set_info(struct kp_engine *engine, const struct kp_ev_signal_deliver *deliver)
{
	const unsigned char *data = KP_TAIL(deliver) + sizeof(struct kp_pt_regs);
	size_t len = deliver->data_len - sizeof(struct kp_pt_regs);
	siginfo_t info;

	memset(&info, 0, sizeof info);
	memcpy(&info, data, len < KP_SIGINFO_LEN ? len : KP_SIGINFO_LEN);
	info.si_signo = deliver->sig;
	if (ptrace(PTRACE_SETSIGINFO, engine->tracee.pid, 0, &info) < 0)
		return kp_err_sys(engine->err, -errno, "cannot set the signal's info");
	return 0;
}

int kp_engine_raise(struct kp_engine *engine, const struct kp_ev_signal_deliver *deliver,
		    struct kp_stop *ret_stop)
{
	int rc = send_signal(engine, deliver->sig);

	if (rc < 0)
		return rc;
	if (deliver->sig == SIGKILL)
		engine->tracee.dirty = false; /* nobody is left to have registers */
	rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, ret_stop);
	if (rc)
		return rc;
	if (ret_stop->kind == KP_STOP_KILLED && ret_stop->sig == deliver->sig) {
		/* SIGKILL asks nobody. */
		engine->result->signals++;
		engine->result->exit_status = ret_stop->sig;
		return KP_END;
	}
	if (ret_stop->kind != KP_STOP_SIGNAL || ret_stop->sig != deliver->sig)
		return kp_engine_unexpected(engine, ret_stop);
	return set_info(engine, deliver);
}

void kp_engine_set_frame_mask(struct kp_engine *engine, uint64_t mask)
{
	kp_tracee_write(&engine->tracee, engine->tracee.regs.rdx + UC_SIGMASK, &mask, sizeof mask);
}

/* The process stands at the signal's stop, its info set: lets it take it. */
static int take(struct kp_engine *engine, const struct kp_step *step, uint64_t mask)
{
	const struct kp_ev_signal_deliver *deliver = step->deliver;
	struct kp_stop stop;
	int rc;

	engine->result->signals++;
	rc = kp_engine_run(engine, deliver->handler > 1 ? PTRACE_SYSEMU_SINGLESTEP : PTRACE_SYSEMU,
			   deliver->sig, &stop);
	if (rc)
		return rc;
	if (deliver->handler <= 1) {
		if (stop.kind != KP_STOP_KILLED || stop.sig != deliver->sig)
			return kp_engine_diverge(engine, step, "signal %s did not end the process",
						 kp_signal_text(deliver->sig));
		engine->result->exit_status = stop.sig;
		return KP_END;
	}
	if (stop.kind != KP_STOP_TRAP || engine->tracee.regs.rip != deliver->handler)
		return kp_engine_diverge(
			engine, step, "signal %s did not run its handler at 0x%llx",
			kp_signal_text(deliver->sig), (unsigned long long)deliver->handler);
	if (mask)
		kp_engine_set_frame_mask(engine, mask);
	return 0;
}

/*
 * A signal that the kernel forced on a process (seccomp's SIGSYS) ends it even if it is blocked,
 * ignored or handled; ours must do so too.
 */
static int force_default(struct kp_engine *engine, const struct kp_ev_signal_deliver *deliver)
{
	/* Below the red zone: the process will not miss it. */
	uint64_t action = (engine->tracee.regs.rsp - 1024) & ~7ULL;
	const uint64_t args[6] = {deliver->sig, action, 0, sizeof(uint64_t)};
	const unsigned char none[32] = {0};
	int64_t value;

	if (kp_tracee_write(&engine->tracee, action, none, sizeof none) < 0)
		return kp_engine_refuse(engine, "%s came to a process without a stack",
					kp_signal_text(deliver->sig));
	return kp_tracee_inject(&engine->tracee, SYS_rt_sigaction, args, &value, engine->err);
}

/* Makes the signal pending where the process stands and lets it take it. */
static int raise_here(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_signal_deliver *deliver = step->deliver;
	const struct kp_pt_regs *regs = recorded_regs(deliver);
	struct kp_stop stop;
	uint64_t mask;
	int rc;

	if (engine->tracee.regs.orig_rax != regs->orig_ax) {
		engine->tracee.regs.orig_rax = regs->orig_ax;
		engine->tracee.dirty = true;
	}
	if (deliver->sig == SIGSYS && deliver->code > 0 && !deliver->handler) {
		rc = force_default(engine, deliver);
		if (rc)
			return rc;
	}
	mask = kp_engine_unblock(engine, deliver->sig);
	rc = kp_engine_raise(engine, deliver, &stop);
	if (rc)
		return rc;
	return take(engine, step, mask & 1ULL << (deliver->sig - 1) ? mask : 0);
}

static int at_fault(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_signal_deliver *deliver = step->deliver;
	const struct kp_pt_regs *regs = recorded_regs(deliver);
	struct kp_stop stop;
	int rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, &stop);

	if (rc)
		return rc;
	if (stop.kind == KP_STOP_SYSCALL)
		return kp_engine_diverge(engine, step,
					 "the process makes a call instead of the fault");
	if ((stop.kind != KP_STOP_SIGNAL && stop.kind != KP_STOP_TRAP) || stop.sig != deliver->sig)
		return kp_engine_unexpected(engine, &stop);
	if (engine->tracee.regs.rip != regs->ip)
		return kp_engine_diverge(
			engine, step,
			"the process faults at another instruction: 0x%llx instead of "
			"0x%llx",
			(unsigned long long)engine->tracee.regs.rip, (unsigned long long)regs->ip);
	rc = set_info(engine, deliver);
	return rc < 0 ? rc : take(engine, step, 0);
}

/* Length of a rep movs or rep stos at addr; 0: another instruction. */
static uint64_t rep_len(struct kp_engine *engine, uint64_t addr)
{
	unsigned char code[3] = {0};
	size_t at = 1;

	kp_tracee_read(&engine->tracee, addr, code, sizeof code);
	if (code[0] != 0xf3 && code[0] != 0xf2)
		return 0;
	if ((code[at] & 0xf0) == 0x40) /* REX */
		at++;
	return (code[at] & 0xfe) == 0xa4 || (code[at] & 0xfe) == 0xaa ? at + 1 : 0;
}

/*
 * A string instruction that was interrupted between two repetitions: lets it do the repetitions up
 * to there, as one instruction with a smaller count, and puts it back for the rest.
 */
static int run_rep(struct kp_engine *engine, const struct kp_pt_regs *then)
{
	struct user_regs_struct *now = &engine->tracee.regs;
	uint64_t len = rep_len(engine, then->ip);
	struct kp_stop stop;
	int rc;

	if (!len || now->rip != then->ip || now->rcx <= then->cx || !same_regs(now, then, true))
		return 0;
	now->rcx -= then->cx;
	engine->tracee.dirty = true;
	rc = kp_tracee_breakpoint(&engine->tracee, then->ip + len, engine->err);
	if (rc == 0)
		rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, &stop);
	if (rc == 0 && stop.kind != KP_STOP_TRAP)
		rc = kp_engine_unexpected(engine, &stop);
	if (rc)
		return rc;
	now->rip = then->ip;
	now->rcx = then->cx;
	engine->tracee.dirty = true;
	return kp_tracee_breakpoint(&engine->tracee, then->ip, engine->err);
}

/* Counts the search for signals' places; it has an end, and is told about each second. */
static int search_on(struct kp_engine *engine, const struct kp_step *step, uint64_t since_ns)
{
	uint64_t now = kp_clock_ns(CLOCK_MONOTONIC), spent = engine->search_ns + now - since_ns;
	uint64_t limit = kp_engine_limit(engine, KP_LIMIT_SEARCH);
	char text[KP_LIMIT_TEXT_MAX];

	kp_limit_print(kp_limits[KP_LIMIT_SEARCH].unit, limit, text);
	if (limit && spent > limit * NS_PER_S)
		return kp_engine_refuse(
			engine,
			"%llu signals were found; the place of the next, %s between calls %u and "
			"%u, is in a loop at 0x%llx and was not found within the %s that this "
			"replay searches; %s",
			(unsigned long long)engine->result->signals,
			kp_signal_text(step->deliver->sig), step->deliver->seq,
			step->deliver->seq + 1,
			(unsigned long long)recorded_regs(step->deliver)->ip, text,
			kp_limits[KP_LIMIT_SEARCH].remedy);
	if (now >= engine->told_ns + NS_PER_S) {
		engine->told_ns = now;
		kp_engine_progress(
			engine, "step %u of %u, looking for where %s came: %llu s of at most %s",
			engine->at, engine->session->steps.cnt, kp_signal_text(step->deliver->sig),
			(unsigned long long)(spent / NS_PER_S), text);
	}
	return 0;
}

/* One run to the recorded instruction. 0: it stands there. */
static int run_to_hit(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_pt_regs *regs = recorded_regs(step->deliver);
	struct kp_stop stop;
	int rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, &stop);

	if (rc)
		return rc;
	/* All calls until here were alike: code that computes otherwise on this CPU, say. */
	if (stop.kind == KP_STOP_SYSCALL)
		return kp_engine_refuse(
			engine,
			"%s interrupted the process at 0x%llx between calls %u and %u, which is "
			"not reached here in that state: whether it goes on alike cannot be judged",
			kp_signal_text(step->deliver->sig), (unsigned long long)regs->ip,
			step->deliver->seq, step->deliver->seq + 1);
	if (stop.kind != KP_STOP_TRAP)
		return kp_engine_unexpected(engine, &stop);
	engine->hits++;
	return run_rep(engine, regs);
}

/* Runs to the recorded instruction until all registers and the stack are as recorded. */
static int run_to_regs(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_pt_regs *regs = recorded_regs(step->deliver);
	uint64_t since_ns = kp_clock_ns(CLOCK_MONOTONIC);
	int rc = kp_tracee_breakpoint(&engine->tracee, regs->ip, engine->err);

	while (rc == 0) {
		if (engine->hits % HITS_PER_LOOK == 0)
			rc = search_on(engine, step, since_ns);
		if (rc == 0)
			rc = run_to_hit(engine, step);
		if (rc ||
		    (same_regs(&engine->tracee.regs, regs, false) &&
		     same_stack(engine, step->deliver) && same_pointed(engine, step->deliver)))
			break;
	}
	engine->search_ns += kp_clock_ns(CLOCK_MONOTONIC) - since_ns;
	if (engine->tracee.alive && kp_tracee_breakpoint(&engine->tracee, 0, engine->err) < 0 &&
	    rc == 0)
		rc = -EIO;
	if (rc == 0)
		engine->guess = step->deliver;
	return rc;
}

int kp_engine_signal(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_signal_deliver *deliver = step->deliver;
	const struct kp_pt_regs *regs = recorded_regs(deliver);
	int rc;

	engine->at++;
	if (!regs || deliver->sig < 1 || deliver->sig > 64)
		return kp_engine_refuse(engine, "the registers of signal %d are not in the log",
					deliver->sig);
	if (kp_signal_leaves_no_trace(deliver)) {
		engine->result->signals_unseen++;
		return 0;
	}
	/* A call that the kernel ends with such a signal is no instruction that does it again. */
	if (kp_signal_is_fault(deliver) && (int64_t)regs->orig_ax < 0)
		return at_fault(engine, step);
	if (deliver->sig != SIGKILL && !at_call_exit(&engine->tracee.regs, regs) &&
	    !same_regs(&engine->tracee.regs, regs, false)) {
		rc = run_to_regs(engine, step);
		if (rc)
			return rc;
	}
	return raise_here(engine, step);
}

void kp_engine_settle_restart(struct kp_engine *engine, const struct kp_step *step)
{
	int64_t ret = step->call->ret;

	for (uint32_t i = engine->at; i < engine->session->steps.cnt; i++) {
		const struct kp_ev_signal_deliver *deliver = engine->session->steps.at[i].deliver;
		const struct kp_pt_regs *regs = deliver ? recorded_regs(deliver) : NULL;

		if (!regs)
			break;
		if (kp_signal_leaves_no_trace(deliver))
			continue;
		if ((int64_t)regs->ax == ret && regs->ip == engine->tracee.regs.rip)
			return;
		break;
	}
	kp_tracee_restart(&engine->tracee, ret == -516 ? NR_RESTART_SYSCALL : step->call->nr);
}
