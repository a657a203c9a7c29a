/* SPDX-License-Identifier: MIT
 *
 * What a verdict rests on: the calls before, the registers, where in which file the process is and
 * who called whom. Return addresses are words of the stack that point behind a call instruction, so
 * frames without frame pointers are found too, and stale ones may be among them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/user.h>

#include "base/text.h"
#include "replay/engine.h"

#define LAST_CALLS 5
#define STACK_WORDS 512
#define FRAME_MAX 12

struct place {
	uint64_t addr;
	struct kp_region region;
	bool found;
};

static int find_place(const struct kp_region *region, void *arg)
{
	struct place *place = arg;

	if (place->addr < region->start || place->addr >= region->end)
		return 0;
	place->region = *region;
	place->found = true;
	return 1;
}

/* "/memfd:libc.so.6 (deleted)" is an archived libc.so.6. */
static void print_place(const struct kp_engine *engine, uint64_t addr, struct kp_buf *out)
{
	struct place place = {.addr = addr};
	const char *name = place.region.name;
	int len;

	kp_tracee_each_region(&engine->tracee, find_place, &place);
	if (!strncmp(name, "/memfd:", 7))
		name += 7;
	len = (int)strcspn(name, " ");
	kp_buf_printf(out, "0x%" PRIx64, addr);
	if (!place.found)
		return;
	kp_buf_putc(out, ' ');
	kp_text_append(out, len ? name : "anon", len ? (size_t)len : 4);
	kp_buf_printf(out, "+0x%" PRIx64, addr - place.region.start + place.region.offset);
}

static bool behind_call(struct kp_engine *engine, uint64_t addr)
{
	struct place place = {.addr = addr};
	unsigned char code[7];

	kp_tracee_each_region(&engine->tracee, find_place, &place);
	if (!place.found || place.region.perms[2] != 'x' ||
	    kp_tracee_read(&engine->tracee, addr - 7, code, sizeof code) != sizeof code)
		return false;
	/* call rel32, or call r/m (FF /2) of 2 to 7 bytes. */
	if (code[2] == 0xe8)
		return true;
	for (int i = 0; i < 6; i++)
		if (code[i] == 0xff && (code[i + 1] >> 3 & 7) == 2)
			return true;
	return false;
}

static void print_stack(struct kp_engine *engine, struct kp_buf *out)
{
	uint64_t words[STACK_WORDS] = {0};
	size_t cnt =
		kp_tracee_read(&engine->tracee, engine->tracee.regs.rsp, words, sizeof words) / 8;
	int frame = 0;

	kp_buf_puts(out, "  stack:\n    #0  ");
	print_place(engine, engine->tracee.regs.rip, out);
	kp_buf_putc(out, '\n');
	for (size_t i = 0; i < cnt && frame < FRAME_MAX; i++) {
		if (words[i] < 0x10000 || words[i] >> 47 || !behind_call(engine, words[i]))
			continue;
		kp_buf_printf(out, "    #%-2d ", ++frame);
		print_place(engine, words[i], out);
		kp_buf_putc(out, '\n');
	}
}

static void print_regs(const struct user_regs_struct *r, struct kp_buf *out)
{
	kp_buf_printf(out,
		      "  registers:\n"
		      "    rip %016llx rsp %016llx rbp %016llx\n"
		      "    rax %016llx rbx %016llx rcx %016llx rdx %016llx\n"
		      "    rsi %016llx rdi %016llx r8  %016llx r9  %016llx\n"
		      "    r10 %016llx r11 %016llx r12 %016llx r13 %016llx\n"
		      "    r14 %016llx r15 %016llx flags %llx\n",
		      r->rip, r->rsp, r->rbp, r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->r8,
		      r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->eflags);
}

void kp_engine_print_step(const struct kp_engine *engine, const struct kp_step *step,
			  struct kp_buf *out)
{
	struct kp_call_texts texts = {0};

	if (kp_step_is_exec(step)) {
		kp_engine_print_exec(engine, step, out);
		return;
	}
	for (uint32_t i = 0; i < step->payload_cnt; i++)
		kp_call_texts_add(&texts, engine->session->payloads.at[step->payload + i]);
	if (step->call)
		kp_syscall_print(step->call, &texts, out);
	else
		kp_buf_printf(out, "signal %s",
			      kp_signal_name(step->deliver->sig)
				      ? kp_signal_name(step->deliver->sig)
				      : "(real-time)");
}

void kp_engine_print_got(const struct kp_engine *engine, struct kp_buf *out)
{
	const struct user_regs_struct *r = &engine->tracee.regs;
	const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

	kp_syscall_print_args((unsigned)r->orig_rax, args, NULL, out);
}

void kp_engine_describe(struct kp_engine *engine, const struct kp_step *expected)
{
	const struct kp_session *session = engine->session;
	struct kp_buf *out = &engine->result->evidence;
	uint32_t at = expected ? (uint32_t)(expected - session->steps.at) : engine->at;
	uint32_t from = at > LAST_CALLS ? at - LAST_CALLS : 0;

	if (at > from)
		kp_buf_puts(out, "  before it:\n");
	for (uint32_t i = from; i < at; i++) {
		const struct kp_step *step = &session->steps.at[i];

		kp_buf_printf(out, "    %6u ", step->call ? step->call->seq : step->deliver->seq);
		kp_engine_print_step(engine, step, out);
		kp_buf_putc(out, '\n');
	}
	if (!engine->tracee.alive)
		return;
	print_regs(&engine->tracee.regs, out);
	print_stack(engine, out);
}

/* A child has its maker's memory, and calls with numbers of their own. */
static bool has_met_masked(const struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;

	if (session->parent)
		return session->parent->masked;
	return session->masked && engine->result->seq >= session->masked_seq;
}

/* Why a difference proves nothing, in words, or false. */
static bool find_doubt(const struct kp_engine *engine, char *text, size_t cap)
{
	const struct kp_ev_signal_deliver *guess = engine->guess;

	if (guess)
		snprintf(text, cap,
			 "%s came between calls %u and %u, at a place that only its registers and "
			 "stack name; they may have been the same in another round of a loop",
			 kp_signal_text(guess->sig), guess->seq, guess->seq + 1);
	else if (engine->unseen_child)
		snprintf(text, cap,
			 "the child that call %u made had its memory, and what it did is not in "
			 "the log",
			 engine->unseen_child->seq);
	else if (engine->own_memory)
		snprintf(text, cap,
			 "call %u opened its memory as a file, and what it writes there is not "
			 "served",
			 engine->own_memory->seq);
	else if (engine->torn)
		snprintf(text, cap,
			 "call %u (%s) %s, and what it had stored by then is not in the log",
			 engine->torn->seq, kp_syscall_name(engine->torn->nr),
			 engine->torn->ret < 0 ? "gave EFAULT"
					       : "came to memory that cannot be written");
	else if (has_met_masked(engine))
		snprintf(text, cap,
			 "it has had bytes of card numbers by then that are masked in the log");
	else
		return false;
	return true;
}

/*
 * A difference behind a signal whose place was a guess proves nothing: the signal may have come at
 * another round of a loop. Nor does one behind a change of the memory that nobody recorded.
 */
static int weigh_doubt(struct kp_engine *engine)
{
	struct kp_replay_result *result = engine->result;
	char what[200], why[240];

	if (!find_doubt(engine, why, sizeof why))
		return KP_END;
	snprintf(what, sizeof what, "%.190s", result->reason);
	return kp_engine_refuse(
		engine, "it cannot be judged whether the process differs (at event %u: %s), for %s",
		result->seq, what, why);
}

int kp_engine_diverge(struct kp_engine *engine, const struct kp_step *expected, const char *format,
		      ...)
{
	struct kp_replay_result *result = engine->result;
	struct kp_buf text = {0};
	va_list args;

	if (engine->tracee.read_error)
		return kp_err_sys(engine->err, engine->tracee.read_error,
				  "it cannot be judged whether the process differs, for its memory "
				  "cannot be read");
	result->verdict = KP_VERDICT_DIVERGED;
	va_start(args, format);
	vsnprintf(result->reason, sizeof result->reason, format, args);
	va_end(args);
	if (expected) {
		const struct kp_hdr *hdr =
			expected->call ? &expected->call->hdr : &expected->deliver->hdr;

		result->seq = expected->call ? expected->call->seq : expected->deliver->seq;
		result->time_ns = hdr->time_ns;
		kp_engine_print_step(engine, expected, &text);
		snprintf(result->expected, sizeof result->expected, "%s",
			 text.len ? text.data : "");
		kp_buf_reset(&text);
	}
	if (engine->tracee.alive) {
		kp_engine_print_got(engine, &text);
		if (!result->got[0] && (int64_t)engine->tracee.regs.orig_rax >= 0)
			snprintf(result->got, sizeof result->got, "%s", text.len ? text.data : "");
	}
	kp_buf_done(&text);
	kp_engine_describe(engine, expected);
	return weigh_doubt(engine);
}

void kp_engine_uncovered(struct kp_engine *engine, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	kp_buf_append(&engine->result->uncovered, text, strlen(text) + 1);
}

void kp_engine_progress(const struct kp_engine *engine, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!engine->options->progress)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	engine->options->progress(text, engine->options->arg);
}

int kp_engine_note(struct kp_engine *engine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(engine->result->reason, sizeof engine->result->reason, format, args);
	va_end(args);
	return KP_END;
}

int kp_engine_refuse(struct kp_engine *engine, const char *format, ...)
{
	va_list args;

	engine->result->verdict = KP_VERDICT_REFUSED;
	va_start(args, format);
	vsnprintf(engine->result->reason, sizeof engine->result->reason, format, args);
	va_end(args);
	return KP_END;
}

int kp_engine_log_ends(struct kp_engine *engine)
{
	const struct kp_replay_result *result = engine->result;

	if (!engine->session->ended)
		return kp_engine_refuse(
			engine,
			"the log is cut: it has neither the end of the process nor that of the "
			"recording; up to there %llu system calls and %llu bytes were identical",
			(unsigned long long)result->calls, (unsigned long long)result->bytes_in);
	engine->result->truncated = true;
	return KP_END;
}

/* A seccomp list ended it: at which call, its registers say no more; the last one that they do. */
static int refuse_barred(struct kp_engine *engine)
{
	struct kp_buf last = {0};
	int rc;

	kp_engine_print_got(engine, &last);
	rc = kp_engine_refuse(engine,
			      "the process came to run a system call that the sandbox does not "
			      "allow, which ended it; it last stood at %.160s",
			      last.len ? last.data : "none");
	kp_buf_done(&last);
	return rc;
}

/* Ends that say nothing about the program: of the sandbox, of this machine, of the time. */
static int not_the_programs(struct kp_engine *engine, const struct kp_stop *stop)
{
	char cpu[49];

	if (stop->sig == SIGILL && engine->other_cpu) {
		kp_engine_cpu_name(engine, cpu);
		return kp_engine_refuse(engine,
					"the process executes an instruction that this CPU does "
					"not have; it was recorded on %s",
					cpu);
	}
	if (stop->kind == KP_STOP_KILLED && stop->sig == SIGSYS)
		return refuse_barred(engine);
	if (stop->kind == KP_STOP_BARRED)
		return kp_engine_refuse(engine, "the process %s", stop->what);
	if (stop->kind == KP_STOP_STUCK)
		return kp_engine_refuse(
			engine,
			"the process computes on for longer than it may (%llu s) without reaching "
			"its next call: it may wait for what replay does not serve, or be slower "
			"here",
			(unsigned long long)(kp_engine_budget(engine) / 1000000000ULL));
	if (stop->kind == KP_STOP_KILLED && (stop->sig == SIGKILL || stop->sig == SIGXCPU))
		return kp_engine_refuse(
			engine,
			"the process was ended by %s: by a limit of the sandbox, or "
			"from outside",
			kp_signal_name(stop->sig));
	return 0;
}

int kp_engine_unexpected(struct kp_engine *engine, const struct kp_stop *stop)
{
	const struct kp_session *session = engine->session;
	const struct kp_step *next =
		engine->at < session->steps.cnt ? &session->steps.at[engine->at] : NULL;
	const char *name = kp_signal_name(stop->sig);
	char *got = engine->result->got;
	const size_t cap = sizeof engine->result->got;
	int rc = not_the_programs(engine, stop);

	if (rc)
		return rc;
	switch (stop->kind) {
	case KP_STOP_EXITED:
	case KP_STOP_KILLED:
		snprintf(got, cap, "ended by %s", name ? name : "itself");
		return kp_engine_diverge(engine, next, "the process ended early");
	case KP_STOP_SIGNAL:
	case KP_STOP_TRAP:
		snprintf(got, cap, "%s at 0x%llx, address 0x%llx", name ? name : "signal",
			 (unsigned long long)engine->tracee.regs.rip,
			 (unsigned long long)(uintptr_t)stop->info.si_addr);
		return kp_engine_diverge(engine, next, "the process takes %s, which it did not",
					 name ? name : "a signal");
	case KP_STOP_SYSCALL:
	case KP_STOP_EXEC:
	case KP_STOP_NOTICE:
	case KP_STOP_BARRED:
	case KP_STOP_STUCK:
		break;
	}
	return kp_engine_diverge(engine, next,
				 "the process stands at a call where a signal was to come");
}
