/* SPDX-License-Identifier: MIT
 * The partition holds on any stream, however incoherent, and for any window. The walk asserts it;
 * here the sums are taken again, by kind.
 */
#include <sys/syscall.h>

#include "stream.h"

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* One that is told, now and then under another's number, or one that is not. */
static uint64_t random_sock(struct kp_model *m)
{
	struct kp_ev_socket ev = {.lport = rnd(3), .rport = rnd(3), .ino = rnd(3)};

	ev.sock = rnd(3) ? rnd(8) : KP_SOCK_INO + rnd(3);
	ev.obj = KP_OBJ_tcp + rnd(2);
	ev.laddr[15] = (kp_u8)rnd(3);
	ev.raddr[15] = (kp_u8)rnd(3);
	if (rnd(2))
		feed(m, &ev, KP_EV_socket, sizeof(ev), 0, KP_CPU_USER, 0);
	return ev.sock;
}

static void random_event(struct kp_model *m, uint64_t us)
{
	static const uint16_t nrs[] = {SYS_read,  SYS_write, SYS_poll,   SYS_futex,
				       SYS_wait4, SYS_close, SYS_sendto, SYS_connect};
	static const uint32_t states[] = {0, 0, 1, 2, 4, 8, 16, 64, 128, 0x402};
	uint16_t cpu = rnd(20) ? rnd(3) : rnd(65536);
	uint32_t tid = rnd(8), other = rnd(8);

	switch (rnd(16)) {
	case 0 ... 4:
		FEED(m, sched_switch, us, cpu, tid, .prev_state = states[rnd(10)],
		     .next_pid = other, .next_tid = other, .prev_maj_flt = rnd(2), .flags = rnd(8));
		break;
	case 5 ... 7:
		FEED(m, sched_waking, us, cpu, tid, .target_pid = other, .target_tid = other,
		     .target_cpu = rnd(4), .ctx = rnd(64),
		     .obj = rnd(2) ? rnd(4) : us * US - rnd(9999), .softirq = rnd(10),
		     .sock = random_sock(m));
		break;
	case 8:
		FEED(m, sched_migrate, us, cpu, tid, .target_tid = other, .dest_cpu = rnd(4));
		break;
	case 9:
		FEED(m, syscall, us, cpu, tid, .entry_ns = us * US - rnd(400) * US,
		     .nr = nrs[rnd(8)], .obj = rnd(11), .ret = (int)rnd(10) - 516 * (int)rnd(2),
		     .sock = random_sock(m));
		break;
	case 10:
		FEED(m, block_insert, us, cpu, tid, .rq = rnd(4), .dev = rnd(2));
		FEED(m, block_issue, us + rnd(50), cpu, other, .rq = rnd(4), .dev = rnd(2));
		break;
	case 11:
		FEED(m, block_complete, us, cpu, tid, .rq = rnd(4), .dev = rnd(2));
		break;
	case 12:
		FEED(m, task_fork, us, cpu, tid, .child_pid = other, .child_tid = other);
		if (rnd(2))
			FEED(m, sched_wakeup_new, us, cpu, tid, .target_tid = other);
		break;
	case 13:
		FEED(m, signal_generate, us, cpu, tid, .target_pid = other, .sig = rnd(24));
		if (rnd(2))
			FEED(m, task_exit, us, cpu, tid, .exit_code = 0);
		break;
	case 14:
		FEED(m, softirq, us, cpu, tid, .entry_ns = us * US - rnd(90) * US,
		     .vector = rnd(10));
		FEED(m, reclaim, us, cpu, tid, .entry_ns = us * US - rnd(90) * US);
		FEED(m, tcp_retransmit, us, cpu, tid, .sock = random_sock(m));
		break;
	default:
		if (rnd(8) == 0)
			FEED(m, lost, us, KP_CPU_USER, 0, .from_ns = us * US - rnd(500) * US,
			     .to_ns = us * US, .lost_cpu = rnd(3), .lost_group = rnd(3));
		if (rnd(8) == 0)
			FEED(m, task_exec, us, cpu, tid, .old_tid = other);
		if (rnd(8) == 0)
			FEED(m, task, us, KP_CPU_USER, tid, .state = "RSDTtZI"[rnd(7)]);
	}
}

static void check_windows(struct kp_model *m, uint64_t end_us, int windows)
{
	uint64_t a, b, sum, t;
	struct kp_walk w;

	for (int i = 0; i < windows; i++) {
		a = rnd((uint32_t)end_us) * US + rnd(1000);
		b = rnd((uint32_t)end_us) * US + rnd(1000);
		t = a < b ? a : b;
		b = a < b ? b : a;
		cr_assert_eq(kp_walk_run(m, rnd(m->tasks.cnt), t, b, &w), 0);
		sum = 0;
		for (unsigned kind = 0; kind < KP_B_CNT; kind++)
			for (uint32_t p = 0; p < w.pieces.cnt; p++)
				if (w.pieces.at[p].kind == kind)
					sum += w.pieces.at[p].t1_ns - w.pieces.at[p].t0_ns;
		cr_assert_eq(sum, b - t);
		kp_walk_done(&w);
	}
}

Test(invariant, any_stream_any_window)
{
	struct kp_model m;
	uint64_t us;

	for (int round = 0; round < 200; round++) {
		seed = (uint64_t)round;
		cr_assert_eq(kp_model_init(&m), 0);
		m.keep_from_ns = round % 3 == 2 ? 20000 * US : 0;
		us = 1000;
		for (int i = 0; i < 1500; i++) {
			us += rnd(30);
			random_event(&m, us - rnd(20));
		}
		cr_assert_eq(kp_model_finish(&m), 0);
		check_windows(&m, us + 2000, 50);
		kp_model_done(&m);
	}
}

Test(invariant, empty_model)
{
	struct kp_model m;
	struct kp_walk w;

	cr_assert_eq(kp_model_init(&m), 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	cr_assert_eq(kp_walk_run(&m, KP_NONE, 5, 10, &w), 0);
	cr_expect_eq(spent(&w, KP_B_unknown, 0), 5);
	kp_walk_done(&w);
	kp_model_done(&m);
}
