/* SPDX-License-Identifier: MIT
 * The run of a replay: start, image, step by step to the end, verdict. See replay.h.
 */
#include "replay/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/limit.h"
#include "replay/engine.h"
#include "replay/filter.h"
#include "replay/image.h"
#include "replay/rules.h"
#include "replay/walls.h"

/* What a stop may cost beyond the recorded time: page faults, a slower machine. */
#define BUDGET_BASE_NS 10000000000ULL
#define BUDGET_FACTOR 20
#define BUDGET_MAX_NS 3600000000000ULL
#define NS_PER_S 1000000000ULL
/* Exec puts the kernel's own pages at random; a few tries clear the way. */
#define IMAGE_TRIES 8

const char *kp_verdict_name(enum kp_verdict verdict)
{
	static const char *const names[] = {
		"NONE", "EXACT", "DIVERGED", "REFUSED", "OUTPUT-EQUIVALENT", "MASKED"};

	return names[verdict];
}

void kp_replay_result_done(struct kp_replay_result *result)
{
	kp_buf_done(&result->evidence);
	kp_buf_done(&result->uncovered);
}

void kp_replay_put_uncovered(const struct kp_replay_result *result, struct kp_buf *out)
{
	const char *clause = result->uncovered.data;

	for (size_t at = 0; at < result->uncovered.len; at += strlen(clause + at) + 1)
		kp_buf_printf(out, "%s%s", at ? ", " : "", clause + at);
}

/* Nothing that a verdict leaves out goes unsaid. */
static void tell_uncovered(struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	const struct kp_replay_result *result = engine->result;
	struct kp_buf stored = {0};

	if (session->made.cnt)
		kp_engine_uncovered(engine, "what its %u child process%s did", session->made.cnt,
				    session->made.cnt == 1 ? "" : "es");
	if (result->bytes_unseen)
		kp_engine_uncovered(engine,
				    "%llu bytes that the kernel moved by itself (sendfile, splice)",
				    (unsigned long long)result->bytes_unseen);
	if (result->signals_unseen)
		kp_engine_uncovered(engine, "%llu signal%s that it ignored or that stopped it",
				    (unsigned long long)result->signals_unseen,
				    result->signals_unseen == 1 ? "" : "s");
	if (result->refused)
		kp_engine_uncovered(engine, "the bytes of %llu call%s that seccomp answered",
				    (unsigned long long)result->refused,
				    result->refused == 1 ? "" : "s");
	if (engine->missing_cpu)
		kp_engine_uncovered(engine,
				    "CPU number %u, on which it ran and which cannot be had here",
				    engine->missing_cpu - 1);
	if (session->reused)
		kp_engine_uncovered(engine, "a later process of the same number");
	if (engine->told_cnt > KP_TOLD_MAX)
		kp_engine_uncovered(engine, "%u differences more", engine->told_cnt - KP_TOLD_MAX);
	kp_files_print_uncovered(engine->files, &stored);
	if (stored.len)
		kp_engine_uncovered(engine, "%s", stored.data);
	kp_buf_done(&stored);
}

static uint64_t step_time(const struct kp_step *step, bool begin)
{
	if (step->deliver)
		return step->deliver->hdr.time_ns;
	return begin ? step->call->entry_ns : step->call->hdr.time_ns;
}

uint64_t kp_engine_budget(const struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	uint64_t from, to, span;

	if (!session->steps.cnt)
		return BUDGET_BASE_NS;
	if (engine->at)
		from = step_time(&session->steps.at[engine->at - 1], false);
	else
		from = session->images.cnt ? session->images.at[0].time_ns : session->last_ns;
	to = engine->at < session->steps.cnt ? step_time(&session->steps.at[engine->at], true)
					     : session->last_ns;
	span = to > from ? to - from : 0;
	return span > BUDGET_MAX_NS / BUDGET_FACTOR ? BUDGET_MAX_NS
						    : BUDGET_BASE_NS + span * BUDGET_FACTOR;
}

int kp_engine_run(struct kp_engine *engine, int request, int sig, struct kp_stop *ret_stop)
{
	int rc = engine->starting && request == PTRACE_SYSEMU && !sig
			 ? kp_engine_run_start(engine, ret_stop)
			 : kp_tracee_run(&engine->tracee, request, sig, kp_engine_budget(engine),
					 ret_stop, engine->err);

	if (rc == 0 && ret_stop->kind == KP_STOP_STUCK)
		return kp_engine_unexpected(engine, ret_stop);
	return rc;
}

int kp_engine_enter_image(struct kp_engine *engine, uint32_t index)
{
	const struct kp_image *image = &engine->session->images.at[index];
	int rc = -EAGAIN;

	for (int i = 0; i < IMAGE_TRIES && rc == -EAGAIN; i++) {
		/* The very first stub was executed by spawning. */
		rc = index == 0 && i == 0
			     ? 0
			     : kp_tracee_exec(&engine->tracee, engine->stubs[index], engine->err);
		if (rc == 0)
			rc = kp_image_build(&engine->tracee, engine->session, image, engine->err);
	}
	kp_rules_exec(engine);
	kp_sysv_exec(engine->sysv);
	kp_locks_done(engine->locks);
	kp_engine_limit_stack(engine, image->stack_limit);
	engine->brk = image->brk;
	engine->starting = engine->other_cpu;
	if (rc == -ENODATA)
		return kp_engine_refuse(engine, "%s", engine->err->text);
	return rc;
}

/* The process makes a call, and the log has no more of it. */
static int at_end(struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	uint64_t nr = engine->tracee.regs.orig_rax;
	bool exits = nr == KP_NR_exit_group || nr == KP_NR_exit;
	uint32_t status = (engine->tracee.regs.rdi & 0xff) << 8;

	if (!session->exit)
		return kp_engine_log_ends(engine);
	/* A signal may end a process within any call. */
	if (session->exit->exit_code & 0x7f) {
		engine->result->exit_status = session->exit->exit_code & 0xff;
		return KP_END;
	}
	if (!exits)
		return kp_engine_diverge(engine, NULL,
					 "the process goes on where it had ended with status %u",
					 session->exit->exit_code >> 8 & 0xff);
	if (status != (session->exit->exit_code & 0xff00))
		return kp_engine_diverge(engine, NULL,
					 "the process exits with status %u; recorded was %u",
					 status >> 8, session->exit->exit_code >> 8 & 0xff);
	engine->result->exit_status = status;
	return KP_END;
}

static bool at_until(const struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_replay_options *options = engine->options;
	uint32_t seq = step->call ? step->call->seq : step->deliver->seq + 1;

	return (options->until_seq && seq >= options->until_seq) ||
	       (options->until_ns && step_time(step, false) >= options->until_ns);
}

static int stop_until(struct kp_engine *engine, const struct kp_step *step)
{
	struct kp_buf text = {0};

	engine->result->stopped = true;
	kp_engine_print_step(engine, step, &text);
	kp_buf_printf(&engine->result->evidence, "  next: %s\n", text.len ? text.data : "");
	kp_buf_done(&text);
	kp_engine_describe(engine, step);
	return KP_END;
}

/*
 * Replayer and process on one CPU: a stop costs a fifth of what it costs across two. It is the one
 * on which the process was, for programs can ask for its number without a call.
 */
static void share_cpu(struct kp_engine *engine, unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &engine->cpus)) {
		engine->missing_cpu = cpu + 1;
		return;
	}
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	if (engine->tracee.alive)
		sched_setaffinity(engine->tracee.pid, sizeof one, &one);
	engine->cpu = cpu;
}

/* The process goes on where it went on when it was recorded. */
static void follow_cpu(struct kp_engine *engine)
{
	const struct kp_step *step = engine->at ? &engine->session->steps.at[engine->at - 1] : NULL;

	if (step && step->call && step->call->hdr.cpu != engine->cpu &&
	    step->call->hdr.cpu + 1u != engine->missing_cpu)
		share_cpu(engine, step->call->hdr.cpu);
}

/* The log has no more steps: on to the process's end. */
static int advance_to_end(struct kp_engine *engine)
{
	struct kp_stop stop;
	int rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, &stop);

	if (rc)
		return rc;
	return stop.kind == KP_STOP_SYSCALL ? at_end(engine) : kp_engine_unexpected(engine, &stop);
}

/* On to the next call, which is to be the step's. */
static int advance_to_call(struct kp_engine *engine, const struct kp_step *step)
{
	bool wants_i386 = step->call->flags & KP_SYSF_I386, i386;
	struct kp_stop stop;
	int rc;

	follow_cpu(engine);
	rc = kp_engine_run(engine, PTRACE_SYSEMU, 0, &stop);
	if (rc)
		return rc;
	i386 = stop.kind == KP_STOP_BARRED && stop.i386;
	if (stop.kind != KP_STOP_SYSCALL && !(i386 && wants_i386))
		return kp_engine_unexpected(engine, &stop);
	if (!i386 && wants_i386)
		return kp_engine_diverge(engine, step,
					 "the process makes a 64-bit call instead of a 32-bit one");
	return at_until(engine, step) ? stop_until(engine, step) : kp_engine_serve(engine);
}

/* One step: a signal, or on to the next call and serve it. */
static int advance(struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	const struct kp_step *step;

	if (engine->at >= session->steps.cnt)
		return advance_to_end(engine);
	step = &session->steps.at[engine->at];
	if (!step->deliver)
		return advance_to_call(engine, step);
	return at_until(engine, step) ? stop_until(engine, step) : kp_engine_signal(engine, step);
}

static int run_recorded(struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	int rc;

	engine->other_cpu = kp_engine_is_other_cpu(engine);
	rc = kp_engine_enter_image(engine, 0);
	while (rc == 0)
		rc = advance(engine);
	if (rc != KP_END || engine->result->verdict != KP_VERDICT_NONE)
		return rc;
	/* Only a completely served stream is exact. */
	if (!engine->result->stopped && engine->at < session->steps.cnt)
		return kp_engine_diverge(engine, &session->steps.at[engine->at],
					 "the process ended before all of its recorded calls");
	engine->result->verdict = KP_VERDICT_EXACT;
	return rc;
}

static int make_stubs(const struct kp_session *session, int *stubs, struct kp_err *err)
{
	for (uint32_t i = 0; i < session->images.cnt; i++) {
		stubs[i] = kp_stub_create(kp_image_stub_address(&session->images.at[i]));
		if (stubs[i] < 0)
			return kp_err_sys(err, stubs[i], "cannot make a stub");
	}
	return 0;
}

uint64_t kp_engine_limit(const struct kp_engine *engine, enum kp_limit_id id)
{
	const struct kp_replay_options *options = engine->options;
	uint64_t chosen = id == KP_LIMIT_MEMORY ? options->memory_max
						: (options->cpu_max_ns + NS_PER_S - 1) / NS_PER_S;

	if (chosen || !engine->session->log_len)
		return chosen;
	return kp_limit_get(id, engine->session->log_len);
}

/* A process that was killed because it took too much cannot be judged by how it ended. */
static void judge_limits(struct kp_engine *engine)
{
	static const enum kp_limit_id ids[] = {
		[KP_WATCH_MEMORY] = KP_LIMIT_MEMORY, [KP_WATCH_TIME] = KP_LIMIT_TIME};
	enum kp_watch_end end = engine->tracee.end;
	struct kp_replay_result *result = engine->result;
	const struct kp_limit *limit;
	char text[KP_LIMIT_TEXT_MAX];

	if ((end != KP_WATCH_MEMORY && end != KP_WATCH_TIME) ||
	    result->verdict == KP_VERDICT_EXACT || result->verdict == KP_VERDICT_EQUIVALENT)
		return;
	limit = &kp_limits[ids[end]];
	kp_limit_print(limit->unit, kp_engine_limit(engine, ids[end]), text);
	kp_buf_reset(&result->evidence);
	result->expected[0] = result->got[0] = '\0';
	kp_engine_refuse(engine,
			 "the %s reached the limit of %s behind %" PRIu64 " system calls; %s",
			 limit->what, text, result->calls, limit->remedy);
}

int kp_engine_spawn(struct kp_engine *engine, struct kp_spawn *spawn)
{
	int rc;

	spawn->may_miss = engine->options->unsafe ? ~0u : 0;
	spawn->limits = (struct kp_watch_limits){kp_engine_limit(engine, KP_LIMIT_MEMORY),
						 kp_engine_limit(engine, KP_LIMIT_TIME) * NS_PER_S};
	/* The user's own build may lie where only the user can read. */
	spawn->nobody = geteuid() == 0 && !spawn->libraries;
	rc = kp_tracee_spawn(&engine->tracee, spawn, engine->err);
	if (rc == -ENOTSUP)
		return kp_engine_refuse(engine, "%s", engine->err->text);
	if (rc == 0)
		kp_walls_name(engine->tracee.missing_walls, engine->result->missing_walls,
			      sizeof engine->result->missing_walls);
	return rc;
}

/* Starts the sandbox with the archive's files and all stubs open in it, and runs. */
static int run_in_sandbox(struct kp_engine *engine, int *stubs)
{
	const struct kp_session *session = engine->session;
	struct kp_spawn spawn = {.exe_fd = stubs[0]};
	struct kp_filter filter;
	int *fds, rc;

	rc = kp_engine_list_fds(engine, session->images.cnt, &fds, &spawn.fd_cnt);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < session->images.cnt; i++)
		fds[spawn.fd_cnt++] = stubs[i];
	kp_filter_build(KP_FILTER_REPLAY, &filter);
	spawn.fds = fds;
	spawn.filter = &filter;
	rc = kp_engine_spawn(engine, &spawn);
	if (rc == 0)
		rc = run_recorded(engine);
	kp_tracee_done(&engine->tracee);
	free(fds);
	return rc;
}

static int run_with_stubs(struct kp_engine *engine)
{
	uint32_t cnt = engine->session->images.cnt;
	int *stubs = malloc(cnt * sizeof(*stubs));
	int rc;

	if (!stubs)
		return kp_err_set(engine->err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < cnt; i++)
		stubs[i] = -1;
	engine->stubs = stubs;
	rc = make_stubs(engine->session, stubs, engine->err);
	if (rc == 0)
		rc = run_in_sandbox(engine, stubs);
	for (uint32_t i = 0; i < cnt; i++)
		if (stubs[i] >= 0)
			close(stubs[i]);
	free(stubs);
	return rc;
}

static unsigned first_cpu(const struct kp_session *session)
{
	const struct kp_step *step = session->steps.cnt ? &session->steps.at[0] : NULL;

	return step && step->call ? step->call->hdr.cpu : (unsigned)sched_getcpu();
}

/* A difference is proof only where nothing else can have made it. */
static void weigh(struct kp_engine *engine)
{
	const struct kp_session *session = engine->session;
	const char *doubt;

	if (engine->result->verdict != KP_VERDICT_DIVERGED)
		return;
	if (engine->withheld[0])
		kp_engine_refuse(engine,
				 "it differs at event %u, and of the recorded environment another "
				 "build does not get what its loader would obey: %s",
				 engine->result->seq, engine->withheld);
	if (engine->options->exe)
		return;
	/* What the recorder saw coming explains what came behind it. */
	if (session->lint && session->lint->seq && session->lint->seq < engine->result->seq) {
		kp_engine_refuse(engine, "%.*s", (int)session->lint->data_len,
				 (const char *)KP_TAIL(session->lint));
		return;
	}
	doubt = kp_files_get_doubt(engine->files, engine->result->time_ns);
	if (*doubt)
		kp_engine_refuse(engine, "it differs at event %u, and %s", engine->result->seq,
				 doubt);
}

/* What was given other bytes than were recorded is not the same, however alike it is. */
static void judge_masks(struct kp_engine *engine)
{
	struct kp_replay_result *result = engine->result;
	const struct kp_session *session = engine->session;

	if (result->verdict != KP_VERDICT_EXACT && result->verdict != KP_VERDICT_EQUIVALENT)
		return;
	if (session->masked && (!result->stopped || result->seq >= session->masked_seq))
		result->verdict = KP_VERDICT_MASKED;
}

static int run(struct kp_engine *engine)
{
	int rc;

	if (sched_getaffinity(0, sizeof engine->cpus, &engine->cpus) < 0)
		CPU_ZERO(&engine->cpus);
	share_cpu(engine, first_cpu(engine->session));
	rc = engine->options->exe ? kp_engine_run_other(engine) : run_with_stubs(engine);
	sched_setaffinity(0, sizeof engine->cpus, &engine->cpus);
	judge_limits(engine);
	if (rc < 0 && engine->result->verdict != KP_VERDICT_REFUSED)
		return rc;
	if (engine->result->verdict == KP_VERDICT_NONE)
		return kp_err_set(engine->err, -EIO, "the replay ended without a verdict");
	tell_uncovered(engine);
	weigh(engine);
	judge_masks(engine);
	return 0;
}

int kp_replay_run(struct kp_session *session, const struct kp_replay_options *options,
		  struct kp_replay_result *result, struct kp_err *err)
{
	struct kp_engine engine = {.session = session,
				   .options = options,
				   .result = result,
				   .err = err,
				   .fds = session->fds};
	struct kp_locks locks = {.future = false};
	int rc;

	memset(result, 0, sizeof(*result));
	result->differs_at = -1;
	result->exit_status = -1;
	if (session->refusal[0]) {
		kp_engine_refuse(&engine, "%s", session->refusal);
		return 0;
	}
	engine.locks = &locks;
	rc = kp_files_new(session, &engine.files, err);
	if (rc == 0)
		rc = kp_sysv_new(session, &engine.sysv, err);
	if (rc == 0)
		rc = run(&engine);
	kp_sysv_free(engine.sysv);
	kp_files_free(engine.files);
	kp_locks_done(&locks);
	kp_writable_done(&engine.writable);
	return rc;
}
