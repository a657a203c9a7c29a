/* SPDX-License-Identifier: MIT
 * One small story per rule of the walk, with the nanoseconds that each bucket must get.
 */
#include <fcntl.h>
#include <sched.h>

#include "event/syscall.h"
#include "story.h"

Test(rules, queue_split_by_occupant_and_migration)
{
	begin();
	sw(&m, 1000, 0, A, 0, B);
	sw(&m, 3000, 0, B, 0, C);
	sw(&m, 4000, 1, 0, 0, B);
	FEED(&m, sched_migrate, 5000, 1, 0, .target_pid = A, .target_tid = A, .dest_cpu = 1);
	sw(&m, 6000, 1, B, S, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 5000 * US);
	cr_expect_eq(spent(&w, KP_B_run_queue, B), 3000 * US);
	cr_expect_eq(spent(&w, KP_B_run_queue, C), 2000 * US);
	cr_expect_eq(find(&w, KP_B_run_queue)->confidence, 'A');
	done(&w);
}

Test(rules, throttled)
{
	begin();
	FEED(&m, sched_switch, 1000, 0, A, .flags = KP_SWITCH_THROTTLED);
	sw(&m, 8000, 0, 0, 0, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_throttled, A), 7000 * US);
	done(&w);
}

Test(rules, irq_taken_out)
{
	begin();
	FEED(&m, softirq, 3000, 0, A, .entry_ns = 1000 * US, .vector = 3);
	FEED(&m, irq, 2500, 0, A, .entry_ns = 2000 * US, .vector = 40);
	struct kp_walk w = finish(2000, 10000);
	cr_expect_eq(spent(&w, KP_B_irq, 0), 1000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 7000 * US);
	done(&w);
}

Test(rules, timer_and_its_lateness)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	wake_irq(&m, 9000, 0, 0, A, KP_CTX_HARDIRQ | KP_CTX_TIMER, 8000 * US);
	sw(&m, 9100, 0, 0, 0, A);
	call(&m, 900, 9200, A, SYS_nanosleep, 0, 0);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_timer, A), 8000 * US);
	cr_expect_eq(w.pieces.at[1].t1_ns, 8000 * US);
	cr_expect_eq(w.pieces.at[2].detail, KP_D_late);
	cr_expect_eq(spent(&w, KP_B_run_queue, 0), 100 * US);
	done(&w);
}

Test(rules, sleep_without_its_wakeup)
{
	for (int ret = 0; ret >= -4; ret -= 4) {
		begin();
		sw(&m, 1000, 0, A, S, 0);
		sw(&m, 9000, 0, 0, 0, A);
		call(&m, 900, 9200, A, SYS_clock_nanosleep, 0, ret);
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, ret ? KP_B_blocked : KP_B_timer, ret ? 0 : A), 8000 * US);
		done(&w);
	}
}

Test(rules, stopped_names_the_sender)
{
	begin();
	FEED(&m, signal_generate, 990, 1, B, .target_pid = A, .target_tid = A, .sig = 19);
	sw(&m, 1000, 0, A, KP_TASK_STOPPED | 0x100, 0);
	wake(&m, 9000, 1, C, A, 0);
	sw(&m, 9000, 0, 0, 0, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_stopped, B), 8000 * US);
	done(&w);
}

/* The kernel counts them as frozen as long as they stand still. */
Test(rules, stopped_and_vfork_are_not_frozen)
{
	static const uint32_t states[] = {KP_TASK_STOPPED | 0x100, D | 0x100};

	for (int i = 0; i < 2; i++) {
		begin();
		FEED(&m, signal_generate, 990, 1, B, .target_pid = A, .target_tid = A, .sig = 19);
		FEED(&m, sched_switch, 1000, 0, A, .prev_state = states[i],
		     .flags = KP_SWITCH_FROZEN);
		wake(&m, 9000, 1, C, A, 0);
		sw(&m, 9000, 0, 0, 0, A);
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_stopped, B), i ? 0 : 8000 * US);
		for (uint32_t k = 0; k < w.pieces.cnt; k++)
			cr_expect_neq(w.pieces.at[k].detail, KP_D_frozen);
		done(&w);
	}
}

/* B asks for a group of version 2; version 1 tells nothing of who did. */
Test(rules, frozen_names_who_asked_where_that_is_known)
{
	static const struct {
		uint32_t state, other; /* that asked for another group; 0: nobody */
		bool other_ends;
		uint32_t cause;
		char confidence;
	} cases[] = {{S, 0, false, B, 'A'},
		     {S, C, false, 0, 'A'},
		     {S, C, true, B, 'A'},
		     {0x8000, 0, false, 0, 'B'}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin();
		if (cases[i].other)
			FEED(&m, cgroup_freeze, 500, 1, cases[i].other, .cgroup = 7,
			     .what = KP_FREEZE_ASKED);
		if (cases[i].other_ends)
			FEED(&m, cgroup_freeze, 600, 1, C, .cgroup = 7, .what = KP_FREEZE_ENDED);
		FEED(&m, cgroup_freeze, 990, 1, B, .cgroup = 8, .what = KP_FREEZE_ASKED);
		FEED(&m, sched_switch, 1000, 0, A, .prev_state = cases[i].state,
		     .flags = KP_SWITCH_FROZEN);
		FEED(&m, cgroup_freeze, 1010, 0, A, .cgroup = 8, .what = KP_FREEZE_FROZEN);
		FEED(&m, cgroup_freeze, 8990, 1, B, .cgroup = 8, .what = KP_FREEZE_ENDED);
		wake(&m, 9000, 1, B, A, 0);
		sw(&m, 9000, 0, 0, 0, A);
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_stopped, cases[i].cause), 8000 * US);
		cr_expect_eq(find(&w, KP_B_stopped)->detail, KP_D_frozen);
		cr_expect_eq(find(&w, KP_B_stopped)->confidence, cases[i].confidence);
		done(&w);
	}
}

Test(rules, stop_before_the_log_from_the_snapshot)
{
	cr_assert_eq(kp_model_init(&m), 0);
	sw(&m, 0, 1, 0, 0, 0);
	FEED(&m, task, 10, KP_CPU_USER, A, .state = 'T', .comm = "sleeper");
	struct kp_walk w = finish(1000, 5000);
	cr_expect_eq(spent(&w, KP_B_stopped, 0), 4000 * US);
	cr_expect_str_eq(kp_model_comm(&m, kp_model_task(&m, A, 0), 5000 * US), "sleeper");
	done(&w);
}

Test(rules, disk_before_queued_shared_and_own)
{
	begin();
	FEED(&m, block_insert, 900, 0, A, .rq = 7, .dev = 5, .sector = 8);
	FEED(&m, block_insert, 500, 1, B, .rq = 8, .dev = 5);
	FEED(&m, block_issue, 600, 1, B, .rq = 8, .dev = 5);
	sw(&m, 1000, 0, A, D, 0);
	FEED(&m, block_issue, 1500, 1, 0, .rq = 7, .dev = 5, .sector = 8);
	FEED(&m, block_issue, 2000, 1, C, .rq = 7, .dev = 5, .sector = 8); /* again: it was full */
	FEED(&m, block_complete, 5000, 1, 0, .rq = 8, .dev = 5);
	FEED(&m, block_complete, 8000, 1, 0, .rq = 7, .dev = 5);
	wake_irq(&m, 8500, 1, B, A, KP_CTX_SOFTIRQ | KP_CTX_BLOCK, 7);
	sw(&m, 8500, 0, 0, 0, A);
	call(&m, 800, 8600, A, SYS_fdatasync, KP_OBJ_file, 0);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_disk, B), 3000 * US, "shared with B until its request ended");
	cr_expect_eq(spent(&w, KP_B_disk, A), 4500 * US);
	cr_expect_eq(w.pieces.at[1].detail, KP_D_queued);
	cr_expect_eq(w.pieces.at[2].detail, KP_D_shared);
	cr_expect_eq(w.pieces.at[3].detail, KP_D_none);
	done(&w);
}

Test(rules, major_fault_outside_a_call)
{
	begin();
	FEED(&m, sched_switch, 500, 0, A, .prev_maj_flt = 4);
	sw(&m, 500, 0, 0, 0, A);
	FEED(&m, sched_switch, 1000, 0, A, .prev_state = D, .prev_maj_flt = 4);
	FEED(&m, block_issue, 900, 0, A, .rq = 7, .dev = 5);
	FEED(&m, block_complete, 3000, 1, 0, .rq = 7, .dev = 5);
	wake_irq(&m, 3000, 0, 0, A, KP_CTX_SOFTIRQ | KP_CTX_BLOCK, 7);
	sw(&m, 3000, 0, 0, 0, A);
	FEED(&m, sched_switch, 4000, 0, A, .prev_maj_flt = 5);
	sw(&m, 4000, 0, 0, 0, A);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_fault, A), 2000 * US);
	done(&w);
}

Test(rules, reclaim_lies_over_running_and_waiting)
{
	begin();
	sw(&m, 2000, 0, A, D, 0);
	wake_irq(&m, 3000, 0, 0, A, KP_CTX_HARDIRQ | KP_CTX_TIMER, 3000 * US);
	sw(&m, 3000, 0, 0, 0, A);
	FEED(&m, reclaim, 4000, 0, A, .entry_ns = 1000 * US);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_reclaim, A), 3000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, A), 7000 * US);
	done(&w);
}

/* A waits on a pipe for B, which waits for its timer and then computes. */
Test(rules, pipe_to_a_sleeper_that_then_computes)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	wake_irq(&m, 6000, 1, 0, B, KP_CTX_HARDIRQ | KP_CTX_TIMER, 6000 * US);
	sw(&m, 6000, 1, 0, 0, B);
	call(&m, 100, 6100, B, SYS_clock_nanosleep, 0, 0);
	wake(&m, 8000, 1, B, A, 0);
	call(&m, 7900, 8100, B, SYS_write, KP_OBJ_pipe, 1);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_read, KP_OBJ_pipe, 1);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_timer, B), 5000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 2000 * US);
	cr_expect_str_eq(via(&w, find(&w, KP_B_timer)), "pipe");
	cr_expect_eq(w.waits.at[0].waker, kp_model_task(&m, B, 0));
	done(&w);
}

Test(rules, futex_holder)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_futex, 0, 0);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 7000 * US);
	cr_expect_str_eq(via(&w, &w.pieces.at[1]), "lock");
	done(&w);
}

Test(rules, futex_without_a_holder)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	call(&m, 900, 99999, A, SYS_futex, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	struct kp_walk w = walk_of(&m, A, 0, 10000);
	cr_expect_eq(spent(&w, KP_B_lock, 0), 9000 * US);
	done(&w);
}

Test(rules, false_wakes_are_one_wait)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake(&m, 3000, 1, C, A, 0);
	sw(&m, 3000, 0, 0, 0, A);
	sw(&m, 3100, 0, A, S, 0);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_poll, 0, 1);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 6900 * US);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 0);
	cr_expect_eq(w.waits.at[0].prev_wake_ns, 3000 * US);
	done(&w);
}

/* Stopped while it waits: the wait goes on when the call is begun again. */
Test(rules, a_restarted_call_is_one_wait)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake(&m, 3000, 1, C, A, 0);
	FEED(&m, signal_generate, 3001, 1, C, .target_pid = A, .target_tid = A, .sig = 19);
	sw(&m, 3010, 0, 0, 0, A);
	call(&m, 900, 3020, A, SYS_read, KP_OBJ_pipe, -512);
	sw(&m, 3100, 0, A, KP_TASK_STOPPED, 0);
	wake(&m, 5000, 1, C, A, 0);
	sw(&m, 5000, 0, 0, 0, A);
	sw(&m, 5200, 0, A, S, 0);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 5100, 8100, A, SYS_read, KP_OBJ_pipe, 1);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 4800 * US);
	cr_expect_eq(spent(&w, KP_B_stopped, C), 1900 * US);
	done(&w);
}

Test(rules, signal_that_ends_a_wait)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake(&m, 8000, 1, B, A, 0);
	FEED(&m, signal_generate, 8001, 1, B, .target_pid = A, .target_tid = A, .sig = 10);
	sw(&m, 8010, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_pause, 0, -514);
	call(&m, 8200, 8300, A, SYS_pause, 0, -4);
	struct kp_walk w = finish(0, 10000);
	cr_expect_str_eq(via(&w, &w.pieces.at[1]), "signal");
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 7000 * US);
	done(&w);
}

Test(rules, child_from_its_birth)
{
	begin();
	FEED(&m, task_fork, 2000, 1, C, .child_pid = B, .child_tid = B, .comm = "child");
	FEED(&m, sched_wakeup_new, 2000, 1, C, .target_pid = B, .target_tid = B, .target_cpu = 1);
	sw(&m, 1, 1, 0, 0, C);
	sw(&m, 1000, 0, A, S, 0);
	sw(&m, 2500, 1, C, S, B);
	wake(&m, 8000, 1, B, A, 0);
	FEED(&m, task_exit, 7900, 1, B, .exit_code = 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_wait4, 0, B);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 1000 * US, "before the birth: the parent");
	cr_expect_eq(spent(&w, KP_B_run_queue, C), 500 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 5500 * US);
	done(&w);
}

Test(rules, wake_before_the_switch_out)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	wake(&m, 999, 1, B, A, 0);
	sw(&m, 1000, 0, A, S, C);
	sw(&m, 4000, 0, C, S, A);
	call(&m, 900, 4100, A, SYS_futex, 0, 0);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_run_queue, C), 3000 * US);
	done(&w);
}

/* Name of the rule that explains A's wait in a call on such an object, which B ends. */
static const char *rule_of(unsigned nr, uint8_t obj)
{
	const char *name = "none";

	begin();
	sw(&m, 1000, 0, A, S, 0);
	sw(&m, 1000, 1, 0, 0, B);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 900, 8100, A, (uint16_t)nr, obj, 1);
	struct kp_walk w = finish(0, 10000);
	if (w.waits.cnt)
		name = w.waits.at[0].rule->name;
	done(&w);
	return name;
}

static bool is_one_of(unsigned nr, const uint16_t *list, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (list[i] == nr)
			return true;
	return false;
}

/* Each call of the table that waits is explained by its own rule, or is named here as without. */
Test(rules, every_call_that_waits_has_a_rule)
{
	static const uint16_t without[] = {
		KP_NR_pause,        KP_NR_rt_sigsuspend,   KP_NR_rt_sigtimedwait,
		KP_NR_flock,        KP_NR_fcntl,           KP_NR_semop,
		KP_NR_semtimedop,   KP_NR_msgsnd,          KP_NR_msgrcv,
		KP_NR_mq_timedsend, KP_NR_mq_timedreceive, KP_NR_restart_syscall,
		KP_NR_io_getevents, KP_NR_io_pgetevents,   KP_NR_io_uring_enter,
		KP_NR_getrandom,    KP_NR_request_key,     KP_NR_clone, /* without CLONE_VFORK */
	};

	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const char *name = kp_syscall_name(nr), *rule = NULL;
		bool socket = nr == KP_NR_accept || nr == KP_NR_accept4 || nr == KP_NR_connect;

		if (kp_syscall_has(nr, KP_TRAIT_WAITS_OBJ)) {
			cr_expect_str_eq(rule_of(nr, KP_OBJ_pipe), "pipe", "%s", name);
			cr_expect_str_eq(rule_of(nr, KP_OBJ_unix), "local", "%s", name);
		}
		if (kp_syscall_has(nr, KP_TRAIT_WAITS_CHILD))
			rule = "child";
		if (kp_syscall_has(nr, KP_TRAIT_WAITS_FUTEX))
			rule = "futex";
		if (kp_syscall_has(nr, KP_TRAIT_WAITS_MANY | KP_TRAIT_SLEEPS))
			rule = "woke"; /* by a timer, a socket, a signal: by what woke it */
		if (kp_syscall_has(nr, KP_TRAIT_WAITS))
			rule = is_one_of(nr, without, sizeof without / sizeof *without) ? "woke"
			       : socket                                                 ? "local"
											: "vfork";
		if (rule)
			cr_expect_str_eq(rule_of(nr, socket ? KP_OBJ_unix : KP_OBJ_none), rule,
					 "%s", name);
	}
}

Test(rules, a_wait_for_one_thing)
{
	static const struct {
		uint64_t arg0, arg1;
		uint16_t nr;
		uint8_t obj;
		bool waits;
	} rows[] = {
		{.nr = KP_NR_futex_waitv, .waits = true},
		{.nr = KP_NR_futex_wake, .waits = false},
		{.nr = KP_NR_msgsnd, .waits = true},
		{.nr = KP_NR_mq_timedreceive, .obj = KP_OBJ_file, .waits = true},
		{.nr = KP_NR_io_getevents, .waits = true},
		{.nr = KP_NR_clone, .arg0 = CLONE_VM | CLONE_VFORK, .waits = true},
		{.nr = KP_NR_clone, .arg0 = CLONE_VM | CLONE_THREAD, .waits = false},
		{.nr = KP_NR_fcntl, .arg1 = F_SETLKW, .obj = KP_OBJ_file, .waits = true},
		{.nr = KP_NR_fcntl, .arg1 = F_GETFL, .obj = KP_OBJ_pipe, .waits = false},
		{.nr = KP_NR_read, .obj = KP_OBJ_chr, .waits = true},
		{.nr = KP_NR_read, .obj = KP_OBJ_file, .waits = false},
		{.nr = KP_NR_ioctl, .obj = KP_OBJ_anon, .waits = true},
		{.nr = KP_NR_fstat, .obj = KP_OBJ_tcp, .waits = false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kp_call call = {.nr = rows[i].nr,
				       .obj = rows[i].obj,
				       .arg0 = rows[i].arg0,
				       .arg1 = rows[i].arg1};

		cr_expect_eq(kp_call_waits(&call), rows[i].waits, "row %zu", i);
	}
}

/* The object of a splice is where it takes from; and a queue's message is one that is sent. */
Test(rules, what_is_sent_and_received)
{
	cr_expect(kp_syscall_has(KP_NR_splice, KP_TRAIT_RECEIVES));
	cr_expect(!kp_syscall_has(KP_NR_splice, KP_TRAIT_SENDS));
	cr_expect(kp_syscall_has(KP_NR_preadv2, KP_TRAIT_RECEIVES));
	cr_expect(kp_syscall_has(KP_NR_pwritev2, KP_TRAIT_SENDS));
	begin();
	call_tcp(&m, 100, 200, A, KP_NR_splice, client);
	cr_expect_eq(m.socks.at[0].sends.cnt, 0);
	call_tcp(&m, 300, 400, A, KP_NR_pwritev2, client);
	cr_expect_eq(m.socks.at[0].sends.cnt, 1);
	kp_model_done(&m);
}

Test(rules, every_row_is_documented)
{
	int n = 0;

	for (const struct kp_rule *r = kp_rules; r->name; r++, n++) {
		cr_expect(r->doc && r->match && r->explain);
		cr_expect(r->confidence >= 'A' && r->confidence <= 'D');
	}
	cr_expect_gt(n, 15);
}

/* The worker B is busy with what does not concern A, idle, and at 6 ms woken; at 6.1 it wakes A. */
static void worker_serves(uint32_t giver, uint32_t idle)
{
	begin();
	FEED(&m, task_rename, 0, 0, 0, .target_tid = B, .comm = "kworker/u8:1-ev");
	FEED(&m, task_rename, 0, 0, 0, .target_tid = C, .comm = "giver");
	sw(&m, 1000, 0, A, S, 0);
	sw(&m, 1500, 1, 0, 0, B);
	sw(&m, 2000, 1, B, D, 0); /* a disk, for somebody else */
	wake_irq(&m, 4000, 1, 0, B, KP_CTX_HARDIRQ | KP_CTX_TIMER, 4000 * US);
	sw(&m, 4000, 1, 0, 0, B);
	sw(&m, 4500, 1, B, idle, giver);
	if (giver)
		wake(&m, 6000, 1, giver, B, 1);
	else
		wake_irq(&m, 6000, 1, 0, B, KP_CTX_SOFTIRQ | KP_CTX_TIMER, 5900 * US);
	sw(&m, 6050, 1, giver, S, B);
	wake(&m, 6100, 1, B, A, 0);
	sw(&m, 6100, 0, 0, 0, A);
	call(&m, 900, 6200, A, SYS_read, KP_OBJ_chr, 1);
}

#define IDLE (D | KP_TASK_NOLOAD)

Test(rules, a_kernel_worker_is_who_gave_it_its_work)
{
	worker_serves(C, IDLE);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 1500 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 50 * US, "only since it was given the work");
	cr_expect_eq(spent(&w, KP_B_timer, B), 0);
	cr_expect_str_eq(via(&w, &w.pieces.at[1]), "work");
	done(&w);
}

Test(rules, a_kernel_worker_woken_by_a_timer_tells_no_cause)
{
	worker_serves(0, IDLE);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_blocked, 0), 5000 * US);
	cr_expect_eq(find(&w, KP_B_blocked)->confidence, 'C');
	done(&w);
}

Test(rules, a_kernel_worker_already_at_work_is_a_guess)
{
	worker_serves(C, D);
	struct kp_walk w = finish(0, 10000);
	for (uint32_t i = 1; w.pieces.at[i].t1_ns < 6100 * US; i++)
		cr_expect_geq(w.pieces.at[i].confidence, 'C');
	done(&w);
}

/* A waits from 1 ms on; at 6 ms C stops it until 7, and at 9 ms B ends the wait made again. */
static void stopped_in_wait(bool is_traced, bool is_again)
{
	begin();
	sw(&m, 500, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	if (!is_traced)
		FEED(&m, signal_generate, 6000, 1, C, .target_pid = A, .target_tid = A, .sig = 19);
	wake(&m, 6000, 1, C, A, 0);
	sw(&m, 6000, 0, 0, 0, A);
	call(&m, 900, 6010, A, SYS_epoll_wait, KP_OBJ_anon, -4);
	sw(&m, 6020, 0, A, is_traced ? KP_TASK_TRACED : KP_TASK_STOPPED, 0);
	wake(&m, 7000, 1, C, A, 0);
	sw(&m, 7000, 0, 0, 0, A);
	sw(&m, 7100, 0, A, S, 0);
	wake(&m, 9000, 1, B, A, 0);
	sw(&m, 9000, 0, 0, 0, A);
	call(&m, 7050, 9100, A, is_again ? SYS_epoll_wait : SYS_read, KP_OBJ_anon, 1);
}

Test(rules, a_stop_does_not_explain_the_wait_that_it_cuts)
{
	for (int traced = 0; traced < 2; traced++) {
		for (int again = 0; again < 2; again++) {
			stopped_in_wait(traced, again);
			struct kp_walk w = finish(0, 10000);
			cr_expect_eq(spent(&w, KP_B_on_cpu, B), (again ? 6900 : 1900) * US);
			cr_expect_eq(spent(&w, KP_B_blocked, 0), (again ? 0 : 5000) * US);
			cr_expect_eq(spent(&w, KP_B_stopped, C), 980 * US);
			if (!again)
				cr_expect_eq(find(&w, KP_B_blocked)->detail, KP_D_stop);
			cr_expect_eq(spent(&w, KP_B_run_queue, C) + spent(&w, KP_B_on_cpu, C), 0);
			done(&w);
		}
	}
}

/* A waits from 1 ms on; a timer due at 8 ms wakes it. */
static void timer_ends(void)
{
	sw(&m, 500, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake_irq(&m, 8000, 0, 0, A, KP_CTX_HARDIRQ | KP_CTX_TIMER, 8000 * US);
	sw(&m, 8000, 0, 0, 0, A);
}

Test(rules, a_timerfd_is_no_sleep_before_another_task_sets_it)
{
	static const struct {
		uint64_t armed;
		int ret;
		uint32_t maker;
		uint64_t busy;
	} cases[] = {
		{7000, 1, A, 6000}, /* within the wait */
		{900, 1, A, 0},     /* before it */
		{7000, 0, A, 0},    /* the call's own timeout */
		{7000, 1, C, 0},    /* by a stranger */
	};

	for (unsigned i = 0; i < 4; i++) {
		begin();
		FEED(&m, task_fork, 10, 0, cases[i].maker, .child_pid = B, .child_tid = B);
		timer_ends();
		call(&m, cases[i].armed, cases[i].armed + 10, B, SYS_timerfd_settime, KP_OBJ_anon,
		     0);
		call(&m, 950, 8100, A, SYS_epoll_wait, KP_OBJ_anon, cases[i].ret);
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_on_cpu, B), cases[i].busy * US, "case %u", i);
		cr_expect_eq(spent(&w, KP_B_timer, A), (7000 - cases[i].busy) * US, "case %u", i);
		cr_expect_eq(find(&w, KP_B_timer)->confidence, cases[i].busy ? 'B' : 'A');
		done(&w);
	}
}

Test(rules, a_timer_that_no_timeout_explains_is_a_guess)
{
	static const struct {
		uint32_t nr;
		int timeout_ms;
		char confidence;
	} cases[] = {
		{SYS_epoll_wait, -1, 'C'},     {SYS_epoll_wait, 7, 'A'},
		{SYS_epoll_wait, 700, 'C'},    {SYS_read, 0, 'C'},
		{SYS_clock_nanosleep, 0, 'A'},
	};

	for (unsigned i = 0; i < 5; i++) {
		begin();
		FEED(&m, wait, 1000, 0, A, .nr = cases[i].nr, .arg0 = 3,
		     .arg3 = (uint64_t)(int64_t)cases[i].timeout_ms, .obj = KP_OBJ_anon);
		timer_ends();
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_timer, A), 7000 * US);
		cr_expect_eq(find(&w, KP_B_timer)->confidence, cases[i].confidence, "case %u", i);
		cr_expect_eq(find(&w, KP_B_timer)->detail == KP_D_timerfd,
			     cases[i].confidence == 'C');
		done(&w);
	}
}

/* A waits for a pipe; B sends it a signal that it blocks, before or after it writes. */
Test(rules, a_signal_beside_the_wake_is_not_its_reason)
{
	for (int after = 0; after < 2; after++) {
		for (int seen = 0; seen < 2; seen++) {
			begin();
			sw(&m, 500, 1, 0, 0, B);
			sw(&m, 1000, 0, A, S, 0);
			if (!after)
				FEED(&m, signal_generate, 7990, 1, B, .target_pid = A,
				     .target_tid = A, .sig = 10);
			if (seen)
				wake_from(&m, 8000, 1, B, A, SYS_write, KP_OBJ_pipe);
			else
				wake(&m, 8000, 1, B, A, 0);
			if (!seen)
				call(&m, 7999, 8002, B, SYS_write, KP_OBJ_pipe, 1);
			if (after)
				FEED(&m, signal_generate, 8010, 1, B, .target_pid = A,
				     .target_tid = A, .sig = 10);
			sw(&m, 8020, 0, 0, 0, A);
			call(&m, 900, 8100, A, SYS_read, KP_OBJ_pipe, 1);
			struct kp_walk w = finish(0, 10000);
			cr_expect_str_eq(via(&w, &w.pieces.at[1]), "pipe");
			done(&w);
		}
	}
}
