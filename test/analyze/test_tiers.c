/* SPDX-License-Identifier: MIT
 * Logs whose tier changes: what was recorded when, and that nothing is surer than that.
 */
#include <sys/syscall.h>

#include "analyze/report.h"
#include "analyze/rules.h"
#include "stream.h"

#define S KP_TASK_INTERRUPTIBLE
#define D KP_TASK_UNINTERRUPTIBLE
#define A 100
#define B 200

static struct kp_model m;

static void begin(void)
{
	cr_assert_eq(kp_model_init(&m), 0);
	sw(&m, 0, 0, 0, 0, A);
	sw(&m, 0, 1, 0, 0, 0);
}

static void tier(uint64_t us, enum kp_tier before, enum kp_tier now)
{
	FEED(&m, tier, us, KP_CPU_USER, 0, .tier = now, .before = before,
	     .why = before == now ? KP_TIER_WHY_same : KP_TIER_WHY_over);
}

static struct kp_walk finish(uint64_t t0, uint64_t t1)
{
	sw(&m, 100000, 0, A, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	return walk_of(&m, A, t0, t1);
}

static void done(struct kp_walk *w)
{
	kp_walk_done(w);
	kp_model_done(&m);
}

static struct kp_report report_of(const struct kp_walk *w, uint64_t t0, uint64_t t1)
{
	struct kp_report r = {.id = "i",
			      .host = "h",
			      .boot_id = "b",
			      .clock_note = "",
			      .run = "r",
			      .t0_ns = t0 * US,
			      .t1_ns = t1 * US};

	r.task = kp_report_who(&r, &m, kp_model_task(&m, A, 0), t1 * US);
	cr_assert_eq(kp_report_build(&r, w), 0);
	return r;
}

Test(tiers, a_report_names_them_in_their_order)
{
	static const struct {
		uint64_t from, to;
		const char *recorded;
	} windows[] = {{0, 900, "calls"},
		       {500, 1500, "calls,waits"},
		       {1200, 1900, "waits"},
		       {1500, 10000, "waits,calls,switches"}};

	for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		begin();
		tier(10, KP_TIER_calls, KP_TIER_calls);
		tier(1000, KP_TIER_calls, KP_TIER_waits);
		tier(1100, KP_TIER_waits, KP_TIER_waits);
		tier(2000, KP_TIER_waits, KP_TIER_calls);
		tier(3000, KP_TIER_calls, KP_TIER_switches);
		struct kp_walk w = finish(windows[i].from, windows[i].to);
		struct kp_report r = report_of(&w, windows[i].from, windows[i].to);

		cr_expect_str_eq(r.recorded, windows[i].recorded);
		kp_report_done(&r);
		done(&w);
	}
}

Test(tiers, what_was_left_out_stands_behind_them)
{
	begin();
	FEED(&m, tier, 10, KP_CPU_USER, 0, .tier = KP_TIER_waits,
	     .groups = KP_GROUPS_DEFAULT & ~(1u << KP_GROUP_tcp | 1u << KP_GROUP_irq));
	FEED(&m, tier, 500, KP_CPU_USER, 0, .tier = KP_TIER_waits,
	     .groups = KP_GROUPS_DEFAULT | KP_GROUPS_ASKED);
	struct kp_walk w = finish(0, 900);
	struct kp_report r = report_of(&w, 0, 900);

	cr_expect_str_eq(r.recorded, "waits without irq tcp,waits");
	kp_report_done(&r);
	done(&w);
}

/* The log's first word of it may be a change. */
Test(tiers, before_the_first_change)
{
	begin();
	tier(1000, KP_TIER_calls, KP_TIER_waits);
	struct kp_walk w = finish(0, 10000);
	cr_assert_eq(m.tiers.cnt, 2);
	cr_expect_eq(m.tiers.at[0].tier, KP_TIER_calls);
	cr_expect_eq(m.tiers.at[1].t_ns, 1000 * US);
	cr_expect(kp_model_tells_calls(&m, 100 * US, 900 * US));
	cr_expect_not(kp_model_tells_calls(&m, 900 * US, 1100 * US), "no record and no wait");
	cr_expect(kp_model_tells_calls(&m, 1000 * US, 1100 * US));
	done(&w);
}

/* Tells how A's wait from 2 to 8 ms, with a major fault, is explained. */
static void fault_in(enum kp_tier before, enum kp_tier now, uint64_t change_us, char *ret_rule,
		     char *ret_confidence)
{
	begin();
	tier(0, before, before);
	tier(change_us, before, now);
	FEED(&m, sched_switch, 500, 0, A, .prev_maj_flt = 4);
	sw(&m, 500, 0, 0, 0, A);
	FEED(&m, sched_switch, 2000, 0, A, .prev_state = D, .prev_maj_flt = 4);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	FEED(&m, sched_switch, 9000, 0, A, .prev_maj_flt = 5);
	sw(&m, 9000, 0, 0, 0, A);
	struct kp_walk w = finish(2000, 8000);
	cr_assert_gt(w.pieces.cnt, 0);
	strcpy(ret_rule,
	       w.waits.cnt ? w.waits.at[0].rule->name : kp_bucket_name(w.pieces.at[0].kind));
	*ret_confidence = w.waits.cnt ? w.waits.at[0].confidence : w.pieces.at[0].confidence;
	done(&w);
}

/* That a task was in no call is known only where its call would have been told. */
Test(tiers, no_call_is_evidence_only_where_calls_are_told)
{
	char rule[32], confidence;

	fault_in(KP_TIER_waits, KP_TIER_waits, 1, rule, &confidence);
	cr_expect_str_eq(rule, "fault");
	cr_expect_eq(confidence, 'A');
	fault_in(KP_TIER_waits, KP_TIER_calls, 4000, rule, &confidence);
	cr_expect_str_eq(rule, "fault");
	fault_in(KP_TIER_calls, KP_TIER_waits, 4000, rule, &confidence);
	cr_expect_str_eq(rule, "kernel");
	cr_expect_eq(confidence, 'C');
	fault_in(KP_TIER_switches, KP_TIER_switches, 1, rule, &confidence);
	cr_expect_str_eq(rule, "kernel");
	cr_expect_eq(confidence, 'C');
}

Test(tiers, a_call_of_one_tier_that_ends_in_the_other)
{
	begin();
	tier(0, KP_TIER_waits, KP_TIER_waits);
	tier(3000, KP_TIER_waits, KP_TIER_calls);
	wait_in(&m, 1000, A, SYS_read, KP_OBJ_pipe, 0);
	FEED(&m, sched_waking, 8000, 1, B, .target_pid = A, .target_tid = A, .nr = KP_NR_NONE);
	call(&m, 7900, 8100, B, SYS_write, KP_OBJ_pipe, 0);
	sw(&m, 8000, 0, 0, 0, A);
	FEED(&m, syscall, 8010, 0, A, .entry_ns = 8010 * US, .nr = SYS_read, .obj = KP_OBJ_pipe,
	     .flags = KP_SYSF_NOENTRY);
	struct kp_walk w = finish(0, 10000);
	cr_assert_eq(w.waits.cnt, 1);
	cr_expect_str_eq(w.waits.at[0].rule->name, "pipe");
	cr_expect_eq(w.waits.at[0].confidence, 'A');
	cr_expect_eq(w.waits.at[0].call->nr, SYS_read);
	done(&w);
}

Test(tiers, where_no_switches_are_recorded_nothing_is_known)
{
	begin();
	tier(0, KP_TIER_switches, KP_TIER_switches);
	tier(3000, KP_TIER_switches, KP_TIER_none);
	tier(6000, KP_TIER_none, KP_TIER_switches);
	sw(&m, 7000, 0, A, S, 0);
	wake_irq(&m, 9000, 0, 0, A, KP_CTX_HARDIRQ | KP_CTX_TIMER, 9000 * US);
	sw(&m, 9000, 0, 0, 0, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), (3000 + 1000 + 1000) * US);
	cr_expect_eq(spent(&w, KP_B_unknown, A) + spent(&w, KP_B_unknown, 0), 3000 * US);
	struct kp_report r = report_of(&w, 0, 10000);
	cr_expect_str_eq(r.recorded, "switches,none,switches");
	cr_expect_not(r.complete);
	kp_report_done(&r);
	done(&w);
}
