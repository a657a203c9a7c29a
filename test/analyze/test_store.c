/* SPDX-License-Identifier: MIT
 * The database of incidents: what comes back, and what a stranger's may not do.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyze/edition.h"
#include "analyze/store.h"
#include "analyze/tables.h"
#include "stream.h"

#define HOG 200
#define A 100

static char dir[] = "/tmp/kprobe-test-db.XXXXXX";
static char path[PATH_MAX];
static struct kp_model m;
static struct kp_err err;
static const struct kp_log_run first = {.id = "first"}, second = {.id = "second"};

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	cr_assert_eq(kp_model_init(&m), 0);
	FEED(&m, task_rename, 0, 0, 1, .target_tid = A, .comm = "victim");
	FEED(&m, task_rename, 0, 0, 1, .target_tid = HOG, .comm = "hog \"x\"");
	sw(&m, 0, 1, 0, 0, A);
	sw(&m, 10000, 1, A, 0, HOG);
	sw(&m, 60000, 1, HOG, 0, A);
	sw(&m, 300000, 1, A, 0, 0);
	FEED(&m, lost, 400000, KP_CPU_USER, 0, .from_ns = 1, .to_ns = 20000 * US, .count = 3,
	     .lost_group = KP_GROUP_block, .lost_cpu = 1);
	cr_assert_eq(kp_model_finish(&m), 0);
}

static void teardown(void)
{
	kp_model_done(&m);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(store, .init = setup, .fini = teardown);

static struct kp_report report_of(const char *id, const struct kp_log_run *run, uint64_t t1)
{
	struct kp_report r = {.id = id,
			      .run = run->id,
			      .host = "h",
			      .boot_id = "b",
			      .clock_note = "the clock was set",
			      .asked = {.pid = A, .traces = "t", .traces_sum = 7},
			      .t0_ns = 9000 * US,
			      .t1_ns = t1 * US,
			      .deadline_realtime_ns = 70000 * US,
			      .deadline_ns = 70000 * US};
	struct kp_report_span span = {"t",        "s", "p", "n\"", "svc", 5,
				      1ull << 62, 1,   2,   'B',   "why", true};
	struct kp_walk w = walk_of(&m, A, 9000, t1);

	r.task = kp_report_who(&r, &m, kp_model_task(&m, A, 0), t1 * US);
	cr_assert_eq(kp_report_build(&r, &w), 0);
	cr_assert_eq(KP_VEC_PUSH(&r.spans, span), 0);
	kp_walk_done(&w);
	return r;
}

static struct kp_store *open_store(bool create)
{
	struct kp_store *store = NULL;

	cr_assert_eq(kp_store_open(path, create, &store, &err), 0, "%s", err.text);
	return store;
}

static void save(const char *id, const struct kp_log_run *run, uint64_t t1)
{
	struct kp_store *store = open_store(true);
	struct kp_report r = report_of(id, run, t1);

	cr_assert_eq(kp_store_save(store, &r, &err), 0, "%s", err.text);
	kp_report_done(&r);
	kp_store_free(store);
}

static int load(const char *id, const struct kp_log_run *runs, size_t n, struct kp_report *r)
{
	struct kp_store *store = open_store(false);
	int code = kp_store_load(store, id, runs, n, r, &err);

	kp_store_free(store);
	return code;
}

Test(store, a_report_comes_back_as_it_went_in)
{
	struct kp_buf before = {0}, after = {0};
	struct kp_report r = report_of("i'd", &first, 61000), again;

	cr_expect_not(r.complete);
	kp_report_json(&r, false, &before);
	save("i'd", &first, 61000);
	save("i'd", &first, 61000); /* replaced */
	cr_assert_eq(load("i'd", &first, 1, &again), 0, "%s", err.text);
	kp_report_json(&again, false, &after);
	cr_expect_str_eq(after.data, before.data);
	cr_expect_str_eq(again.run, "first");
	cr_expect_eq(again.asked.pid, A);
	cr_expect_str_eq(again.asked.traces, "t");
	cr_expect_eq(again.asked.traces_sum, 7);
	cr_expect_null(again.asked.trace);
	cr_expect_geq(again.nodes.cnt, 3, "the window and its steps");
	cr_expect_eq(again.edges.cnt, again.nodes.cnt - 1);
	kp_report_done(&again);
	cr_expect_eq(load("other", &first, 1, &again), -ENOENT);
	kp_report_done(&again);
	kp_report_done(&r);
	kp_buf_done(&before);
	kp_buf_done(&after);
}

Test(store, one_id_in_two_runs_is_two_incidents)
{
	const struct kp_log_run both[] = {first, second}, other = {.id = "other"};
	struct kp_store *store;
	struct kp_buf list = {0};
	struct kp_report r;

	save("x", &second, 30000);
	save("x", &first, 61000);
	cr_assert_eq(load("x", &first, 1, &r), 0);
	cr_expect_eq(r.t1_ns, 61000 * US);
	kp_report_done(&r);
	cr_assert_eq(load("x", both, 2, &r), 0);
	cr_expect_eq(r.t1_ns, 30000 * US, "the newest run's");
	kp_report_done(&r);
	cr_expect_eq(load("x", &other, 1, &r), -ENOENT);
	kp_report_done(&r);
	cr_expect_eq(load("x", NULL, 0, &r), -EEXIST);
	kp_report_done(&r);
	store = open_store(false);
	cr_expect_eq(kp_store_list(store, &second, 1, true, &list, &err), 0);
	cr_expect(strstr(list.data, "\"run\":\"second\""));
	cr_expect_eq(strchr(list.data, '\n'), list.data + list.len - 1, "one line");
	kp_buf_reset(&list);
	cr_expect_eq(kp_store_list(store, NULL, 0, false, &list, &err), 0);
	cr_expect_eq(strchr(strchr(list.data, '\n') + 1, '\n'), list.data + list.len - 1,
		     "two lines");
	kp_store_free(store);
	kp_buf_done(&list);
}

/* --- a stranger's --- */

static void sql(const char *statements)
{
	sqlite3 *db;
	char *text = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, statements, NULL, NULL, &text), SQLITE_OK, "%s: %s",
		     statements, text);
	sqlite3_close(db);
}

static uint32_t bytes_of(const char *name, char *buf, size_t len)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, buf, len);

	close(fd);
	return n < 0 ? 0 : (uint32_t)n;
}

/* It is refused by name, whether to be read or written, and not a byte of it changes. */
static void refused(const char *what)
{
	static char before[1 << 20], after[1 << 20];
	uint32_t len = bytes_of(path, before, sizeof(before));
	struct kp_store *store;

	for (int create = 0; create < 2; create++) {
		err.text[0] = '\0';
		cr_expect_eq(kp_store_open(path, create, &store, &err), -EIO, "%s", what);
		cr_expect(strstr(err.text, path) && strstr(err.text, "--db"), "%s: %s", what,
			  err.text);
		cr_expect(bytes_of(path, after, sizeof(after)) == len &&
				  memcmp(before, after, len) == 0,
			  "%s: it was changed", what);
	}
}

Test(store, other_databases_are_left_alone)
{
	int fd;

	sql("CREATE TABLE mine(x)");
	refused("someone's");
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert_eq(write(fd, "not a database, but someone's text", 34), 34);
	close(fd);
	refused("a text");
}

Test(store, nothing_beside_the_tables_is_taken)
{
	static const char *const more[] = {
		"DROP TABLE cause; CREATE VIEW cause AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
		"SELECT i + 1 FROM n) SELECT i AS incident FROM n",
		"CREATE TRIGGER t AFTER INSERT ON incident BEGIN DELETE FROM bucket; END",
		"CREATE VIEW v AS SELECT 1",
		"CREATE TABLE more(x)",
		"CREATE INDEX i ON bucket(ns * 2)",
		"ALTER TABLE bucket ADD COLUMN g AS (zeroblob(1000000))",
		"DROP INDEX edge_by_effect",
		"ANALYZE",
		"PRAGMA user_version = 1",
		"PRAGMA application_id = 1",
		"PRAGMA journal_mode = wal",
	};

	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++) {
		save("x", &first, 61000);
		sql(more[i]);
		refused(more[i]);
		unlink(path);
	}
}

Test(store, a_later_versions_is_left_alone)
{
	char mark[64];

	save("x", &first, 61000);
	snprintf(mark, sizeof(mark), "PRAGMA user_version = %u", KP_EDITION + 1);
	sql(mark);
	refused("a later version's");
	cr_expect(strstr(err.text, "later version"), "%s", err.text);
}

/* A journal beside it is not played back into it before it is known to be ours. */
Test(store, a_journal_beside_another_database_is_left_alone)
{
	char journal[PATH_MAX + 16];
	sqlite3 *db;
	pid_t pid;

	sql("CREATE TABLE mine(x); INSERT INTO mine VALUES (zeroblob(100000)), (zeroblob(100000));"
	    "PRAGMA application_id = 0x6b70726f; PRAGMA user_version = 2");
	pid = fork();
	if (pid == 0) { /* it dies in the middle of its work */
		sqlite3_open(path, &db);
		sqlite3_exec(db,
			     "PRAGMA cache_size = 1; BEGIN; UPDATE mine SET x = randomblob(99999)",
			     NULL, NULL, NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	cr_assert_eq(access(journal, F_OK), 0);
	refused("another with a journal");
	cr_expect_eq(access(journal, F_OK), 0);
}

Test(store, links_and_what_is_no_file)
{
	struct kp_store *store;
	char real[PATH_MAX + 8];

	save("x", &first, 61000);
	snprintf(real, sizeof(real), "%s.real", path);
	cr_assert_eq(rename(path, real), 0);
	cr_assert_eq(symlink(real, path), 0);
	cr_expect_eq(kp_store_open(path, false, &store, &err), -ELOOP);
	cr_expect_eq(kp_store_open(path, true, &store, &err), -ELOOP);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_lt(kp_store_open(path, true, &store, &err), 0);
	unlink(path);
	cr_expect_eq(kp_store_open(path, false, &store, &err), -ENOENT);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	cr_expect_eq(kp_store_open(path, false, &store, &err), -ENOENT, "empty");
	kp_store_free(open_store(true));
}

Test(store, what_does_not_add_up_is_refused)
{
	static const char *const changes[] = {
		"UPDATE bucket SET ns = ns + 1 WHERE seq = 0",
		"UPDATE bucket SET ns = -1",
		"DELETE FROM bucket",
		"UPDATE incident SET t0_ns = t1_ns + 1",
		"UPDATE incident SET t1_ns = -1",
		"UPDATE path SET t1_ns = 0 WHERE seq = 0",
		"DELETE FROM path WHERE seq = 1",
		"UPDATE cause SET excess_ns = (-9223372036854775807 - 1)",
		"UPDATE cause SET end_min_ns = 0",
		"UPDATE cause SET ns = 'text'||ns, end_max_ns = 1",
		"UPDATE cause SET rank = rank + 100",
		"DELETE FROM bucket; INSERT INTO bucket(incident, seq, ns) SELECT nr, 7, t1_ns - "
		"t0_ns"
		" FROM incident",
		"UPDATE edge SET effect = cause WHERE cause = 1",
		"UPDATE edge SET effect = 2 WHERE cause = 1",
		"UPDATE edge SET effect = -1",
		"UPDATE edge SET cause = 1000000 WHERE cause = 1",
		"UPDATE path SET node = 1000000",
		"DELETE FROM node",
		"DELETE FROM node WHERE id = 1",
		"INSERT INTO event(incident, seq, node) SELECT nr, 0, 1000000 FROM incident",
	};
	struct kp_report r;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		save("x", &first, 61000);
		sql(changes[i]);
		cr_expect_eq(load("x", &first, 1, &r), -EIO, "%s", changes[i]);
		kp_report_done(&r);
	}
}

/* Its number is given again. */
Test(store, an_incident_that_was_removed_by_hand)
{
	struct kp_report r;

	save("x", &first, 61000);
	sql("DELETE FROM incident");
	cr_expect_eq(load("x", &first, 1, &r), -ENOENT);
	kp_report_done(&r);
	save("y", &first, 30000);
	cr_assert_eq(load("y", &first, 1, &r), 0, "%s", err.text);
	cr_expect_eq(r.t1_ns, 30000 * US);
	kp_report_done(&r);
}

Test(store, odd_values_become_harmless)
{
	struct kp_buf text = {0};
	struct kp_report r;

	save("x", &first, 61000);
	sql("UPDATE bucket SET kind = 'nonsense', detail = 5, confidence = char(27), via = NULL;"
	    "INSERT INTO event(incident, seq, node, role, kind, cpu, time_ns, object) SELECT nr, "
	    "0, 1,"
	    " 'nonsense', 7, 'x', -1, char(27, 10) || '9999999999.999999999' FROM incident;"
	    "INSERT INTO event(incident, seq, node, role) SELECT nr, 1, 1, 'queued' FROM incident;"
	    "UPDATE node SET kind = NULL, value = x'00'; UPDATE edge SET kind = 5, confidence = "
	    "'E';"
	    "UPDATE cause SET kind = NULL, confidence = 'AB', deadline_met = -5, percent = 9e999;"
	    "UPDATE incident SET comm = x'ff00', host = NULL, join_confidence = 'Z'");
	cr_assert_eq(load("x", &first, 1, &r), 0, "%s", err.text);
	cr_expect_eq(r.buckets.at[0].kind, KP_B_unknown);
	cr_expect_eq(r.buckets.at[0].confidence, 'D');
	cr_expect_eq(r.causes.at[0].confidence, 'D');
	kp_report_text(&r, false, &text);
	kp_report_json(&r, true, &text);
	cr_expect_null(strchr(text.data, '\033'));
	kp_report_done(&r);
	kp_buf_done(&text);
}

/* Texts may be long, but not longer together than the file. */
Test(store, long_texts_come_back)
{
	struct kp_report r;

	save("x", &first, 61000);
	sql("PRAGMA page_size = 512; VACUUM; UPDATE node SET kind = printf('%.*c', 100000, 'k');"
	    "UPDATE node SET value = printf('%.*c', 100000, 'v')");
	cr_assert_eq(load("x", &first, 1, &r), 0, "%s", err.text);
	cr_expect_eq(strlen(r.nodes.at[1].kind), 100000);
	kp_report_done(&r);
}

/* --- of earlier versions --- */

#define GOLDEN KP_SOURCE_DIR "/test/analyze/golden/"

static void take_golden(unsigned edition)
{
	static char bytes[1 << 20];
	char name[PATH_MAX];
	uint32_t len;
	int fd;

	snprintf(name, sizeof(name), GOLDEN "edition%u.db", edition);
	len = bytes_of(name, bytes, sizeof(bytes));
	cr_assert_gt(len, 0, "%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* All that is found by its id; to be freed. */
static struct kp_buf all_of(const char *id)
{
	struct kp_buf out = {0};
	struct kp_report r;

	cr_assert_eq(load(id, NULL, 0, &r), 0, "%s", err.text);
	kp_report_text(&r, false, &out);
	kp_report_json(&r, false, &out);
	kp_report_done(&r);
	return out;
}

static unsigned edition_of_file(void)
{
	unsigned edition;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	edition = kp_edition_of(db);
	sqlite3_close(db);
	return edition;
}

/* The present one stands among them, so that what changes it has to be a new edition. */
Test(store, every_edition_is_brought_to_the_present_one)
{
	static const char *const said[] = {
		"INCIDENT 4007  span pay  trace af765191  python3 (pid 17846) on vm  16.935 ms",
		"computing in python3 (pid 17888), via pipe 12.5 ms (12.3 ms above normal)  74%  B",
		"      woken from write from +16.915637 ms to +16.924082 ms on inode 548122\n",
		"write 0xffff8881025dd380 of 4096 bytes at sector 107762784, queued "
		"2617.791658043, "
		"issued 2617.791659243, completed 2617.791760188",
		"on_cpu 12610294 + run_queue 4170380 + disk 154591 = 16935265 ns",
	};
	struct kp_buf text, again;

	for (unsigned edition = KP_EDITION_FIRST; edition <= KP_EDITION; edition++) {
		take_golden(edition);
		cr_expect_eq(edition_of_file(), edition, "its rows in tables.def were changed");
		text = all_of("4007");
		for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
			cr_expect(strstr(text.data, said[i]), "edition %u: no '%s' in %s", edition,
				  said[i], text.data);
		/* A column that it did not have. */
		cr_expect_eq(!strstr(text.data, "\"recorded\":\"waits\""), edition < 3);
		cr_expect_eq(!strstr(text.data, "python3.11"), edition < 4);
		/* It is the present one now, and a new incident goes into it. */
		again = all_of("4007");
		cr_expect_str_eq(again.data, text.data);
		save("new", &first, 61000);
		kp_buf_done(&again);
		again = all_of("4007");
		cr_expect_str_eq(again.data, text.data);
		kp_buf_done(&again);
		kp_buf_done(&text);
	}
}

/* Rows in the file, by table. */
static void count_rows(int64_t counts[16])
{
	struct kp_buf query = {0};
	sqlite3_stmt *stmt;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	for (const struct kp_table *t = kp_tables; t->name; t++) {
		kp_buf_reset(&query);
		kp_buf_printf(&query, "SELECT count(*) FROM %s", t->name);
		cr_assert_eq(sqlite3_prepare_v2(db, query.data, -1, &stmt, NULL), SQLITE_OK);
		cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
		counts[t - kp_tables] = sqlite3_column_int64(stmt, 0);
		sqlite3_finalize(stmt);
	}
	sqlite3_close(db);
	kp_buf_done(&query);
}

Test(store, an_incident_that_was_removed_by_hand_before)
{
	struct kp_report r;
	struct kp_buf text;

	take_golden(4);
	sql("DELETE FROM incident WHERE id = '4003'");
	text = all_of("4007");
	cr_expect_eq(load("4003", NULL, 0, &r), -ENOENT);
	kp_report_done(&r);
	kp_buf_done(&text);
}

Test(store, no_row_is_lost_on_the_way)
{
	int64_t before[16], after[16], edges = 0;

	for (unsigned edition = KP_EDITION_FIRST; edition < KP_EDITION; edition++) {
		take_golden(edition);
		sql("CREATE TABLE event(x)"); /* to be counted, too */
		count_rows(before);
		sql("DROP TABLE event");
		kp_store_free(open_store(false));
		count_rows(after);
		for (const struct kp_table *t = kp_tables; t->name; t++) {
			if (!strcmp(t->name, "edge"))
				edges = after[t - kp_tables];
			if (!strcmp(t->name, "event"))
				cr_expect_eq(after[t - kp_tables], edges,
					     "its words for each edge");
			else
				cr_expect_eq(after[t - kp_tables], before[t - kp_tables], "%s",
					     t->name);
		}
		cr_expect_gt(edges, 50);
	}
}

/* Who died in the middle of a change of the reader's own leaves a journal, which undoes it. */
Test(store, a_change_of_ones_own_that_did_not_end)
{
	char own[PATH_MAX + 32], journal[PATH_MAX + 48];
	struct kp_store *store;
	struct kp_report r;
	sqlite3 *db;
	pid_t pid;

	setenv("XDG_STATE_HOME", dir, 1);
	cr_assert_eq(kp_store_open(NULL, true, &store, &err), 0, "%s", err.text);
	kp_store_free(store);
	snprintf(own, sizeof(own), "%s/kprobe/incidents.db", dir);
	take_golden(4);
	cr_assert_eq(rename(path, own), 0);
	pid = fork();
	if (pid == 0) {
		sqlite3_open(own, &db);
		sqlite3_exec(db,
			     "PRAGMA cache_size = 1; BEGIN; ALTER TABLE path RENAME TO old_path;"
			     "CREATE TABLE path(x); UPDATE node SET value = zeroblob(9999)",
			     NULL, NULL, NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	snprintf(journal, sizeof(journal), "%s-journal", own);
	cr_assert_eq(access(journal, F_OK), 0);
	cr_assert_eq(kp_store_open(NULL, false, &store, &err), 0, "%s", err.text);
	cr_expect_eq(kp_store_load(store, "4007", NULL, 0, &r, &err), 0, "%s", err.text);
	kp_report_done(&r);
	kp_store_free(store);
}

/* What one of its rows does not allow is told, and the file stays as it was. */
Test(store, an_earlier_edition_that_cannot_be_taken_stays)
{
	static const char *const changes[] = {
		"UPDATE edge SET cause = 1, effect = 0, kind = 'x' WHERE incident = '4003'",
		"UPDATE edge SET cause = NULL",
	};
	static char before[1 << 20], after[1 << 20];
	struct kp_store *store;
	uint32_t len;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		take_golden(4);
		sql(changes[i]);
		len = bytes_of(path, before, sizeof(before));
		for (int create = 0; create < 2; create++) {
			cr_expect_eq(kp_store_open(path, create, &store, &err), -EIO, "%s",
				     changes[i]);
			cr_expect(strstr(err.text, path) && strstr(err.text, "constraint failed"),
				  "%s", err.text);
			cr_expect(bytes_of(path, after, sizeof(after)) == len &&
					  memcmp(before, after, len) == 0,
				  "%s: it was changed", changes[i]);
		}
	}
	take_golden(4);
	sql("CREATE TRIGGER t AFTER INSERT ON incident BEGIN DELETE FROM bucket; END");
	refused("an earlier edition with more");
	take_golden(4);
	cr_assert_eq(truncate(path, 40000), 0);
	cr_expect_eq(kp_store_open(path, true, &store, &err), -EIO, "torn");
}

/* Who may only read it still does. */
Test(store, an_earlier_edition_that_cannot_be_written)
{
	static char before[1 << 20], after[1 << 20];
	struct kp_buf text;
	uint32_t len;

	if (geteuid() != 0)
		cr_skip("only root becomes somebody else");
	take_golden(2);
	cr_assert_eq(chmod(path, 0644), 0);
	cr_assert_eq(chmod(dir, 0755), 0);
	len = bytes_of(path, before, sizeof(before));
	cr_assert_eq(seteuid(65534), 0);
	text = all_of("4007");
	cr_expect(strstr(text.data, "INCIDENT 4007"), "%s", text.data);
	cr_assert_eq(seteuid(0), 0);
	cr_expect(bytes_of(path, after, sizeof(after)) == len && memcmp(before, after, len) == 0);
	kp_buf_done(&text);
}

/* --- the reader's own --- */

Test(store, the_readers_own_is_his_alone)
{
	struct kp_store *store;
	struct stat st;
	char own[PATH_MAX + 32];

	setenv("XDG_STATE_HOME", dir, 1);
	cr_expect_eq(kp_store_open(NULL, false, &store, &err), -ENOENT);
	umask(0);
	cr_assert_eq(kp_store_open(NULL, true, &store, &err), 0, "%s", err.text);
	kp_store_free(store);
	snprintf(own, sizeof(own), "%s/kprobe/incidents.db", dir);
	cr_assert_eq(stat(own, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(chmod(own, 0644), 0);
	cr_assert_eq(kp_store_open(NULL, false, &store, &err), 0, "%s", err.text);
	kp_store_free(store);
	cr_assert_eq(stat(own, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600, "taken away from others");
	snprintf(own, sizeof(own), "%s/kprobe", dir);
	cr_assert_eq(stat(own, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(chmod(own, 0777), 0);
	cr_expect_eq(kp_store_open(NULL, true, &store, &err), -EPERM);
	cr_expect(strstr(err.text, "chmod 700"), "%s", err.text);
}
