/* SPDX-License-Identifier: MIT
 * Saving, loading and listing incidents, by the tables of tables.h.
 */
#include "analyze/store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/store_sql.h"
#include "analyze/tables.h"
#include "base/text.h"
#include "event/event.h"

/* Columns that a statement of ours has at most. */
#define COLS_MAX 64

struct row {
	sqlite3_stmt *stmt;
	int at;                     /* column bound or read last */
	int64_t nr;                 /* of the incident */
	uint64_t seq;               /* of the row among its own, from 0 on */
	struct kp_arena *arena;     /* of what is read … */
	uint64_t *left;             /* … and how many bytes of text there can still be */
	const char *last[COLS_MAX]; /* the same column in the row before */
	bool failed;
	bool odd; /* what was read was not written by us */
};

static struct row prepare(struct kp_store *s, struct kp_buf *sql)
{
	struct row row = {.left = &s->text_left};

	row.failed = sql->failed ||
		     sqlite3_prepare_v2(s->db, sql->data, -1, &row.stmt, NULL) != SQLITE_OK;
	kp_buf_done(sql);
	return row;
}

static bool finish(struct row *row)
{
	sqlite3_finalize(row->stmt);
	return !row->failed;
}

/* --- a column's value --- */

static void put_int(struct row *row, uint64_t value)
{
	row->failed |= sqlite3_bind_int64(row->stmt, ++row->at, (sqlite3_int64)value) != SQLITE_OK;
}

static void put_text(struct row *row, const char *text)
{
	row->failed |=
		sqlite3_bind_text(row->stmt, ++row->at, text, -1, SQLITE_STATIC) != SQLITE_OK;
}

static uint64_t get_int(struct row *row)
{
	return (uint64_t)sqlite3_column_int64(row->stmt, row->at++);
}

/* What many rows have alike is kept once. */
static const char *get_text(struct row *row)
{
	const char *text = (const char *)sqlite3_column_text(row->stmt, row->at), *copy;
	const char **last = &row->last[row->at++];
	size_t len = text ? strlen(text) : 0;

	if (*last && strncmp(*last, text ? text : "", len + 1) == 0)
		return *last;
	row->odd |= len > *row->left;
	if (row->odd)
		return "";
	*row->left -= len;
	copy = kp_arena_strndup(row->arena, text ? text : "", len);
	row->failed |= !copy;
	*last = copy;
	return copy ? copy : "";
}

static bool get_null(struct row *row)
{
	bool is_null = sqlite3_column_type(row->stmt, row->at) == SQLITE_NULL;

	row->at += is_null;
	return is_null;
}

/* The number of a name, or other. */
static uint8_t number_of(const char *name, const char *(*name_of)(unsigned), unsigned cnt,
			 uint8_t other)
{
	for (unsigned i = 0; i < cnt; i++)
		if (strcmp(name_of(i), name) == 0)
			return (uint8_t)i;
	return other;
}

static void put_TEXT(struct row *row, const void *field)
{
	put_text(row, *(const char *const *)field);
}

static void get_TEXT(struct row *row, void *field)
{
	*(const char **)field = get_text(row);
}

static void get_MAYBE(struct row *row, void *field)
{
	*(const char **)field = get_null(row) ? NULL : get_text(row);
}

static void put_LETTER(struct row *row, const void *field)
{
	static const char *const letters[] = {"", "A", "B", "C", "D"};
	char letter = *(const char *)field;

	assert(!letter || (letter >= 'A' && letter <= 'D'));
	put_text(row, letters[letter ? letter - 'A' + 1 : 0]);
}

/* What is none is the lowest. */
static void get_LETTER(struct row *row, void *field)
{
	const char *text = get_text(row);

	*(char *)field = !*text ? '\0' : *text >= 'A' && *text <= 'D' && !text[1] ? *text : 'D';
}

static void put_KIND(struct row *row, const void *field)
{
	put_text(row, kp_bucket_name(*(const uint8_t *)field));
}

static void get_KIND(struct row *row, void *field)
{
	*(uint8_t *)field = number_of(get_text(row), kp_bucket_name, KP_B_CNT, KP_B_unknown);
}

static void put_DETAIL(struct row *row, const void *field)
{
	put_text(row, kp_detail_name(*(const uint8_t *)field));
}

static void get_DETAIL(struct row *row, void *field)
{
	*(uint8_t *)field = number_of(get_text(row), kp_detail_name, KP_D_CNT, KP_D_none);
}

static void put_ROLE(struct row *row, const void *field)
{
	put_text(row, kp_role_name(*(const uint8_t *)field));
}

static void get_ROLE(struct row *row, void *field)
{
	*(uint8_t *)field = number_of(get_text(row), kp_role_name, KP_ROLE_CNT, KP_ROLE_told);
}

static void put_EVENT(struct row *row, const void *field)
{
	const struct kp_event_desc *desc = kp_event_get(*(const uint16_t *)field);

	put_text(row, desc ? desc->name : "");
}

static void get_EVENT(struct row *row, void *field)
{
	const struct kp_event_desc *desc = kp_event_find(get_text(row));

	*(uint16_t *)field = desc ? desc->kind : 0;
}

static void put_MET(struct row *row, const void *field)
{
	put_int(row, *(const uint8_t *)field);
}

static void get_MET(struct row *row, void *field)
{
	*(uint8_t *)field = (uint8_t)(get_int(row) % (KP_MET_YES + 1));
}

static void put_BOOL(struct row *row, const void *field)
{
	put_int(row, *(const bool *)field);
}

static void get_BOOL(struct row *row, void *field)
{
	*(bool *)field = get_int(row) != 0;
}

static void put_U32(struct row *row, const void *field)
{
	put_int(row, *(const uint32_t *)field);
}

static void get_U32(struct row *row, void *field)
{
	*(uint32_t *)field = (uint32_t)get_int(row);
}

static void put_CPU(struct row *row, const void *field)
{
	if (*(const uint32_t *)field != KP_NONE)
		put_U32(row, field);
	else
		row->failed |= sqlite3_bind_null(row->stmt, ++row->at) != SQLITE_OK;
}

static void get_CPU(struct row *row, void *field)
{
	*(uint32_t *)field = get_null(row) ? KP_NONE : (uint32_t)get_int(row);
}

static void put_U64(struct row *row, const void *field)
{
	put_int(row, *(const uint64_t *)field);
}

static void get_U64(struct row *row, void *field)
{
	*(uint64_t *)field = get_int(row);
}

static void put_REAL(struct row *row, const void *field)
{
	row->failed |=
		sqlite3_bind_double(row->stmt, ++row->at, *(const double *)field) != SQLITE_OK;
}

static void get_REAL(struct row *row, void *field)
{
	*(double *)field = sqlite3_column_double(row->stmt, row->at++);
}

static void put_NR(struct row *row, const void *field)
{
	(void)field;
	put_int(row, (uint64_t)row->nr);
}

static void put_SEQ(struct row *row, const void *field)
{
	(void)field;
	put_int(row, row->seq);
}

static void get_SEQ(struct row *row, void *field)
{
	(void)field;
	row->odd |= get_int(row) != row->seq;
}

static void put_RANK(struct row *row, const void *field)
{
	(void)field;
	put_int(row, row->seq + 1);
}

static void get_RANK(struct row *row, void *field)
{
	(void)field;
	row->odd |= get_int(row) != row->seq + 1;
}

/* By type; NULL: it is not saved, or not loaded. */
static const struct {
	void (*put)(struct row *row, const void *field);
	void (*get)(struct row *row, void *field);
} values[KP_COL_CNT] = {
	[KP_COL_TEXT] = {put_TEXT, get_TEXT},       [KP_COL_MAYBE] = {put_TEXT, get_MAYBE},
	[KP_COL_LETTER] = {put_LETTER, get_LETTER}, [KP_COL_KIND] = {put_KIND, get_KIND},
	[KP_COL_DETAIL] = {put_DETAIL, get_DETAIL}, [KP_COL_VIA] = {put_TEXT, get_TEXT},
	[KP_COL_ROLE] = {put_ROLE, get_ROLE},       [KP_COL_EVENT] = {put_EVENT, get_EVENT},
	[KP_COL_MET] = {put_MET, get_MET},          [KP_COL_BOOL] = {put_BOOL, get_BOOL},
	[KP_COL_U32] = {put_U32, get_U32},          [KP_COL_CPU] = {put_CPU, get_CPU},
	[KP_COL_GROUP] = {put_CPU, get_CPU},        [KP_COL_U64] = {put_U64, get_U64},
	[KP_COL_S64] = {put_U64, get_U64},          [KP_COL_COUNT] = {put_U64, get_U64},
	[KP_COL_REAL] = {put_REAL, get_REAL},       [KP_COL_NR] = {put_NR, NULL},
	[KP_COL_SEQ] = {put_SEQ, get_SEQ},          [KP_COL_RANK] = {put_RANK, get_RANK},
};

/* Columns that a statement names: of values to be put, or to be got. */
static bool is_put(const struct kp_col *col)
{
	return kp_col_is_now(col) && values[col->type].put;
}

static bool is_got(const struct kp_col *col)
{
	return kp_col_is_now(col) && values[col->type].get;
}

/* --- writing --- */

static void step(struct row *row)
{
	row->failed |= row->failed || sqlite3_step(row->stmt) != SQLITE_DONE;
	sqlite3_reset(row->stmt);
	row->at = 0;
}

/* "INSERT OR … INTO table(…) VALUES(?,…)" */
static struct row insert_into(struct kp_store *s, const struct kp_table *t)
{
	struct kp_buf sql = {0};
	unsigned n = 0;

	kp_buf_printf(&sql, "INSERT OR %s INTO %s(", t->rows == KP_ROWS_SHARED ? "IGNORE" : "ABORT",
		      t->name);
	for (const struct kp_col *c = t->cols; c->type; c++)
		if (is_put(c))
			kp_buf_printf(&sql, "%s%s", n++ ? ", " : "", c->name);
	kp_buf_puts(&sql, ") VALUES(?");
	while (--n > 0)
		kp_buf_puts(&sql, ",?");
	kp_buf_putc(&sql, ')');
	return prepare(s, &sql);
}

/* Its rows; *nr is the incident's number, which its own row gets. */
static bool save_table(struct kp_store *s, const struct kp_table *t, const struct kp_report *r,
		       int64_t *nr)
{
	const kp_any_vec *list = t->rows == KP_ROWS_SOME ? kp_table_list(t, r) : NULL;
	const char *element = list ? list->at : (const char *)r;
	uint64_t cnt = list ? list->cnt : 1;
	struct row row = insert_into(s, t);

	row.nr = *nr;
	for (; row.seq < cnt && !row.failed; row.seq++, element += t->row_len) {
		for (const struct kp_col *c = t->cols; c->type; c++)
			if (is_put(c))
				values[c->type].put(&row, element + c->offset);
		step(&row);
	}
	if (t->rows == KP_ROWS_ONE)
		*nr = sqlite3_last_insert_rowid(s->db);
	return finish(&row);
}

/* The number of an incident with the same id and run; 0: there is none. */
static bool find_saved(struct kp_store *s, const struct kp_report *r, int64_t *ret_nr)
{
	struct kp_buf sql = {0};
	struct row row;
	int code;

	kp_buf_puts(&sql, "SELECT nr FROM incident WHERE id = ? AND run = ?");
	row = prepare(s, &sql);
	put_text(&row, r->id);
	put_text(&row, r->run);
	code = row.failed ? SQLITE_ERROR : sqlite3_step(row.stmt);
	*ret_nr = code == SQLITE_ROW ? sqlite3_column_int64(row.stmt, 0) : 0;
	row.failed |= code != SQLITE_ROW && code != SQLITE_DONE;
	return finish(&row);
}

/* Removes what the table has of an incident. */
static bool clear(struct kp_store *s, const struct kp_table *t, int64_t nr)
{
	struct kp_buf sql = {0};
	struct row row;

	if (t->rows == KP_ROWS_SHARED)
		return true;
	kp_buf_printf(&sql, "DELETE FROM %s WHERE %s = ?", t->name,
		      t->rows == KP_ROWS_ONE ? "nr" : "incident");
	row = prepare(s, &sql);
	put_int(&row, (uint64_t)nr);
	step(&row);
	return finish(&row);
}

/* In the place of one with the same id and run. Rows of one whose own row somebody removed by hand
 * go, too, since its number is given again. */
static bool save_all(struct kp_store *s, const struct kp_report *r)
{
	int64_t nr;
	bool good = find_saved(s, r, &nr);

	for (const struct kp_table *t = kp_tables; t->name && good; t++)
		good = clear(s, t, nr);
	good = good && save_table(s, kp_tables, r, &nr);
	for (const struct kp_table *t = kp_tables + 1; t->name && good; t++)
		good = clear(s, t, nr) && save_table(s, t, r, &nr);
	return good;
}

int kp_store_save(struct kp_store *store, const struct kp_report *report, struct kp_err *err)
{
	int code;

	store->calls = 0;
	if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return kp_store_fail(store, "write", err);
	if (save_all(store, report) &&
	    sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	code = kp_store_fail(store, "write", err);
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

/* --- reading --- */

/* "SELECT … FROM table WHERE incident = nr ORDER BY …" */
static struct row select_from(struct kp_store *s, const struct kp_table *t, struct kp_report *r,
			      int64_t nr)
{
	struct kp_buf sql = {0};
	const char *comma = "";
	struct row row;

	kp_buf_puts(&sql, "SELECT ");
	for (const struct kp_col *c = t->cols; c->type; c++)
		if (is_got(c)) {
			kp_buf_printf(&sql, "%s%s", comma, c->name);
			comma = ", ";
		}
	kp_buf_printf(&sql, " FROM %s WHERE %s = ?", t->name,
		      t->rows == KP_ROWS_ONE ? "nr" : "incident");
	if (t->rows == KP_ROWS_SOME)
		kp_buf_printf(&sql, " ORDER BY %s", t->order);
	row = prepare(s, &sql);
	row.arena = &r->arena;
	put_int(&row, (uint64_t)nr);
	return row;
}

static bool next_row(struct row *row)
{
	int code = row->failed ? SQLITE_ERROR : sqlite3_step(row->stmt);

	row->failed |= code != SQLITE_ROW && code != SQLITE_DONE;
	row->at = 0;
	return code == SQLITE_ROW;
}

/* Before each that reads: the texts in a database are never longer than the database. */
static void begin_reading(struct kp_store *s)
{
	struct kp_buf sql = {0};
	struct row row;

	s->calls = 0;
	s->text_left = 0;
	kp_buf_puts(&sql, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
	row = prepare(s, &sql);
	if (next_row(&row))
		s->text_left = get_int(&row);
	finish(&row);
}

/* The place of one more row, zeroed; NULL: out of memory. */
static char *add_row(const struct kp_table *t, struct kp_report *r)
{
	kp_any_vec *list = (kp_any_vec *)kp_table_list(t, r);
	char *element;

	if (t->rows == KP_ROWS_ONE)
		return (char *)r;
	if (kp_vec_reserve((void **)&list->at, &list->cap, list->cnt + 1, t->row_len) < 0)
		return NULL;
	element = list->at + list->cnt++ * t->row_len;
	memset(element, 0, t->row_len);
	return element;
}

/* -EIO: SQLite says why; -EBADMSG: it is not what we wrote. */
static int load_table(struct kp_store *s, const struct kp_table *t, struct kp_report *r, int64_t nr)
{
	struct row row = select_from(s, t, r, nr);
	char *element;

	for (; !row.odd && next_row(&row); row.seq++) {
		element = add_row(t, r);
		row.failed |= !element;
		for (const struct kp_col *c = t->cols; c->type && element; c++)
			if (is_got(c))
				values[c->type].get(&row, element + c->offset);
	}
	return !finish(&row) ? -EIO : row.odd ? -EBADMSG : 0;
}

/* Texts that no column has. */
static void fill_in(struct kp_report *r)
{
	r->task.key = r->task.value = "";
	for (uint32_t i = 0; i < r->buckets.cnt; i++)
		r->buckets.at[i].task.key = r->buckets.at[i].task.value = "";
	for (uint32_t i = 0; i < r->causes.cnt; i++)
		r->causes.at[i].task.key = r->causes.at[i].task.value = "";
	for (uint32_t i = 0; i < r->path.cnt; i++)
		r->path.at[i].task.key = r->path.at[i].task.value = "";
	for (uint32_t i = 0; i < r->nodes.cnt; i++)
		r->nodes.at[i].task.key = r->nodes.at[i].task.value = "";
}

/* Whether what refers to nodes does, and the graph has no circle. */
static bool is_graph(const struct kp_report *r)
{
	for (uint32_t i = 0; i < r->edges.cnt; i++)
		if (r->edges.at[i].cause >= r->nodes.cnt ||
		    r->edges.at[i].effect >= r->edges.at[i].cause)
			return false;
	for (uint32_t i = 0; i < r->path.cnt; i++)
		if (r->path.at[i].node >= r->nodes.cnt)
			return false;
	for (uint32_t i = 0; i < r->events.cnt; i++)
		if (r->events.at[i].node >= r->nodes.cnt ||
		    (i && r->events.at[i].node < r->events.at[i - 1].node))
			return false;
	return true;
}

/* Whether it is a report as this program makes them: its times and sums hold. */
static bool adds_up(const struct kp_report *r)
{
	uint64_t length = r->t1_ns - r->t0_ns, sum = 0, t = r->t0_ns;
	const struct kp_cause *c;

	/* An index that lies names an incident whose row is not there. */
	if (!r->task.comm || r->t1_ns < r->t0_ns || r->t1_ns > INT64_MAX)
		return false;
	for (uint32_t i = 0; i < r->buckets.cnt; i++) {
		if (r->buckets.at[i].ns > length - sum)
			return false;
		sum += r->buckets.at[i].ns;
	}
	for (uint32_t i = 0; i < r->path.cnt; i++) {
		if (r->path.at[i].t0_ns != t || r->path.at[i].t1_ns < t)
			return false;
		t = r->path.at[i].t1_ns;
	}
	for (uint32_t i = 0; i < r->causes.cnt; i++) {
		c = &r->causes.at[i];
		if (c->ns > length || c->excess_ns > (int64_t)length || c->excess_ns < -INT64_MAX ||
		    c->end_min_ns < r->t0_ns || c->end_max_ns < c->end_min_ns ||
		    c->end_max_ns > r->t1_ns)
			return false;
	}
	return sum == length && t == r->t1_ns && is_graph(r);
}

/* The newest of the runs that has it, or the only one. -ENOENT, -EEXIST, -EIO. */
static int find_incident(struct kp_store *s, const char *id, const struct kp_log_run *runs,
			 size_t n, int64_t *ret_nr)
{
	size_t best = n, found = 0;
	struct kp_arena arena = {0};
	struct kp_buf sql = {0};
	const char *run;
	struct row row;
	int64_t nr;

	kp_buf_puts(&sql, "SELECT nr, run FROM incident WHERE id = ?");
	row = prepare(s, &sql);
	row.arena = &arena;
	put_text(&row, id);
	while (next_row(&row)) {
		nr = (int64_t)get_int(&row);
		run = get_text(&row);
		found++;
		if (!n)
			*ret_nr = nr;
		for (size_t i = best == n ? 0 : best + 1; i < n; i++)
			if (strcmp(runs[i].id, run) == 0) {
				best = i;
				*ret_nr = nr;
			}
	}
	kp_arena_done(&arena);
	if (!finish(&row))
		return -EIO;
	return (n ? best == n : !found) ? -ENOENT : !n && found > 1 ? -EEXIST : 0;
}

static int load(struct kp_store *s, struct kp_report *r, int64_t nr)
{
	int code = 0;

	for (const struct kp_table *t = kp_tables; t->name && code == 0; t++)
		if (t->rows != KP_ROWS_SHARED)
			code = load_table(s, t, r, nr);
	if (code < 0)
		return code;
	fill_in(r);
	return adds_up(r) ? 0 : -EBADMSG;
}

int kp_store_load(struct kp_store *store, const char *id, const struct kp_log_run *runs, size_t n,
		  struct kp_report *ret_report, struct kp_err *err)
{
	int64_t nr = 0;
	int code;

	memset(ret_report, 0, sizeof(*ret_report));
	begin_reading(store);
	code = find_incident(store, id, runs, n, &nr);
	if (code == -ENOENT)
		return kp_err_set(err, code, "no incident %s in %s", id, store->path);
	if (code == -EEXIST)
		return kp_err_set(err, code,
				  "%s has incidents %s of several logs: name the log with --input",
				  store->path, id);
	if (code == 0)
		code = load(store, ret_report, nr);
	if (code == -EBADMSG)
		return kp_err_set(err, -EIO,
				  "incident %s in the database %s does not add up: it was changed, "
				  "or not made by this program; define it anew",
				  id, store->path);
	return code < 0 ? kp_store_fail(store, "read", err) : 0;
}

/* --- the list --- */

static void list_text(struct row *row, struct kp_buf *out)
{
	const char *id = get_text(row), *host, *created, *text, *comm;
	uint64_t pid, ns;

	get_text(row);
	host = get_text(row);
	pid = get_int(row);
	comm = get_text(row);
	ns = get_int(row);
	created = get_text(row);
	text = get_text(row);
	kp_text_puts(out, created);
	kp_buf_puts(out, "  ");
	kp_text_puts(out, id);
	kp_buf_puts(out, "  ");
	kp_text_puts(out, comm);
	kp_buf_printf(out, " (pid %" PRIu64 ") on ", pid);
	kp_text_puts(out, host);
	kp_buf_printf(out, "  %.3f ms  ", (double)ns / 1e6);
	kp_text_puts(out, text);
	kp_buf_putc(out, '\n');
}

static void put_field(const char *name, struct row *row, struct kp_buf *out)
{
	const char *text = get_text(row);

	kp_buf_printf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
	kp_buf_json(out, text, strlen(text));
}

static void list_json(struct row *row, struct kp_buf *out)
{
	kp_buf_putc(out, '{');
	if (out->failed)
		return;
	put_field("incident", row, out);
	put_field("run", row, out);
	put_field("host", row, out);
	kp_buf_printf(out, ",\"pid\":%" PRIu64, get_int(row));
	put_field("comm", row, out);
	kp_buf_printf(out, ",\"duration_ns\":%" PRIu64, get_int(row));
	put_field("created", row, out);
	put_field("cause", row, out);
	kp_buf_puts(out, "}\n");
}

static bool is_wanted(const char *run, const struct kp_log_run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(runs[i].id, run) == 0)
			return true;
	return n == 0;
}

int kp_store_list(struct kp_store *store, const struct kp_log_run *runs, size_t n, bool json,
		  struct kp_buf *out, struct kp_err *err)
{
	struct kp_arena arena = {0};
	struct kp_buf sql = {0};
	const char *run;
	struct row row;

	begin_reading(store);
	kp_buf_puts(&sql, "SELECT i.id, i.run, i.host, i.pid, i.comm, i.t1_ns - i.t0_ns, i.created,"
			  " (SELECT text FROM cause c"
			  "  WHERE c.incident = i.nr AND c.rank = 1)"
			  " FROM incident i ORDER BY i.created DESC, i.nr DESC");
	row = prepare(store, &sql);
	row.arena = &arena;
	while (next_row(&row)) {
		row.at = 1;
		run = get_text(&row);
		row.at = 0;
		if (!is_wanted(run, runs, n))
			continue;
		if (json)
			list_json(&row, out);
		else
			list_text(&row, out);
	}
	kp_arena_done(&arena);
	return finish(&row) ? 0 : kp_store_fail(store, "read", err);
}
