/* SPDX-License-Identifier: MIT
 * Requests through a process that serves others as well: an event loop B on CPU 1 beside a
 * neighbour N, an upstream C, a worker W. A asks at 900 us and is answered at 61000.
 */
#include "story.h"

#define N 400
#define HOG 900
#define W 500
#define UP 9000 /* the upstream's port */

static const struct ends neighbour = {0x0100007f, 0x0100007f, 41000, 80};
static const struct ends upstream = {0x0100007f, 0x0100007f, 42000, UP};

static uint32_t seqs[4];

/* Position in the stream that goes from the first of the ends to the second. */
static uint32_t *seq_of(struct ends e)
{
	return &seqs[(e.lport == 42000 || e.rport == 42000) * 2 + (e.lport < e.rport)];
}

static void out(uint64_t us, uint16_t cpu, uint32_t tid, struct ends e)
{
	FEED(&m, sock_send, us, cpu, tid, .len = 10, .nr = SYS_write, .obj = KP_OBJ_tcp,
	     .tcp_seq = *seq_of(e) += 10, .sock = tell_sock(&m, KP_OBJ_tcp, e));
}

static void in(uint64_t us, uint16_t cpu, uint32_t tid, struct ends e)
{
	FEED(&m, sock_recv, us, cpu, tid, .len = 10, .nr = SYS_read, .obj = KP_OBJ_tcp,
	     .tcp_seq = *seq_of(swapped(e)), .sock = tell_sock(&m, KP_OBJ_tcp, e));
}

/* B waits for any of many, for at most so long. */
static void poll_at(uint64_t us, uint32_t timeout_ms)
{
	FEED(&m, wait, us, 1, B, .nr = SYS_epoll_wait, .obj = KP_OBJ_anon, .arg0 = 3,
	     .arg3 = timeout_ms ? timeout_ms : UINT64_MAX);
	sw(&m, us, 1, B, S, 0);
}

/* B is woken for what somebody sends to this end, and runs. */
static void resume(uint64_t us, struct ends e)
{
	wake_net(&m, us, 1, 0, B, e);
	sw(&m, us + 2, 1, 0, 0, B);
}

/* A task sends, and B is woken from within that. */
static void send_to_loop(uint64_t us, uint16_t cpu, uint32_t tid, struct ends e)
{
	out(us, cpu, tid, e);
	resume(us + 1, swapped(e));
}

/* The neighbour asks and is answered at once. */
static void serve_neighbour(uint64_t us)
{
	send_to_loop(us, 2, N, neighbour);
	in(us + 5, 1, B, swapped(neighbour));
	out(us + 8, 1, B, swapped(neighbour));
}

/* A's request is received; the neighbour has been served before. */
static void ask(void)
{
	begin();
	memset(seqs, 0, sizeof(seqs));
	sw(&m, 0, 1, 0, 0, B);
	poll_at(100, 0);
	serve_neighbour(200);
	poll_at(220, 0);
	send_to_loop(900, 0, A, client);
	FEED(&m, wait, 1000, 0, A, .nr = SYS_read, .obj = KP_OBJ_tcp,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	sw(&m, 1000, 0, A, S, 0);
	in(1010, 1, B, swapped(client));
}

static void neighbour_until(uint64_t us, uint64_t end, uint32_t timeout_ms)
{
	for (; us < end; us += 3000) {
		serve_neighbour(us);
		poll_at(us + 20, timeout_ms ? timeout_ms - (uint32_t)((us + 20 - 1020) / 1000) : 0);
	}
}

/* B answers, and what A waited for is explained. */
static struct kp_walk answer(void)
{
	FEED(&m, sched_waking, 60998, 1, B, .target_pid = A, .target_tid = A, .nr = SYS_write,
	     .fobj = KP_OBJ_tcp, .ino = ino_of(tell_sock(&m, KP_OBJ_tcp, swapped(client))),
	     .ctx = KP_CTX_SOFTIRQ | KP_CTX_NET, .softirq = 3,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	out(61000, 1, B, swapped(client));
	sw(&m, 61010, 0, 0, 0, A);
	in(61020, 0, A, client);
	return finish(1000, 61010);
}

static char confidence_of(const struct kp_walk *w, uint8_t kind, uint32_t tid)
{
	for (uint32_t i = 0; i < w->pieces.cnt; i++)
		if (w->pieces.at[i].kind == kind && w->pieces.at[i].cause != KP_NONE &&
		    m.tasks.at[w->pieces.at[i].cause].tid == tid)
			return w->pieces.at[i].confidence;
	return '-';
}

/* Nothing is the neighbour's. */
static void check_neighbour(const struct kp_walk *w)
{
	for (uint32_t i = 0; i < w->pieces.cnt; i++)
		cr_expect(w->pieces.at[i].cause == KP_NONE ||
			  m.tasks.at[w->pieces.at[i].cause].tid != N);
	for (uint32_t i = 0; i < w->waits.cnt; i++)
		cr_expect_neq(m.tasks.at[w->waits.at[i].waker].tid, N);
}

Test(path, a_loop_s_own_timer)
{
	ask();
	poll_at(1020, 60);
	neighbour_until(4000, 60000, 60);
	wake_irq(&m, 60980, 1, 0, B, KP_CTX_HARDIRQ | KP_CTX_TIMER, 60970 * US);
	sw(&m, 60982, 1, 0, 0, B);
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_eq(spent(&w, KP_B_timer, B), 59960 * US);
	cr_expect_eq(find(&w, KP_B_timer)->confidence, 'B');
	done(&w);
}

/* It is woken for the neighbour just then, and looks at its timers as well. */
Test(path, a_timer_that_a_neighbour_s_message_precedes)
{
	ask();
	poll_at(1020, 60);
	neighbour_until(4000, 60000, 60);
	serve_neighbour(60970);
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_eq(spent(&w, KP_B_timer, B), 59951 * US);
	done(&w);
}

Test(path, what_it_waited_for_from_upstream)
{
	ask();
	out(1015, 1, B, upstream);
	poll_at(1020, 0);
	sw(&m, 1100, 3, 0, 0, C);
	in(1110, 3, C, swapped(upstream));
	neighbour_until(4000, 60000, 0);
	send_to_loop(60900, 3, C, swapped(upstream));
	in(60910, 1, B, upstream);
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_geq(spent(&w, KP_B_on_cpu, C), 59700 * US);
	cr_expect_eq(confidence_of(&w, KP_B_on_cpu, C), 'A');
	cr_assert_eq(w.waits.cnt, 2);
	cr_expect_str_eq(w.waits.at[1].rule->name, "message");
	done(&w);
}

/* An incident in the loop itself whose answer was out long before its end: the loop had no CPU, or
 * it did something else. */
Test(path, an_incident_that_ends_behind_its_answer)
{
	for (int blocks = 0; blocks < 2; blocks++) {
		ask();
		out(1015, 1, B, upstream);
		poll_at(1020, 0);
		sw(&m, 1100, 3, 0, 0, C);
		in(1110, 3, C, swapped(upstream));
		neighbour_until(4000, 60000, 0);
		send_to_loop(60900, 3, C, swapped(upstream));
		in(60910, 1, B, upstream);
		out(61000, 1, B, swapped(client));
		if (blocks) {
			poll_at(61010, 0);
			serve_neighbour(64000);
			sw(&m, 64100, 1, B, 0, HOG);
		} else {
			sw(&m, 61010, 1, B, 0, HOG);
		}
		sw(&m, 69000, 1, HOG, S, B);
		struct kp_walk w = finish(1000, 61010);
		kp_walk_done(&w);
		w = walk_of(&m, B, 1010, 69500);
		cr_expect_eq(spent(&w, KP_B_run_queue, HOG), blocks ? 4900 * US : 7990 * US);
		if (blocks)
			cr_expect_eq(spent(&w, KP_B_on_cpu, C), 0);
		else
			cr_expect_geq(spent(&w, KP_B_on_cpu, C), 59700 * US);
		done(&w);
	}
}

/* The same connection serves the neighbour afterwards: that is not the request's any more. */
Test(path, a_connection_that_others_use_later)
{
	ask();
	out(1015, 1, B, upstream);
	poll_at(1020, 0);
	sw(&m, 1100, 3, 0, 0, C);
	in(1110, 3, C, swapped(upstream));
	send_to_loop(20000, 3, C, swapped(upstream));
	in(20010, 1, B, upstream);
	poll_at(20020, 40);
	serve_neighbour(30000);
	out(30010, 1, B, upstream);
	poll_at(30020, 30);
	in(30030, 3, C, swapped(upstream));
	send_to_loop(50000, 3, C, swapped(upstream));
	in(50010, 1, B, upstream);
	poll_at(50020, 10);
	wake_irq(&m, 60980, 1, 0, B, KP_CTX_HARDIRQ | KP_CTX_TIMER, 60020 * US);
	sw(&m, 60982, 1, 0, 0, B);
	struct kp_walk w = answer();
	cr_expect_leq(spent(&w, KP_B_on_cpu, C), 19000 * US);
	cr_expect_eq(spent(&w, KP_B_timer, B), 40960 * US);
	done(&w);
}

Test(path, a_worker_that_wakes_the_loop)
{
	ask();
	FEED(&m, sched_waking, 1012, 1, B, .target_pid = B, .target_tid = W, .nr = SYS_futex);
	FEED(&m, sched_switch, 1014, 3, 0, .next_pid = B, .next_tid = W);
	poll_at(1020, 0);
	neighbour_until(4000, 60000, 0);
	FEED(&m, sched_waking, 60900, 3, W, .target_pid = B, .target_tid = B, .nr = SYS_write,
	     .fobj = KP_OBJ_anon);
	sw(&m, 60905, 1, 0, 0, B);
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_geq(spent(&w, KP_B_on_cpu, W), 59000 * US);
	cr_expect_eq(confidence_of(&w, KP_B_on_cpu, W), 'B');
	done(&w);
}

/* The only message of somebody else's, and nothing else led to the answer: he pushed to a queue. */
Test(path, somebody_else_s_message_that_led_to_the_answer)
{
	const struct ends pusher = {0x0100007f, 0x0100007f, 43000, 80};

	ask();
	poll_at(1020, 0);
	sw(&m, 1100, 3, 0, 0, C);
	neighbour_until(4000, 60000, 0);
	send_to_loop(60900, 3, C, pusher);
	in(60910, 1, B, swapped(pusher));
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_geq(spent(&w, KP_B_on_cpu, C), 59000 * US);
	cr_expect_eq(confidence_of(&w, KP_B_on_cpu, C), 'B');
	done(&w);
}

/* Who asks all the time did not lead to it: it is not known what did. */
Test(path, nothing_was_seen_for_the_request)
{
	ask();
	poll_at(1020, 0);
	neighbour_until(4000, 60000, 0);
	serve_neighbour(60900);
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_eq(find(&w, KP_B_blocked)->detail, KP_D_inside);
	cr_expect_eq(find(&w, KP_B_blocked)->confidence, 'C');
	done(&w);
}

/* What came back was lost once: that is neither the upstream's doing nor the loop's. */
Test(path, a_lost_segment_on_the_way_back)
{
	ask();
	out(1015, 1, B, upstream);
	poll_at(1020, 0);
	sw(&m, 1100, 3, 0, 0, C);
	in(1110, 3, C, swapped(upstream));
	out(20000, 3, C, swapped(upstream));
	sw(&m, 20010, 3, C, S, 0);
	neighbour_until(21000, 59000, 0);
	FEED(&m, tcp_retransmit, 60000, 3, 0, .len = 10, .why = KP_RETRANSMIT_rto,
	     .sock = tell_sock(&m, KP_OBJ_tcp, swapped(upstream)));
	resume(60005, upstream);
	in(60010, 1, B, upstream);
	struct kp_walk w = answer();
	check_neighbour(&w);
	cr_expect_eq(spent(&w, KP_B_retransmit, 0), 40000 * US);
	cr_expect_eq(find(&w, KP_B_retransmit)->detail, KP_D_rto);
	cr_expect_geq(spent(&w, KP_B_on_cpu, C), 18000 * US);
	done(&w);
}

/* It had come, and the loop could not take it since it waited for its own disk. */
Test(path, a_loop_that_waits_for_something_else)
{
	ask();
	out(1015, 1, B, upstream);
	sw(&m, 1100, 3, 0, 0, C);
	in(1110, 3, C, swapped(upstream));
	FEED(&m, wait, 1200, 1, B, .nr = SYS_fsync, .obj = KP_OBJ_file, .ino = 9);
	sw(&m, 1200, 1, B, D, 0);
	out(20000, 3, C, swapped(upstream));
	wake_irq(&m, 60000, 1, 0, B, KP_CTX_HARDIRQ | KP_CTX_BLOCK, 0);
	sw(&m, 60002, 1, 0, 0, B);
	in(60010, 1, B, upstream);
	struct kp_walk w = answer();
	cr_expect_eq(spent(&w, KP_B_network, 0), 0);
	cr_expect_geq(spent(&w, KP_B_disk, 0), 39000 * US);
	done(&w);
}

/* Before it took the request up, the loop was busy with another. */
Test(path, a_loop_that_was_busy)
{
	begin();
	memset(seqs, 0, sizeof(seqs));
	sw(&m, 0, 1, 0, 0, B);
	in(500, 1, B, swapped(neighbour));
	out(900, 0, A, client);
	FEED(&m, wait, 1000, 0, A, .nr = SYS_read, .obj = KP_OBJ_tcp,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	sw(&m, 1000, 0, A, S, 0);
	out(60900, 1, B, swapped(neighbour));
	in(60950, 1, B, swapped(client));
	struct kp_walk w = answer();
	cr_expect_geq(spent(&w, KP_B_on_cpu, B), 59900 * US);
	check_neighbour(&w);
	done(&w);
}
