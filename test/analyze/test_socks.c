/* SPDX-License-Identifier: MIT
 * Sockets by their numbers, as far as the log tells what those mean: whose send ended a wait.
 */
#include <arpa/inet.h>

#include "story.h"

/* A waits on CPU 0 from 1000 on, B and then nobody runs on CPU 1. */
static void begin_waiting(void)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
}

/* A's time, which goes on at 8000. */
static struct kp_walk finish_waiting(void)
{
	sw(&m, 8000, 0, 0, 0, A);
	return finish(0, 10000);
}

/* Whether A's wait is B's doing. */
static void expect_sender(const struct kp_walk *w)
{
	cr_assert_geq(w->waits.cnt, 1);
	cr_expect_eq(m.tasks.at[w->waits.at[0].waker].tid, B);
	cr_expect_eq(w->waits.at[0].confidence, 'A');
}

/* A socket of IPv6 with the same port and prefix at both ends. */
static void tell_v6(uint64_t number, const char *laddr, const char *raddr, uint16_t lport,
		    uint16_t rport)
{
	struct kp_ev_socket ev = {.sock = number,
				  .netns = 1,
				  .lport = lport,
				  .rport = rport,
				  .family = AF_INET6,
				  .obj = KP_OBJ_tcp};

	cr_assert_eq(inet_pton(AF_INET6, laddr, ev.laddr), 1);
	cr_assert_eq(inet_pton(AF_INET6, raddr, ev.raddr), 1);
	feed(&m, &ev, KP_EV_socket, sizeof(ev), 0, KP_CPU_USER, 0);
}

static void call_by(uint64_t entry, uint64_t exit, uint32_t tid, uint16_t nr, uint64_t number)
{
	FEED(&m, syscall, exit, 0, tid, .entry_ns = entry * US, .nr = nr, .obj = KP_OBJ_tcp,
	     .ret = 1, .sock = number);
}

static void wake_by(uint64_t us, uint32_t target, uint64_t number)
{
	FEED(&m, sched_waking, us, 1, 0, .target_pid = target, .target_tid = target,
	     .ctx = KP_CTX_SOFTIRQ | KP_CTX_NET, .softirq = 3, .sock = number, .nr = KP_NR_NONE);
}

/* Two servers' addresses, of which the words' exclusive or is the same: B's is the client's. */
Test(socks, whole_addresses_of_ipv6)
{
	begin_waiting();
	tell_v6(1, "fd00::1", "fd00::1:0:2", 40000, 80);
	tell_v6(2, "fd00::1:0:2", "fd00::1", 80, 40000);
	tell_v6(3, "fd00::2:0:1", "fd00::1", 80, 40000);
	call_by(6000, 6900, B, SYS_sendto, 2);
	call_by(7000, 7900, C, SYS_sendto, 3);
	wake_by(8000, A, 1);
	call_by(900, 8100, A, SYS_recvfrom, 1);
	struct kp_walk w = finish_waiting();
	expect_sender(&w);
	done(&w);
}

/* One end of IPv4, the other of IPv6 that takes both. */
Test(socks, families_meet)
{
	begin_waiting();
	tell_v6(2, "::ffff:127.0.0.1", "::ffff:127.0.0.1", 80, 40000);
	call_by(7000, 7900, B, SYS_sendto, 2);
	wake_net(&m, 8000, 1, 0, A, client);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, client);
	struct kp_walk w = finish_waiting();
	expect_sender(&w);
	done(&w);
}

/* The tellings are lost: the sender may be anybody. */
Test(socks, not_told)
{
	begin_waiting();
	call_by(7000, 7900, B, SYS_sendto, 2);
	wake_by(8000, A, 1);
	call_by(900, 8100, A, SYS_recvfrom, 1);
	struct kp_walk w = finish_waiting();
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 0);
	cr_expect_eq(spent(&w, KP_B_network, 0), 7000 * US);
	for (uint32_t i = 0; i < w.pieces.cnt; i++)
		if (w.pieces.at[i].kind == KP_B_network)
			cr_expect_eq(w.pieces.at[i].confidence, 'D');
	done(&w);
}

/* It goes by its inode first, then by its cookie; its telling comes last, and a later one, when the
 * connection has ended, has less. */
Test(socks, one_socket_by_two_numbers)
{
	struct kp_ev_socket ev = {.netns = 1, .lport = 80, .rport = 40000, .obj = KP_OBJ_tcp};

	begin_waiting();
	call_by(6000, 6900, B, SYS_sendto, KP_SOCK_INO + 77);
	ev.ino = 77;
	kp_addr_from_v4(ev.laddr, &client.raddr);
	kp_addr_from_v4(ev.raddr, &client.laddr);
	ev.sock = 5;
	feed(&m, &ev, KP_EV_socket, sizeof(ev), 0, KP_CPU_USER, 0);
	ev.lport = 0;
	feed(&m, &ev, KP_EV_socket, sizeof(ev), 0, KP_CPU_USER, 0);
	cr_expect_eq(m.socks.cnt, 1);
	cr_expect_eq(m.socks.at[0].lport, 80);
	wake_net(&m, 8000, 1, 0, A, client);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, client);
	struct kp_walk w = finish_waiting();
	expect_sender(&w);
	done(&w);
}

/* A number that is told with another peer is another socket from there on. */
Test(socks, connected_anew)
{
	begin_waiting();
	tell_v6(1, "fd00::1", "fd00::2", 40000, 53);
	call_by(100, 200, A, SYS_sendto, 1);
	tell_v6(1, "fd00::1", "fd00::3", 40000, 53);
	call_by(300, 400, A, SYS_sendto, 1);
	cr_assert_eq(m.socks.cnt, 2);
	cr_expect_eq(m.socks.at[0].sends.cnt, 1);
	cr_expect_eq(m.socks.at[1].sends.cnt, 1);
	cr_expect_neq(m.socks.at[0].remote, m.socks.at[1].remote);
	kp_model_done(&m);
}
