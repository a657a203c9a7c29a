/* SPDX-License-Identifier: MIT
 * A report for people: the answer first, then the chain, then the sum that proves it.
 */
#include "analyze/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/evidence.h"
#include "base/clock.h"
#include "base/text.h"
#include "event/event.h"

/* Rows printed; the JSON has all of them. */
#define CAUSE_ROWS 10
#define PATH_ROWS 40

struct style {
	const char *bold, *red, *dim, *off;
};

static const struct style styles[] = {{"", "", "", ""},
				      {"\033[1m", "\033[1;31m", "\033[2m", "\033[0m"}};

static void put_ms(int64_t ns, bool sign, struct kp_buf *out)
{
	uint64_t abs = ns < 0 ? (uint64_t)-ns : (uint64_t)ns;
	const char *mark = ns < 0 ? "-" : sign ? "+" : "";

	if (abs >= 100000)
		kp_buf_printf(out, "%s%.1f ms", mark, (double)abs / 1e6);
	else
		kp_buf_printf(out, "%s%.1f us", mark, (double)abs / 1e3);
}

static void put_span(const struct kp_report_span *span, struct kp_buf *out)
{
	const char *id = span->trace_id;

	kp_buf_puts(out, "  span ");
	kp_text_puts(out, span->name);
	kp_buf_puts(out, "  trace ");
	/* Ids of 64 bits have zeros before them, which tell none from another. */
	id += strspn(id, "0");
	kp_text_append(out, id, strnlen(id, 8));
}

static void put_head(const struct kp_report *r, const struct style *st, struct kp_buf *out)
{
	uint64_t duration = r->t1_ns - r->t0_ns;

	kp_buf_printf(out, "%sINCIDENT ", st->bold);
	kp_text_puts(out, r->id);
	kp_buf_puts(out, st->off);
	for (uint32_t i = 0; i < r->spans.cnt; i++)
		if (r->spans.at[i].incident)
			put_span(&r->spans.at[i], out);
	kp_buf_puts(out, "  ");
	kp_evidence_who(&r->task, out);
	kp_buf_puts(out, " on ");
	kp_text_puts(out, r->host);
	kp_buf_printf(out, "  %.3f ms", (double)duration / 1e6);
	if (r->baseline_cnt) {
		kp_buf_printf(out, " (baseline p50 %.3f of %u) -> ", (double)r->baseline_ns / 1e6,
			      r->baseline_cnt);
		put_ms((int64_t)(duration - r->baseline_ns), true, out);
	}
	kp_buf_puts(out, "\n  from ");
	kp_clock_put_wall(r->t0_realtime_ns, out);
	kp_buf_puts(out, " to ");
	kp_clock_put_wall(r->t1_realtime_ns, out);
	if (r->join_confidence)
		kp_buf_printf(out, ", thread found with confidence %c", r->join_confidence);
	kp_buf_putc(out, '\n');
	if (r->deadline_realtime_ns) {
		kp_buf_puts(out, "  deadline ");
		kp_clock_put_wall(r->deadline_realtime_ns, out);
		kp_buf_puts(out, r->t1_ns <= r->deadline_ns ? ": met\n" : ": missed\n");
	}
}

static void put_cause(const struct kp_report *r, uint32_t i, const struct style *st,
		      struct kp_buf *out)
{
	static const char *const met[] = {"", ": the deadline is missed all the same",
					  ": the deadline is met"};
	const struct kp_cause *c = &r->causes.at[i];

	kp_buf_printf(out, "%s%-2u%s ", i ? st->bold : st->red, i + 1, st->off);
	kp_text_puts(out, c->text);
	kp_buf_putc(out, ' ');
	put_ms((int64_t)c->ns, false, out);
	if (r->baseline_cnt) {
		kp_buf_puts(out, " (");
		put_ms(llabs(c->excess_ns), false, out);
		kp_buf_puts(out, c->excess_ns < 0 ? " below normal)" : " above normal)");
	}
	kp_buf_printf(out, "  %.0f%%  %c\n", c->percent, c->confidence);
	if (i > 2 || c->kind == KP_B_unknown)
		return;
	kp_buf_printf(out, "   %swithout it: ends ", st->dim);
	put_ms((int64_t)(r->t1_ns - c->end_max_ns), false, out);
	if (c->end_min_ns != c->end_max_ns) {
		kp_buf_puts(out, " to ");
		put_ms((int64_t)(r->t1_ns - c->end_min_ns), false, out);
	}
	kp_buf_printf(out, " earlier%s%s\n", r->deadline_realtime_ns ? met[c->met] : "", st->off);
}

static void put_step(const struct kp_report *r, const struct kp_step *s, const struct style *st,
		     struct kp_buf *out)
{
	kp_buf_puts(out, "  +");
	kp_buf_printf(out, "%.6f ms  %10.6f ms  %-10s %c  ", (double)(s->t0_ns - r->t0_ns) / 1e6,
		      (double)(s->t1_ns - s->t0_ns) / 1e6, kp_bucket_name(s->kind), s->confidence);
	kp_evidence_who(&s->task, out);
	if (s->via[0])
		kp_buf_printf(out, " via %s", s->via);
	if (s->cause.tid && s->cause.tid != s->task.tid) {
		kp_buf_puts(out, " <- ");
		kp_evidence_who(&s->cause, out);
	}
	if (s->cause.key[0]) {
		kp_buf_printf(out, " [%s ", s->cause.key);
		kp_text_puts(out, s->cause.value);
		kp_buf_putc(out, ']');
	}
	if (s->detail)
		kp_buf_printf(out, " (%s)", kp_detail_text(s->detail));
	kp_buf_putc(out, '\n');
	for (const char *line = s->evidence; *line;) {
		size_t len = strcspn(line, "\n");

		kp_buf_printf(out, "      %s", st->dim);
		kp_text_append(out, line, len);
		kp_buf_printf(out, "%s\n", st->off);
		line += len + (line[len] != '\0');
	}
}

static uint32_t count_steps(const struct kp_report *r, uint64_t least_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->path.cnt; i++)
		n += r->path.at[i].t1_ns - r->path.at[i].t0_ns >= least_ns;
	return n;
}

/* The longest steps, in the order of time. */
static void put_path(const struct kp_report *r, const struct style *st, struct kp_buf *out)
{
	uint64_t least = 0, above = r->t1_ns - r->t0_ns + 1, mid;

	/* The smallest length that at most PATH_ROWS steps have. */
	while (r->path.cnt > PATH_ROWS && above - least > 1) {
		mid = least + (above - least) / 2;
		if (count_steps(r, mid) > PATH_ROWS)
			least = mid;
		else
			above = mid;
	}
	least = r->path.cnt > PATH_ROWS ? above : 0;
	kp_buf_printf(out, "%schain%s (since the begin, length, kind, confidence)\n", st->bold,
		      st->off);
	for (uint32_t i = 0; i < r->path.cnt; i++)
		if (r->path.at[i].t1_ns - r->path.at[i].t0_ns >= least)
			put_step(r, &r->path.at[i], st, out);
	if (least)
		kp_buf_printf(out, "  (%u steps in all; shorter ones are in --format json)\n",
			      r->path.cnt);
}

static void put_sum(const struct kp_report *r, struct kp_buf *out)
{
	uint64_t sums[KP_B_CNT] = {0}, sum = 0;
	const char *plus = "";

	for (uint32_t i = 0; i < r->buckets.cnt; i++)
		sums[r->buckets.at[i].kind] += r->buckets.at[i].ns;
	for (unsigned kind = 0; kind < KP_B_CNT; kind++) {
		if (!sums[kind])
			continue;
		kp_buf_printf(out, "%s%s %" PRIu64, plus, kp_bucket_name(kind), sums[kind]);
		plus = " + ";
		sum += sums[kind];
	}
	kp_buf_printf(out, " = %" PRIu64 " ns\n", sum);
}

static void put_clock(const struct kp_report *r, struct kp_buf *out)
{
	kp_buf_printf(out, "clock: wall time known to %" PRIu64 " ns%s%s\n", r->clock_bound_ns,
		      r->clock_note[0] ? "; " : "", r->clock_note);
}

static void put_lost(const struct kp_report *r, struct kp_buf *out)
{
	const struct kp_loss *l;
	const char *group;

	if (r->complete)
		return;
	kp_buf_puts(out, "incomplete:");
	for (uint32_t i = 0; i < r->lost.cnt && i < 5; i++) {
		l = &r->lost.at[i];
		group = kp_group_name(l->group);
		kp_buf_printf(out, " %s events lost from ", group ? group : "all");
		kp_evidence_time(l->from_ns, out);
		kp_buf_puts(out, " to ");
		kp_evidence_time(l->to_ns, out);
		kp_buf_puts(out, ";");
	}
	if (!r->lost.cnt)
		kp_buf_puts(out, " the log does not cover the whole time");
	else if (r->lost.cnt > 5)
		kp_buf_printf(out, " and %u more", r->lost.cnt - 5);
	kp_buf_putc(out, '\n');
}

void kp_report_text(const struct kp_report *report, bool color, struct kp_buf *out)
{
	const struct style *st = &styles[color];

	put_head(report, st, out);
	for (uint32_t i = 0; i < report->causes.cnt && i < CAUSE_ROWS; i++)
		put_cause(report, i, st, out);
	if (report->causes.cnt > CAUSE_ROWS)
		kp_buf_printf(out, "   and %u smaller ones\n", report->causes.cnt - CAUSE_ROWS);
	put_path(report, st, out);
	put_clock(report, out);
	put_lost(report, out);
	put_sum(report, out);
}
