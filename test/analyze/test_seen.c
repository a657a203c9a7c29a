/* SPDX-License-Identifier: MIT
 * Rules without records of calls: by what was seen at a wait and a wake.
 */
#include "story.h"

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

/* A handler ran, behind which the call is made again: one wait, which the last wake ended. */
Test(waits, a_call_that_a_signal_s_handler_interrupted)
{
	begin();
	wait_in(&m, 1000, A, SYS_read, KP_OBJ_pipe, 0);
	wake_from(&m, 4000, 1, C, A, SYS_kill, KP_OBJ_none);
	FEED(&m, signal_generate, 4001, 1, C, .target_pid = A, .target_tid = A, .sig = 10);
	sw(&m, 4002, 0, 0, 0, A);
	FEED(&m, signal_deliver, 4003, 0, A, .handler = 0x1000, .sa_flags = 0x10000000, .sig = 10);
	wait_in(&m, 4010, A, SYS_read, KP_OBJ_pipe, 0);
	sw(&m, 4020, 1, 0, 0, B);
	wake_from(&m, 9000, 1, B, A, SYS_write, KP_OBJ_pipe);
	sw(&m, 9002, 0, 0, 0, A);
	struct kp_walk w = finish(1000, 9002);
	cr_assert_geq(w.waits.cnt, 1);
	cr_expect_eq(m.tasks.at[w.waits.at[0].waker].tid, B);
	cr_expect_eq(w.waits.at[0].confidence, 'B');
	done(&w);
}

/* A send is one, whether its call has a record or not, and begins where the call does. */
Test(waits, a_send_that_has_a_record_too)
{
	const struct kp_sock *sock;
	uint64_t number;

	begin();
	number = tell_sock(&m, KP_OBJ_tcp, client);
	FEED(&m, sock_send, 2000, 1, B, .len = 5, .nr = SYS_write, .obj = KP_OBJ_tcp,
	     .sock = number);
	FEED(&m, syscall, 2100, 1, B, .entry_ns = 1900 * US, .nr = SYS_write, .obj = KP_OBJ_tcp,
	     .ret = 5, .sock = number);
	FEED(&m, syscall, 3100, 1, B, .entry_ns = 2900 * US, .nr = SYS_write, .obj = KP_OBJ_tcp,
	     .ret = 5, .sock = number);
	sock = &m.socks.at[0];
	cr_assert_eq(sock->sends.cnt, 2, "the second was not seen before its record");
	cr_expect_eq(sock->sends.at[0].entry_ns, 1900 * US);
	cr_expect_eq(sock->sends.at[0].exit_ns, 2000 * US);
	cr_expect_eq(sock->sends.at[1].exit_ns, 3100 * US);
	kp_model_done(&m);
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

/* A waits until its other end is reset in the context given, in which B is the task. */
static struct kp_walk until_reset(uint8_t ctx)
{
	begin();
	FEED(&m, wait, 1000, 0, A, .nr = SYS_read, .obj = KP_OBJ_tcp, .ino = 7,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	sw(&m, 1000, 0, A, S, 0);
	sw(&m, 2000, 1, 0, 0, B);
	FEED(&m, tcp_reset, 7990, 1, B, .state = 7, .ctx = ctx,
	     .sock = tell_sock(&m, KP_OBJ_tcp, swapped(client)));
	wake_net(&m, 8000, 1, B, A, client);
	sw(&m, 8000, 0, 0, 0, A);
	return finish(1000, 8000);
}

Test(waits, who_reset)
{
	struct kp_walk w = until_reset(0);
	cr_assert_eq(w.waits.cnt, 1);
	cr_expect_eq(m.tasks.at[w.waits.at[0].waker].tid, B);
	done(&w);
}

/* An interrupt answers a segment: whoever it came over has nothing to do with it. */
Test(waits, who_did_not_reset)
{
	struct kp_walk w = until_reset(KP_CTX_SOFTIRQ);
	cr_expect_eq(w.waits.cnt, 0);
	done(&w);
}
