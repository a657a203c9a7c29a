/* SPDX-License-Identifier: MIT
 * From a walk to a report, through the database and out again; the baseline.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyze/report.h"
#include "analyze/store.h"
#include "stream.h"

#define A 100
#define HOG 200

static struct kp_model m;

/* A runs, waits `wait_us` behind the hog from 10 ms on, and is at a socket before and after. */
static void story(uint64_t wait_us)
{
	cr_assert_eq(kp_model_init(&m), 0);
	FEED(&m, task, 0, KP_CPU_USER, A, .comm = "ledger", .state = 'R');
	FEED(&m, task, 0, KP_CPU_USER, HOG, .comm = "hog \"x\"", .state = 'R');
	sw(&m, 0, 1, 0, 0, A);
	sw(&m, 10000, 1, A, 0, HOG);
	sw(&m, 10000 + wait_us, 1, HOG, 0, A);
	call(&m, 9000, 9100, A, SYS_read, KP_OBJ_tcp, 1);
	call(&m, 10050 + wait_us, 10060 + wait_us, A, SYS_write, KP_OBJ_tcp, 1);
	sw(&m, 300000, 1, A, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
}

static struct kp_report report_of(uint64_t t0, uint64_t t1, uint64_t deadline)
{
	struct kp_report r = {.id = "i'd",
			      .host = "h",
			      .boot_id = "b",
			      .clock_note = "",
			      .run = "r",
			      .t0_ns = t0 * US,
			      .t1_ns = t1 * US,
			      .deadline_realtime_ns = deadline * US,
			      .deadline_ns = deadline * US};
	struct kp_walk w = walk_of(&m, A, t0, t1);

	r.task = kp_report_who(&r, &m, kp_model_task(&m, A, 0), t1 * US);
	cr_assert_eq(kp_report_build(&r, &w), 0);
	kp_walk_done(&w);
	return r;
}

Test(report, the_first_cause_names_the_hog)
{
	story(50000);
	struct kp_report r = report_of(9000, 61000, 15000);
	const struct kp_cause *c = &r.causes.at[0];

	cr_expect_eq(c->kind, KP_B_run_queue);
	cr_expect_eq(c->ns, 50000 * US);
	cr_expect_str_eq(c->text, "run queue on cpu 1 behind hog \"x\" (pid 200)");
	cr_expect_eq(c->end_min_ns, 11000 * US);
	cr_expect_eq(c->end_max_ns, 11000 * US);
	cr_expect_eq(c->met, KP_MET_YES);
	cr_expect_eq(r.causes.at[1].met, KP_MET_NO);
	cr_expect(r.complete);
	kp_report_done(&r);
	kp_model_done(&m);
}

/* A waits behind two threads of one pool; normally behind one of them. */
static void pool_story(uint64_t first_us, uint64_t second_us, const char *second)
{
	struct kp_ev_task thread = {.state = 'R'};

	cr_assert_eq(kp_model_init(&m), 0);
	FEED(&m, task, 0, KP_CPU_USER, A, .comm = "ledger", .state = 'R');
	FEED(&m, task, 0, KP_CPU_USER, HOG, .comm = "batch-1", .state = 'R');
	strcpy(thread.comm, second);
	feed(&m, &thread, KP_EV_task, sizeof(thread), 0, KP_CPU_USER, HOG + 1);
	sw(&m, 0, 1, 0, 0, A);
	sw(&m, 10000, 1, A, 0, HOG);
	sw(&m, 10000 + first_us, 1, HOG, 0, HOG + 1);
	sw(&m, 10000 + first_us + second_us, 1, HOG + 1, 0, A);
	sw(&m, 300000, 1, A, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	m.tasks.at[kp_model_task(&m, HOG + 1, 0)].pid = HOG;
}

Test(report, threads_of_one_role_are_one_cause)
{
	static const struct {
		const char *second;
		uint64_t first_ns;
	} cases[] = {{"batch-22", 50000 * US}, {"logger-2", 30000 * US}};

	for (int i = 0; i < 2; i++) {
		pool_story(20000, 30000, cases[i].second);
		struct kp_report r = report_of(9000, 61000, 15000);
		cr_expect_eq(r.causes.at[0].ns, cases[i].first_ns);
		cr_expect_eq(r.causes.at[0].cause.tid, HOG + 1, "the larger part stands for both");
		cr_expect_eq(r.buckets.at[0].ns, 30000 * US, "a bucket is a thread's own");
		kp_report_done(&r);
		kp_model_done(&m);
	}
}

/* Today one thread of the pool, normally another. */
Test(report, normal_is_compared_by_role)
{
	struct kp_report normal, r;

	pool_story(1000, 30000, "batch-22");
	normal = report_of(9000, 61000, 15000);
	kp_model_done(&m);
	pool_story(31000, 500, "batch-22");
	r = report_of(9000, 61000, 15000);
	kp_model_done(&m);
	cr_assert_eq(kp_report_compare(&r, &normal, 1), 0);
	for (uint32_t i = 0; i < r.causes.cnt; i++)
		if (r.causes.at[i].kind == KP_B_run_queue)
			cr_expect_eq(r.causes.at[i].excess_ns, 500 * (int64_t)US);
	kp_report_done(&normal);
	kp_report_done(&r);
}

static struct kp_report of_disk(const char *comm, uint8_t detail, const char *device, uint64_t ns)
{
	struct kp_report r = {.t1_ns = 10000 * US};
	struct kp_cause cause = {.kind = KP_B_disk,
				 .detail = detail,
				 .ns = ns,
				 .text = "",
				 .cause = {.comm = comm, .key = "device", .value = device}};

	cr_assert_eq(KP_VEC_PUSH(&r.causes, cause), 0);
	return r;
}

/* One sync waits for a request of its own, the next for one of the journal's. */
Test(report, normal_time_of_a_disk_is_whoever_s)
{
	static const struct {
		const char *device;
		int64_t excess_ns;
	} cases[] = {{"7:0", 500 * US}, {"7:1", 2500 * US}};

	for (int i = 0; i < 2; i++) {
		struct kp_report r =
			of_disk("jbd2/loop0-8", KP_D_flush, cases[i].device, 2500 * US);
		struct kp_report normal = of_disk("ledger", KP_D_none, "7:0", 2000 * US);

		cr_assert_eq(kp_report_compare(&r, &normal, 1), 0);
		cr_expect_eq(r.causes.at[0].excess_ns, cases[i].excess_ns);
		kp_report_done(&normal);
		kp_report_done(&r);
	}
}

Test(report, baseline_ranks_by_excess)
{
	struct kp_report normal[5];

	for (int i = 0; i < 5; i++) {
		story(100);
		normal[i] = report_of(9000, 61000, 0); /* 51.9 ms of its own, 0.1 of the hog */
		kp_model_done(&m);
	}
	story(5000);
	struct kp_report r = report_of(9000, 66000, 0);
	cr_expect_eq(r.causes.at[0].kind, KP_B_on_cpu, "without a baseline: by its length");
	cr_assert_eq(kp_report_compare(&r, normal, 5), 0);
	cr_expect_eq(r.baseline_ns, 52000 * US);
	cr_expect_eq(r.causes.at[0].kind, KP_B_run_queue);
	cr_expect_eq(r.causes.at[0].excess_ns, 4900 * (int64_t)US);
	cr_expect_float_eq(r.causes.at[0].percent, 98.0, 0.01); /* 4.9 of 5 */
	for (int i = 0; i < 5; i++)
		kp_report_done(&normal[i]);
	kp_report_done(&r);
	kp_model_done(&m);
}

Test(report, shares_of_what_is_as_long_as_normal)
{
	struct kp_report normal[5];

	for (int i = 0; i < 5; i++) {
		story(100);
		normal[i] = report_of(9000, 61000, 0);
		kp_model_done(&m);
	}
	story(5000);
	struct kp_report r = report_of(9000, 61001, 0); /* a microsecond above */
	cr_assert_eq(kp_report_compare(&r, normal, 5), 0);
	cr_expect_eq(r.causes.at[0].kind, KP_B_run_queue);
	cr_expect_float_eq(r.causes.at[0].percent, 100.0, 0.01, "%f", r.causes.at[0].percent);
	cr_expect_float_eq(r.causes.at[1].percent, 0.0, 0.01, "below normal");
	for (int i = 0; i < 5; i++)
		kp_report_done(&normal[i]);
	kp_report_done(&r);
	kp_model_done(&m);
}
