/* SPDX-License-Identifier: MIT
 * The database's tables; see tables.h.
 */
#include "analyze/tables.h"

#include <stddef.h>

#define COL(type, name, of, field)                              \
	{                                                       \
		name, KP_COL_##type, offsetof(struct of, field) \
	}

/* A cause and its object, and the task that it happened to. */
#define CAUSE_AND_TASK(of)                                                                   \
	COL(U32, "cause_pid", of, cause.pid), COL(U32, "cause_tid", of, cause.tid),          \
		COL(TEXT, "cause_comm", of, cause.comm), COL(TEXT, "object", of, cause.key), \
		COL(TEXT, "value", of, cause.value), COL(U32, "pid", of, task.pid),          \
		COL(U32, "tid", of, task.tid), COL(TEXT, "comm", of, task.comm),             \
		COL(TEXT, "cause_exe", of, cause.exe),                                       \
		COL(TEXT, "cause_origin", of, cause.origin), COL(TEXT, "exe", of, task.exe), \
		COL(TEXT, "origin", of, task.origin)

#define WHAT(of)                                                        \
	COL(KIND, "kind", of, kind), COL(DETAIL, "detail", of, detail), \
		COL(LETTER, "confidence", of, confidence)

#define ASKED(type, name, field) COL(type, KP_ASKED name, kp_report, asked.field)

static const struct kp_col incident_cols[] = {
	COL(TEXT, "host", kp_report, host),
	COL(TEXT, "boot_id", kp_report, boot_id),
	COL(U32, "pid", kp_report, task.pid),
	COL(U32, "tid", kp_report, task.tid),
	COL(TEXT, "comm", kp_report, task.comm),
	COL(TEXT, "exe", kp_report, task.exe),
	COL(TEXT, "origin", kp_report, task.origin),
	COL(U64, "t0_ns", kp_report, t0_ns),
	COL(U64, "t1_ns", kp_report, t1_ns),
	COL(U64, "t0_realtime_ns", kp_report, t0_realtime_ns),
	COL(U64, "t1_realtime_ns", kp_report, t1_realtime_ns),
	COL(U64, "deadline_realtime_ns", kp_report, deadline_realtime_ns),
	COL(U64, "deadline_ns", kp_report, deadline_ns),
	COL(U64, "clock_bound_ns", kp_report, clock_bound_ns),
	COL(TEXT, "clock_note", kp_report, clock_note),
	COL(U64, "baseline_ns", kp_report, baseline_ns),
	COL(U32, "baseline_cnt", kp_report, baseline_cnt),
	COL(TEXT, "recorded", kp_report, recorded),
	COL(BOOL, "complete", kp_report, complete),
	COL(LETTER, "join_confidence", kp_report, join_confidence),
	ASKED(MAYBE, "traces", traces),
	ASKED(U64, "traces_sum", traces_sum),
	ASKED(MAYBE, "trace", trace),
	ASKED(MAYBE, "span", span),
	ASKED(MAYBE, "attribute", attribute),
	ASKED(U32, "pid", pid),
	ASKED(U32, "tid", tid),
	ASKED(U64, "from", from_realtime_ns),
	ASKED(U64, "to", to_realtime_ns),
	ASKED(U64, "deadline", deadline_realtime_ns),
	{0},
};

static const struct kp_col bucket_cols[] = {
	WHAT(kp_bucket),
	COL(TEXT, "via", kp_bucket, via),
	COL(U64, "ns", kp_bucket, ns),
	CAUSE_AND_TASK(kp_bucket),
	{0},
};

static const struct kp_col cause_cols[] = {
	WHAT(kp_cause),
	COL(TEXT, "via", kp_cause, via),
	COL(TEXT, "text", kp_cause, text),
	COL(U64, "ns", kp_cause, ns),
	COL(U64, "excess_ns", kp_cause, excess_ns),
	COL(REAL, "percent", kp_cause, percent),
	COL(U64, "end_min_ns", kp_cause, end_min_ns),
	COL(U64, "end_max_ns", kp_cause, end_max_ns),
	COL(MET, "deadline_met", kp_cause, met),
	CAUSE_AND_TASK(kp_cause),
	{0},
};

static const struct kp_col path_cols[] = {
	COL(U64, "t0_ns", kp_step, t0_ns),
	COL(U64, "t1_ns", kp_step, t1_ns),
	WHAT(kp_step),
	COL(TEXT, "edge", kp_step, edge),
	COL(TEXT, "via", kp_step, via),
	COL(TEXT, "evidence", kp_step, evidence),
	CAUSE_AND_TASK(kp_step),
	{0},
};

static const struct kp_col span_cols[] = {
	COL(TEXT, "trace_id", kp_report_span, trace_id),
	COL(TEXT, "span_id", kp_report_span, span_id),
	COL(TEXT, "parent_id", kp_report_span, parent_id),
	COL(TEXT, "name", kp_report_span, name),
	COL(TEXT, "service", kp_report_span, service),
	COL(U64, "start_realtime_ns", kp_report_span, start_ns),
	COL(U64, "end_realtime_ns", kp_report_span, end_ns),
	COL(U32, "pid", kp_report_span, pid),
	COL(U32, "tid", kp_report_span, tid),
	COL(LETTER, "confidence", kp_report_span, confidence),
	COL(TEXT, "joined", kp_report_span, why),
	COL(BOOL, "is_incident", kp_report_span, incident),
	{0},
};

static const struct kp_col lost_cols[] = {
	COL(U64, "from_ns", kp_loss, from_ns), COL(U64, "to_ns", kp_loss, to_ns),
	COL(U64, "cnt", kp_loss, cnt),         COL(U32, "grp", kp_loss, group),
	COL(U32, "cpu", kp_loss, cpu),         {0},
};

static const struct kp_col node_cols[] = {
	COL(U64, "t0_ns", kp_node, t0_ns),
	COL(U64, "t1_ns", kp_node, t1_ns),
	COL(TEXT, "kind", kp_node, kind),
	CAUSE_AND_TASK(kp_node),
	{0},
};

static const struct kp_col edge_cols[] = {
	COL(U32, "effect", kp_edge, effect),
	COL(TEXT, "kind", kp_edge, kind),
	COL(U32, "cause", kp_edge, cause),
	COL(U64, "ns", kp_edge, ns),
	COL(LETTER, "confidence", kp_edge, confidence),
	COL(TEXT, "evidence", kp_edge, evidence),
	{0},
};

#define LIST(field) offsetof(struct kp_report, field), sizeof(*((struct kp_report *)0)->field.at)

const struct kp_table kp_tables[] = {
	{"incident",
	 "One row for each; the columns that begin with " KP_ASKED " say how it was asked for",
	 NULL, 0, true, 0, sizeof(struct kp_report), incident_cols, ""},
	{"bucket", "Where the time went; the ns add up to t1_ns - t0_ns", "seq", 0, true,
	 LIST(buckets), bucket_cols, ""},
	{"cause", "The buckets that differ in via only, together, by what is above the normal",
	 "rank", 1, true, LIST(causes), cause_cols, ""},
	{"path", "The chain in the order of time", "seq", 0, true, LIST(path), path_cols, ""},
	{"span", "The spans of the incident's trace, and how each was found on this host", "seq", 0,
	 true, LIST(spans), span_cols, ""},
	{"lost", "The times in which events were lost", "seq", 0, true, LIST(lost), lost_cols, ""},
	{"node", "The graph of which the path is a part", "id", 0, false, LIST(nodes), node_cols,
	 ""},
	{"edge", "What explains what in it: cause and effect are nodes", "seq", 0, false,
	 LIST(edges), edge_cols,
	 "CREATE INDEX edge_by_effect ON edge(incident, run, effect, kind, cause);"
	 "CREATE INDEX edge_by_cause ON edge(incident, run, cause, kind, effect);"},
	{0},
};

static const char *type_name(enum kp_col_type type)
{
	switch (type) {
	case KP_COL_U32:
	case KP_COL_U64:
	case KP_COL_MET:
	case KP_COL_BOOL:
		return "INT";
	case KP_COL_REAL:
		return "REAL";
	default:
		return "TEXT";
	}
}

static void put_table(const struct kp_table *t, struct kp_buf *out)
{
	const char *key = t->seq ? "incident" : "id";

	kp_buf_printf(out, "CREATE TABLE %s(%s TEXT NOT NULL, run TEXT NOT NULL", t->name, key);
	if (t->seq)
		kp_buf_printf(out, ", %s INT NOT NULL", t->seq);
	for (const struct kp_col *c = t->cols; c->name; c++)
		kp_buf_printf(out, ", %s %s", c->name, type_name(c->type));
	if (t->seq)
		kp_buf_printf(out, ", PRIMARY KEY(incident, run, %s)) WITHOUT ROWID;", t->seq);
	else
		kp_buf_puts(out,
			    ", created TEXT DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY(id, run));");
	kp_buf_puts(out, t->index);
}

void kp_tables_schema(struct kp_buf *out)
{
	for (const struct kp_table *t = kp_tables; t->name; t++)
		put_table(t, out);
	kp_buf_puts(out, "CREATE TABLE host(name TEXT, boot_id TEXT, PRIMARY KEY(name, boot_id)) "
			 "WITHOUT ROWID;");
}
