/* SPDX-License-Identifier: MIT
 *
 * Incidents in SQLite. Each table's columns are one list here; the statements that write and read
 * them are made from the same order, so that a report comes back as it went in (tested).
 * The static library of the distribution has extension loading compiled in; it is never switched
 * on.
 */
#include "analyze/store.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define SCHEMA_VERSION 1

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS host(name TEXT, boot_id TEXT, PRIMARY KEY(name, boot_id));"
	"CREATE TABLE IF NOT EXISTS incident(id TEXT PRIMARY KEY, host TEXT, boot_id TEXT, pid INT,"
	" tid INT, comm TEXT, t0_ns INT, t1_ns INT, t0_realtime_ns INT, t1_realtime_ns INT,"
	" deadline_realtime_ns INT, deadline_ns INT, clock_bound_ns INT, clock_note TEXT,"
	" baseline_ns INT, baseline_cnt INT,"
	" complete INT, join_confidence TEXT, created TEXT DEFAULT CURRENT_TIMESTAMP);"
	"CREATE TABLE IF NOT EXISTS bucket(incident TEXT, seq INT, kind TEXT, detail TEXT,"
	" confidence TEXT, via TEXT, ns INT, cause_pid INT, cause_tid INT, cause_comm TEXT,"
	" object TEXT, value TEXT, pid INT, tid INT, comm TEXT, PRIMARY KEY(incident, seq))"
	" WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS cause(incident TEXT, rank INT, kind TEXT, detail TEXT,"
	" confidence TEXT, via TEXT, text TEXT, ns INT, excess_ns INT, percent REAL,"
	" end_min_ns INT, end_max_ns INT, deadline_met INT, cause_pid INT, cause_tid INT,"
	" cause_comm TEXT, object TEXT, value TEXT, pid INT, tid INT, comm TEXT,"
	" PRIMARY KEY(incident, rank)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS path(incident TEXT, seq INT, t0_ns INT, t1_ns INT, kind TEXT,"
	" detail TEXT, confidence TEXT, edge TEXT, via TEXT, evidence TEXT, cause_pid INT,"
	" cause_tid INT, cause_comm TEXT, object TEXT, value TEXT, pid INT, tid INT, comm TEXT,"
	" PRIMARY KEY(incident, seq)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS span(incident TEXT, seq INT, trace_id TEXT, span_id TEXT,"
	" parent_id TEXT, name TEXT, service TEXT, start_realtime_ns INT, end_realtime_ns INT,"
	" pid INT, tid INT, confidence TEXT, joined TEXT, is_incident INT,"
	" PRIMARY KEY(incident, seq)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS lost(incident TEXT, seq INT, from_ns INT, to_ns INT, cnt INT,"
	" grp INT, cpu INT, PRIMARY KEY(incident, seq)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS node(incident TEXT, id INT, t0_ns INT, t1_ns INT, kind TEXT,"
	" cause_pid INT, cause_tid INT, cause_comm TEXT, object TEXT, value TEXT, pid INT, tid INT,"
	" comm TEXT, PRIMARY KEY(incident, id)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS edge(incident TEXT, effect INT, kind TEXT, cause INT, ns INT,"
	" confidence TEXT, evidence TEXT, PRIMARY KEY(incident, effect, kind, cause)) WITHOUT "
	"ROWID;"
	"CREATE INDEX IF NOT EXISTS edge_by_cause ON edge(incident, cause, kind, effect);";

static const char *const tables[] = {"bucket", "cause", "path", "span", "lost", "node", "edge"};

struct kp_store {
	sqlite3 *db;
	char *path;
};

static int fail(struct kp_store *s, struct kp_err *err, const char *what)
{
	return kp_err_set(err, -EIO, "database %s: cannot %s: %s", s->path, what,
			  sqlite3_errmsg(s->db));
}

int kp_store_open(const char *path, bool create, struct kp_store **ret_store, struct kp_err *err)
{
	int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
	struct kp_store *s;
	int code = 0;

	if (!create && access(path, F_OK) < 0)
		return kp_err_set(err, -ENOENT, "there is no database %s", path);
	s = calloc(1, sizeof(*s));
	if (s)
		s->path = strdup(path);
	if (!s || !s->path) {
		kp_store_free(s);
		return kp_err_set(err, -ENOMEM, "out of memory");
	}
	if (!create && access(path, W_OK) < 0)
		flags = SQLITE_OPEN_READONLY;
	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK)
		code = fail(s, err, "open it");
	else if (sqlite3_busy_timeout(s->db, 5000),
		 create && sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		code = fail(s, err, "make its tables");
	if (code < 0) {
		kp_store_free(s);
		return code;
	}
	*ret_store = s;
	return 0;
}

void kp_store_free(struct kp_store *store)
{
	if (!store)
		return;
	sqlite3_close(store->db);
	free(store->path);
	free(store);
}

/* --- writing: values are bound in the order of the columns --- */

struct row {
	sqlite3_stmt *stmt;
	int at;                 /* column bound or read last */
	struct kp_arena *arena; /* of what is read */
	bool failed;
};

static void put_int(struct row *row, uint64_t value)
{
	row->failed |= sqlite3_bind_int64(row->stmt, ++row->at, (sqlite3_int64)value) != SQLITE_OK;
}

static void put_text(struct row *row, const char *text)
{
	row->failed |=
		sqlite3_bind_text(row->stmt, ++row->at, text, -1, SQLITE_STATIC) != SQLITE_OK;
}

static void put_char(struct row *row, char c)
{
	row->failed |= sqlite3_bind_text(row->stmt, ++row->at, &c, c ? 1 : 0, SQLITE_TRANSIENT) !=
		       SQLITE_OK;
}

static void put_cause_task(struct row *row, const struct kp_who *cause, const struct kp_who *task)
{
	put_int(row, cause->pid);
	put_int(row, cause->tid);
	put_text(row, cause->comm);
	put_text(row, cause->key);
	put_text(row, cause->value);
	put_int(row, task->pid);
	put_int(row, task->tid);
	put_text(row, task->comm);
}

static void put_kind(struct row *row, uint8_t kind, uint8_t detail, char confidence)
{
	put_text(row, kp_bucket_name(kind));
	put_text(row, kp_detail_name(detail));
	put_char(row, confidence);
}

static void step(struct row *row)
{
	row->failed |= sqlite3_step(row->stmt) != SQLITE_DONE;
	sqlite3_reset(row->stmt);
	row->at = 0;
}

/* "INSERT OR REPLACE INTO table VALUES(?,…)" with n values. */
static struct row insert_into(struct kp_store *s, const char *table, int n)
{
	struct kp_buf sql = {0};
	struct row row = {0};

	kp_buf_printf(&sql, "INSERT OR REPLACE INTO %s VALUES(?", table);
	while (--n > 0)
		kp_buf_puts(&sql, ",?");
	kp_buf_putc(&sql, ')');
	row.failed =
		sql.failed || sqlite3_prepare_v2(s->db, sql.data, -1, &row.stmt, NULL) != SQLITE_OK;
	kp_buf_done(&sql);
	return row;
}

static bool finish(struct row *row)
{
	sqlite3_finalize(row->stmt);
	return !row->failed;
}

static bool save_head(struct kp_store *s, const struct kp_report *r)
{
	struct row row = {0};

	row.failed = sqlite3_prepare_v2(s->db,
					"INSERT OR REPLACE INTO incident(id,host,boot_id,pid,tid,"
					"comm,t0_ns,t1_ns,t0_realtime_ns,t1_realtime_ns,"
					"deadline_realtime_ns,deadline_ns,clock_bound_ns,"
					"clock_note,baseline_ns,"
					"baseline_cnt,complete,join_confidence)"
					" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
					-1, &row.stmt, NULL) != SQLITE_OK;
	put_text(&row, r->id);
	put_text(&row, r->host);
	put_text(&row, r->boot_id);
	put_int(&row, r->task.pid);
	put_int(&row, r->task.tid);
	put_text(&row, r->task.comm);
	put_int(&row, r->t0_ns);
	put_int(&row, r->t1_ns);
	put_int(&row, r->t0_realtime_ns);
	put_int(&row, r->t1_realtime_ns);
	put_int(&row, r->deadline_realtime_ns);
	put_int(&row, r->deadline_ns);
	put_int(&row, r->clock_bound_ns);
	put_text(&row, r->clock_note);
	put_int(&row, r->baseline_ns);
	put_int(&row, r->baseline_cnt);
	put_int(&row, r->complete);
	put_char(&row, r->join_confidence);
	if (!row.failed)
		step(&row);
	if (!finish(&row))
		return false;
	row = insert_into(s, "host", 2);
	put_text(&row, r->host);
	put_text(&row, r->boot_id);
	if (!row.failed)
		step(&row);
	return finish(&row);
}

static bool save_buckets(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "bucket", 15);
	const struct kp_bucket *b;

	for (uint32_t i = 0; i < r->buckets.cnt && !row.failed; i++) {
		b = &r->buckets.at[i];
		put_text(&row, r->id);
		put_int(&row, i);
		put_kind(&row, b->kind, b->detail, b->confidence);
		put_text(&row, b->via);
		put_int(&row, b->ns);
		put_cause_task(&row, &b->cause, &b->task);
		step(&row);
	}
	return finish(&row);
}

static bool save_causes(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "cause", 21);
	const struct kp_cause *c;

	for (uint32_t i = 0; i < r->causes.cnt && !row.failed; i++) {
		c = &r->causes.at[i];
		put_text(&row, r->id);
		put_int(&row, i + 1);
		put_kind(&row, c->kind, c->detail, c->confidence);
		put_text(&row, c->via);
		put_text(&row, c->text);
		put_int(&row, c->ns);
		put_int(&row, (uint64_t)c->excess_ns);
		row.failed |= sqlite3_bind_double(row.stmt, ++row.at, c->percent) != SQLITE_OK;
		put_int(&row, c->end_min_ns);
		put_int(&row, c->end_max_ns);
		put_int(&row, c->met);
		put_cause_task(&row, &c->cause, &c->task);
		step(&row);
	}
	return finish(&row);
}

static bool save_path(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "path", 18);
	const struct kp_step *p;

	for (uint32_t i = 0; i < r->path.cnt && !row.failed; i++) {
		p = &r->path.at[i];
		put_text(&row, r->id);
		put_int(&row, i);
		put_int(&row, p->t0_ns);
		put_int(&row, p->t1_ns);
		put_kind(&row, p->kind, p->detail, p->confidence);
		put_text(&row, p->edge);
		put_text(&row, p->via);
		put_text(&row, p->evidence);
		put_cause_task(&row, &p->cause, &p->task);
		step(&row);
	}
	return finish(&row);
}

static bool save_spans(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "span", 14);
	const struct kp_report_span *p;

	for (uint32_t i = 0; i < r->spans.cnt && !row.failed; i++) {
		p = &r->spans.at[i];
		put_text(&row, r->id);
		put_int(&row, i);
		put_text(&row, p->trace_id);
		put_text(&row, p->span_id);
		put_text(&row, p->parent_id);
		put_text(&row, p->name);
		put_text(&row, p->service);
		put_int(&row, p->start_ns);
		put_int(&row, p->end_ns);
		put_int(&row, p->pid);
		put_int(&row, p->tid);
		put_char(&row, p->confidence);
		put_text(&row, p->why);
		put_int(&row, p->incident);
		step(&row);
	}
	return finish(&row);
}

static bool save_lost(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "lost", 7);
	const struct kp_loss *l;

	for (uint32_t i = 0; i < r->lost.cnt && !row.failed; i++) {
		l = &r->lost.at[i];
		put_text(&row, r->id);
		put_int(&row, i);
		put_int(&row, l->from_ns);
		put_int(&row, l->to_ns);
		put_int(&row, l->cnt);
		put_int(&row, l->group);
		put_int(&row, l->cpu);
		step(&row);
	}
	return finish(&row);
}

static bool save_nodes(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "node", 13);
	const struct kp_node *n;

	for (uint32_t i = 0; i < r->nodes.cnt && !row.failed; i++) {
		n = &r->nodes.at[i];
		put_text(&row, r->id);
		put_int(&row, i);
		put_int(&row, n->t0_ns);
		put_int(&row, n->t1_ns);
		put_text(&row, n->kind);
		put_cause_task(&row, &n->cause, &n->task);
		step(&row);
	}
	return finish(&row);
}

static bool save_edges(struct kp_store *s, const struct kp_report *r)
{
	struct row row = insert_into(s, "edge", 7);
	const struct kp_edge *e;

	for (uint32_t i = 0; i < r->edges.cnt && !row.failed; i++) {
		e = &r->edges.at[i];
		put_text(&row, r->id);
		put_int(&row, e->effect);
		put_text(&row, e->kind);
		put_int(&row, e->cause);
		put_int(&row, e->ns);
		put_char(&row, e->confidence);
		put_text(&row, e->evidence);
		step(&row);
	}
	return finish(&row);
}

static bool delete_old(struct kp_store *s, const char *id)
{
	char sql[64];
	struct row row;
	bool good = true;

	for (size_t i = 0; good && i < sizeof(tables) / sizeof(*tables); i++) {
		row = (struct row){0};
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE incident = ?", tables[i]);
		row.failed = sqlite3_prepare_v2(s->db, sql, -1, &row.stmt, NULL) != SQLITE_OK;
		put_text(&row, id);
		if (!row.failed)
			step(&row);
		good = finish(&row);
	}
	return good;
}

int kp_store_save(struct kp_store *store, const struct kp_report *report, struct kp_err *err)
{
	int code = 0;

	if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return fail(store, err, "write");
	if (!delete_old(store, report->id) || !save_head(store, report) ||
	    !save_buckets(store, report) || !save_causes(store, report) ||
	    !save_path(store, report) || !save_spans(store, report) || !save_lost(store, report) ||
	    !save_nodes(store, report) || !save_edges(store, report) ||
	    sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		code = fail(store, err, "write");
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return code;
}

/* --- reading, in the order of the columns --- */

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

static char get_char(struct row *row)
{
	return get_text(row)[0];
}

static void get_cause_task(struct row *row, struct kp_who *cause, struct kp_who *task)
{
	cause->pid = (uint32_t)get_int(row);
	cause->tid = (uint32_t)get_int(row);
	cause->comm = get_text(row);
	cause->key = get_text(row);
	cause->value = get_text(row);
	task->pid = (uint32_t)get_int(row);
	task->tid = (uint32_t)get_int(row);
	task->comm = get_text(row);
	task->key = task->value = "";
}

static uint8_t kind_of(const char *name)
{
	for (unsigned i = 0; i < KP_B_CNT; i++)
		if (strcmp(kp_bucket_name(i), name) == 0)
			return (uint8_t)i;
	return KP_B_unknown;
}

static void get_kind(struct row *row, uint8_t *kind, uint8_t *detail, char *confidence)
{
	const char *name;

	*kind = kind_of(get_text(row));
	name = get_text(row);
	*detail = KP_D_none;
	for (unsigned i = 1; i < KP_D_CNT; i++)
		if (strcmp(kp_detail_name(i), name) == 0)
			*detail = (uint8_t)i;
	*confidence = get_char(row);
}

static struct row select_from(struct kp_store *s, const char *sql, const char *id,
			      struct kp_arena *arena)
{
	struct row row = {.arena = arena};

	row.failed = sqlite3_prepare_v2(s->db, sql, -1, &row.stmt, NULL) != SQLITE_OK;
	put_text(&row, id);
	return row;
}

static bool next_row(struct row *row)
{
	int code = row->failed ? SQLITE_ERROR : sqlite3_step(row->stmt);

	row->failed |= code != SQLITE_ROW && code != SQLITE_DONE;
	row->at = 2; /* behind incident and seq */
	return code == SQLITE_ROW;
}

#define SELECT(table, order) "SELECT * FROM " table " WHERE incident = ? ORDER BY " order

static bool load_head(struct kp_store *s, const char *id, struct kp_report *r, bool *ret_found)
{
	struct row row = select_from(s, "SELECT * FROM incident WHERE id = ?", id, &r->arena);

	*ret_found = next_row(&row);
	row.at = 0;
	if (*ret_found) {
		r->id = get_text(&row);
		r->host = get_text(&row);
		r->boot_id = get_text(&row);
		r->task = (struct kp_who){.key = "", .value = ""};
		r->task.pid = (uint32_t)get_int(&row);
		r->task.tid = (uint32_t)get_int(&row);
		r->task.comm = get_text(&row);
		r->t0_ns = get_int(&row);
		r->t1_ns = get_int(&row);
		r->t0_realtime_ns = get_int(&row);
		r->t1_realtime_ns = get_int(&row);
		r->deadline_realtime_ns = get_int(&row);
		r->deadline_ns = get_int(&row);
		r->clock_bound_ns = get_int(&row);
		r->clock_note = get_text(&row);
		r->baseline_ns = get_int(&row);
		r->baseline_cnt = (uint32_t)get_int(&row);
		r->complete = get_int(&row) != 0;
		r->join_confidence = get_char(&row);
	}
	return finish(&row);
}

static bool load_buckets(struct kp_store *s, const char *id, struct kp_report *r)
{
	struct row row = select_from(s, SELECT("bucket", "seq"), id, &r->arena);
	struct kp_bucket b;

	while (next_row(&row)) {
		get_kind(&row, &b.kind, &b.detail, &b.confidence);
		b.via = get_text(&row);
		b.ns = get_int(&row);
		get_cause_task(&row, &b.cause, &b.task);
		row.failed |= KP_VEC_PUSH(&r->buckets, b) < 0;
	}
	return finish(&row);
}

static bool load_causes(struct kp_store *s, const char *id, struct kp_report *r)
{
	struct row row = select_from(s, SELECT("cause", "rank"), id, &r->arena);
	struct kp_cause c;

	while (next_row(&row)) {
		get_kind(&row, &c.kind, &c.detail, &c.confidence);
		c.via = get_text(&row);
		c.text = get_text(&row);
		c.ns = get_int(&row);
		c.excess_ns = (int64_t)get_int(&row);
		c.percent = sqlite3_column_double(row.stmt, row.at++);
		c.end_min_ns = get_int(&row);
		c.end_max_ns = get_int(&row);
		c.met = (uint8_t)(get_int(&row) % 3);
		get_cause_task(&row, &c.cause, &c.task);
		row.failed |= KP_VEC_PUSH(&r->causes, c) < 0;
	}
	return finish(&row);
}

static bool load_path(struct kp_store *s, const char *id, struct kp_report *r)
{
	struct row row = select_from(s, SELECT("path", "seq"), id, &r->arena);
	struct kp_step p;

	while (next_row(&row)) {
		p.t0_ns = get_int(&row);
		p.t1_ns = get_int(&row);
		get_kind(&row, &p.kind, &p.detail, &p.confidence);
		p.edge = get_text(&row);
		p.via = get_text(&row);
		p.evidence = get_text(&row);
		get_cause_task(&row, &p.cause, &p.task);
		row.failed |= KP_VEC_PUSH(&r->path, p) < 0;
	}
	return finish(&row);
}

static bool load_spans(struct kp_store *s, const char *id, struct kp_report *r)
{
	struct row row = select_from(s, SELECT("span", "seq"), id, &r->arena);
	struct kp_report_span p;

	while (next_row(&row)) {
		p.trace_id = get_text(&row);
		p.span_id = get_text(&row);
		p.parent_id = get_text(&row);
		p.name = get_text(&row);
		p.service = get_text(&row);
		p.start_ns = get_int(&row);
		p.end_ns = get_int(&row);
		p.pid = (uint32_t)get_int(&row);
		p.tid = (uint32_t)get_int(&row);
		p.confidence = get_char(&row);
		p.why = get_text(&row);
		p.incident = get_int(&row) != 0;
		row.failed |= KP_VEC_PUSH(&r->spans, p) < 0;
	}
	return finish(&row);
}

static bool load_lost(struct kp_store *s, const char *id, struct kp_report *r)
{
	struct row row = select_from(s, SELECT("lost", "seq"), id, &r->arena);
	struct kp_loss l;

	while (next_row(&row)) {
		l.from_ns = get_int(&row);
		l.to_ns = get_int(&row);
		l.cnt = get_int(&row);
		l.group = (uint32_t)get_int(&row);
		l.cpu = (uint32_t)get_int(&row);
		row.failed |= KP_VEC_PUSH(&r->lost, l) < 0;
	}
	return finish(&row);
}

int kp_store_load(struct kp_store *store, const char *id, struct kp_report *ret_report,
		  struct kp_err *err)
{
	bool found;

	memset(ret_report, 0, sizeof(*ret_report));
	if (!load_head(store, id, ret_report, &found))
		return fail(store, err, "read");
	if (!found)
		return kp_err_set(err, -ENOENT, "no incident %s in %s", id, store->path);
	if (!load_buckets(store, id, ret_report) || !load_causes(store, id, ret_report) ||
	    !load_path(store, id, ret_report) || !load_spans(store, id, ret_report) ||
	    !load_lost(store, id, ret_report))
		return fail(store, err, "read");
	return 0;
}

int kp_store_list(struct kp_store *store, bool json, struct kp_buf *out, struct kp_err *err)
{
	static const char sql[] =
		"SELECT i.id, i.host, i.pid, i.comm, i.t1_ns - i.t0_ns, i.created,"
		" (SELECT text FROM cause c WHERE c.incident = i.id AND c.rank = 1)"
		" FROM incident i ORDER BY i.created DESC, i.rowid DESC";
	struct kp_arena arena = {0};
	struct row row = {.arena = &arena};
	const char *id, *host, *comm, *created, *text;
	uint64_t pid, ns;

	row.failed = sqlite3_prepare_v2(store->db, sql, -1, &row.stmt, NULL) != SQLITE_OK;
	while (next_row(&row)) {
		row.at = 0;
		id = get_text(&row);
		host = get_text(&row);
		pid = get_int(&row);
		comm = get_text(&row);
		ns = get_int(&row);
		created = get_text(&row);
		text = get_text(&row);
		if (!json) {
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
			continue;
		}
		kp_buf_puts(out, "{\"incident\":");
		kp_buf_json(out, id, strlen(id));
		kp_buf_puts(out, ",\"host\":");
		kp_buf_json(out, host, strlen(host));
		kp_buf_printf(out, ",\"pid\":%" PRIu64 ",\"comm\":", pid);
		kp_buf_json(out, comm, strlen(comm));
		kp_buf_printf(out, ",\"duration_ns\":%" PRIu64 ",\"created\":", ns);
		kp_buf_json(out, created, strlen(created));
		kp_buf_puts(out, ",\"cause\":");
		kp_buf_json(out, text, strlen(text));
		kp_buf_puts(out, "}\n");
	}
	kp_arena_done(&arena);
	return finish(&row) ? 0 : fail(store, err, "read");
}
