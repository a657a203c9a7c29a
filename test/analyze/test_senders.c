/* SPDX-License-Identifier: MIT
 * Whose bytes ended a wait: sockets, datagrams, translated addresses, other hosts.
 */
#include "story.h"

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

/* A client that is connected, a server that is not: known by the address that it is bound to. */
Test(rules, a_datagram_from_a_server_that_answers_anybody)
{
	static const struct ends asks = {0x0100000a, 0x0300000a, 40000, 53};
	static const struct {
		struct ends server;
		bool is_it;
	} cases[] = {{{0x0300000a, 0, 53, 0}, true},
		     {{0, 0, 53, 0}, true},
		     {{0x0400000a, 0, 53, 0}, false},
		     {{0x0300000a, 0, 54, 0}, false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin();
		sw(&m, 0, 1, 0, 0, C);
		sw(&m, 1000, 0, A, S, 0);
		FEED(&m, sched_waking, 8000, 1, C, .target_pid = A, .target_tid = A,
		     .ctx = KP_CTX_SOFTIRQ | KP_CTX_NET, .softirq = 3, .nr = SYS_sendto,
		     .fobj = KP_OBJ_udp, .sock = tell_sock(&m, KP_OBJ_udp, asks));
		FEED(&m, sock_send, 8010, 1, C, .len = 10, .nr = SYS_sendto, .obj = KP_OBJ_udp,
		     .sock = tell_sock(&m, KP_OBJ_udp, cases[i].server));
		sw(&m, 8000, 0, 0, 0, A);
		call_on(900, 8100, A, SYS_recvfrom, KP_OBJ_udp, asks);
		struct kp_walk w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_on_cpu, C), cases[i].is_it ? 7000 * US : 0);
		cr_expect_eq(spent(&w, KP_B_network, 0), cases[i].is_it ? 0 : 7000 * US);
		done(&w);
	}
}

/* A server that takes datagrams from anybody was woken for its own socket: C sent one just then. */
static struct kp_walk datagram_from_anybody(uint8_t obj, uint8_t context)
{
	const struct ends server = {0x0100007f, 0, 53, 0};

	begin();
	sw(&m, 0, 1, 0, 0, C);
	sw(&m, 1000, 0, A, S, 0);
	FEED(&m, sched_waking, 8000, 1, C, .target_pid = A, .target_tid = A,
	     .ctx = context | KP_CTX_NET, .softirq = 3, .sock = tell_sock(&m, KP_OBJ_udp, server),
	     .nr = KP_NR_NONE);
	sw(&m, 8000, 0, 0, 0, A);
	call(&m, 7990, 8010, C, SYS_sendto, obj, 1);
	call_on(900, 8100, A, SYS_recvfrom, KP_OBJ_udp, server);
	return finish(0, 10000);
}

Test(rules, a_datagram_from_anybody)
{
	struct kp_walk w = datagram_from_anybody(KP_OBJ_udp, KP_CTX_SOFTIRQ);

	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 7000 * US);
	cr_expect_eq(w.pieces.at[1].confidence, 'B');
	done(&w);
	w = datagram_from_anybody(KP_OBJ_tcp, KP_CTX_SOFTIRQ);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 0, "it sends something else");
	done(&w);
}

/* What NAPI's thread wakes is the network's doing, not that of the thread. */
Test(rules, a_thread_that_serves_the_network)
{
	begin();
	sw(&m, 0, 1, 0, 0, C);
	sw(&m, 1000, 0, A, S, 0);
	FEED(&m, sched_waking, 8000, 1, C, .target_pid = A, .target_tid = A,
	     .ctx = KP_CTX_THREAD | KP_CTX_NET,
	     .sock = tell_sock(&m, KP_OBJ_tcp, (struct ends){0x0100000a, 0x0200000a, 4000, 443}),
	     .nr = KP_NR_NONE);
	sw(&m, 8000, 0, 0, 0, A);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, (struct ends){0x0100000a, 0x0200000a, 4000, 443});
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_network, 0), 7000 * US);
	cr_expect_eq(spent(&w, KP_B_on_cpu, C), 0);
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

static const struct ends of_client = {0x0100000a, 0xc800000a, 40000, 80};
static const struct ends of_server = {0x0200000a, 0x6300000a, 7001, 50000};

/* That the client of `of_client` speaks to the socket with the ends e. */
static void tell_translation(uint64_t us, struct ends e)
{
	struct kp_ev_translation ev = {.client_lport = of_client.lport,
				       .client_rport = of_client.rport,
				       .server_lport = e.lport,
				       .server_rport = e.rport,
				       .protocol = 6};

	kp_addr_from_v4(ev.client_laddr, &of_client.laddr);
	kp_addr_from_v4(ev.client_raddr, &of_client.raddr);
	kp_addr_from_v4(ev.server_laddr, &e.laddr);
	kp_addr_from_v4(ev.server_raddr, &e.raddr);
	feed(&m, &ev, KP_EV_translation, sizeof(ev), us, KP_CPU_USER, 0);
}

/* A waits for an answer from 1000 to 8000; B sends one as `of_server`. */
static void answer_of_server(void)
{
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	call_tcp(&m, 7000, 7900, B, SYS_sendto, of_server);
	wake_net(&m, 8000, 1, 0, A, of_client);
	sw(&m, 8000, 0, 0, 0, A);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, of_client);
}

/* The kernel told which ends the other side has. */
Test(rules, a_sender_behind_a_translation_that_is_told)
{
	struct kp_walk w;

	for (int is_told = 1; is_told >= 0; is_told--) {
		begin();
		if (is_told)
			tell_translation(0, of_server);
		answer_of_server();
		w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_on_cpu, B), is_told ? 6900 * US : 0);
		if (is_told)
			cr_expect_eq(w.pieces.at[1].confidence, 'A');
		done(&w);
	}
}

/* The client's ends go to one server after another. */
Test(rules, the_translation_of_that_time)
{
	static const struct ends other = {0x0300000a, 0x6300000a, 7001, 50000};
	static const struct {
		uint64_t told_us, other_us;
		bool is_known;
	} cases[] = {
		{0, 2000000, true},     /* the other connection came long after */
		{0, 9000, false},       /* it may have begun before the answer */
		{9000, 3000000, true},  /* told late, and none was before it */
		{2000000, 0, false},    /* this one came long after */
		{2000000, 9000, false}, /* the same */
	};
	struct kp_walk w;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool first = cases[i].told_us < cases[i].other_us;

		begin();
		tell_translation(first ? cases[i].told_us : cases[i].other_us,
				 first ? of_server : other);
		tell_translation(first ? cases[i].other_us : cases[i].told_us,
				 first ? other : of_server);
		answer_of_server();
		w = finish(0, 10000);
		cr_expect_eq(spent(&w, KP_B_on_cpu, B), cases[i].is_known ? 6900 * US : 0,
			     "case %zu", i);
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
	FEED(&m, tcp_retransmit, 6000, 1, 0, .sock = tell_sock(&m, KP_OBJ_tcp, remote),
	     .why = KP_RETRANSMIT_tlp);
	wake_net(&m, 8000, 0, C, A, remote);
	sw(&m, 8000, 0, 0, 0, A);
	call_tcp(&m, 900, 8100, A, SYS_recvfrom, remote);
	struct kp_walk w = finish(0, 10000);
	cr_expect_eq(spent(&w, KP_B_retransmit, 0), 5000 * US);
	cr_expect_eq(find(&w, KP_B_retransmit)->detail, KP_D_tlp);
	cr_expect_eq(find(&w, KP_B_network)->detail, KP_D_none);
	cr_expect_eq(spent(&w, KP_B_network, 0), 2000 * US);
	cr_expect_eq(m.socks.at[find(&w, KP_B_network)->obj].rport, 443);
	done(&w);
}

/* Who waits for room to send was woken by the other end, which took some of it. */
Test(rules, a_writer_waits_for_its_reader)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	FEED(&m, wait, 1000, 0, A, .nr = SYS_write, .obj = KP_OBJ_tcp,
	     .sock = tell_sock(&m, KP_OBJ_tcp, client));
	sw(&m, 1000, 0, A, S, 0);
	tell_sock(&m, KP_OBJ_tcp, swapped(client));
	wake_net(&m, 9000, 1, B, A, client);
	FEED(&m, sock_recv, 9010, 1, B, .len = 5, .nr = SYS_read, .obj = KP_OBJ_tcp,
	     .sock = tell_sock(&m, KP_OBJ_tcp, swapped(client)));
	sw(&m, 9020, 0, 0, 0, A);
	struct kp_walk w = finish(1000, 9000);
	cr_assert_eq(w.waits.cnt, 1);
	cr_expect_eq(m.tasks.at[w.waits.at[0].waker].tid, B);
	cr_expect_eq(spent(&w, KP_B_on_cpu, B), 8000 * US);
	done(&w);
}
