/* SPDX-License-Identifier: MIT
 *
 * graph [NODES EDGES [FOLDER]]: a large graph (10,000,000 and 15,000,000, in /var/tmp) into the
 * database of incidents through the store and out again; then a thousand chains of a thousand hops
 * each, from anywhere in it. Beside it the peer: the same graph by plain SQLite, prepared
 * statements in one transaction, into tables that have nothing but it. Rows a second, of the clock
 * and of CPU time, and milliseconds.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "../log/synth.h"
#include "analyze/store.h"
#include "bench.h"

#define HOPS 1000
#define CHAINS 1000
/* Nodes from one hop of a chain to the next: each is on another page. */
#define STRIDE 1021

static uint64_t seed = 1;

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "graph: %s: %s\n", what, why);
	exit(1);
}

/* --- the graph --- */

static const char *const comms[] = {"ledger", "postgres", "nginx", "kworker/u8:1"};
static const char *const exes[] = {"/usr/bin/ledger", "/usr/lib/postgresql/15/bin/postgres",
				   "/usr/sbin/nginx", ""};

static struct kp_who who(uint64_t n)
{
	unsigned i = n % 4;

	return (struct kp_who){.pid = 4000 + i,
			       .tid = 4000 + (uint32_t)(n % 32),
			       .comm = comms[i],
			       .key = "",
			       .value = "",
			       .exe = exes[i],
			       .origin = i == 2 ? "default/web-0/nginx" : ""};
}

static void add_edge(struct kp_report *r, uint32_t cause, uint32_t effect, const char *kind)
{
	struct kp_edge edge = {cause, effect, kind, 'B', 2000};

	must(KP_VEC_PUSH(&r->edges, edge) == 0, "edges");
}

/* One edge for each node, by which the chains go, and about as many more as there are to be. */
static struct kp_report make_graph(uint32_t nodes, uint32_t edges)
{
	struct kp_report r = {.id = "x",
			      .run = "3f0c2a9e-6f3e-4e55-9d0e-0f4a3b1c2d3e",
			      .host = "vm",
			      .boot_id = "b",
			      .clock_note = "",
			      .recorded = "waits",
			      .t0_ns = 1,
			      .t1_ns = 1 + nodes * 1000ull};
	struct kp_bucket bucket = {KP_B_unknown, 0, 'D', "", nodes * 1000ull, who(0), who(0)};
	struct kp_step step = {r.t0_ns, r.t1_ns, KP_B_unknown, 0, 'D', "", "", 0, who(0), who(0)};
	struct kp_node node;
	uint64_t owed = 0;

	r.task = who(0);
	must(KP_VEC_PUSH(&r.buckets, bucket) == 0 && KP_VEC_PUSH(&r.path, step) == 0, "report");
	for (uint32_t i = 0; i < nodes; i++) {
		node = (struct kp_node){1 + i * 1000ull, 3001 + i * 1000ull,
					i % 3 ? "wait" : "on_cpu", who(i), who(i / 7)};
		must(KP_VEC_PUSH(&r.nodes, node) == 0, "nodes");
		if (i)
			add_edge(&r, i, i > STRIDE ? i - STRIDE : 0, "pipe");
		if (i <= STRIDE)
			continue;
		owed += edges - nodes;
		if (owed < nodes)
			continue;
		owed -= nodes;
		add_edge(&r, i, i - 1 - (uint32_t)(synth_random(&seed) % STRIDE), "ran");
	}
	return r;
}

/* --- the peer --- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		give_up(sql, sqlite3_errmsg(db));
	return stmt;
}

static void step(sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_DONE)
		give_up("the peer", sqlite3_errmsg(sqlite3_db_handle(stmt)));
	sqlite3_reset(stmt);
}

static void peer_nodes(sqlite3 *db, const struct kp_report *r)
{
	sqlite3_stmt *stmt = prepare(db, "INSERT INTO node VALUES(?,?,?,?,?,?,?)");
	const struct kp_node *n;

	for (uint32_t i = 0; i < r->nodes.cnt; i++) {
		n = &r->nodes.at[i];
		sqlite3_bind_int64(stmt, 1, i);
		sqlite3_bind_int64(stmt, 2, (int64_t)n->t0_ns);
		sqlite3_bind_int64(stmt, 3, (int64_t)n->t1_ns);
		sqlite3_bind_text(stmt, 4, n->kind, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 5, n->task.pid);
		sqlite3_bind_int64(stmt, 6, n->task.tid);
		sqlite3_bind_text(stmt, 7, n->task.comm, -1, SQLITE_STATIC);
		step(stmt);
	}
	sqlite3_finalize(stmt);
}

static void peer_edges(sqlite3 *db, const struct kp_report *r)
{
	sqlite3_stmt *stmt = prepare(db, "INSERT INTO edge VALUES(?,?,?,?,?)");
	const struct kp_edge *e;

	for (uint32_t i = 0; i < r->edges.cnt; i++) {
		e = &r->edges.at[i];
		sqlite3_bind_int64(stmt, 1, e->effect);
		sqlite3_bind_text(stmt, 2, e->kind, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 3, e->cause);
		sqlite3_bind_int64(stmt, 4, (int64_t)e->ns);
		sqlite3_bind_text(stmt, 5, "B", 1, SQLITE_STATIC);
		step(stmt);
	}
	sqlite3_finalize(stmt);
}

static void save_peer(const char *path, const struct kp_report *r)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		give_up(path, sqlite3_errmsg(db));
	run(db,
	    "CREATE TABLE node(id INTEGER PRIMARY KEY, t0_ns INT, t1_ns INT, kind TEXT, pid INT,"
	    " tid INT, comm TEXT);"
	    "CREATE TABLE edge(effect INT, kind TEXT, cause INT, ns INT, confidence TEXT,"
	    " PRIMARY KEY(effect, kind, cause)) WITHOUT ROWID; BEGIN");
	peer_nodes(db, r);
	peer_edges(db, r);
	run(db, "CREATE INDEX edge_by_cause ON edge(cause, kind, effect); COMMIT");
	sqlite3_close(db);
}

/* --- the store --- */

static void save_ours(const char *path, const struct kp_report *r)
{
	struct kp_store *store;
	struct kp_err err;

	if (kp_store_open(path, true, &store, &err) < 0 || kp_store_save(store, r, &err) < 0)
		give_up("the store", err.text);
	kp_store_free(store);
}

static void load_ours(const char *path, const struct kp_report *r)
{
	struct kp_store *store;
	struct kp_report again;
	struct kp_err err;

	if (kp_store_open(path, false, &store, &err) < 0 ||
	    kp_store_load(store, r->id, NULL, 0, &again, &err) < 0)
		give_up("the store", err.text);
	if (again.nodes.cnt != r->nodes.cnt || again.edges.cnt != r->edges.cnt)
		give_up("the store", "not all came back");
	kp_report_done(&again);
	kp_store_free(store);
}

/* --- chains --- */

struct moment {
	uint64_t wall_ns, cpu_ns;
};

static struct moment now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (struct moment){now_ns(), (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec};
}

/* Times of the chains, sorted. */
struct chains {
	uint64_t wall_ns[CHAINS], cpu_ns[CHAINS];
};

static int u64_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* where: what picks the incident. */
static void ask(const char *path, const char *where, const struct kp_report *r,
		struct chains *ret_chains)
{
	char sql[512];
	sqlite3_stmt *stmt;
	struct moment begin, end;
	sqlite3 *db;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		give_up(path, sqlite3_errmsg(db));
	snprintf(sql, sizeof(sql),
		 "WITH RECURSIVE chain(node, hop) AS (SELECT ?1, 0 UNION SELECT e.cause, c.hop + 1"
		 " FROM chain c JOIN edge e ON e.effect = c.node AND e.kind = 'pipe' %s"
		 " WHERE c.hop < %d) SELECT count(*), max(node) FROM chain",
		 where, HOPS);
	stmt = prepare(db, sql);
	for (unsigned i = 0; i < CHAINS; i++) {
		sqlite3_bind_int64(
			stmt, 1,
			1 + (int64_t)(synth_random(&seed) % (r->nodes.cnt - HOPS * STRIDE - 1)));
		begin = now();
		if (sqlite3_step(stmt) != SQLITE_ROW || sqlite3_column_int(stmt, 0) != HOPS + 1)
			give_up("a chain", "it has not so many hops");
		end = now();
		ret_chains->wall_ns[i] = end.wall_ns - begin.wall_ns;
		ret_chains->cpu_ns[i] = end.cpu_ns - begin.cpu_ns;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	qsort(ret_chains->wall_ns, CHAINS, sizeof(uint64_t), u64_order);
	qsort(ret_chains->cpu_ns, CHAINS, sizeof(uint64_t), u64_order);
}

static void say_rate(const char *what, const struct kp_report *r, struct moment from,
		     struct moment to)
{
	double rows = (double)r->nodes.cnt + r->edges.cnt;

	printf("%s  %.2f M rows/s, %.2f of CPU time\n", what,
	       rows * 1e3 / (double)(to.wall_ns - from.wall_ns),
	       rows * 1e3 / (double)(to.cpu_ns - from.cpu_ns));
}

static void say_chains(const char *what, const struct chains *c)
{
	printf("%s  p50 %.2f ms, p99 %.2f; of CPU time %.2f, %.2f\n", what,
	       (double)c->wall_ns[CHAINS / 2] / 1e6, (double)c->wall_ns[CHAINS * 99 / 100] / 1e6,
	       (double)c->cpu_ns[CHAINS / 2] / 1e6, (double)c->cpu_ns[CHAINS * 99 / 100] / 1e6);
}

int main(int argc, char **argv)
{
	uint32_t nodes = argc > 2 ? (uint32_t)atol(argv[1]) : 10000000;
	uint32_t edges = argc > 2 ? (uint32_t)atol(argv[2]) : 15000000;
	char dir[512], ours[600], peer[600];
	static struct chains chains;
	struct kp_report r;
	struct moment t[4];

	must(nodes > 2 * HOPS * STRIDE && edges >= nodes,
	     "at least 2,042,000 nodes, and no fewer edges");
	snprintf(dir, sizeof(dir), "%s/kprobe-graph.XXXXXX", argc > 3 ? argv[3] : "/var/tmp");
	must(mkdtemp(dir) != NULL, dir);
	snprintf(ours, sizeof(ours), "%s/ours", dir);
	snprintf(peer, sizeof(peer), "%s/peer", dir);
	r = make_graph(nodes, edges);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%u nodes, %u edges\n", r.nodes.cnt, r.edges.cnt);
	t[0] = now();
	save_peer(peer, &r);
	t[1] = now();
	say_rate("saved by the peer ", &r, t[0], t[1]);
	save_ours(ours, &r);
	t[2] = now();
	say_rate("saved by the store", &r, t[1], t[2]);
	printf("saved in %.2f times the peer's time, %.2f times its CPU time\n",
	       (double)(t[2].wall_ns - t[1].wall_ns) / (double)(t[1].wall_ns - t[0].wall_ns),
	       (double)(t[2].cpu_ns - t[1].cpu_ns) / (double)(t[1].cpu_ns - t[0].cpu_ns));
	ask(peer, "", &r, &chains);
	say_chains("a chain of the peer's ", &chains);
	ask(ours, "AND e.incident = 1", &r, &chains);
	say_chains("a chain of the store's", &chains);
	t[2] = now();
	load_ours(ours, &r);
	t[3] = now();
	say_rate("loaded by the store", &r, t[2], t[3]);
	kp_report_done(&r);
	unlink(ours);
	unlink(peer);
	return rmdir(dir);
}
