/* SPDX-License-Identifier: MIT
 *
 * A report as JSON, version 1: members are added, never renamed. Which there are, and in which
 * order, is in tables.def; how a value is written goes by its type. 64-bit numbers are written
 * exactly.
 */
#include "analyze/report.h"

#include <inttypes.h>
#include <string.h>

#include "analyze/evidence.h"
#include "analyze/tables.h"
#include "event/event.h"

struct writer {
	const struct kp_report *report;
	struct kp_buf *out;
	bool one_line;
	uint32_t row; /* of its list */
};

static void put_str(struct kp_buf *out, const char *text)
{
	kp_buf_json(out, text, strlen(text));
}

/* The begin of a member; the first of an object has no comma before it. */
static void put_name(struct kp_buf *out, const char *name, size_t len)
{
	kp_buf_printf(out, "%s\"%.*s\":", out->len && out->data[out->len - 1] == '{' ? "" : ",",
		      (int)len, name);
}

static void put_key(struct kp_buf *out, const char *key)
{
	put_name(out, key, strlen(key));
}

/* "a,b" or lines → ["a","b"] */
static void put_split(const char *text, char by, struct kp_buf *out)
{
	const char *end;

	kp_buf_putc(out, '[');
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

/* --- values, by type --- */

static void put_TEXT(struct writer *w, const void *field)
{
	put_str(w->out, *(const char *const *)field);
}

static bool has_TEXT(const void *field)
{
	return **(const char *const *)field;
}

static void put_LETTER(struct writer *w, const void *field)
{
	kp_buf_json(w->out, field, 1);
}

static bool has_byte(const void *field)
{
	return *(const uint8_t *)field;
}

static void put_KIND(struct writer *w, const void *field)
{
	put_str(w->out, kp_bucket_name(*(const uint8_t *)field));
}

static void put_DETAIL(struct writer *w, const void *field)
{
	put_str(w->out, kp_detail_name(*(const uint8_t *)field));
}

static void put_VIA(struct writer *w, const void *field)
{
	put_split(*(const char *const *)field, ',', w->out);
}

static void put_ROLE(struct writer *w, const void *field)
{
	put_str(w->out, kp_role_name(*(const uint8_t *)field));
}

static void put_EVENT(struct writer *w, const void *field)
{
	const struct kp_event_desc *desc = kp_event_get(*(const uint16_t *)field);

	put_str(w->out, desc ? desc->name : "");
}

static void put_MET(struct writer *w, const void *field)
{
	static const char *const met[] = {"null", "false", "true"};

	kp_buf_puts(w->out, met[*(const uint8_t *)field]);
}

static void put_bool(bool value, struct kp_buf *out)
{
	kp_buf_puts(out, value ? "true" : "false");
}

static void put_BOOL(struct writer *w, const void *field)
{
	put_bool(*(const bool *)field, w->out);
}

static void put_U32(struct writer *w, const void *field)
{
	kp_buf_printf(w->out, "%" PRIu32, *(const uint32_t *)field);
}

static bool has_U32(const void *field)
{
	return *(const uint32_t *)field;
}

static void put_CPU(struct writer *w, const void *field)
{
	if (*(const uint32_t *)field == KP_NONE)
		kp_buf_puts(w->out, "null");
	else
		put_U32(w, field);
}

static void put_GROUP(struct writer *w, const void *field)
{
	const char *name = kp_group_name(*(const uint32_t *)field);

	put_str(w->out, name ? name : "all");
}

static void put_U64(struct writer *w, const void *field)
{
	kp_buf_printf(w->out, "%" PRIu64, *(const uint64_t *)field);
}

static bool has_U64(const void *field)
{
	return *(const uint64_t *)field;
}

static void put_S64(struct writer *w, const void *field)
{
	kp_buf_printf(w->out, "%" PRId64, *(const int64_t *)field);
}

static void put_COUNT(struct writer *w, const void *field)
{
	if (has_U64(field))
		put_U64(w, field);
	else
		kp_buf_puts(w->out, "null");
}

static void put_REAL(struct writer *w, const void *field)
{
	kp_buf_printf(w->out, "%.2f", *(const double *)field);
}

static void put_SEQ(struct writer *w, const void *field)
{
	(void)field;
	kp_buf_printf(w->out, "%" PRIu32, w->row);
}

static void put_RANK(struct writer *w, const void *field)
{
	(void)field;
	kp_buf_printf(w->out, "%" PRIu32, w->row + 1);
}

static void put_ZERO(struct writer *w, const void *field)
{
	(void)field;
	kp_buf_putc(w->out, '0');
}

static void put_HOST(struct writer *w, const void *field)
{
	(void)field;
	put_str(w->out, w->report->host);
}

static void put_HOSTS(struct writer *w, const void *field)
{
	kp_buf_putc(w->out, '[');
	put_HOST(w, field);
	kp_buf_putc(w->out, ']');
}

static void put_LENGTH(struct writer *w, const void *field)
{
	(void)field;
	kp_buf_printf(w->out, "%" PRIu64, w->report->t1_ns - w->report->t0_ns);
}

static void put_IN_TIME(struct writer *w, const void *field)
{
	(void)field;
	put_bool(w->report->t1_ns <= w->report->deadline_ns, w->out);
}

static void put_LINES(struct writer *w, const void *field)
{
	struct kp_buf lines = {0};

	kp_evidence_lines(w->report, *(const uint32_t *)field, kp_evidence_time, &lines);
	put_split(lines.len ? lines.data : "", '\n', w->out);
	w->out->failed |= lines.failed;
	kp_buf_done(&lines);
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static void put_task(const struct kp_who *who, struct kp_buf *out)
{
	kp_buf_printf(out, ",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32, who->pid, who->tid);
	put_key(out, "comm");
	put_str(out, who->comm);
	/* What is known of where it comes from. */
	if (who->exe[0]) {
		put_key(out, "exe");
		put_str(out, who->exe);
	}
	if (who->origin[0]) {
		put_key(out, "origin");
		put_str(out, who->origin);
	}
}

/* null for nobody; the object under its own name. */
static void put_WHO(struct writer *w, const void *field)
{
	const struct kp_who *who = field;

	if (!who->tid && !who->key[0]) {
		kp_buf_puts(w->out, "null");
		return;
	}
	kp_buf_puts(w->out, "{\"host\":");
	put_HOST(w, field);
	if (who->tid)
		put_task(who, w->out);
	if (who->key[0]) {
		kp_buf_putc(w->out, ',');
		put_str(w->out, who->key);
		kp_buf_putc(w->out, ':');
		if (is_number(who->value))
			kp_buf_puts(w->out, who->value);
		else
			put_str(w->out, who->value);
	}
	kp_buf_putc(w->out, '}');
}

static const struct {
	void (*put)(struct writer *w, const void *field);
	bool (*is_set)(const void *field); /* of types that can be left out */
} values[KP_COL_CNT] = {
	[KP_COL_TEXT] = {put_TEXT, has_TEXT},
	[KP_COL_LETTER] = {put_LETTER, has_byte},
	[KP_COL_KIND] = {put_KIND, NULL},
	[KP_COL_DETAIL] = {put_DETAIL, has_byte},
	[KP_COL_VIA] = {put_VIA, NULL},
	[KP_COL_ROLE] = {put_ROLE, NULL},
	[KP_COL_EVENT] = {put_EVENT, NULL},
	[KP_COL_MET] = {put_MET, NULL},
	[KP_COL_BOOL] = {put_BOOL, NULL},
	[KP_COL_U32] = {put_U32, has_U32},
	[KP_COL_CPU] = {put_CPU, NULL},
	[KP_COL_GROUP] = {put_GROUP, NULL},
	[KP_COL_U64] = {put_U64, has_U64},
	[KP_COL_S64] = {put_S64, NULL},
	[KP_COL_COUNT] = {put_COUNT, NULL},
	[KP_COL_REAL] = {put_REAL, NULL},
	[KP_COL_SEQ] = {put_SEQ, NULL},
	[KP_COL_RANK] = {put_RANK, NULL},
	[KP_COL_WHO] = {put_WHO, NULL},
	[KP_COL_HOST] = {put_HOST, NULL},
	[KP_COL_HOSTS] = {put_HOSTS, NULL},
	[KP_COL_LENGTH] = {put_LENGTH, NULL},
	[KP_COL_IN_TIME] = {put_IN_TIME, has_U64},
	[KP_COL_LINES] = {put_LINES, NULL},
	[KP_COL_ZERO] = {put_ZERO, NULL},
};

/* --- objects --- */

/* "a." or "a[]." of a.b or a[].b: the object within which the member stands; else nothing. */
static size_t within(const char *json)
{
	const char *dot = strrchr(json, '.');

	return dot ? (size_t)(dot - json) + 1 : 0;
}

static bool is_list(const char *json, size_t len)
{
	return len > 2 && json[len - 2] == ']';
}

static void open_object(const char *json, size_t len, struct kp_buf *out)
{
	if (!len)
		return;
	put_name(out, json, strcspn(json, ".["));
	kp_buf_puts(out, is_list(json, len) ? "[{" : "{");
}

static void close_object(const char *json, size_t len, struct kp_buf *out)
{
	if (len)
		kp_buf_puts(out, is_list(json, len) ? "}]" : "}");
}

static bool is_left_out(const struct kp_col *c, const char *row)
{
	return c->is_optional && !values[c->type].is_set(row + c->offset);
}

/* The members of a row. */
static void put_members(struct writer *w, const struct kp_table *t, const char *row)
{
	const char *open = "";
	size_t len = 0, open_len = 0;
	bool skip = false;

	for (const struct kp_col *c = t->cols; c->type; c++) {
		if (!c->json)
			continue;
		len = within(c->json);
		if (len != open_len || strncmp(c->json, open, len) != 0) {
			close_object(open, skip ? 0 : open_len, w->out);
			open = c->json;
			open_len = len;
			skip = len && is_left_out(c, row);
			open_object(open, skip ? 0 : open_len, w->out);
		}
		if (skip || is_left_out(c, row))
			continue;
		put_key(w->out, c->json + len);
		values[c->type].put(w, row + c->offset);
	}
	close_object(open, skip ? 0 : open_len, w->out);
}

static void put_list(struct writer *w, const struct kp_table *t)
{
	const kp_any_vec *list = kp_table_list(t, w->report);

	kp_buf_puts(w->out, w->one_line ? "" : "\n");
	kp_buf_printf(w->out, "\"%s\":[", t->json);
	for (w->row = 0; w->row < list->cnt; w->row++) {
		kp_buf_printf(w->out, "%s%s{", w->row ? "," : "", w->one_line ? "" : "\n ");
		put_members(w, t, list->at + w->row * t->row_len);
		kp_buf_putc(w->out, '}');
	}
	kp_buf_putc(w->out, ']');
}

void kp_report_json(const struct kp_report *report, bool one_line, struct kp_buf *out)
{
	struct writer w = {.report = report, .out = out, .one_line = one_line};

	kp_buf_puts(out, "{\"version\":1");
	put_members(&w, kp_tables, (const char *)report);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (t->json) {
			kp_buf_putc(out, ',');
			put_list(&w, t);
		}
	kp_buf_puts(out, "}\n");
}
