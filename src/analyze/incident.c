/* SPDX-License-Identifier: MIT
 *
 * The steps of an analysis; see incident.h, and saved.c for the database. The log is read twice:
 * once for its clock readings only, which tell where on the monotonic clock the incident lies, then
 * around the incident, as far as some million events reach. What that leaves unsure may stand
 * further away: then more is read, in the end all up to a little after the incident, with what is
 * long before it reduced to last states. So an answer costs what its window has, not what the log
 * has.
 */
#include "analyze/incident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyze/find.h"
#include "analyze/join.h"
#include "analyze/window.h"
#include "base/limit.h"
#include "log/reader.h"

/* Logs with more events than this are not kept whole. */
#define WHOLE_MAX 50000000u
/* What is kept around the incident then. */
#define MARGIN_NS 20000000000u
#define MARGIN_MIN_NS 10000000u
/* An answer is unsure of which more than this part is. */
#define UNSURE_PART 100
#define BASELINE_MIN 5
#define BASELINE_MAX 200
/* Spans of an incident, or of its baseline, that are looked for in the log. */
#define SPANS_MAX 2000
/* Pieces and steps of walks after which no more of the baseline is walked. */
#define WORK_MAX 20000000u

struct analysis {
	const struct kp_incident *what;
	struct kp_report *report;
	struct kp_log_reader *reader;
	const char *host;
	struct kp_clock clock;
	struct kp_model model;
	struct kp_traces traces;
	struct kp_found found; /* spans that fit the definition */
	uint32_t span;         /* the one chosen, or KP_NONE */
	uint32_t task;
	uint64_t t0_ns, t1_ns;
	uint64_t work;                  /* that the walks have done so far */
	struct kp_clock_moment ends[2]; /* how sure these are */
	uint64_t wall_ns[2];            /* as they were asked for; 0: they were not */
	bool ran;                       /* the process ran at both ends only then */
	unsigned reading;               /* of readings */
	bool is_all;                    /* nothing that this reading left out could be read */
	uint32_t normal_cnt;            /* requests of the baseline */
	size_t gap_cnt;                 /* of the whole log, by its headers */
};

/* Events of what tasks did that are read, in one reading after the other. */
static const uint64_t readings[] = {3000000, 40000000, UINT64_MAX};
#define READING_CNT (sizeof(readings) / sizeof(*readings))

/* --- which time --- */

/* The time in which the incident must lie, on the monotonic clock: of a wall time that existed more
 * than once, all. */
static void bound_window(struct analysis *a, uint64_t *ret_lo, uint64_t *ret_hi)
{
	uint64_t lo = KP_NEVER, hi = 0, t;
	const struct kp_span *span;

	for (uint32_t i = 0; i < a->found.spans.cnt; i++) {
		span = &a->traces.spans.at[a->found.spans.at[i]];
		t = kp_clock_find(&a->clock, span->start_ns).first_ns;
		lo = t < lo ? t : lo;
		t = kp_clock_find(&a->clock, span->end_ns).last_ns;
		hi = t > hi ? t : hi;
	}
	if (!a->found.spans.cnt) {
		t = a->what->from_realtime_ns;
		lo = t ? kp_clock_find(&a->clock, t).first_ns : 0;
		t = a->what->to_realtime_ns;
		hi = t ? kp_clock_find(&a->clock, t).last_ns : KP_NEVER - MARGIN_NS;
	}
	*ret_lo = lo;
	*ret_hi = hi;
}

/* --- the log --- */

static int open_log(struct analysis *a, const struct kp_log_filter *filter, struct kp_err *err)
{
	kp_log_reader_free(a->reader);
	a->reader = NULL;
	return kp_log_open(a->what->input, filter, &a->reader, err);
}

static int read_gaps(struct analysis *a, struct kp_err *err)
{
	const struct kp_log_info *info = kp_log_get_info(a->reader);
	const struct kp_log_gap *gap;

	for (size_t i = 0; i < info->gap_cnt; i++) {
		gap = &info->gaps[i];
		if (kp_model_add_gap(&a->model, gap->from_ns, gap->to_ns ? gap->to_ns : KP_NEVER) <
		    0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Why an event was not taken. */
static int blame(const struct analysis *a, int code, struct kp_err *err)
{
	char text[KP_LIMIT_TEXT_MAX];

	if (code != -E2BIG)
		return kp_err_set(err, code, "out of memory for the log's events");
	kp_limit_print(KP_UNIT_BYTES, a->model.heap_max, text);
	return kp_err_set(err, code, "the log's events reached the limit of %s for the %s; %s",
			  text, kp_limits[KP_LIMIT_ANALYSIS].what,
			  kp_limits[KP_LIMIT_ANALYSIS].remedy);
}

static uint64_t before(uint64_t t_ns, uint64_t ns)
{
	return t_ns > ns ? t_ns - ns : 0;
}

/* How far from [lo, hi] so many events reach. */
static uint64_t reach(const struct analysis *a, uint64_t lo, uint64_t hi, uint64_t cnt)
{
	uint64_t margin = MARGIN_NS;

	while (margin > MARGIN_MIN_NS &&
	       kp_log_count(a->reader, before(lo, margin), hi + margin) > cnt)
		margin /= 2;
	return margin;
}

/* What to read of an open log, this time. What tells of losses and of sockets may come late. */
static void choose_part(struct analysis *a, struct kp_log_filter *filter)
{
	uint64_t cnt = a->what->read_cnt && !a->reading ? a->what->read_cnt : readings[a->reading];
	uint64_t lo, hi, margin;

	bound_window(a, &lo, &hi);
	a->is_all = cnt == UINT64_MAX || kp_log_count(a->reader, 0, KP_NEVER) <= cnt;
	if (a->is_all && kp_log_get_info(a->reader)->event_cnt <= WHOLE_MAX)
		return;
	margin = a->is_all ? MARGIN_NS : reach(a, lo, hi, cnt);
	a->model.keep_from_ns = before(lo, margin);
	filter->to_ns = hi + MARGIN_NS;
	if (a->is_all)
		return;
	filter->tasks_from_ns = a->model.keep_from_ns;
	filter->tasks_to_ns = hi + margin;
	filter->from_ns = kp_log_snapshot_from(a->reader, filter->tasks_from_ns);
}

static int read_model(struct analysis *a, struct kp_err *err)
{
	struct kp_log_filter filter = {0};
	const struct kp_hdr *event;
	int code = open_log(a, &filter, err);

	if (code >= 0) {
		a->gap_cnt = kp_log_get_info(a->reader)->gap_cnt;
		choose_part(a, &filter);
		if (filter.to_ns)
			code = open_log(a, &filter, err);
	}
	if (code >= 0)
		a->model.heap_max = a->what->memory_max
					    ? a->what->memory_max
					    : kp_limit_get(KP_LIMIT_ANALYSIS,
							   kp_log_get_info(a->reader)->disk_len);
	while (code >= 0 && (code = kp_log_next(a->reader, &event, err)) > 0) {
		code = kp_model_add(&a->model, event);
		if (code < 0)
			return blame(a, code, err);
	}
	if (code == 0)
		code = read_gaps(a, err);
	if (code == 0) {
		code = kp_model_finish(&a->model);
		if (code < 0)
			return blame(a, code, err);
	}
	if (code >= 0)
		a->host = kp_log_get_info(a->reader)->node;
	return code;
}

/* --- whose time --- */

static const char *keep(struct kp_report *r, const char *text)
{
	const char *copy = kp_arena_strndup(&r->arena, text, strlen(text));

	return copy ? copy : "";
}

static int add_span(struct analysis *a, uint32_t i, const struct kp_joined *joined)
{
	const struct kp_span *span = &a->traces.spans.at[i];
	struct kp_report *r = a->report;
	struct kp_who who = kp_report_who(r, &a->model, joined->task, joined->t0_ns);
	struct kp_report_span s = {
		.trace_id = keep(r, span->trace_id),
		.span_id = keep(r, span->span_id),
		.parent_id = keep(r, span->parent_id),
		.name = keep(r, span->name),
		.service = keep(r, span->by->service),
		.start_ns = span->start_ns,
		.end_ns = span->end_ns,
		.pid = who.pid ? who.pid : span->by->pid,
		.tid = who.tid,
		.confidence = joined->confidence,
		.why = keep(r, joined->why),
		.incident = i == a->span,
	};

	return KP_VEC_PUSH(&r->spans, s);
}

static void take_span(struct analysis *a, const struct kp_joined *joined)
{
	a->task = joined->task;
	a->t0_ns = joined->t0_ns;
	a->t1_ns = joined->t1_ns;
	a->report->join_confidence = joined->confidence;
	memcpy(a->ends, joined->ends, sizeof(a->ends));
	a->ran = joined->ran;
	a->wall_ns[0] = a->traces.spans.at[a->span].start_ns;
	a->wall_ns[1] = a->traces.spans.at[a->span].end_ns;
}

/* The longest of the spans found that a thread of this host worked on. */
static int choose_span(struct analysis *a, struct kp_err *err)
{
	struct kp_join_place place = {.host = a->host, .tid = a->what->tid};
	uint32_t cnt = a->found.spans.cnt < SPANS_MAX ? a->found.spans.cnt : SPANS_MAX;
	struct kp_joined joined, first = {0};

	a->span = KP_NONE;
	for (uint32_t i = 0; i < cnt; i++) {
		joined = kp_join(&a->model, &a->clock, &place,
				 &a->traces.spans.at[a->found.spans.at[i]]);
		if (i == 0)
			first = joined;
		if (joined.task != KP_NONE && a->span == KP_NONE) {
			a->span = a->found.spans.at[i];
			take_span(a, &joined);
		}
		if (add_span(a, a->found.spans.at[i], &joined) < 0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	if (a->span != KP_NONE)
		return 0;
	kp_err_set(err, -ENOENT, "the span of %s is in %s, but not its work in the log %s: %s",
		   a->what->id, a->what->traces, a->what->input, first.why);
	return kp_traces_blame(&a->traces, a->what->traces, -ENOENT, err);
}

/* The window that was asked for, on the monotonic clock. */
static int choose_window(struct analysis *a, struct kp_err *err)
{
	uint64_t from = a->wall_ns[0] = a->what->from_realtime_ns;
	uint64_t to = a->wall_ns[1] = a->what->to_realtime_ns;

	if (from && to) {
		if (!kp_join_window(&a->model, &a->clock, a->what->pid, from, to, a->ends, &a->ran))
			return kp_err_set(err, -EINVAL,
					  "the end lies before the begin: check --from and --to");
		return 0;
	}
	if (from)
		a->ends[0] = kp_clock_find(&a->clock, from);
	if (to)
		a->ends[1] = kp_clock_find(&a->clock, to);
	return 0;
}

static int choose_task(struct analysis *a, struct kp_err *err)
{
	const struct kp_incident *what = a->what;
	uint32_t tid = what->tid ? what->tid : what->pid;
	uint64_t end = what->to_realtime_ns ? a->ends[1].time_ns : a->model.last_ns;
	const struct kp_task *task;

	a->span = KP_NONE;
	a->task = kp_model_task(&a->model, tid, end);
	if (a->task == KP_NONE)
		return kp_err_set(err, -ENOENT, "no task %u in the log %s", tid, what->input);
	task = &a->model.tasks.at[a->task];
	if (task->pid && task->pid != what->pid)
		return kp_err_set(err, -ENOENT, "task %u is of process %u, not of %u", tid,
				  task->pid, what->pid);
	a->t0_ns = task->start_ns > a->model.first_ns ? task->start_ns : a->model.first_ns;
	if (what->from_realtime_ns)
		a->t0_ns = a->ends[0].time_ns;
	a->t1_ns = end;
	if (!what->to_realtime_ns && task->end_ns < end)
		a->t1_ns = task->end_ns;
	if (a->t1_ns < a->t0_ns)
		return kp_err_set(err, -EINVAL,
				  "the end lies before the begin: check --from and --to");
	return 0;
}

/* --- the answer --- */

/* What is found through a thread is never surer than that it is the right one. */
static void weaken(struct kp_walk *walk, char confidence)
{
	for (uint32_t i = 0; i < walk->waits.cnt; i++)
		if (walk->waits.at[i].confidence < confidence)
			walk->waits.at[i].confidence = confidence;
	for (uint32_t i = 0; i < walk->pieces.cnt; i++)
		if (walk->pieces.at[i].confidence < confidence)
			walk->pieces.at[i].confidence = confidence;
}

static int walk_window(struct analysis *a, struct kp_report *report, uint32_t task, uint64_t t0_ns,
		       uint64_t t1_ns)
{
	struct kp_walk walk;
	int code;

	report->t0_ns = t0_ns;
	report->t1_ns = t1_ns;
	report->task = kp_report_who(report, &a->model, task, t1_ns);
	code = kp_walk_run(&a->model, task, t0_ns, t1_ns, &walk);
	weaken(&walk, report->join_confidence);
	if (code == 0)
		code = kp_report_build(report, &walk);
	a->work += walk.work + walk.pieces.cnt;
	kp_walk_done(&walk);
	return code;
}

/*
 * Other requests of the same operation: not of the same trace, where a span of this name is another
 * try or a part of the one that was late; and each once, though it may be exported again.
 */
static bool is_normal(const struct analysis *a, uint32_t i)
{
	const struct kp_span *own = &a->traces.spans.at[a->span], *span = &a->traces.spans.at[i];

	return i != a->span && strcmp(span->name, own->name) == 0 &&
	       strcmp(span->by->service, own->by->service) == 0 &&
	       !(own->trace_id[0] && strcmp(span->trace_id, own->trace_id) == 0);
}

static int compare(struct analysis *a)
{
	const struct kp_span *own = &a->traces.spans.at[a->span], *span;
	struct kp_join_place place = {.host = a->host};
	struct kp_report *normal = calloc(BASELINE_MAX, sizeof(*normal));
	struct kp_map seen = {0};
	struct kp_joined joined;
	uint32_t n = 0, tries = 0;
	int code = normal ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < a->traces.spans.cnt && n < BASELINE_MAX && tries < SPANS_MAX &&
			     a->work < WORK_MAX && !kp_model_is_full(&a->model, 0) && code == 0;
	     i++) {
		span = &a->traces.spans.at[i];
		if (!is_normal(a, i) || kp_span_seen(&seen, span, &code))
			continue;
		/* Who named the thread said of which process here that process.pid is. */
		place.pid = a->what->tid && span->by->pid == own->by->pid
				    ? a->model.tasks.at[a->task].pid
				    : 0;
		joined = kp_join(&a->model, &a->clock, &place, span);
		tries += joined.looked;
		if (joined.task == KP_NONE || joined.t0_ns < a->model.keep_from_ns)
			continue;
		code = walk_window(a, &normal[n++], joined.task, joined.t0_ns, joined.t1_ns);
	}
	if (code == 0 && n >= BASELINE_MIN)
		code = kp_report_compare(a->report, normal, n);
	a->normal_cnt = n;
	for (uint32_t i = 0; i < n; i++)
		kp_report_done(&normal[i]);
	kp_map_done(&seen);
	free(normal);
	return code;
}

/* Appends what the clock did there, once. */
static void explain(const struct analysis *a, const struct kp_clock_moment *moment,
		    struct kp_buf *out)
{
	struct kp_buf text = {0};

	kp_clock_explain(&a->clock, moment, &text);
	if (text.len && !(out->len && strstr(out->data, text.data)))
		kp_buf_printf(out, "%s%s", out->len ? "; " : "", text.data);
	kp_buf_done(&text);
}

/* The times of the report on the wall clock, and how far they can be trusted. */
static void tell_clock(struct analysis *a)
{
	const uint64_t mono[2] = {a->t0_ns, a->t1_ns};
	struct kp_clock_moment deadline[2];
	struct kp_report *r = a->report;
	struct kp_buf note = {0};

	for (int i = 0; i < 2; i++) {
		if (!a->wall_ns[i]) {
			a->wall_ns[i] = kp_clock_to_real(&a->clock, mono[i]);
			a->ends[i].bound_ns = kp_clock_bound(&a->clock, mono[i]);
		}
		if (a->ends[i].bound_ns > r->clock_bound_ns)
			r->clock_bound_ns = a->ends[i].bound_ns;
		explain(a, &a->ends[i], &note);
	}
	if (a->ran)
		kp_buf_puts(&note, ", when the process ran at both ends");
	r->t0_realtime_ns = a->wall_ns[0];
	r->t1_realtime_ns = a->wall_ns[1];
	r->deadline_realtime_ns = a->what->deadline_realtime_ns;
	if (r->deadline_realtime_ns) {
		kp_clock_window(&a->clock, a->wall_ns[0], r->deadline_realtime_ns, deadline);
		r->deadline_ns = deadline[1].time_ns;
		explain(a, &deadline[1], &note);
	}
	r->clock_note = note.len ? keep(r, note.data) : "";
	kp_buf_done(&note);
}

/* The run in whose time the moment lies. */
static const char *run_at(const struct kp_log_info *info, uint64_t t_ns)
{
	size_t i = info->run_cnt;

	while (i > 1 && info->runs[i - 1].start_ns > t_ns)
		i--;
	return i ? info->runs[i - 1].id : "";
}

static int answer(struct analysis *a, struct kp_err *err)
{
	struct kp_report *r = a->report;
	int code;

	r->id = keep(r, a->what->id);
	r->host = keep(r, a->host);
	r->boot_id = keep(r, kp_log_get_info(a->reader)->boot_id);
	r->run = keep(r, run_at(kp_log_get_info(a->reader), a->t1_ns));
	tell_clock(a);
	code = walk_window(a, r, a->task, a->t0_ns, a->t1_ns);
	if (code == 0 && a->span != KP_NONE)
		code = compare(a);
	return code < 0 ? kp_err_set(err, code, "out of memory") : 0;
}

/* Which of several spans it is. */
static void note_span(const struct analysis *a, struct kp_buf *note)
{
	const struct kp_span *own = &a->traces.spans.at[a->span];
	uint32_t alike = 0;

	for (uint32_t i = 0; i < a->found.spans.cnt; i++)
		alike += strcmp(a->traces.spans.at[a->found.spans.at[i]].name, own->name) == 0;
	if (alike > 1)
		kp_buf_printf(note,
			      "%s%u spans named %s fit: this is the longest of them in the log, "
			      "%s of trace %s; --trace and --span name another",
			      note->len ? "; " : "", alike, own->name, own->span_id, own->trace_id);
	if (a->found.copies)
		kp_buf_printf(note, "%s%u copies of spans in %s left out", note->len ? "; " : "",
			      a->found.copies, a->what->traces);
}

/* What of the traces was left out. */
static void note_traces(const struct analysis *a, struct kp_buf *note)
{
	struct kp_buf odd = {0};

	kp_traces_explain(&a->traces, &odd);
	if (odd.len)
		kp_buf_printf(note, "%sin %s: %s", note->len ? "; " : "", a->what->traces,
			      odd.data);
	kp_buf_done(&odd);
}

/* What a reader of the report should know about its inputs. */
static void take_note(struct analysis *a)
{
	const struct kp_log_info *info = kp_log_get_info(a->reader);
	struct kp_buf note = {0};

	if (info->gap_cnt) {
		kp_buf_printf(&note, "the log has %zu gap%s: ", info->gap_cnt,
			      info->gap_cnt > 1 ? "s, the first" : "");
		kp_log_print_gap(&info->gaps[0], &note);
	}
	/* The log is read several times, and a disk may fail at one of them only. */
	if (a->clock.gap_cnt > info->gap_cnt && a->clock.gap_cnt > a->gap_cnt)
		kp_buf_printf(&note,
			      "%sthe log had gaps when the clock's readings were looked for: times "
			      "on the wall clock may be less exact than stated",
			      note.len ? "; " : "");
	if (a->span != KP_NONE)
		note_span(a, &note);
	note_traces(a, &note);
	if (note.len)
		a->report->note = keep(a->report, note.data);
	kp_buf_done(&note);
}

static int define(struct analysis *a, struct kp_err *err)
{
	int code = 0;

	if (a->what->traces)
		code = kp_traces_read(&a->traces, a->what->traces, err);
	if (code == 0 && !a->what->pid)
		code = kp_find_spans(a->what, &a->traces, &a->found, err);
	if (code == 0)
		code = kp_clock_read(a->what->input, &a->clock, err);
	return code;
}

/* From what this reading has. */
static int try_answer(struct analysis *a, struct kp_err *err)
{
	int code = kp_model_init(&a->model) < 0 ? kp_err_set(err, -ENOMEM, "out of memory")
						: read_model(a, err);

	if (code == 0 && a->what->pid)
		code = choose_window(a, err);
	if (code == 0)
		code = a->what->pid ? choose_task(a, err) : choose_span(a, err);
	if (code < 0)
		return code;
	take_note(a);
	return answer(a, err);
}

/* Whether what was left out could make the answer another one. */
static bool is_unsure(const struct analysis *a, int code)
{
	const struct kp_report *r = a->report;
	uint64_t ns = 0;

	if (a->is_all || (code < 0 && code != -ENOENT))
		return false;
	for (uint32_t i = 0; i < r->buckets.cnt; i++)
		ns += r->buckets.at[i].confidence > 'B' ? r->buckets.at[i].ns : 0;
	return code < 0 || ns > (r->t1_ns - r->t0_ns) / UNSURE_PART ||
	       (a->span != KP_NONE && a->normal_cnt < BASELINE_MIN);
}

static int find_answer(struct analysis *a, struct kp_err *err)
{
	int code = try_answer(a, err);

	while (a->reading + 1 < READING_CNT && is_unsure(a, code)) {
		a->reading++;
		kp_model_done(&a->model);
		kp_report_done(a->report);
		code = try_answer(a, err);
	}
	return code;
}

int kp_incident_make(const struct kp_incident *what, struct kp_report *ret_report,
		     struct kp_err *err)
{
	struct analysis a = {.what = what, .report = ret_report};
	int code;

	if (!what->traces && !what->pid)
		return kp_err_set(
			err, -ENOENT,
			"incident %s is not known: define it with --traces FILE (its id is then "
			"looked up as a trace id and as an attribute's value), or with --pid, "
			"--from and --to",
			what->id);
	code = define(&a, err);
	if (code == 0)
		code = find_answer(&a, err);
	kp_log_reader_free(a.reader);
	kp_clock_done(&a.clock);
	kp_model_done(&a.model);
	kp_traces_done(&a.traces);
	kp_found_done(&a.found);
	return code;
}
