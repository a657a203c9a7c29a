/* SPDX-License-Identifier: MIT
 * One small story per rule of the walk, with the nanoseconds that each bucket must get.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "analyze/ingest.h"
#include "analyze/rules.h"
#include "event/syscall.h"
#include "stream.h"

#define S KP_TASK_INTERRUPTIBLE
#define D KP_TASK_UNINTERRUPTIBLE
#define A 100 /* the incident's thread */
#define B 200
#define C 300

static const struct ends client = {0x0100007f, 0x0100007f, 40000, 80};

static struct kp_model m;

static void begin(void)
{
	cr_assert_eq(kp_model_init(&m), 0);
	sw(&m, 0, 0, 0, 0, A); /* A runs on CPU 0 from 0 on */
	sw(&m, 0, 1, 0, 0, 0);
}

/* Whoever is on CPU 0 leaves it at the end. */
static struct kp_walk finish(uint64_t t0, uint64_t t1)
{
	const struct kp_cpu *cpu = kp_model_cpu_get(&m, 0);
	uint32_t task = cpu->occupants.cnt ? cpu->occupants.at[cpu->occupants.cnt - 1].task : 0;

	sw(&m, 100000, 0, m.tasks.at[task].tid, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	return walk_of(&m, A, t0, t1);
}

static void done(struct kp_walk *w)
{
	kp_walk_done(w);
	kp_model_done(&m);
}

static const char *via(const struct kp_walk *w, const struct kp_piece *p)
{
	return p->wait == KP_NONE ? "" : w->waits.at[p->wait].rule->via;
}

static const struct kp_piece *find(const struct kp_walk *w, uint8_t kind)
{
	for (uint32_t i = 0; i < w->pieces.cnt; i++)
		if (w->pieces.at[i].kind == kind)
			return &w->pieces.at[i];
	cr_assert_fail("no piece of kind %s", kp_bucket_name(kind));
	return NULL;
}

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

/* SO_RCVTIMEO: a wait for the other end, and no sleep, if the call says that it timed out. */
Test(rules, a_socket_on_which_nothing_came_in_time)
{
	const struct ends remote = {0x0100000a, 0x0200000a, 40000, 443};
	static const int results[] = {-11, 1};

	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		bool timed_out = results[i] < 0;

		begin();
		sw(&m, 1000, 0, A, S, 0);
		wake_irq(&m, 9000, 0, 0, A, KP_CTX_HARDIRQ | KP_CTX_TIMER, 9000 * US);
		sw(&m, 9000, 0, 0, 0, A);
		FEED(&m, syscall, 9200, 0, A, .entry_ns = 900 * US, .nr = SYS_recvfrom,
		     .obj = KP_OBJ_tcp, .ret = results[i],
		     .sock = tell_sock(&m, KP_OBJ_tcp, remote));
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_network, 0), timed_out ? 8000 * US : 0);
		cr_expect_eq(spent(&w, KP_B_timer, A), timed_out ? 0 : 8000 * US);
		cr_expect_eq(w.pieces.at[1].confidence, timed_out ? 'B' : 'A');
		cr_expect_eq(w.pieces.at[1].detail, timed_out ? KP_D_timeout : KP_D_none);
		if (timed_out)
			cr_expect_eq(m.socks.at[w.pieces.at[1].obj].rport, 443);
		done(&w);
	}
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

/* The softirq ran over a bystander; the sender is found by the swapped ends. */
Test(rules, loopback_sender_by_its_socket)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	call_tcp(&m, 7000, 7500, B, SYS_sendto, swapped(client));
	wake_net(&m, 8000, 0, C, A, client);
	sw(&m, 8000, 0, 0, 0, A);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, client);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 6500 * US);
	cr_expect_eq(spent(&w, KP_B_network, 0), 500 * US, "from the send's end to the wake");
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 0);
	cr_expect_str_eq(via(&w, &w.pieces.at[1]), "socket");
	done(&w);
}

static const struct ends datagrams = {0x0100007f, 0x0100007f, 5000, 5353};

static void call_on(uint64_t entry, uint64_t exit, uint32_t tid, uint16_t nr, uint8_t obj,
		    struct ends e)
{
	FEED(&m, syscall, exit, 0, tid, .entry_ns = entry * US, .nr = nr, .obj = obj, .ret = 1,
	     .sock = tell_sock(&m, obj, e));
}

/* A datagram that came behind a segment in the same softirq: B sent the segment, C the datagram. */
static void datagram_behind_a_segment(void)
{
	begin();
	sw(&m, 0, 1, 0, 0, C);
	sw(&m, 1000, 0, A, S, 0);
	call_tcp(&m, 7000, 7900, B, SYS_sendto, swapped(client));
	wake_net(&m, 8000, 0, 0, A, client);
	sw(&m, 8000, 0, 0, 0, A);
}

Test(rules, a_datagram_does_not_inherit_the_segments_socket)
{
	datagram_behind_a_segment();
	call_on(900, 8100, A, SYS_recvfrom, KP_OBJ_udp, datagrams);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_network, 0), 7000 * US, "who sent it is not known");
	cr_expect_eq(w.pieces.at[1].confidence, 'C', "it was on this host");
	cr_expect_eq(w.pieces.at[1].detail, KP_D_here);
	done(&w);

	datagram_behind_a_segment();
	call_on(7000, 7950, C, SYS_sendto, KP_OBJ_udp, swapped(datagrams));
	call_on(900, 8100, A, SYS_recvfrom, KP_OBJ_udp, datagrams);
	w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 6950 * US);
	cr_expect_eq(w.pieces.at[1].confidence, 'B');
	done(&w);
}

/* The client's peer is a virtual address, the server's is the client. */
Test(rules, a_sender_behind_address_translation)
{
	const struct ends virtual = {0x0100000a, 0xc800000a, 40000, 80};
	const struct ends server = {0x0200000a, 0x0100000a, 7001, 40000};
	struct kp_walk w;

	for (int is_seen = 1; is_seen >= 0; is_seen--) {
		begin();
		sw(&m, 0, 1, 0, 0, B);
		sw(&m, 1000, 0, A, S, 0);
		if (is_seen)
			call_tcp(&m, 7000, 7900, B, SYS_sendto, server);
		wake_net(&m, 8000, 1, 0, A, virtual);
		sw(&m, 8000, 0, 0, 0, A);
		call_tcp(&m, 900, 8100, A, SYS_recvfrom, virtual);
		w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_on_cpu, B), is_seen ? 6900 * US : 0);
		cr_expect_eq(spent(&w, KP_B_network, 0), is_seen ? 100 * US : 7000 * US);
		cr_expect_eq(w.pieces.at[1].confidence, 'B');
		done(&w);
	}
}

/* The kernel told which ends the other side has. */
Test(rules, a_sender_behind_a_translation_that_is_told)
{
	const struct ends virtual = {0x0100000a, 0xc800000a, 40000, 80};
	const struct ends server = {0x0200000a, 0x6300000a, 7001, 50000};
	struct kp_ev_translation told = {.client_lport = 40000,
					 .client_rport = 80,
					 .server_lport = 7001,
					 .server_rport = 50000,
					 .protocol = 6};
	struct kp_walk w;

	put_v4(told.client_laddr, virtual.laddr);
	put_v4(told.client_raddr, virtual.raddr);
	put_v4(told.server_laddr, server.laddr);
	put_v4(told.server_raddr, server.raddr);
	for (int is_told = 1; is_told >= 0; is_told--) {
		begin();
		if (is_told)
			feed(&m, &told, KP_EV_translation, sizeof(told), 0, KP_CPU_USER, 0);
		sw(&m, 0, 1, 0, 0, B);
		sw(&m, 1000, 0, A, S, 0);
		call_tcp(&m, 7000, 7900, B, SYS_sendto, server);
		wake_net(&m, 8000, 1, 0, A, virtual);
		sw(&m, 8000, 0, 0, 0, A);
		call_tcp(&m, 900, 8100, A, SYS_recvfrom, virtual);
		w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_on_cpu, B), is_told ? 6900 * US : 0);
		if (is_told)
			cr_expect_eq(w.pieces.at[1].confidence, 'A');
		done(&w);
	}
}

/* A wake in the middle of a send by a socket that is neither end: somebody on this host sent it. */
Test(rules, a_local_sender_that_is_not_found_is_not_the_network)
{
	const struct ends virtual = {0x0100000a, 0xc800000a, 40000, 80};
	const struct ends other = {0x0200000a, 0x0900000a, 7001, 55555};

	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake_net(&m, 8000, 1, B, A, virtual);
	sw(&m, 8000, 0, 0, 0, A);
	call_tcp(&m, 7900, 8050, B, SYS_sendto, other);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, virtual);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(w.pieces.at[1].kind, KP_B_network);
	cr_expect_eq(w.pieces.at[1].detail, KP_D_here);
	cr_expect_eq(w.pieces.at[1].confidence, 'C');
	done(&w);
}

/* After epoll it is the socket that is then read. */
Test(rules, epoll_and_a_datagram_behind_a_segment)
{
	datagram_behind_a_segment();
	call_on(7000, 7950, C, SYS_sendto, KP_OBJ_udp, swapped(datagrams));
	call(&m, 900, 8100, A, SYS_epoll_wait, KP_OBJ_anon, 1);
	call_on(8200, 8300, A, SYS_recvfrom, KP_OBJ_udp, datagrams);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 6950 * US);
	done(&w);

	datagram_behind_a_segment(); /* both were ready */
	call(&m, 900, 8100, A, SYS_epoll_wait, KP_OBJ_anon, 2);
	call_on(8200, 8300, A, SYS_recvfrom, KP_OBJ_udp, datagrams);
	call_tcp(&m, 8400, 8500, A, SYS_recvfrom, client);
	sw(&m, 8600, 1, C, S, B);
	sw(&m, 8700, 1, B, S, 0);
	w = finish(0, 10000);
	cr_expect_str_eq(via(&w, &w.pieces.at[1]), "socket");
	cr_expect_eq(w.waits.at[0].waker, kp_model_task(&m, B, 0));
	done(&w);
}

/* The listening socket is woken for the connection's. */
Test(rules, epoll_and_an_accepted_connection)
{
	const struct ends listening = {0, 0, 80, 0};

	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	call_tcp(&m, 7000, 7900, B, SYS_connect, client);
	wake_net(&m, 7900, 0, B, A, swapped(client));
	sw(&m, 7900, 0, 0, 0, A);
	call(&m, 900, 8100, A, SYS_epoll_wait, KP_OBJ_anon, 1);
	call_tcp(&m, 8200, 8300, A, SYS_accept4, listening);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 6900 * US);
	cr_expect_eq(w.pieces.at[1].confidence, 'A');
	done(&w);
}

Test(rules, remote_peer_and_retransmission)
{
	const struct ends remote = {0x0100000a, 0x0200000a, 40000, 443};

	begin();
	sw(&m, 1000, 0, A, S, 0);
	FEED(&m, tcp_retransmit, 6000, 1, 0, .sock = tell_sock(&m, KP_OBJ_tcp, remote));
	wake_net(&m, 8000, 0, C, A, remote);
	sw(&m, 8000, 0, 0, 0, A);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, remote);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_retransmit, 0), 5000 * US);
	cr_expect_eq(spent(&w, KP_B_network, 0), 2000 * US);
	cr_expect_eq(m.socks.at[find(&w, KP_B_network)->obj].rport, 443);
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

/* --- without records of calls --- */

Test(waits, the_call_of_the_wait_and_of_the_wake)
{
	begin();
	wait_in(&m, 1000, A, SYS_read, KP_OBJ_pipe, 0);
	wake_from(&m, 8000, 1, B, A, SYS_write, KP_OBJ_pipe);
	sw(&m, 8000, 0, 0, 0, A);
	struct kp_walk w = finish(0, 10000);
	cr_assert_eq(w.waits.cnt, 1);
	cr_expect_str_eq(w.waits.at[0].rule->name, "pipe");
	cr_expect_eq(w.waits.at[0].confidence, 'A');
	cr_expect_eq(w.waits.at[0].call->nr, SYS_read);
	cr_expect_eq(w.waits.at[0].wake_call->nr, SYS_write);
	cr_expect_eq(kp_task_call(&m.tasks.at[kp_model_task(&m, A, 0)], 9000 * US), NULL);
	done(&w);
}

/* Woken for nothing it waits on in the same call, and is the last waker's: which is less sure. */
Test(waits, a_false_wake_is_told_by_the_task_not_having_left_the_kernel)
{
	for (int same = 0; same < 2; same++) {
		begin();
		wait_in(&m, 1000, A, SYS_read, KP_OBJ_pipe, 0);
		wake_from(&m, 3000, 1, B, A, SYS_write, KP_OBJ_pipe);
		sw(&m, 3000, 0, 0, 0, A);
		wait_in(&m, 3010, A, SYS_read, KP_OBJ_pipe, same ? KP_WAITF_SAME : 0);
		wake_from(&m, 8000, 1, C, A, SYS_write, KP_OBJ_pipe);
		sw(&m, 8000, 0, 0, 0, A);
		struct kp_walk w = finish(1000, 8000);
		cr_assert_eq(w.waits.cnt, 2);
		cr_expect_eq(m.tasks.at[w.waits.at[0].waker].tid, same ? C : B);
		cr_expect_eq(w.waits.at[0].confidence, same ? 'B' : 'A');
		cr_expect_eq(m.tasks.at[w.waits.at[1].waker].tid, C);
		cr_expect_eq(w.waits.at[1].confidence, 'A');
		done(&w);
	}
}

Test(waits, a_record_takes_the_place_of_what_was_seen_within_it)
{
	const struct kp_task *t;

	begin();
	wait_in(&m, 1000, A, SYS_read, KP_OBJ_pipe, 0);
	wake_from(&m, 3000, 1, B, A, SYS_write, KP_OBJ_pipe);
	sw(&m, 3000, 0, 0, 0, A);
	call(&m, 900, 3100, A, SYS_read, KP_OBJ_pipe, 1);
	t = &m.tasks.at[kp_model_task(&m, A, 0)];
	cr_assert_eq(t->calls.cnt, 1);
	cr_expect_eq(t->calls.at[0].entry_ns, 900 * US);
	cr_expect_eq(t->calls.at[0].flags, 0);
	kp_model_done(&m);
}

/* A polls, B sends on the other end, from within which its segment wakes A, which then receives. */
Test(waits, who_sent_to_a_poller)
{
	begin();
	wait_in(&m, 1000, A, SYS_epoll_wait, KP_OBJ_anon, 0);
	sw(&m, 2000, 1, 0, 0, B);
	FEED(&m, sched_waking, 8000, 1, B, .target_pid = A, .target_tid = A, .nr = SYS_sendto,
	     .fobj = KP_OBJ_tcp, .ino = ino_of(tell_sock(&m, KP_OBJ_tcp, swapped(client))),
	     .ctx = KP_CTX_SOFTIRQ | KP_CTX_NET, .softirq = 3,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	FEED(&m, sock_send, 8005, 1, B, .len = 5, .nr = SYS_sendto, .obj = KP_OBJ_tcp,
	     .sock = tell_sock(&m, KP_OBJ_tcp, swapped(client)));
	sw(&m, 8010, 0, 0, 0, A);
	FEED(&m, sock_recv, 8020, 0, A, .len = 5, .nr = SYS_recvfrom, .obj = KP_OBJ_tcp,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	struct kp_walk w = finish(1000, 8010);
	cr_assert_eq(w.waits.cnt, 1);
	cr_expect_str_eq(w.waits.at[0].rule->name, "socket");
	cr_expect_eq(w.waits.at[0].confidence, 'A');
	cr_expect_eq(m.tasks.at[w.waits.at[0].waker].tid, B);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 6000 * US);
	done(&w);
}

/* The end of a stream is sent too: by whoever closes. */
Test(waits, who_closed)
{
	begin();
	FEED(&m, wait, 1000, 0, A, .nr = SYS_read, .obj = KP_OBJ_tcp, .ino = 7,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	sw(&m, 1000, 0, A, S, 0);
	sw(&m, 2000, 1, 0, 0, B);
	FEED(&m, tcp_state, 7990, 1, B, .newstate = 4,
	     .sock = tell_sock(&m, KP_OBJ_tcp, swapped(client)));
	wake_net(&m, 8000, 1, B, A, client);
	sw(&m, 8000, 0, 0, 0, A);
	struct kp_walk w = finish(1000, 8000);
	cr_assert_eq(w.waits.cnt, 1);
	cr_expect_eq(m.tasks.at[w.waits.at[0].waker].tid, B);
	done(&w);
}
