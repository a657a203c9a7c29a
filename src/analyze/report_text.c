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

/* Rows printed, those of less than a hundredth of the time only while they are few; the JSON has
 * all of them. */
#define CAUSE_ROWS 10
#define PATH_ROWS 40
#define FEW_ROWS 6

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
	kp_buf_puts(out, " (times below: since the begin)");
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

/* A time as all others in the report: since the incident's begin. */
static void put_since(const struct kp_report *r, uint64_t t_ns, struct kp_buf *out)
{
	int64_t ns = (int64_t)(t_ns - r->t0_ns);
	uint64_t abs = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

	kp_buf_printf(out, "%c%" PRIu64 ".%06" PRIu64 " ms", ns < 0 ? '-' : '+', abs / 1000000,
		      abs % 1000000);
}

/* Whether a line stands in text, which are lines. */
static bool has_line(const struct kp_buf *text, const char *line, size_t len)
{
	const char *at = text->len ? text->data : "";

	for (size_t n; *at; at += n + (at[n] != '\0')) {
		n = strcspn(at, "\n");
		if (n == len && memcmp(at, line, len) == 0)
			return true;
	}
	return false;
}

/* The evidence of a step that was not said before it. */
static void put_evidence(const struct kp_report *r, const struct kp_step *s, struct kp_buf *said,
			 const struct style *st, struct kp_buf *out)
{
	struct kp_buf lines = {0};
	const char *line;

	kp_evidence_lines(r, s->node, put_since, &lines);
	line = lines.len ? lines.data : "";
	for (size_t len; *line; line += len + (line[len] != '\0')) {
		len = strcspn(line, "\n");
		if (has_line(said, line, len))
			continue;
		kp_buf_append(said, line, len);
		kp_buf_putc(said, '\n');
		kp_buf_printf(out, "      %s", st->dim);
		kp_text_append(out, line, len);
		kp_buf_printf(out, "%s\n", st->off);
	}
	out->failed |= lines.failed || said->failed;
	kp_buf_done(&lines);
}

static void put_step(const struct kp_report *r, const struct kp_step *s, struct kp_buf *out)
{
	kp_buf_puts(out, "  ");
	put_since(r, s->t0_ns, out);
	kp_buf_printf(out, "  %10.6f ms  %-10s %c  ", (double)(s->t1_ns - s->t0_ns) / 1e6,
		      kp_bucket_name(s->kind), s->confidence);
	kp_evidence_who(&s->task, out);
	if (s->via[0]) {
		kp_buf_puts(out, " via ");
		kp_evidence_via(s->via, out);
	}
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
}

static uint64_t length(const struct kp_step *s)
{
	return s->t1_ns - s->t0_ns;
}

static uint32_t count_steps(const struct kp_report *r, uint64_t least_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->path.cnt; i++)
		n += length(&r->path.at[i]) >= least_ns;
	return n;
}

/* The smallest length of a step that is printed: at most PATH_ROWS have it, and a hundredth of the
 * time, unless there are few anyway. */
static uint64_t least_step(const struct kp_report *r)
{
	uint64_t least = 0, above = r->t1_ns - r->t0_ns + 1, mid;

	if (r->path.cnt <= FEW_ROWS)
		return 0;
	least = (r->t1_ns - r->t0_ns) / 100;
	if (count_steps(r, least) <= PATH_ROWS)
		return least;
	while (above - least > 1) {
		mid = least + (above - least) / 2;
		if (count_steps(r, mid) > PATH_ROWS)
			least = mid;
		else
			above = mid;
	}
	return above;
}

/* The longest steps, in the order of time. */
static void put_path(const struct kp_report *r, const struct style *st, struct kp_buf *out)
{
	uint64_t least = least_step(r), left_ns = 0;
	struct kp_buf said = {0};
	uint32_t n = 0;

	kp_buf_printf(out, "%schain%s (since the begin, length, kind, confidence)\n", st->bold,
		      st->off);
	for (uint32_t i = 0; i < r->path.cnt; i++) {
		if (length(&r->path.at[i]) < least || n == PATH_ROWS) {
			left_ns += length(&r->path.at[i]);
			continue;
		}
		put_step(r, &r->path.at[i], out);
		put_evidence(r, &r->path.at[i], &said, st, out);
		n++;
	}
	kp_buf_done(&said);
	if (n == r->path.cnt)
		return;
	kp_buf_printf(out, "  and %u shorter ones, ", r->path.cnt - n);
	put_ms((int64_t)left_ns, false, out);
	kp_buf_puts(out, " together; they are in --format json\n");
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

static void put_loss(const struct kp_report *r, const struct kp_loss *l, struct kp_buf *out)
{
	const char *group = kp_group_name(l->group);

	if (l->group == KP_NONE)
		kp_buf_puts(out, " the log has a hole");
	else if (l->group == KP_GROUP_sched && !l->cnt && l->cpu == KP_NONE)
		kp_buf_puts(out, " no switches were recorded");
	else if (l->group == KP_GROUP_sched && !l->cnt)
		kp_buf_printf(out, " the kernel did not tell all switches of cpu %u", l->cpu);
	else
		kp_buf_printf(out, " %" PRIu64 " %s events lost", l->cnt, group ? group : "");
	if (l->group != KP_NONE && l->cnt && l->cpu != KP_NONE)
		kp_buf_printf(out, " on cpu %u", l->cpu);
	kp_buf_puts(out, " from ");
	put_since(r, l->from_ns, out);
	if (l->to_ns == KP_NEVER) {
		kp_buf_puts(out, " on;");
		return;
	}
	kp_buf_puts(out, " to ");
	put_since(r, l->to_ns, out);
	kp_buf_putc(out, ';');
}

static void put_lost(const struct kp_report *r, struct kp_buf *out)
{
	if (r->complete)
		return;
	kp_buf_puts(out, "incomplete:");
	for (uint32_t i = 0; i < r->lost.cnt && i < 5; i++)
		put_loss(r, &r->lost.at[i], out);
	if (!r->lost.cnt)
		kp_buf_puts(out, " the log does not cover the whole time");
	else if (r->lost.cnt > 5)
		kp_buf_printf(out, " and %u more", r->lost.cnt - 5);
	kp_buf_putc(out, '\n');
}

/* What the log could not tell in that time. */
static void put_recorded(const struct kp_report *r, struct kp_buf *out)
{
	const char *at = r->recorded ? r->recorded : "";

	if (strchr(at, ',')) {
		kp_buf_puts(out, "recorded: ");
		for (; *at; at++)
			*at == ',' ? kp_buf_puts(out, ", then ") : kp_buf_putc(out, *at);
		kp_buf_puts(out, " (see the tiers in kprobe-record(1))\n");
		return;
	}
	for (unsigned tier = 0; tier < KP_TIER_CNT; tier++) {
		if (strcspn(at, " ") != strlen(kp_tier_name(tier)) ||
		    strncmp(at, kp_tier_name(tier), strcspn(at, " ")) != 0)
			continue;
		if (kp_tier_text(tier))
			kp_buf_printf(out, "recorded: %s (%s)\n", kp_tier_text(tier), at);
		else if (strchr(at, ' '))
			kp_buf_printf(out, "recorded: %s\n", at);
	}
}

/* Whether a row is one of the first few, or worth a hundredth. */
static bool is_row(const struct kp_report *r, uint32_t i)
{
	uint64_t total = r->t1_ns - r->t0_ns;

	return i < CAUSE_ROWS &&
	       (r->causes.cnt <= FEW_ROWS || i == 0 || r->causes.at[i].ns >= total / 100);
}

static void put_causes(const struct kp_report *r, const struct style *st, struct kp_buf *out)
{
	uint64_t rest_ns = 0;
	uint32_t rest = 0;

	for (uint32_t i = 0; i < r->causes.cnt; i++) {
		if (is_row(r, i)) {
			put_cause(r, i, st, out);
			continue;
		}
		rest++;
		rest_ns += r->causes.at[i].ns;
	}
	if (!rest)
		return;
	kp_buf_printf(out, "   and %u smaller one%s, ", rest, rest > 1 ? "s" : "");
	put_ms((int64_t)rest_ns, false, out);
	kp_buf_puts(out, rest > 1 ? " together; they are" : "; it is");
	kp_buf_puts(out, " in --format json\n");
}

void kp_report_text(const struct kp_report *report, bool color, struct kp_buf *out)
{
	const struct style *st = &styles[color];

	put_head(report, st, out);
	put_causes(report, st, out);
	put_path(report, st, out);
	put_clock(report, out);
	put_recorded(report, out);
	put_lost(report, out);
	put_sum(report, out);
}
