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
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/event.h"
#include "log/recover.h"
#include "record/confine.h"
#include "record/pins.h"
#include "record/priority.h"
#include "record/recorder_in.h"
#include "record/select.h"

#define SECOND_NS 1000000000ull
#define BLOCK_AGE_NS 500000000ull
#define ACCOUNT_NS 100000000ull /* losses are looked for so often */
#define CONNTRACK_NS 500000000ull
#define QUOTAS_NS 100000000ull /* a step of finding and reading them */
#define TIER_NS 10000000000ull /* it is said again so often */
#define HANG_NS 5000000000ull  /* for a snapshot */
#define LOOP_FDS 8             /* descriptors that the loop needs, and some */

void kp_recorder_warn(const struct recorder *r, const char *text)
{
	if (r->options->on_warning)
		r->options->on_warning(text, r->options->arg);
}

void kp_recorder_notice(const struct recorder *r, const char *format, ...)
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

/* --- what is said and looked at beside the rings --- */

static void check_log(struct recorder *r)
{
	struct kp_err err;

	if (kp_pipeline_error(r->pipeline, &err) < 0) {
		if (!r->error.text[0])
			kp_recorder_warn(r, err.text);
		r->error = err;
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

static int start_clocks(struct recorder *r, struct kp_err *err)
{
	int error;

	kp_clocks_init(&r->clocks, kp_pipeline_drain_sink(r->pipeline));
	if (r->clocks.fd < 0)
		return 0;
	error = uv_poll_init(&r->loop, &r->clock_poll, r->clocks.fd);
	r->clock_poll.data = r;
	if (error >= 0)
		error = uv_poll_start(&r->clock_poll, UV_READABLE, on_clock_set);
	return error < 0 ? kp_err_sys(err, error, "cannot watch the clocks") : 0;
}

static void watch_clocks(struct recorder *r)
{
	kp_clocks_watch(&r->clocks);
}

static void write_clocks(struct recorder *r)
{
	kp_clocks_write(&r->clocks);
}

static int start_conntrack(struct recorder *r, struct kp_err *err)
{
	struct kp_err warning = {0};

	(void)err; /* what is not there is missing, and no reason to end */
	if (kp_conntrack_open(&r->conntrack, &warning) < 0)
		kp_recorder_warn(r, warning.text);
	return 0;
}

/* A segment says by itself which connections are translated. */
static void read_conntrack(struct recorder *r)
{
	uint64_t segment = kp_pipeline_segment(r->pipeline), lost = r->conntrack.lost;

	if (segment != r->conntrack_segment)
		kp_conntrack_ask(&r->conntrack);
	r->conntrack_segment = segment;
	kp_conntrack_read(&r->conntrack, kp_pipeline_drain_sink(r->pipeline));
	if (!lost && r->conntrack.lost)
		kp_recorder_warn(r, "the kernel's connection tracking tells more than can be read: "
				    "the other ends of some translated connections are missing");
}

/* A segment says them by itself. */
static void put_reasons(struct recorder *r)
{
	uint64_t segment = kp_pipeline_segment(r->pipeline);

	if (segment != r->reasons_segment)
		kp_reasons_put(&r->reasons, kp_pipeline_drain_sink(r->pipeline));
	r->reasons_segment = segment;
}

static int start_reasons(struct recorder *r, struct kp_err *err)
{
	(void)err; /* they were read before the first program ran: that takes long */
	put_reasons(r);
	return 0;
}

static void stop_conntrack(struct recorder *r)
{
	kp_conntrack_read(&r->conntrack, kp_pipeline_drain_sink(r->pipeline));
	kp_conntrack_done(&r->conntrack);
}

static void warn_of(const char *text, void *arg)
{
	kp_recorder_warn(arg, text);
}

static void give_notice(const char *text, void *arg)
{
	kp_recorder_notice(arg, "%s", text);
}

static int start_identity(struct recorder *r, struct kp_err *err)
{
	const struct kp_recorder_options *o = r->options;
	const struct kp_identity_options options = {
		.probes = r->probes,
		.sink = kp_pipeline_sink(r->pipeline),
		.tells = o->groups & 1u << KP_GROUP_life,
		.pod_logs = o->pod_logs ? o->pod_logs : KP_POD_LOGS,
		.wanted = o->wanted,
		.wanted_cnt = o->wanted_cnt,
		.warn = warn_of,
		.notice = give_notice,
		.arg = r,
	};

	return kp_identity_start(&options, &r->identity, err);
}

static void turn_identity(struct recorder *r)
{
	kp_identity_turn(r->identity, kp_pipeline_segment(r->pipeline));
}

static void stop_identity(struct recorder *r)
{
	if (!kp_identity_stop(r->identity)) {
		kp_recorder_warn(r, "a program's file or the folder of pods' logs does not answer: "
				    "its file system hangs, and the log lacks what it names");
		r->is_kept = true;
		kp_pipeline_keep(r->pipeline);
	}
	r->identity = NULL;
}

static int start_pressure(struct recorder *r, struct kp_err *err)
{
	(void)err; /* what is not there is missing, and no reason to end */
	kp_pressure_open(&r->pressure, kp_pipeline_drain_sink(r->pipeline));
	kp_pressure_read(&r->pressure);
	return 0;
}

static void read_pressure(struct recorder *r)
{
	kp_pressure_read(&r->pressure);
}

static void stop_pressure(struct recorder *r)
{
	kp_pressure_read(&r->pressure);
	kp_pressure_done(&r->pressure);
}

static int start_quotas(struct recorder *r, struct kp_err *err)
{
	(void)err;
	kp_quotas_open(&r->quotas, kp_pipeline_drain_sink(r->pipeline));
	return 0;
}

static void read_quotas(struct recorder *r)
{
	kp_quotas_turn(&r->quotas, kp_clock_ns(CLOCK_MONOTONIC));
	if (!r->quotas.is_full || r->has_told_quotas)
		return;
	r->has_told_quotas = true;
	kp_recorder_warn(r, "more cgroups have a CPU quota than are looked at: of some the log has "
			    "no cpu_stat");
}

static void stop_quotas(struct recorder *r)
{
	kp_quotas_done(&r->quotas);
}

static void sum_irqs(struct recorder *r)
{
	kp_tally_irq(r->tally);
}

static void seal_blocks(struct recorder *r)
{
	kp_pipeline_flush(r->pipeline, BLOCK_AGE_NS);
}

static void tell_losses(struct recorder *r)
{
	kp_tally_losses(r->tally);
}

static void tell_misses(struct recorder *r)
{
	kp_tally_misses(r->tally);
}

static void repeat_tier(struct recorder *r)
{
	kp_tiers_repeat(r->tiers);
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
	kp_recorder_warn(r, text);
}

/* With the contents of mapped files. */
static void sum_up(struct recorder *r, struct kp_totals *ret_totals)
{
	kp_tally_sum(r->tally, ret_totals);
	ret_totals->objects_len = r->command ? kp_command_written(r->command) : r->objects_len;
	ret_totals->log_len += ret_totals->objects_len;
}

static void tell_second(struct recorder *r)
{
	struct kp_totals totals;

	if (!r->options->on_second)
		return;
	sum_up(r, &totals);
	r->options->on_second(&totals, r->options->arg);
}

/* A call of a library, perhaps: whatever needed it does without. */
static void tell_refused(struct recorder *r)
{
	char text[160];
	uint64_t cnt;
	int nr;

	cnt = kp_confine_refused(&nr);
	if (cnt == r->refused)
		return;
	snprintf(text, sizeof(text),
		 "the recorder's own filter has refused it a system call (number %d; %" PRIu64
		 " so far): please report this",
		 nr, cnt);
	kp_recorder_warn(r, text);
	r->refused = cnt;
}

static const struct kp_source sources[] = {
	{"steps of the clocks", 1u << KP_GROUP_clock, 0, start_clocks, watch_clocks, NULL},
	{"clocks", 1u << KP_GROUP_clock, SECOND_NS, NULL, write_clocks, write_clocks},
	{"pace of the command", 0, 0, NULL, kp_recorder_pace, NULL},
	{"old blocks", 0, 0, NULL, seal_blocks, NULL},
	{"losses", 0, ACCOUNT_NS, NULL, tell_losses, NULL},
	{"runs that the kernel left out", 0, SECOND_NS, NULL, tell_misses, NULL},
	{"errors of the log", 0, ACCOUNT_NS, NULL, check_log, NULL},
	{"translated connections", 1u << KP_GROUP_tcp, CONNTRACK_NS, start_conntrack,
	 read_conntrack, stop_conntrack},
	{"identity", 0, 0, start_identity, turn_identity, stop_identity},
	{"pressure", 1u << KP_GROUP_kernel, SECOND_NS, start_pressure, read_pressure,
	 stop_pressure},
	{"CPU quotas", 1u << KP_GROUP_kernel, QUOTAS_NS, start_quotas, read_quotas, stop_quotas},
	{"names of reasons", 1u << KP_GROUP_tcp, ACCOUNT_NS, start_reasons, put_reasons, NULL},
	{"interrupts", 1u << KP_GROUP_irq, SECOND_NS, NULL, sum_irqs, sum_irqs},
	{"tier", 0, TIER_NS, kp_recorder_start_tiers, repeat_tier, NULL},
	{"budget", 0, SECOND_NS, NULL, kp_recorder_look_at_budget, NULL},
	{"disk", 0, SECOND_NS, NULL, kp_recorder_look_at_disk, NULL},
	{"command", 0, SECOND_NS, NULL, kp_recorder_watch_command, NULL},
	{"snapshot", 0, SECOND_NS, NULL, watch_snapshot, NULL},
	{"refused calls", 0, SECOND_NS, NULL, tell_refused, tell_refused},
	{"statistics", 0, SECOND_NS, NULL, tell_second, NULL},
};
#define SOURCE_CNT (sizeof(sources) / sizeof(*sources))
_Static_assert(SOURCE_CNT <= KP_SOURCE_MAX, "more sources than kp_sources can hold");

/* --- the loop --- */

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

static void on_drain(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	uv_timer_set_repeat(timer, kp_recorder_next_drain_ms(r, kp_recorder_drain(r)));
	kp_sources_turn(&r->sources, kp_clock_ns(CLOCK_MONOTONIC));
}

static int init_loop(struct recorder *r)
{
	int error = try_descriptors();

	if (error >= 0)
		error = uv_loop_init(&r->loop);
	if (error < 0)
		return error;
	r->has_loop = true;
	uv_timer_init(&r->loop, &r->drain_timer);
	r->drain_timer.data = r;
	return kp_recorder_init_end(r);
}

static void start_timers(struct recorder *r)
{
	uv_update_time(&r->loop);
	uv_timer_start(&r->drain_timer, on_drain, KP_DRAIN_MS, KP_DRAIN_MS);
	kp_recorder_start_end_timer(r);
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
}

/* --- life --- */

bool kp_recorder_selects_others(const struct kp_recorder_options *options)
{
	return options->pid_cnt || options->wanted_cnt;
}

/* Whether anything is recorded for replay. */
static bool selects(const struct kp_recorder_options *options)
{
	return options->argv || kp_recorder_selects_others(options);
}

static int start_lint(struct recorder *r, struct kp_err *err)
{
	struct kp_lint_options options = {
		.sink = kp_pipeline_drain_sink(r->pipeline), .warn = warn_of, .arg = r};

	if (kp_recorder_selects_others(r->options))
		kp_recorder_warn(
			r,
			"processes that the recorder does not start itself are recorded with their "
			"bytes, but replay cannot serve them: it begins where `record -- COMMAND` "
			"held a program's start");
	if (r->options->is_masked && selects(r->options))
		kp_recorder_notice(r, "card numbers are masked also in what is recorded for "
				      "replay, which is not exact where there were some");
	return kp_lint_new(&options, &r->lint, err);
}

static void confine(struct recorder *r)
{
	struct kp_err why = {""};

	if (r->options->is_confined && !r->options->argv && kp_confine(r->options->dir, &why) < 0)
		kp_recorder_warn(r, why.text);
}

/* Where what is in the kernel stays; that it cannot is no reason to end. */
static void open_pins(struct recorder *r)
{
	struct kp_err why = {""};

	if (!r->options->pins || selects(r->options))
		return;
	r->pins_fd = kp_pins_open(r->options->pins, &why);
	if (r->pins_fd >= 0 && kp_log_newest_run(r->options->dir, &r->resume_run) < 0)
		r->resume_run = 0;
	if (r->pins_fd < 0)
		kp_recorder_warn(r, kp_pins_explain(&why));
}

/* The accounts, and what was left of them. */
static int start_tally(struct recorder *r, uint64_t since_ns, struct kp_err *err)
{
	struct kp_ev_takeover ev = {0};
	int error = kp_tally_new(r->probes, r->pipeline, since_ns, &r->tally, err);

	if (error < 0 || kp_probes_origin(r->probes) != KP_PROBES_TAKEN_OVER)
		return error;
	ev.read_ns = kp_probes_left_ns(r->probes);
	ev.lost = kp_tally_take_over(r->tally);
	kp_sink_put_fixed(kp_pipeline_sink(r->pipeline), KP_EV_takeover, &ev, sizeof(ev));
	kp_pipeline_flush(r->pipeline, 0);
	kp_recorder_notice(r,
			   "goes on where the recorder before it was killed, %.1f s after that had "
			   "last read: %" PRIu64 " events that it had read are lost",
			   (double)(kp_clock_ns(CLOCK_MONOTONIC) - ev.read_ns) / SECOND_NS,
			   ev.lost);
	return 0;
}

/* Once there is a log to which it belongs. */
static void pin(struct recorder *r)
{
	struct kp_err why = {""};

	if (kp_probes_origin(r->probes) == KP_PROBES_REPLACED)
		kp_recorder_notice(r,
				   "removed from the kernel what another recorder had left there "
				   "(another build, options, CPUs or log)");
	if (kp_probes_pin(r->probes, kp_pipeline_run(r->pipeline), &why) < 0)
		kp_recorder_warn(r, kp_pins_explain(&why));
}

static int start(struct recorder *r, struct kp_err *err)
{
	const struct kp_recorder_options *o = r->options;
	struct kp_memory memory = kp_memory_share(o->memory, selects(o));
	struct kp_probes_options probes = {.groups = o->groups,
					   .select = selects(o),
					   .ring_len = o->ring_len,
					   .memory = memory,
					   .irq_threshold_ns = o->irq_threshold_ns,
					   .work_threshold_ns = o->work_threshold_ns};
	struct kp_pipeline_options pipeline = {.dir = o->dir,
					       .log = {.node = o->node,
						       .options_json = o->options_json,
						       .segment_len = o->segment_len,
						       .codec = KP_CODEC_DELTA_ZSTD},
					       .queue_len = memory.queue,
					       .sync_ns = o->sync_ns,
					       .retain = o->retain,
					       .has_command = o->argv,
					       .is_masked = o->is_masked};
	uint64_t since_ns;
	int error;

	open_pins(r);
	probes.pins_fd = r->pins_fd;
	probes.run = r->resume_run;
	error = kp_probes_load(&probes, &r->probes, err);
	if (error < 0)
		return error;
	pipeline.ledger = kp_probes_ledger(r->probes);
	if (kp_probes_origin(r->probes) == KP_PROBES_TAKEN_OVER)
		pipeline.log.resume_run = r->resume_run;
	r->ring_cnt = kp_probes_ring_cnt(r->probes);
	error = kp_reasons_read(&r->reasons);
	if (error < 0)
		return kp_err_sys(err, error, "cannot read the kernel's names of reasons");
	since_ns = kp_clock_ns(CLOCK_MONOTONIC);
	error = kp_probes_attach(r->probes, err);
	if (error >= 0 && o->pid_cnt)
		error = kp_select_trees(r->probes, o->pids, o->pid_cnt, err);
	if (error >= 0)
		confine(r); /* before the first thread */
	if (error >= 0)
		error = kp_pipeline_start(&pipeline, &r->pipeline, err);
	if (error >= 0)
		error = start_tally(r, since_ns, err);
	if (error >= 0)
		pin(r);
	if (error >= 0)
		error = start_lint(r, err);
	return error;
}

static void stop_tiers(struct recorder *r)
{
	kp_tiers_stop(r->tiers);
	r->tiers = NULL;
}

/* Empties the rings after the probes have stopped, and settles the accounts. */
static void finish(struct recorder *r)
{
	kp_recorder_free_command(r);
	stop_tiers(r);
	kp_probes_detach(r->probes);
	while (kp_recorder_drain(r))
		;
	kp_sources_stop(&r->sources);
	kp_pipeline_begin_end(r->pipeline);
	kp_tally_misses(r->tally);
	kp_tally_losses(r->tally);
	kp_pipeline_drain(r->pipeline);
	check_log(r);
	kp_tally_write(r->tally);
	kp_pipeline_drain(r->pipeline);
	sum_up(r, &r->result.totals);
}

static int run_loop(struct recorder *r, struct kp_err *err)
{
	int error = kp_recorder_poll_rings(r);

	if (error < 0)
		return kp_err_sys(err, error, "cannot watch the rings");
	error = kp_sources_start(&r->sources, kp_clock_ns(CLOCK_MONOTONIC), err);
	if (error >= 0)
		kp_recorder_notice(r, "recording into %s%s", r->options->dir,
				   r->options->argv ? "" : "; Ctrl-C ends it");
	if (error >= 0 && r->options->argv)
		error = kp_recorder_start_command(r, err);
	if (error >= 0) {
		start_timers(r);
		kp_priority_raise(KP_NICE_AT_ONCE);
		uv_run(&r->loop, UV_RUN_DEFAULT);
		finish(r);
	}
	kp_recorder_free_command(r);
	stop_tiers(r);
	stop_identity(r);
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
	r->clocks.fd = r->conntrack.fd = r->pins_fd = -1;
	r->sources = (struct kp_sources){
		.table = sources, .cnt = SOURCE_CNT, .groups = options->groups, .owner = r};
	kp_process_prepare(&r->process, options->argv);
	error = init_loop(r); /* first, so that no signal is missed from here on */
	if (error < 0)
		kp_err_sys(err, error, "cannot start the event loop");
	if (error >= 0)
		error = start(r, err);
	if (error >= 0)
		error = run_loop(r, err);
	close_loop(r);
	kp_clocks_done(&r->clocks);
	kp_conntrack_done(&r->conntrack);
	kp_reasons_done(&r->reasons);
	end.reason = error < 0 ? KP_END_FAILED : r->reason;
	end.sig = r->end_sig;
	closed = kp_pipeline_stop(r->pipeline, &end, &close_err);
	r->result.totals.doubtful = end.doubtful_cnt;
	if (end.log_len && r->result.totals.log_len)
		r->result.totals.log_len = end.log_len + r->objects_len;
	*ret_result = r->result;
	if (error >= 0 && r->error.text[0])
		error = kp_err_set(err, -EIO, "%s", r->error.text);
	if (error >= 0 && closed < 0)
		error = kp_err_set(err, -EIO, "%s", close_err.text);
	if (!r->is_kept)
		kp_probes_free(r->probes);
	if (r->pins_fd >= 0)
		close(r->pins_fd);
	kp_lint_free(r->lint);
	kp_tally_free(r->tally);
	kp_process_restore(&r->process);
	if (!r->is_kept)
		free(r);
	return error;
}
