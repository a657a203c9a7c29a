/* SPDX-License-Identifier: MIT
 *
 * The recorder's life; see recorder.h. The probes are attached before the log begins, so that the
 * snapshot at its begin overlaps with the events rather than leaving a gap.
 *
 * Invariant, checked by the tests: per class and CPU, what the probes produced = what is in the log
 * + what is counted as lost.
 */
#include "record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/map.h"
#include "event/event.h"
#include "record/clocks.h"
#include "record/command.h"
#include "record/lint.h"
#include "record/pipeline.h"
#include "record/priority.h"
#include "record/probes.h"
#include "record/process.h"
#include "record/select.h"

#define DRAIN_MS 5
/* At rest the rings are emptied less often, but before a CPU that wakes up can fill half of one: it
 * makes some 200 kB of events in a millisecond. */
#define REST_MS_MAX 20
#define RING_LEN_PER_REST_MS (400u * 1024u)
#define REST_LEN 4096 /* bytes of all rings at one time, up to which the machine is at rest */
#define SECOND_MS 1000
#define BLOCK_AGE_NS 100000000ull
/* Load of the queue at which the command is held, and at which it goes on. */
#define HOLD_PERCENT 20
#define RELEASE_PERCENT 5
#define PAYLOAD_STEPS 16
#define HANG_NS 5000000000ull   /* for a snapshot */
#define LOOP_FDS 8              /* descriptors that the loop needs, and some */
#define ACCOUNT_NS 100000000ull /* losses are looked for so often */
/* What the command left has this long to end by the signal that was passed on. */
#define GRACE_MS 5000
/* Of two interrupts from a terminal that the command has too (a shell's or a debugger's own key,
 * perhaps) the second ends the recording only if it comes this soon. */
#define AGAIN_MS 5000

struct recorder {
	const struct kp_recorder_options *options;
	struct kp_probes *probes;
	struct kp_pipeline *pipeline;
	struct kp_command_run *command;
	bool held;      /* the command, until the log has caught up */
	bool is_behind; /* the queue: it was full, and has not run empty since */
	struct kp_tally *tally;
	unsigned ring_cnt;
	uint64_t accounted_ns;
	struct kp_clocks clocks;
	struct kp_lint *lint;
	struct kp_err error; /* first error of writing */

	struct kp_process process; /* as it was before */
	enum kp_end_reason reason; /* why it ended, and by which signal */
	int end_sig;
	int asked; /* signal by which the end was asked for; 0: not yet */
	uint64_t asked_ms;
	bool is_left_alone; /* the command has ended, and left processes */
	bool has_told_left; /* that they are waited for */
	bool is_ending;
	uint64_t copied;    /* of the command's files, when it was last looked */
	bool is_kept;       /* a thread that hangs may come back to this */
	bool has_told_hang; /* that the snapshot hangs */

	uv_loop_t loop;
	bool has_loop;
	uv_timer_t drain_timer, second_timer, end_timer, grace_timer;
	uv_signal_t signals[KP_END_SIGNAL_MAX];
	uv_async_t command_end;
	uv_poll_t clock_poll;
	uv_poll_t *polls; /* payload rings, by index */
	struct kp_recorder_result result;
};

static void warn(const struct recorder *r, const char *text)
{
	if (r->options->on_warning)
		r->options->on_warning(text, r->options->arg);
}

static void __attribute__((format(printf, 2, 3)))
notice(const struct recorder *r, const char *format, ...)
{
	char text[512];
	va_list ap;

	if (!r->options->on_notice)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	r->options->on_notice(text, r->options->arg);
}

/* --- draining --- */

struct drain {
	struct recorder *recorder;
	enum kp_ring kind;
};

static void put_event(const struct kp_hdr *event, void *arg)
{
	const struct drain *drain = arg;

	kp_pipeline_put(drain->recorder->pipeline, kp_tally_stream(event->cpu, drain->kind), event);
}

static void put_selected(const struct kp_hdr *event, void *arg)
{
	const struct drain *drain = arg;

	put_event(event, arg);
	kp_lint_selected(drain->recorder->lint, event);
}

static void put_life(const struct kp_hdr *event, void *arg)
{
	const struct drain *drain = arg;

	put_event(event, arg);
	kp_lint_life(drain->recorder->lint, event);
}

/* Said again at each turn of the timer: a single call can be missed. */
static void hold(struct recorder *r, bool wanted)
{
	if (r->command)
		kp_command_hold(r->command, wanted);
	r->held = wanted;
}

/*
 * Holds the command while much of what it did waits to be written, so that nothing of it is lost,
 * and lets it go on when most is written. Called at the timer's pace only: a hold takes a moment to
 * reach the command, and must not end before it did.
 */
static void pace(struct recorder *r)
{
	unsigned load = kp_pipeline_load(r->pipeline);

	if (load >= HOLD_PERCENT || load <= RELEASE_PERCENT)
		r->is_behind = load >= HOLD_PERCENT;
	hold(r, r->is_behind);
}

/*
 * Reads one ring; at most its length, so that a busy one does not keep the others waiting. A
 * payload ring is read in short steps: its writers, who can be faster than we are, are held as soon
 * as it fills.
 */
static size_t drain_ring(struct recorder *r, unsigned index, enum kp_ring kind)
{
	struct kp_ring_reader *ring = kp_probes_ring(r->probes, index, kind);
	struct drain drain = {r, kind};
	size_t len = 0, n;

	if (!ring)
		return 0;
	if (kind != KP_RING_PAYLOAD && kind != KP_RING_BULK)
		return kp_ring_drain(ring, ring->len, kind == KP_RING_LIFE ? put_life : put_event,
				     &drain);
	do {
		if (kp_ring_fill(ring) > ring->len / PAYLOAD_STEPS)
			hold(r, true);
		n = kp_ring_drain(ring, ring->len / PAYLOAD_STEPS, put_selected, &drain);
		len += n;
	} while (n && len < ring->len);
	return len;
}

static size_t drain_all(struct recorder *r)
{
	uint64_t begin_ns = kp_clock_ns(CLOCK_MONOTONIC);
	size_t len = drain_ring(r, 0, KP_RING_BULK);

	for (unsigned i = 0; i < r->ring_cnt; i++) {
		len += drain_ring(r, i, KP_RING_PAYLOAD);
		len += drain_ring(r, i, KP_RING_LIFE);
		len += drain_ring(r, i, KP_RING_EVENTS);
	}
	kp_lint_turn(r->lint, begin_ns);
	return len;
}

/* --- the loop --- */

static void check_log(struct recorder *r)
{
	struct kp_err err;

	if (kp_pipeline_error(r->pipeline, &err) < 0) {
		if (!r->error.text[0])
			warn(r, err.text);
		r->error = err;
	}
}

static bool wants_clocks(const struct recorder *r)
{
	return r->options->groups & 1u << KP_GROUP_clock;
}

/* When the rings are emptied next. A command is paced by the same timer, and a loop of calls, each
 * of them an event, fills a ring while a busy machine keeps us waiting. */
static uint64_t next_drain_ms(const struct recorder *r, size_t drained_len)
{
	uint64_t rest_ms = r->options->ring_len / RING_LEN_PER_REST_MS;
	uint64_t last_ms = uv_timer_get_repeat(&r->drain_timer);

	if (drained_len > REST_LEN || r->command || rest_ms <= DRAIN_MS ||
	    r->options->groups & 1u << KP_GROUP_syscall)
		return DRAIN_MS;
	if (rest_ms > REST_MS_MAX)
		rest_ms = REST_MS_MAX;
	return last_ms * 2 < rest_ms ? last_ms * 2 : rest_ms;
}

static void on_drain(uv_timer_t *timer)
{
	struct recorder *r = timer->data;
	uint64_t now_ns = kp_clock_ns(CLOCK_MONOTONIC);

	if (wants_clocks(r))
		kp_clocks_watch(&r->clocks);
	uv_timer_set_repeat(timer, next_drain_ms(r, drain_all(r)));
	pace(r);
	kp_pipeline_flush(r->pipeline, BLOCK_AGE_NS);
	if (now_ns - r->accounted_ns >= ACCOUNT_NS) {
		r->accounted_ns = now_ns;
		kp_tally_losses(r->tally);
		check_log(r);
	}
}

/* Somebody set the wall clock. */
static void on_clock_set(uv_poll_t *poll, int status, int events)
{
	struct recorder *r = poll->data;

	(void)status;
	(void)events;
	kp_clocks_watch(&r->clocks);
}

/* The kernel wakes us when a payload ring fills. */
static void on_payload(uv_poll_t *poll, int status, int events)
{
	struct recorder *r = poll->data;

	(void)status;
	(void)events;
	drain_ring(r, (unsigned)(poll - r->polls), KP_RING_PAYLOAD);
}

/* Its processes are killed, and it has not ended: do its threads still copy what they mapped? */
static void on_hang_timer(uv_timer_t *timer)
{
	struct recorder *r = timer->data;
	uint64_t copied = kp_command_copied(r->command);

	if (copied != r->copied) {
		r->copied = copied;
		return;
	}
	warn(r, "a file that the command maps does not answer: its file system hangs, and the log "
		"lacks the file");
	r->is_kept = true;
	uv_stop(&r->loop);
}

/* Ends the command and what it left, which cannot live on without the recorder. */
static void end_command(struct recorder *r)
{
	char names[256];
	size_t cnt = kp_command_left(r->command, names, sizeof(names));

	if (cnt)
		notice(r,
		       "%zu recorded process%s killed, since their mmap calls are held by the "
		       "recorder and would fail without it: %s",
		       cnt, cnt > 1 ? "es are" : " is", names);
	r->copied = kp_command_copied(r->command);
	kp_command_end(r->command);
	uv_timer_start(&r->grace_timer, on_hang_timer, GRACE_MS, GRACE_MS);
}

/* The rings are read until the command has ended too. */
static void end(struct recorder *r, enum kp_end_reason reason, int sig)
{
	if (r->is_ending)
		return;
	r->is_ending = true;
	r->reason = reason;
	r->end_sig = sig;
	if (r->command)
		end_command(r);
	else
		uv_stop(&r->loop);
}

static void on_end_timer(uv_timer_t *timer)
{
	end(timer->data, KP_END_TIME, 0);
}

static void on_grace_over(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	end(r, KP_END_SIGNAL, r->asked);
}

/* --- how it ends --- */

/* Passes a signal on to what the command left, and gives it time to end: one signal should be
 * enough to end a recorder. */
static void end_left(struct recorder *r)
{
	kp_command_kill(r->command, r->asked);
	uv_timer_start(&r->grace_timer, on_grace_over, GRACE_MS, 0);
}

static void tell_left(struct recorder *r)
{
	const char *name = r->options->argv[0];
	char names[256];
	size_t cnt = kp_command_left(r->command, names, sizeof(names));

	if (!cnt)
		return;
	r->has_told_left = true;
	if (r->is_left_alone)
		notice(r,
		       "%s has ended; waiting for %zu process%s that it left: %s; interrupt%s to "
		       "end the recording",
		       name, cnt, cnt > 1 ? "es" : "", names, r->asked ? " again" : "");
	else
		notice(r,
		       "%s was passed on to %s, which has not ended yet; interrupt again to end "
		       "the recording",
		       strsignal(r->asked), name);
}

/* Once a second: what ends by itself, or by the signal that was passed on, is not worth a word. */
static void watch_command(struct recorder *r)
{
	if (!r->command || r->is_ending)
		return;
	if (!r->is_left_alone && kp_command_has_ended(r->command)) {
		r->is_left_alone = true;
		r->has_told_left = false;
		if (r->asked)
			end_left(r);
	}
	if (!r->has_told_left && (r->is_left_alone || r->asked))
		tell_left(r);
}

static void watch_snapshot(struct recorder *r)
{
	char text[192];
	uint32_t pid;

	if (r->has_told_hang || !kp_pipeline_snapshot_hangs(r->pipeline, HANG_NS, &pid))
		return;
	r->has_told_hang = true;
	snprintf(text, sizeof(text),
		 "/proc does not answer for process %u, whose file system may hang; until it does, "
		 "the log lacks the names and descriptors of the processes behind it",
		 pid);
	warn(r, text);
}

static void on_second(uv_timer_t *timer)
{
	struct recorder *r = timer->data;
	struct kp_totals totals;

	if (wants_clocks(r))
		kp_clocks_write(&r->clocks);
	if (r->options->groups & 1u << KP_GROUP_irq)
		kp_tally_irq(r->tally);
	watch_command(r);
	watch_snapshot(r);
	if (!r->options->on_second)
		return;
	kp_tally_sum(r->tally, &totals);
	r->options->on_second(&totals, r->options->arg);
}

/* The terminal sends these to the command too if it is in the same foreground group. */
static bool command_has_it(int sig)
{
	return (sig == SIGINT || sig == SIGQUIT) && isatty(STDIN_FILENO) &&
	       tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* The first is for the command and what it left, the next ends the recording. */
static void on_signal(uv_signal_t *handle, int sig)
{
	struct recorder *r = handle->data;
	bool is_shared = command_has_it(sig);
	bool is_again = r->asked && (!is_shared || uv_now(&r->loop) - r->asked_ms < AGAIN_MS);

	if (r->is_ending) { /* without what is still being copied */
		r->is_kept = r->command;
		uv_stop(&r->loop);
		return;
	}
	if (!r->command || is_again) {
		end(r, KP_END_SIGNAL, sig);
		return;
	}
	r->asked = sig;
	r->asked_ms = uv_now(&r->loop);
	r->has_told_left = false;
	if (r->is_left_alone)
		end_left(r);
	else if (!is_shared)
		kp_command_kill(r->command, sig);
}

static void on_command_end(uv_async_t *async)
{
	struct recorder *r = async->data;

	if (!r->is_ending) {
		r->reason = KP_END_COMMAND;
		r->end_sig = r->asked;
	}
	uv_stop(&r->loop);
}

/* A thread of the command that hangs in a file system is left behind, with all that it knows of. */
static void free_command(struct recorder *r)
{
	if (r->is_kept)
		kp_pipeline_keep(r->pipeline);
	else
		kp_command_free(r->command);
	r->command = NULL;
}

/* In the tracing thread. */
static void command_ended(void *arg, int status)
{
	struct recorder *r = arg;

	r->result.command_status = status;
	r->result.command_ended = true;
	uv_async_send(&r->command_end);
}

/* libuv aborts where it cannot have a descriptor: so there must be some. 0 or -EMFILE, -ENFILE. */
static int try_descriptors(void)
{
	int fds[LOOP_FDS], cnt = 0, error = 0;

	for (; cnt < LOOP_FDS && error >= 0; cnt += error >= 0) {
		fds[cnt] = open("/", O_PATH | O_CLOEXEC);
		error = fds[cnt] < 0 ? -errno : 0;
	}
	while (cnt > 0)
		close(fds[--cnt]);
	return error;
}

/* In the tracing thread. */
static void command_warns(void *arg, const char *text)
{
	warn(arg, text);
}

static int init_loop(struct recorder *r)
{
	int error = try_descriptors(), sig;

	if (error >= 0)
		error = uv_loop_init(&r->loop);
	if (error < 0)
		return error;
	r->has_loop = true;
	uv_timer_init(&r->loop, &r->drain_timer);
	uv_timer_init(&r->loop, &r->second_timer);
	uv_timer_init(&r->loop, &r->end_timer);
	uv_timer_init(&r->loop, &r->grace_timer);
	r->drain_timer.data = r->second_timer.data = r;
	r->end_timer.data = r->grace_timer.data = r;
	error = uv_async_init(&r->loop, &r->command_end, on_command_end);
	r->command_end.data = r;
	for (size_t i = 0; error >= 0 && (sig = kp_process_end_signal(&r->process, i)); i++) {
		error = uv_signal_init(&r->loop, &r->signals[i]);
		r->signals[i].data = r;
		if (error >= 0)
			error = uv_signal_start(&r->signals[i], on_signal, sig);
	}
	return error;
}

static void start_timers(struct recorder *r)
{
	uv_update_time(&r->loop);
	uv_timer_start(&r->drain_timer, on_drain, DRAIN_MS, DRAIN_MS);
	uv_timer_start(&r->second_timer, on_second, SECOND_MS, SECOND_MS);
	if (r->options->duration_ns)
		uv_timer_start(&r->end_timer, on_end_timer,
			       (r->options->duration_ns + 999999) / 1000000, 0);
}

static int watch_clocks(struct recorder *r)
{
	int error;

	if (!wants_clocks(r))
		return 0;
	kp_clocks_init(&r->clocks, kp_pipeline_drain_sink(r->pipeline));
	if (r->clocks.fd < 0)
		return 0;
	error = uv_poll_init(&r->loop, &r->clock_poll, r->clocks.fd);
	r->clock_poll.data = r;
	return error < 0 ? error : uv_poll_start(&r->clock_poll, UV_READABLE, on_clock_set);
}

static int poll_payload_rings(struct recorder *r)
{
	int error = 0;

	r->polls = calloc(r->ring_cnt, sizeof(*r->polls));
	if (!r->polls)
		return -ENOMEM;
	for (unsigned i = 0; i < r->ring_cnt && error >= 0; i++) {
		struct kp_ring_reader *ring = kp_probes_ring(r->probes, i, KP_RING_PAYLOAD);

		if (!ring)
			continue;
		error = uv_poll_init(&r->loop, &r->polls[i], ring->map_fd);
		r->polls[i].data = r;
		if (error >= 0)
			error = uv_poll_start(&r->polls[i], UV_READABLE, on_payload);
	}
	return error;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_loop(struct recorder *r)
{
	if (!r->has_loop)
		return;
	uv_walk(&r->loop, close_handle, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	uv_loop_close(&r->loop);
	free(r->polls);
}

/* --- life --- */

static int start_command(struct recorder *r, struct kp_err *err)
{
	struct kp_command_options options = {.argv = r->options->argv,
					     .sink = kp_pipeline_sink(r->pipeline),
					     .process = &r->process,
					     .archive_sink = kp_pipeline_archive_sink(r->pipeline),
					     .on_warning = command_warns,
					     .on_end = command_ended,
					     .arg = r};
	pid_t pid;
	int error = kp_command_start(&options, &r->command, &pid, err);

	if (error >= 0)
		error = kp_probes_select(r->probes, &pid, 1, err);
	if (error >= 0)
		kp_command_go(r->command);
	return error;
}

static void warn_of_lint(const char *text, void *arg)
{
	warn(arg, text);
}

static int start_lint(struct recorder *r, struct kp_err *err)
{
	struct kp_lint_options options = {
		.sink = kp_pipeline_drain_sink(r->pipeline), .warn = warn_of_lint, .arg = r};

	if (r->options->pid_cnt)
		warn(r, "processes that run already are recorded with their bytes, but replay "
			"cannot serve them: it begins where `record -- COMMAND` held a program's "
			"start");
	return kp_lint_new(&options, &r->lint, err);
}

static int start(struct recorder *r, struct kp_err *err)
{
	const struct kp_recorder_options *o = r->options;
	struct kp_probes_options probes = {.groups = o->groups,
					   .select = o->argv || o->pid_cnt,
					   .ring_len = o->ring_len,
					   .irq_threshold_ns = o->irq_threshold_ns};
	struct kp_pipeline_options pipeline = {.dir = o->dir,
					       .log = {.node = o->node,
						       .options_json = o->options_json,
						       .segment_len = o->segment_len,
						       .codec = KP_CODEC_DELTA_ZSTD},
					       .sync_ns = o->sync_ns};
	int error = kp_probes_load(&probes, &r->probes, err);
	uint64_t since_ns;

	if (error < 0)
		return error;
	r->ring_cnt = kp_probes_ring_cnt(r->probes);
	since_ns = kp_clock_ns(CLOCK_MONOTONIC);
	error = kp_probes_attach(r->probes, err);
	if (error >= 0 && o->pid_cnt)
		error = kp_select_trees(r->probes, o->pids, o->pid_cnt, err);
	if (error >= 0)
		error = kp_pipeline_start(&pipeline, &r->pipeline, err);
	if (error >= 0)
		error = kp_tally_new(r->probes, r->pipeline, since_ns, &r->tally, err);
	if (error >= 0)
		error = start_lint(r, err);
	return error;
}

/* Empties the rings after the probes have stopped, and settles the accounts. */
static void finish(struct recorder *r)
{
	free_command(r);
	kp_probes_detach(r->probes);
	while (drain_all(r))
		;
	if (r->options->groups & 1u << KP_GROUP_irq)
		kp_tally_irq(r->tally);
	if (wants_clocks(r))
		kp_clocks_write(&r->clocks);
	kp_pipeline_begin_end(r->pipeline);
	kp_tally_losses(r->tally);
	kp_pipeline_drain(r->pipeline);
	check_log(r);
	kp_tally_write(r->tally);
	kp_pipeline_drain(r->pipeline);
	kp_tally_sum(r->tally, &r->result.totals);
}

/* How system calls are recorded, for whoever reads the log. */
static void tell_tier(struct recorder *r)
{
	struct kp_ev_tier ev = {.tier = kp_probes_tier(r->options->groups)};

	kp_sink_put_fixed(kp_pipeline_sink(r->pipeline), KP_EV_tier, &ev, sizeof(ev));
}

static int run_loop(struct recorder *r, struct kp_err *err)
{
	int error = poll_payload_rings(r);

	if (error >= 0)
		error = watch_clocks(r);
	if (error < 0)
		kp_err_sys(err, error, "cannot watch the rings and clocks");
	else
		notice(r, "recording into %s%s", r->options->dir,
		       r->options->argv ? "" : "; Ctrl-C ends it");
	if (error >= 0 && r->options->argv)
		error = start_command(r, err);
	if (error >= 0) {
		tell_tier(r);
		start_timers(r);
		if (r->options->argv)
			kp_priority_raise();
		uv_run(&r->loop, UV_RUN_DEFAULT);
		finish(r);
	}
	free_command(r);
	return error;
}

int kp_recorder_run(const struct kp_recorder_options *options,
		    struct kp_recorder_result *ret_result, struct kp_err *err)
{
	struct recorder *r = calloc(1, sizeof(*r));
	struct kp_pipeline_end end = {0};
	struct kp_err close_err = {""};
	int error, closed;

	if (!r)
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	r->options = options;
	r->clocks.fd = -1;
	kp_process_prepare(&r->process);
	error = init_loop(r); /* first, so that no signal is missed from here on */
	if (error < 0)
		kp_err_sys(err, error, "cannot start the event loop");
	if (error >= 0)
		error = start(r, err);
	if (error >= 0)
		error = run_loop(r, err);
	close_loop(r);
	kp_clocks_done(&r->clocks);
	end.reason = error < 0 ? KP_END_FAILED : r->reason;
	end.sig = r->end_sig;
	closed = kp_pipeline_stop(r->pipeline, &end, &close_err);
	r->result.totals.doubtful = end.doubtful_cnt;
	if (end.log_len && r->result.totals.log_len)
		r->result.totals.log_len = end.log_len;
	*ret_result = r->result;
	if (error >= 0 && r->error.text[0])
		error = kp_err_set(err, -EIO, "%s", r->error.text);
	if (error >= 0 && closed < 0)
		error = kp_err_set(err, -EIO, "%s", close_err.text);
	kp_probes_free(r->probes);
	kp_lint_free(r->lint);
	kp_tally_free(r->tally);
	kp_process_restore(&r->process);
	if (!r->is_kept)
		free(r);
	return error;
}
