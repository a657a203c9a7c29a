/* SPDX-License-Identifier: MIT
 * Saving, loading and listing incidents, by the tables of tables.h.
 */
#include "analyze/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/store_sql.h"
#include "analyze/tables.h"
#include "base/text.h"

struct row {
	sqlite3_stmt *stmt;
	int at;                 /* column bound or read last */
	struct kp_arena *arena; /* of what is read */
	bool failed;
};

static struct row prepare(struct kp_store *s, struct kp_buf *sql, struct kp_arena *arena)
{
	struct row row = {.arena = arena};

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

/* A list of the report, as all of them are. */
typedef KP_VEC(char) any_vec;

/* --- writing --- */

static void put_int(struct row *row, uint64_t value)
{
	row->failed |= sqlite3_bind_int64(row->stmt, ++row->at, (sqlite3_int64)value) != SQLITE_OK;
}

static void put_text(struct row *row, const char *text)
{
	row->failed |=
		sqlite3_bind_text(row->stmt, ++row->at, text, -1, SQLITE_STATIC) != SQLITE_OK;
}

static void put_col(struct row *row, const struct kp_col *col, const char *element)
{
	const void *field = element + col->offset;
	char letter[2] = "";

	switch (col->type) {
	case KP_COL_TEXT:
	case KP_COL_MAYBE:
		put_text(row, *(const char *const *)field);
		break;
	case KP_COL_LETTER:
		letter[0] = *(const char *)field;
		row->failed |= sqlite3_bind_text(row->stmt, ++row->at, letter, -1,
						 SQLITE_TRANSIENT) != SQLITE_OK;
		break;
	case KP_COL_KIND:
		put_text(row, kp_bucket_name(*(const uint8_t *)field));
		break;
	case KP_COL_DETAIL:
		put_text(row, kp_detail_name(*(const uint8_t *)field));
		break;
	case KP_COL_MET:
		put_int(row, *(const uint8_t *)field);
		break;
	case KP_COL_BOOL:
		put_int(row, *(const bool *)field);
		break;
	case KP_COL_U32:
		put_int(row, *(const uint32_t *)field);
		break;
	case KP_COL_U64:
		put_int(row, *(const uint64_t *)field);
		break;
	case KP_COL_REAL:
		row->failed |= sqlite3_bind_double(row->stmt, ++row->at, *(const double *)field) !=
			       SQLITE_OK;
		break;
	}
}

static void step(struct row *row)
{
	row->failed |= row->failed || sqlite3_step(row->stmt) != SQLITE_DONE;
	sqlite3_reset(row->stmt);
	row->at = 0;
}

/* "INSERT INTO table(id, run, …) VALUES(?,…)" */
static struct row insert_into(struct kp_store *s, const struct kp_table *t)
{
	struct kp_buf sql = {0};
	unsigned n = t->seq ? 3 : 2;

	kp_buf_printf(&sql, "INSERT INTO %s(%s, run", t->name, t->seq ? "incident" : "id");
	if (t->seq)
		kp_buf_printf(&sql, ", %s", t->seq);
	for (const struct kp_col *c = t->cols; c->name; c++, n++)
		kp_buf_printf(&sql, ", %s", c->name);
	kp_buf_puts(&sql, ") VALUES(?");
	while (--n > 0)
		kp_buf_puts(&sql, ",?");
	kp_buf_putc(&sql, ')');
	return prepare(s, &sql, NULL);
}

static bool save_table(struct kp_store *s, const struct kp_table *t, const struct kp_report *r)
{
	const any_vec *vec = (const void *)((const char *)r + t->vec);
	const char *element = t->seq ? vec->at : (const char *)r;
	uint32_t cnt = t->seq ? vec->cnt : 1;
	struct row row = insert_into(s, t);

	for (uint32_t i = 0; i < cnt && !row.failed; i++, element += t->row_len) {
		put_text(&row, r->id);
		put_text(&row, r->run);
		if (t->seq)
			put_int(&row, t->first + i);
		for (const struct kp_col *c = t->cols; c->name; c++)
			put_col(&row, c, element);
		step(&row);
	}
	return finish(&row);
}

static bool save_host(struct kp_store *s, const struct kp_report *r)
{
	struct kp_buf sql = {0};
	struct row row;

	kp_buf_puts(&sql, "INSERT OR IGNORE INTO host(name, boot_id) VALUES(?, ?)");
	row = prepare(s, &sql, NULL);
	put_text(&row, r->host);
	put_text(&row, r->boot_id);
	step(&row);
	return finish(&row);
}

static bool delete_old(struct kp_store *s, const struct kp_table *t, const struct kp_report *r)
{
	struct kp_buf sql = {0};
	struct row row;

	kp_buf_printf(&sql, "DELETE FROM %s WHERE %s = ? AND run = ?", t->name,
		      t->seq ? "incident" : "id");
	row = prepare(s, &sql, NULL);
	put_text(&row, r->id);
	put_text(&row, r->run);
	step(&row);
	return finish(&row);
}

int kp_store_save(struct kp_store *store, const struct kp_report *report, struct kp_err *err)
{
	bool good;
	int code;

	store->calls = 0;
	if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return kp_store_fail(store, "write", err);
	good = save_host(store, report);
	for (const struct kp_table *t = kp_tables; t->name && good; t++)
		good = delete_old(store, t, report) && save_table(store, t, report);
	if (good && sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	code = kp_store_fail(store, "write", err);
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

/* --- reading --- */

static uint64_t get_int(struct row *row)
{
	return (uint64_t)sqlite3_column_int64(row->stmt, row->at++);
}

static const char *get_text(struct row *row)
{
	const char *text = (const char *)sqlite3_column_text(row->stmt, row->at++), *copy;

	copy = kp_arena_strndup(row->arena, text ? text : "", text ? strlen(text) : 0);
	row->failed |= !copy;
	return copy ? copy : "";
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

/* A confidence; what is none is the lowest. */
static char letter_of(const char *text)
{
	return !*text ? '\0' : *text >= 'A' && *text <= 'D' && !text[1] ? *text : 'D';
}

static void get_col(struct row *row, const struct kp_col *col, char *element)
{
	void *field = element + col->offset;

	switch (col->type) {
	case KP_COL_MAYBE:
		if (sqlite3_column_type(row->stmt, row->at) == SQLITE_NULL) {
			row->at++;
			*(const char **)field = NULL;
			break;
		}
		__attribute__((fallthrough));
	case KP_COL_TEXT:
		*(const char **)field = get_text(row);
		break;
	case KP_COL_LETTER:
		*(char *)field = letter_of(get_text(row));
		break;
	case KP_COL_KIND:
		*(uint8_t *)field =
			number_of(get_text(row), kp_bucket_name, KP_B_CNT, KP_B_unknown);
		break;
	case KP_COL_DETAIL:
		*(uint8_t *)field = number_of(get_text(row), kp_detail_name, KP_D_CNT, KP_D_none);
		break;
	case KP_COL_MET:
		*(uint8_t *)field = (uint8_t)(get_int(row) % (KP_MET_YES + 1));
		break;
	case KP_COL_BOOL:
		*(bool *)field = get_int(row) != 0;
		break;
	case KP_COL_U32:
		*(uint32_t *)field = (uint32_t)get_int(row);
		break;
	case KP_COL_U64:
		*(uint64_t *)field = get_int(row);
		break;
	case KP_COL_REAL:
		*(double *)field = sqlite3_column_double(row->stmt, row->at++);
		break;
	}
}

/* "SELECT … FROM table WHERE incident = id AND run = run ORDER BY seq" */
static struct row select_from(struct kp_store *s, const struct kp_table *t, struct kp_report *r)
{
	struct kp_buf sql = {0};
	struct row row;

	kp_buf_puts(&sql, "SELECT ");
	for (const struct kp_col *c = t->cols; c->name; c++)
		kp_buf_printf(&sql, "%s%s", c == t->cols ? "" : ", ", c->name);
	kp_buf_printf(&sql, " FROM %s WHERE %s = ? AND run = ?", t->name,
		      t->seq ? "incident" : "id");
	if (t->seq)
		kp_buf_printf(&sql, " ORDER BY %s", t->seq);
	row = prepare(s, &sql, &r->arena);
	put_text(&row, r->id);
	put_text(&row, r->run);
	return row;
}

static bool next_row(struct row *row)
{
	int code = row->failed ? SQLITE_ERROR : sqlite3_step(row->stmt);

	row->failed |= code != SQLITE_ROW && code != SQLITE_DONE;
	row->at = 0;
	return code == SQLITE_ROW;
}

/* The place of one more row, zeroed; NULL: out of memory. */
static char *add_row(const struct kp_table *t, struct kp_report *r)
{
	any_vec *vec = (void *)((char *)r + t->vec);
	char *element;

	if (!t->seq)
		return (char *)r;
	if (kp_vec_reserve((void **)&vec->at, &vec->cap, vec->cnt + 1, t->row_len) < 0)
		return NULL;
	element = vec->at + vec->cnt++ * t->row_len;
	memset(element, 0, t->row_len);
	return element;
}

static bool load_table(struct kp_store *s, const struct kp_table *t, struct kp_report *r)
{
	struct row row = select_from(s, t, r);
	char *element;

	while (next_row(&row)) {
		element = add_row(t, r);
		row.failed |= !element;
		for (const struct kp_col *c = t->cols; c->name && element; c++)
			get_col(&row, c, element);
	}
	return finish(&row);
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
	return sum == length && t == r->t1_ns;
}

/* The newest of the runs that has it, or the only one. -ENOENT, -EEXIST, -EIO. */
static int find_run(struct kp_store *s, const char *id, const struct kp_log_run *runs, size_t n,
		    struct kp_report *r)
{
	size_t best = n, found = 0;
	struct kp_buf sql = {0};
	const char *run;
	struct row row;

	kp_buf_puts(&sql, "SELECT run FROM incident WHERE id = ?");
	row = prepare(s, &sql, &r->arena);
	put_text(&row, id);
	while (next_row(&row)) {
		run = get_text(&row);
		found++;
		if (!n)
			r->run = run;
		for (size_t i = best == n ? 0 : best + 1; i < n; i++)
			if (strcmp(runs[i].id, run) == 0)
				best = i;
	}
	if (n && best < n)
		r->run = runs[best].id;
	if (!finish(&row))
		return -EIO;
	return !r->run ? -ENOENT : !n && found > 1 ? -EEXIST : 0;
}

static const char *keep(struct kp_arena *arena, const char *text)
{
	const char *copy = kp_arena_strndup(arena, text, strlen(text));

	return copy ? copy : "";
}

int kp_store_load(struct kp_store *store, const char *id, const struct kp_log_run *runs, size_t n,
		  struct kp_report *ret_report, struct kp_err *err)
{
	struct kp_report *r = ret_report;
	int code;

	memset(r, 0, sizeof(*r));
	store->calls = 0;
	code = find_run(store, id, runs, n, r);
	if (code == -ENOENT)
		return kp_err_set(err, code, "no incident %s in %s", id, store->path);
	if (code == -EEXIST)
		return kp_err_set(err, code,
				  "%s has incidents %s of several logs: name the log with --input",
				  store->path, id);
	if (code < 0)
		return kp_store_fail(store, "read", err);
	r->id = keep(&r->arena, id);
	r->run = keep(&r->arena, r->run);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (t->is_loaded && !load_table(store, t, r))
			return kp_store_fail(store, "read", err);
	fill_in(r);
	if (!adds_up(r))
		return kp_err_set(err, -EIO,
				  "incident %s in the database %s does not add up: it was changed, "
				  "or not made by this program; define it anew",
				  id, store->path);
	return 0;
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

	store->calls = 0;
	kp_buf_puts(&sql, "SELECT i.id, i.run, i.host, i.pid, i.comm, i.t1_ns - i.t0_ns, i.created,"
			  " (SELECT text FROM cause c"
			  "  WHERE c.incident = i.id AND c.run = i.run AND c.rank = 1)"
			  " FROM incident i ORDER BY i.created DESC, i.rowid DESC");
	row = prepare(store, &sql, &arena);
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
