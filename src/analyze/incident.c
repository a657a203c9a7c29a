/* SPDX-License-Identifier: MIT
 *
 * The steps of an analysis; see incident.h. The log is read twice: once for its clock readings
 * only, which tell where on the monotonic clock the incident lies, then whole, or, when it is
 * large, up to a little after the incident and with what is long before it reduced to last states.
 */
#include "analyze/incident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyze/join.h"
#include "analyze/store.h"
#include "log/reader.h"

/* Logs with more events than this are not kept whole. */
#define WHOLE_MAX 50000000u
/* What is kept around the incident then. */
#define MARGIN_NS 20000000000u
#define BASELINE_MIN 5
#define BASELINE_MAX 200

struct analysis {
	const struct kp_incident *what;
	struct kp_report *report;
	struct kp_log_reader *reader;
	const char *host;
	struct kp_clock clock;
	struct kp_model model;
	struct kp_traces traces;
	KP_VEC(uint32_t) wanted; /* spans that fit the definition */
	uint32_t span;           /* the one chosen, or KP_NONE */
	uint32_t task;
	uint64_t t0_ns, t1_ns;
	struct kp_clock_moment ends[2]; /* how sure these are */
	uint64_t wall_ns[2];            /* as they were asked for; 0: they were not */
	bool ran;                       /* the process ran at both ends only then */
};

const char *kp_incident_db(const struct kp_incident *incident, char *buf, size_t len)
{
	if (incident->db)
		return incident->db;
	snprintf(buf, len, "%s/incidents.db", incident->input);
	return buf;
}

static bool is_defined(const struct kp_incident *what)
{
	return what->trace || what->attribute || what->pid;
}

/* --- which span --- */

static bool attribute_is(const struct kp_span *span, const char *key_value)
{
	const char *equals = strchr(key_value, '=');

	for (const struct kp_attr *a = span->attrs; equals && a; a = a->next)
		if (strncmp(a->key, key_value, (size_t)(equals - key_value)) == 0 &&
		    a->key[equals - key_value] == '\0' && strcmp(a->value, equals + 1) == 0)
			return true;
	return false;
}

static bool has_value(const struct kp_span *span, const char *value)
{
	for (const struct kp_attr *a = span->attrs; a; a = a->next)
		if (strcmp(a->value, value) == 0)
			return true;
	return false;
}

/* How a span is asked for: rank 0 in the order of preference, or -1. */
static int span_rank(const struct kp_incident *what, const struct kp_span *span)
{
	if (what->trace)
		return strcasecmp(span->trace_id, what->trace) == 0 &&
				       (!what->span || strcasecmp(span->span_id, what->span) == 0)
			       ? 0
			       : -1;
	if (what->attribute)
		return attribute_is(span, what->attribute) ? 0 : -1;
	if (span->trace_id[0] && strcasecmp(span->trace_id, what->id) == 0)
		return 0;
	return has_value(span, what->id) ? 1 : -1;
}

/* The spans of the best rank that any has. */
static int find_spans(struct analysis *a, struct kp_err *err)
{
	int best = 2, rank;

	for (uint32_t i = 0; i < a->traces.spans.cnt; i++) {
		rank = span_rank(a->what, &a->traces.spans.at[i]);
		if (rank < 0 || rank > best)
			continue;
		if (rank < best)
			a->wanted.cnt = 0;
		best = rank;
		if (KP_VEC_PUSH(&a->wanted, i) < 0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	if (a->wanted.cnt)
		return 0;
	return kp_err_set(
		err, -ENOENT,
		"no span in %s fits %s: give its trace id with --trace, an attribute with "
		"--attribute KEY=VALUE, or a process with --pid, --from and --to",
		a->what->traces, a->what->id);
}

/* The time in which the incident must lie, on the monotonic clock: of a wall time that existed more
 * than once, all. */
static void bound_window(struct analysis *a, uint64_t *ret_lo, uint64_t *ret_hi)
{
	uint64_t lo = KP_NEVER, hi = 0, t;
	const struct kp_span *span;

	for (uint32_t i = 0; i < a->wanted.cnt; i++) {
		span = &a->traces.spans.at[a->wanted.at[i]];
		t = kp_clock_find(&a->clock, span->start_ns).first_ns;
		lo = t < lo ? t : lo;
		t = kp_clock_find(&a->clock, span->end_ns).last_ns;
		hi = t > hi ? t : hi;
	}
	if (!a->wanted.cnt) {
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

static int read_model(struct analysis *a, struct kp_err *err)
{
	struct kp_log_filter filter = {0};
	const struct kp_hdr *event;
	uint64_t lo, hi;
	int code = open_log(a, &filter, err);

	if (code >= 0 && kp_log_get_info(a->reader)->event_cnt > WHOLE_MAX) {
		bound_window(a, &lo, &hi);
		a->model.keep_from_ns = lo > MARGIN_NS ? lo - MARGIN_NS : 0;
		filter.to_ns = hi + MARGIN_NS;
		code = open_log(a, &filter, err);
	}
	while (code >= 0 && (code = kp_log_next(a->reader, &event, err)) > 0)
		if (kp_model_add(&a->model, event) < 0)
			return kp_err_set(err, -ENOMEM, "out of memory for the log's events");
	if (code == 0)
		code = read_gaps(a, err);
	if (code == 0 && kp_model_finish(&a->model) < 0)
		code = kp_err_set(err, -ENOMEM, "out of memory");
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
		.service = keep(r, span->service),
		.start_ns = span->start_ns,
		.end_ns = span->end_ns,
		.pid = who.pid ? who.pid : span->pid,
		.tid = who.tid,
		.confidence = joined->confidence,
		.why = joined->why,
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

/* The longest of the wanted spans that a thread of this host worked on. */
static int choose_span(struct analysis *a, struct kp_err *err)
{
	struct kp_joined joined, best = {.task = KP_NONE, .why = ""};

	a->span = KP_NONE;
	for (uint32_t i = 0; i < a->wanted.cnt; i++) {
		joined = kp_join(&a->model, &a->clock, a->host,
				 &a->traces.spans.at[a->wanted.at[i]]);
		if (joined.task == KP_NONE) {
			if (best.task == KP_NONE)
				best.why = joined.why;
			continue;
		}
		if (best.task == KP_NONE || joined.t1_ns - joined.t0_ns > best.t1_ns - best.t0_ns) {
			best = joined;
			a->span = a->wanted.at[i];
		}
	}
	if (a->span == KP_NONE)
		return kp_err_set(
			err, -ENOENT,
			"the span of %s was found in %s, but not its work in the log %s: %s",
			a->what->id, a->what->traces, a->what->input, best.why);
	take_span(a, &best);
	for (uint32_t i = 0; i < a->wanted.cnt; i++) {
		joined = kp_join(&a->model, &a->clock, a->host,
				 &a->traces.spans.at[a->wanted.at[i]]);
		if (add_span(a, a->wanted.at[i], &joined) < 0)
			return kp_err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
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

static int walk_window(struct analysis *a, struct kp_report *report, uint32_t task, uint64_t t0_ns,
		       uint64_t t1_ns)
{
	struct kp_walk walk;
	int code;

	report->t0_ns = t0_ns;
	report->t1_ns = t1_ns;
	report->task = kp_report_who(report, &a->model, task, t1_ns);
	code = kp_walk_run(&a->model, task, t0_ns, t1_ns, &walk);
	if (code == 0)
		code = kp_report_build(report, &walk);
	kp_walk_done(&walk);
	return code;
}

/* Other spans of the same operation, in this log. */
static int compare(struct analysis *a)
{
	const struct kp_span *own = &a->traces.spans.at[a->span], *span;
	struct kp_report *normal = calloc(BASELINE_MAX, sizeof(*normal));
	struct kp_joined joined;
	uint32_t n = 0;
	int code = normal ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < a->traces.spans.cnt && n < BASELINE_MAX && code == 0; i++) {
		span = &a->traces.spans.at[i];
		if (i == a->span || strcmp(span->name, own->name) != 0 ||
		    strcmp(span->service, own->service) != 0)
			continue;
		joined = kp_join(&a->model, &a->clock, a->host, span);
		if (joined.task == KP_NONE || joined.t0_ns < a->model.keep_from_ns)
			continue;
		code = walk_window(a, &normal[n++], joined.task, joined.t0_ns, joined.t1_ns);
	}
	if (code == 0 && n >= BASELINE_MIN)
		code = kp_report_compare(a->report, normal, n);
	for (uint32_t i = 0; i < n; i++)
		kp_report_done(&normal[i]);
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

static int answer(struct analysis *a, struct kp_err *err)
{
	struct kp_report *r = a->report;
	int code;

	r->id = keep(r, a->what->id);
	r->host = keep(r, a->host);
	r->boot_id = keep(r, kp_log_get_info(a->reader)->boot_id);
	tell_clock(a);
	code = walk_window(a, r, a->task, a->t0_ns, a->t1_ns);
	if (code == 0 && a->span != KP_NONE)
		code = compare(a);
	return code < 0 ? kp_err_set(err, code, "out of memory") : 0;
}

/* What a reader of the report should know about its inputs. */
static void take_note(struct analysis *a)
{
	const struct kp_log_info *info = kp_log_get_info(a->reader);
	struct kp_buf note = {0};

	if (info->gap_cnt)
		kp_buf_printf(&note,
			      "the log is damaged in %zu places, the first in %s at byte %" PRIu64
			      " (%s%s)",
			      info->gap_cnt, info->gaps[0].file, info->gaps[0].offset,
			      info->gaps[0].torn ? "torn end: " : "", info->gaps[0].why);
	if (a->traces.skipped)
		kp_buf_printf(&note, "%s%" PRIu64 " spans or lines of %s could not be used",
			      note.len ? "; " : "", a->traces.skipped, a->what->traces);
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
		code = find_spans(a, err);
	if (code == 0)
		code = kp_clock_read(a->what->input, &a->clock, err);
	if (code == 0)
		code = read_model(a, err);
	if (code == 0 && a->what->pid)
		code = choose_window(a, err);
	if (code == 0)
		code = a->what->pid ? choose_task(a, err) : choose_span(a, err);
	if (code < 0)
		return code;
	take_note(a);
	return answer(a, err);
}

static int analyze(const struct kp_incident *what, struct kp_report *report, struct kp_err *err)
{
	struct analysis a = {.what = what, .report = report};
	int code;

	if (!what->traces && !what->pid)
		return kp_err_set(
			err, -ENOENT,
			"incident %s is not known: define it with --traces FILE (its id is then "
			"looked up as a trace id and as an attribute's value), or with --pid, "
			"--from and --to",
			what->id);
	if (kp_model_init(&a.model) < 0)
		code = kp_err_set(err, -ENOMEM, "out of memory");
	else
		code = define(&a, err);
	kp_log_reader_free(a.reader);
	kp_clock_done(&a.clock);
	kp_model_done(&a.model);
	kp_traces_done(&a.traces);
	KP_VEC_DONE(&a.wanted);
	return code;
}

/* A report that was saved before, unless it is defined anew. */
static int recall(const struct kp_incident *what, const char *db, struct kp_report *report,
		  struct kp_err *err)
{
	struct kp_store *store;
	int code;

	if (is_defined(what))
		return -ENOENT;
	code = kp_store_open(db, false, &store, err);
	if (code < 0)
		return code;
	code = kp_store_load(store, what->id, report, err);
	kp_store_free(store);
	if (code < 0)
		kp_report_done(report);
	return code;
}

int kp_incident_analyze(const struct kp_incident *incident, struct kp_report *ret_report,
			struct kp_err *err)
{
	char buf[4096];
	const char *db = kp_incident_db(incident, buf, sizeof(buf));
	struct kp_store *store;
	int code;

	memset(ret_report, 0, sizeof(*ret_report));
	code = recall(incident, db, ret_report, err);
	if (code != -ENOENT)
		return code;
	code = analyze(incident, ret_report, err);
	if (code < 0)
		return code;
	code = kp_store_open(db, true, &store, err);
	if (code < 0)
		return code;
	code = kp_store_save(store, ret_report, err);
	kp_store_free(store);
	return code;
}
