/* SPDX-License-Identifier: MIT
 * A report as JSON, version 1: fields are added, never renamed. 64-bit numbers are written exactly.
 */
#include "analyze/report.h"

#include <inttypes.h>
#include <string.h>

#include "event/event.h"

struct writer {
	struct kp_buf *out;
	bool one_line;
};

static void put_str(struct kp_buf *out, const char *text)
{
	kp_buf_json(out, text, strlen(text));
}

static void put_field(struct kp_buf *out, const char *key, const char *text)
{
	kp_buf_printf(out, ",\"%s\":", key);
	put_str(out, text);
}

static void put_u64(struct kp_buf *out, const char *key, uint64_t number)
{
	kp_buf_printf(out, ",\"%s\":%" PRIu64, key, number);
}

static void put_confidence(struct kp_buf *out, char confidence)
{
	kp_buf_puts(out, ",\"confidence\":");
	kp_buf_json(out, &confidence, 1);
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* What is known of where a task comes from. */
static void put_origin(const struct kp_who *who, struct kp_buf *out)
{
	if (who->exe[0])
		put_field(out, "exe", who->exe);
	if (who->origin[0])
		put_field(out, "origin", who->origin);
}

/* null for nobody; the object under its own name. */
static void put_who(const struct kp_report *r, const char *key, const struct kp_who *who,
		    struct kp_buf *out)
{
	kp_buf_printf(out, ",\"%s\":", key);
	if (!who->tid && !who->key[0]) {
		kp_buf_puts(out, "null");
		return;
	}
	kp_buf_puts(out, "{\"host\":");
	put_str(out, r->host);
	if (who->tid) {
		put_u64(out, "pid", who->pid);
		put_u64(out, "tid", who->tid);
		put_field(out, "comm", who->comm);
		put_origin(who, out);
	}
	if (who->key[0]) {
		kp_buf_putc(out, ',');
		put_str(out, who->key);
		kp_buf_putc(out, ':');
		if (is_number(who->value))
			kp_buf_puts(out, who->value);
		else
			put_str(out, who->value);
	}
	kp_buf_putc(out, '}');
}

/* "a,b" or lines → ["a","b"] */
static void put_split(const char *key, const char *text, char by, struct kp_buf *out)
{
	const char *end;

	kp_buf_printf(out, ",\"%s\":[", key);
	while (*text) {
		end = strchr(text, by);
		kp_buf_json(out, text, end ? (size_t)(end - text) : strlen(text));
		if (!end)
			break;
		kp_buf_putc(out, ',');
		text = end + 1;
	}
	kp_buf_putc(out, ']');
}

static void begin_list(struct writer *w, const char *key)
{
	kp_buf_printf(w->out, ",%s\"%s\":[", w->one_line ? "" : "\n", key);
}

static void begin_item(struct writer *w, uint32_t i)
{
	kp_buf_printf(w->out, "%s%s", i ? "," : "", w->one_line ? "" : "\n ");
}

static void put_kind(struct kp_buf *out, uint8_t kind, uint8_t detail)
{
	kp_buf_printf(out, "\"kind\":\"%s\"", kp_bucket_name(kind));
	if (detail)
		put_field(out, "detail", kp_detail_name(detail));
}

static void put_head(const struct kp_report *r, struct kp_buf *out)
{
	kp_buf_puts(out, "{\"version\":1,\"incident\":");
	put_str(out, r->id);
	put_field(out, "host", r->host);
	put_field(out, "boot_id", r->boot_id);
	put_u64(out, "pid", r->task.pid);
	put_u64(out, "tid", r->task.tid);
	put_field(out, "comm", r->task.comm);
	put_origin(&r->task, out);
	put_u64(out, "t0_ns", r->t0_ns);
	put_u64(out, "t1_ns", r->t1_ns);
	put_u64(out, "duration_ns", r->t1_ns - r->t0_ns);
	put_u64(out, "t0_realtime_ns", r->t0_realtime_ns);
	put_u64(out, "t1_realtime_ns", r->t1_realtime_ns);
	if (r->join_confidence) {
		kp_buf_puts(out, ",\"join_confidence\":");
		kp_buf_json(out, &r->join_confidence, 1);
	}
	if (r->deadline_realtime_ns) {
		put_u64(out, "deadline_realtime_ns", r->deadline_realtime_ns);
		kp_buf_printf(out, ",\"deadline_met\":%s",
			      r->t1_ns <= r->deadline_ns ? "true" : "false");
	}
	if (r->baseline_cnt)
		kp_buf_printf(out, ",\"baseline\":{\"spans\":%u,\"median_ns\":%" PRIu64 "}",
			      r->baseline_cnt, r->baseline_ns);
	put_field(out, "recorded", r->recorded ? r->recorded : "");
	kp_buf_printf(out, ",\"complete\":%s", r->complete ? "true" : "false");
}

static void put_lost(struct writer *w, const struct kp_report *r)
{
	const struct kp_loss *l;
	const char *group;

	begin_list(w, "lost");
	for (uint32_t i = 0; i < r->lost.cnt; i++) {
		l = &r->lost.at[i];
		group = kp_group_name(l->group);
		begin_item(w, i);
		kp_buf_printf(w->out, "{\"group\":\"%s\"", group ? group : "all");
		put_u64(w->out, "from_ns", l->from_ns);
		put_u64(w->out, "to_ns", l->to_ns);
		if (l->cpu == KP_NONE)
			kp_buf_puts(w->out, ",\"cpu\":null");
		else
			kp_buf_printf(w->out, ",\"cpu\":%u", l->cpu);
		if (l->cnt)
			kp_buf_printf(w->out, ",\"count\":%" PRIu64 "}", l->cnt);
		else
			kp_buf_puts(w->out, ",\"count\":null}");
	}
	kp_buf_putc(w->out, ']');
}

static void put_buckets(struct writer *w, const struct kp_report *r)
{
	const struct kp_bucket *b;

	begin_list(w, "buckets");
	for (uint32_t i = 0; i < r->buckets.cnt; i++) {
		b = &r->buckets.at[i];
		begin_item(w, i);
		kp_buf_putc(w->out, '{');
		put_kind(w->out, b->kind, b->detail);
		put_split("via", b->via, ',', w->out);
		put_u64(w->out, "ns", b->ns);
		put_confidence(w->out, b->confidence);
		put_who(r, "cause", &b->cause, w->out);
		put_who(r, "task", &b->task, w->out);
		kp_buf_putc(w->out, '}');
	}
	kp_buf_putc(w->out, ']');
}

static void put_causes(struct writer *w, const struct kp_report *r)
{
	static const char *const met[] = {"null", "false", "true"};
	const struct kp_cause *c;

	begin_list(w, "causes");
	for (uint32_t i = 0; i < r->causes.cnt; i++) {
		c = &r->causes.at[i];
		begin_item(w, i);
		kp_buf_printf(w->out, "{\"rank\":%u,", i + 1);
		put_kind(w->out, c->kind, c->detail);
		put_u64(w->out, "ns", c->ns);
		kp_buf_printf(w->out, ",\"excess_ns\":%" PRId64 ",\"percent\":%.2f", c->excess_ns,
			      c->percent);
		put_confidence(w->out, c->confidence);
		put_field(w->out, "text", c->text);
		put_split("via", c->via, ',', w->out);
		put_who(r, "cause", &c->cause, w->out);
		put_who(r, "task", &c->task, w->out);
		kp_buf_printf(w->out,
			      ",\"without_it\":{\"end_min_ns\":%" PRIu64 ",\"end_max_ns\":%" PRIu64
			      ",\"deadline_met\":%s}}",
			      c->end_min_ns, c->end_max_ns, met[c->met]);
	}
	kp_buf_putc(w->out, ']');
}

static void put_path(struct writer *w, const struct kp_report *r)
{
	const struct kp_step *s;

	begin_list(w, "path");
	for (uint32_t i = 0; i < r->path.cnt; i++) {
		s = &r->path.at[i];
		begin_item(w, i);
		kp_buf_puts(w->out, "{\"host\":");
		put_str(w->out, r->host);
		put_u64(w->out, "pid", s->task.pid);
		put_u64(w->out, "tid", s->task.tid);
		put_field(w->out, "comm", s->task.comm);
		put_origin(&s->task, w->out);
		put_u64(w->out, "t0_ns", s->t0_ns);
		put_u64(w->out, "t1_ns", s->t1_ns);
		kp_buf_putc(w->out, ',');
		put_kind(w->out, s->kind, s->detail);
		put_field(w->out, "edge", s->edge);
		put_split("via", s->via, ',', w->out);
		put_confidence(w->out, s->confidence);
		put_who(r, "cause", &s->cause, w->out);
		put_split("evidence", s->evidence, '\n', w->out);
		kp_buf_putc(w->out, '}');
	}
	kp_buf_putc(w->out, ']');
}

static void put_spans(struct writer *w, const struct kp_report *r)
{
	const struct kp_report_span *s;

	begin_list(w, "spans");
	for (uint32_t i = 0; i < r->spans.cnt; i++) {
		s = &r->spans.at[i];
		begin_item(w, i);
		kp_buf_puts(w->out, "{\"trace_id\":");
		put_str(w->out, s->trace_id);
		put_field(w->out, "span_id", s->span_id);
		put_field(w->out, "parent_id", s->parent_id);
		put_field(w->out, "name", s->name);
		put_field(w->out, "service", s->service);
		put_u64(w->out, "start_realtime_ns", s->start_ns);
		put_u64(w->out, "end_realtime_ns", s->end_ns);
		put_u64(w->out, "pid", s->pid);
		put_u64(w->out, "tid", s->tid);
		put_confidence(w->out, s->confidence);
		put_field(w->out, "join", s->why);
		kp_buf_printf(w->out, ",\"incident\":%s}", s->incident ? "true" : "false");
	}
	kp_buf_putc(w->out, ']');
}

void kp_report_json(const struct kp_report *report, bool one_line, struct kp_buf *out)
{
	struct writer w = {out, one_line};

	put_head(report, out);
	put_lost(&w, report);
	put_buckets(&w, report);
	put_causes(&w, report);
	put_path(&w, report);
	put_spans(&w, report);
	begin_list(&w, "clock");
	begin_item(&w, 0);
	kp_buf_puts(out, "{\"hosts\":[");
	put_str(out, report->host);
	kp_buf_printf(out, "],\"bound_ns\":%" PRIu64 ",\"estimate_ns\":0", report->clock_bound_ns);
	if (report->clock_note[0])
		put_field(out, "note", report->clock_note);
	kp_buf_puts(out, "}]}\n");
}
