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

#include "analyze/store.h"
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
		"DROP INDEX edge_by_cause",
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
	};
	struct kp_report r;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		save("x", &first, 61000);
		sql(changes[i]);
		cr_expect_eq(load("x", &first, 1, &r), -EIO, "%s", changes[i]);
		kp_report_done(&r);
	}
}

Test(store, odd_values_become_harmless)
{
	struct kp_buf text = {0};
	struct kp_report r;

	save("x", &first, 61000);
	sql("UPDATE bucket SET kind = 'nonsense', detail = 5, confidence = char(27), via = NULL;"
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
