/* SPDX-License-Identifier: MIT
 * What a log does not tell: losses, gaps, the time outside of it.
 */
#include "story.h"

static void lost(uint64_t from, uint64_t to, uint32_t cpu)
{
	FEED(&m, lost, to, KP_CPU_USER, 0, .from_ns = from * US, .to_ns = to * US, .count = 2,
	     .lost_group = KP_GROUP_sched, .lost_cpu = cpu);
}

Test(rules, lost_events_are_never_bridged)
{
	begin();
	sw(&m, 500, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	lost(3000, 5000, 0);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_read, KP_OBJ_pipe, 1);
	sw(&m, 9000, 1, B, 0, B);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 2000 * US);
	cr_expect_eq(spent(&w, KP_B_blocked, 0), 2000 * US, "what ended it before the hole?");
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 3000 * US, "state at the hole's end is certain");
	done(&w);
}

/* A woken task names the CPU where it ran last: had it run where the hole is, it would be that. */
Test(rules, a_hole_is_one_cpus)
{
	begin();
	sw(&m, 500, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	lost(3000, 5000, 1);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_read, KP_OBJ_pipe, 1);
	sw(&m, 9000, 1, B, 0, B);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 2000 * US, "what B did in the hole of its CPU");
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 5000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 3000 * US);
	done(&w);
}

Test(rules, a_hole_ends_when_the_task_is_seen)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	lost(3000, 5000, 0);
	sw(&m, 7000, 1, 0, 0, A); /* who woke it is lost */
	sw(&m, 9000, 1, A, S, 0);
	wake(&m, 20000, 0, 0, A, 1);
	sw(&m, 20000, 1, 0, 0, A);
	struct kp_walk w = finish(0, 30000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 4000 * US, "until it runs");
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 13000 * US);
	done(&w);
}

static const struct kp_loss *only_gap(void)
{
	cr_assert_eq(m.gaps.cnt, 1);
	return &m.gaps.at[0];
}

/* The kernel did not say that A left its CPU: it slept, and is not taken to have computed. */
Test(rules, a_sleeper_is_not_computing)
{
	begin();
	sw(&m, 500, 1, 0, 0, 0);
	sw(&m, 3585000, 0, B, S, 0); /* B leaves, and never came */
	wake(&m, 3600000, 0, 0, A, 0);
	sw(&m, 3600000, 0, 0, 0, A);
	sw(&m, 3601000, 0, A, S, 0);
	struct kp_walk w = walk_of(&m, A, 0, 3601000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 1000 * US);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 3600000 * US);
	cr_expect_eq(w.pieces.at[0].detail, KP_D_lost);
	cr_expect_eq(w.pieces.at[0].confidence, 'D');
	cr_expect_eq(only_gap()->from_ns, 0);
	cr_expect_eq(only_gap()->to_ns, 3585000 * US);
	kp_walk_done(&w);
	w = walk_of(&m, B, 1000, 3585000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 3584000 * US, "nor is it told since when B ran");
	done(&w);
}

/* In the gap nobody is known to have had the CPU. */
Test(rules, nobody_is_blamed_in_a_gap)
{
	begin();
	sw(&m, 1000, 0, A, 0, B);
	sw(&m, 9000, 0, C, S, A); /* C came unseen: B may have left at once */
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_run_queue, B), 0);
	cr_expect_eq(spent(&w, KP_B_run_queue, 0), 8000 * US);
	cr_expect_eq(find(&w, KP_B_run_queue)->confidence, 'C');
	cr_expect_eq(only_gap()->cpu, 0);
	done(&w);
}

/* A counted loss says since when a gap can be: up to it who came last had the CPU. */
Test(rules, a_gap_begins_with_the_loss)
{
	begin();
	sw(&m, 1000, 0, A, 0, B);
	lost(7000, 7000, 0); /* B leaves for C */
	sw(&m, 9000, 0, C, S, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_run_queue, B), 6000 * US);
	cr_expect_eq(spent(&w, KP_B_run_queue, C), 2000 * US - 1, "who left it first had it");
	cr_expect_eq(only_gap()->from_ns, 7000 * US);
	kp_walk_done(&w);
	w = walk_of(&m, B, 2000, 9000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 5000 * US);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 2000 * US);
	done(&w);
}

/* Only who has run since it was woken can be woken again. */
Test(rules, woken_twice_has_run_between)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	wake(&m, 2000, 1, 0, A, 0);
	wake(&m, 50000, 1, 0, A, 0);
	sw(&m, 50100, 0, 0, 0, A);
	struct kp_walk w = finish(0, 60000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 48000 * US);
	cr_expect_eq(spent(&w, KP_B_run_queue, 0), 100 * US);
	done(&w);
}

/* One that runs elsewhere has left where it was. */
Test(rules, nobody_runs_on_two_cpus)
{
	begin();
	sw(&m, 50000, 1, 0, 0, A);
	sw(&m, 51000, 1, A, S, 0);
	struct kp_walk w = finish(0, 51000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 1000 * US);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 50000 * US);
	done(&w);
}

/* Before the first record, and behind the last, only up to a hole. */
Test(rules, a_hole_before_and_behind_all_records)
{
	begin();
	lost(3000, 5000, 1);
	wake(&m, 8000, 0, A, C, 1);
	sw(&m, 8000, 1, 0, 0, C);
	sw(&m, 9000, 1, C, S, 0);
	lost(20000, 21000, 1);
	struct kp_walk w = finish(0, 10000);
	kp_walk_done(&w);
	w = walk_of(&m, C, 0, 30000);
	cr_expect_eq(w.pieces.at[0].kind, KP_B_unknown);
	cr_expect_eq(w.pieces.at[0].t1_ns, 5000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 1000 * US);
	cr_expect_eq(w.pieces.at[w.pieces.cnt - 1].kind, KP_B_unknown);
	cr_expect_eq(w.pieces.at[w.pieces.cnt - 1].t0_ns, 20000 * US);
	done(&w);
}

/* Between two recordings in one log nothing is known, however short it is. */
Test(rules, nothing_is_bridged_between_two_recordings)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	sw(&m, 2000, 1, 0, 0, 0);
	FEED(&m, record_stats, 2500, KP_CPU_USER, 0, .produced = 1);
	sw(&m, 4000, 1, 0, 0, 0);
	wake(&m, 8000, 1, 0, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 2000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 3000 * US);
	done(&w);
}

/* Another thread than the leader goes through exec: the chain holds. */
Test(rules, exec_of_a_thread_is_no_gap)
{
	begin();
	FEED(&m, task_exec, 2000, 0, C, .old_tid = A, .comm = "new");
	sw(&m, 3000, 0, C, S, 0);
	cr_expect_eq(m.gaps.cnt, 0);
	struct kp_walk w = finish(0, 2000);
	done(&w);
}

Test(rules, running_on_a_cpu_that_lost_nothing)
{
	begin();
	FEED(&m, lost, 5000, KP_CPU_USER, 0, .from_ns = 3000 * US, .to_ns = 5000 * US, .count = 9,
	     .lost_group = KP_GROUP_sched, .lost_cpu = 1);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 10000 * US);
	done(&w);
}

Test(rules, outside_the_log)
{
	begin();
	struct kp_walk w = finish(90000, 110000);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 10000 * US);
	done(&w);
}
