// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Sockets: what their numbers mean, sends and receives, the states and retransmissions of TCP, and
 * for which socket a segment has come, which is the reason of the wakeups that follow it in the
 * same softirq.
 */
#include "bpf/emit.h"
#include "bpf/object.h"
#include "bpf/payload.h"

#define MSG_PEEK 2
#define LEN_UNKNOWN 0xffffffffu
#define TCP_HEADER_LEN 20
#define UDP_HEADER_LEN 8
#define TCP_CA_RECOVERY 3
#define TCP_CA_LOSS 4
#define ICSK_TIME_LOSS_PROBE 5

/* --- what a number of a socket means --- */

static __always_inline __u8 kind_of(__u16 family, __u16 protocol)
{
	if (family == AF_UNIX)
		return KP_OBJ_unix;
	if (family != AF_INET && family != AF_INET6)
		return KP_OBJ_sock;
	return protocol == IPPROTO_TCP   ? KP_OBJ_tcp
	       : protocol == IPPROTO_UDP ? KP_OBJ_udp
					 : KP_OBJ_sock;
}

static __always_inline void fill_ends(struct kp_ev_socket *ev, const struct sock *sk)
{
	struct kp_ends ends = {};

	kp_read_ends(&ends, sk, ev->family);
	__builtin_memcpy(ev->laddr, &ends.laddr, sizeof(ev->laddr));
	__builtin_memcpy(ev->raddr, &ends.raddr, sizeof(ev->raddr));
	ev->lport = ends.lport;
	ev->rport = ends.rport;
}

static __always_inline void fill_peer(struct kp_ev_socket *ev, const struct sock *sk)
{
	const struct unix_sock *u = (const void *)sk;
	const struct sock *peer = NULL;

	ev->peer = ev->peer_ino = 0;
	if (ev->obj == KP_OBJ_unix && bpf_core_field_exists(u->peer))
		peer = BPF_CORE_READ(u, peer);
	if (!peer)
		return;
	ev->peer_ino = kp_sock_ino(peer);
	ev->peer = kp_sock_number(peer, ev->peer_ino, KP_SK_ADDRESS);
}

__noinline int kp_tell_sock(__u64 number, __u64 ino, __u64 state)
{
	const struct sock *sk = (const void *)kp_this_cpu()->told_sk;
	struct kp_told *t = &told[number & (KP_TOLD_CNT - 1)];
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	__u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	__u8 kind = kind_of(family, protocol);
	struct kp_ev_socket *ev;

	/* An interrupt may have told of another one meanwhile. */
	if (cookie && cookie != number)
		return KP_OBJ_sock;
	ev = KP_LIFE_EVENT(socket, bpf_ktime_get_ns());
	if (!ev)
		return kind;
	ev->sock = number;
	ev->family = family;
	ev->protocol = protocol;
	ev->obj = kind;
	ev->pad0 = 0;
	ev->pad1 = 0;
	ev->ino = ino ? ino : kp_sock_ino(sk);
	ev->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	fill_ends(ev, sk);
	fill_peer(ev, sk);
	KP_SUBMIT(ev);
	t->sock = number;
	t->state = state | kind;
	return kind;
}

/* --- what TCP does --- */

static __always_inline void tell_window(const struct sock *sk, __u32 window, __u32 waiting)
{
	struct kp_ev_tcp_window *ev;
	__u8 kind;
	__u64 sock = kp_sock_of(sk, 0, KP_SK_ARG, &kind);

	ev = KP_EVENT(tcp_window, tcp, bpf_ktime_get_ns());
	if (!ev)
		return;
	ev->sock = sock;
	ev->window = window;
	ev->waiting = waiting;
	KP_COMMIT(ev);
}

/*
 * The window that a segment brings, if TCP is about to take it for the newer one
 * (tcp_may_update_window), against the one until now: whether it closes or opens.
 */
static __always_inline void watch_window(const struct sock *sk, const struct sk_buff *skb,
					 bool typed)
{
	const struct tcphdr *th = typed ? KP_CAST(tcphdr, skb->data) : (void *)skb->data;
	const struct tcp_sock *tp = typed ? KP_CAST(tcp_sock, sk) : (void *)sk;
	__u32 window = __builtin_bswap16(KP_LOAD(typed, th, window)), ack, seq, wl1;

	if (!KP_LOAD(typed, tp, snd_wnd) == !window)
		return;
	ack = __builtin_bswap32(KP_LOAD(typed, th, ack_seq)) - KP_LOAD(typed, tp, snd_una);
	wl1 = KP_LOAD(typed, tp, snd_wl1);
	seq = __builtin_bswap32(KP_LOAD(typed, th, seq));
	if ((__s32)ack <= 0 && (__s32)(seq - wl1) < 0)
		return;
	tell_window(sk, window << BPF_CORE_READ_BITFIELD_PROBED(tp, rx_opt.snd_wscale),
		    KP_LOAD(typed, tp, write_seq) - KP_LOAD(typed, tp, snd_una));
}

/*
 * No tracepoint tells that this end closes its window, but each packet that goes out tells the
 * other end, and the socket has what it told last. The sockets that have theirs closed, by address,
 * with their numbers in the log.
 */
#define KP_CLOSED_MAX 4096

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KP_CLOSED_MAX);
	__type(key, __u64);
	__type(value, __u64);
} closed_windows SEC(".maps");

__u32 closed_cnt; /* of them: mostly none, and then packets need no look */

static __always_inline void tell_own_window(__u64 sock, __u32 window, __u32 unread)
{
	struct kp_ev_tcp_own_window *ev = KP_EVENT(tcp_own_window, packet, bpf_ktime_get_ns());

	if (!ev)
		return;
	ev->sock = sock;
	ev->window = window;
	ev->unread = unread;
	KP_COMMIT(ev);
}

static __always_inline void forget_window(__u64 key)
{
	if (!bpf_map_delete_elem(&closed_windows, &key))
		__sync_fetch_and_add(&closed_cnt, -1);
}

static __always_inline void close_window(__u64 key, __u64 sock, __u32 unread)
{
	if (bpf_map_update_elem(&closed_windows, &key, &sock, BPF_NOEXIST)) {
		kp_count_lost(KP_RING_EVENTS, KP_GROUP_packet);
		return;
	}
	__sync_fetch_and_add(&closed_cnt, 1);
	tell_own_window(sock, 0, unread);
}

/* Another socket may have the address of one whose end went unseen. */
static __always_inline void open_window(__u64 key, __u64 closed, __u64 sock, __u64 ino,
					__u32 window, __u32 unread)
{
	forget_window(key);
	if (closed == sock || closed == KP_SOCK_INO + ino)
		tell_own_window(closed, window, unread);
}

/* A packet goes out of a socket whose window is closed, or may have been. */
static __noinline int look_at_window(const struct tcp_sock *tp)
{
	const struct sock *sk = (const void *)tp;
	__u32 window = BPF_CORE_READ(tp, rcv_wnd);
	__u32 unread = BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq);
	__u64 key = (__u64)tp, sock, ino, *closed = bpf_map_lookup_elem(&closed_windows, &key);
	__u8 kind;

	if (!window == !!closed)
		return 0;
	ino = kp_sock_ino(sk);
	sock = kp_sock_of(sk, ino, KP_SK_ADDRESS, &kind);
	if (closed)
		open_window(key, *closed, sock, ino, window, unread);
	else
		close_window(key, sock, unread);
	return 0;
}

/* States in which a socket has a window. */
#define RECEIVING \
	(1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT)

static __always_inline int on_packet_out(const struct sk_buff *skb, bool typed)
{
	const struct sock *sk = skb->sk;
	const struct tcp_sock *tp = typed ? KP_CAST(tcp_sock, sk) : (void *)sk;

	if (!sk || !(RECEIVING & 1u << (sk->__sk_common.skc_state & 31)) ||
	    kind_of(sk->__sk_common.skc_family, sk->sk_protocol) != KP_OBJ_tcp)
		return 0;
	return closed_cnt || !KP_LOAD(typed, tp, rcv_wnd) ? look_at_window(tp) : 0;
}

SEC("tp_btf/net_dev_start_xmit")
int KP_PROG(SILENT, kp_own_window_typed, const struct sk_buff *skb)
{
	return on_packet_out(skb, true);
}

SEC("tp_btf/net_dev_start_xmit")
int KP_PROG(SILENT, kp_own_window, const struct sk_buff *skb)
{
	return on_packet_out(skb, false);
}

/* A segment for an established connection, of which nothing can have changed unseen but its inode,
 * which whoever then takes the bytes tells. */
static __always_inline int on_segment(const struct sock *sk, const struct sk_buff *skb, bool typed)
{
	__u64 sock = sk->__sk_common.skc_cookie.counter;
	struct kp_cpu *c = kp_this_cpu();
	__u32 context = kp_context(c);
	__u8 kind;

	if (KP_TELLS(tcp))
		watch_window(sk, skb, typed);
	if (!context)
		return 0;
	if (!sock || told[sock & (KP_TOLD_CNT - 1)].sock != sock)
		sock = kp_sock_of(sk, 0, KP_SK_ARG, &kind);
	kp_set_why(c, context, KP_CTX_NET, 0, sock);
	return 0;
}

SEC("tp_btf/tcp_probe")
int KP_PROG(SILENT, kp_tcp_probe_typed, const struct sock *sk, const struct sk_buff *skb)
{
	return on_segment(sk, skb, true);
}

SEC("tp_btf/tcp_probe")
int KP_PROG(SILENT, kp_tcp_probe, const struct sock *sk, const struct sk_buff *skb)
{
	return on_segment(sk, skb, false);
}

/*
 * Bytes have come for a socket, which its tasks are woken for. Those for an established connection
 * kp_tcp_probe has seen, and for a listening socket it is the new connection that counts.
 */
SEC("tp_btf/sk_data_ready")
int KP_PROG(SILENT, kp_data_ready, const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state, kind;
	struct kp_cpu *c = kp_this_cpu();
	__u32 context;

	if ((state == TCP_ESTABLISHED || state == TCP_LISTEN) &&
	    kind_of(sk->__sk_common.skc_family, sk->sk_protocol) == KP_OBJ_tcp)
		return 0;
	context = kp_context(c);
	if (context)
		kp_set_why(c, context, KP_CTX_NET, 0, kp_sock_of(sk, 0, KP_SK_ARG, &kind));
	return 0;
}

/* Before sk_data_ready: of another protocol's packet is not known for whom it is, and the segment
 * before it has nothing to do with it. */
SEC("tp_btf/netif_receive_skb")
int KP_PROG(SILENT, kp_next_packet)
{
	struct kp_cpu *c = kp_this_cpu();

	kp_set_why(c, kp_context(c), 0, 0, 0);
	return 0;
}

/*
 * A connection that comes in is still its listener's copy when it is made; one that ends has given
 * back its port, and what its number means is known.
 */
static __always_inline __u64 sock_in(const struct sock *sk, int newstate)
{
	__u8 kind;

	if (newstate == TCP_SYN_RECV)
		return 0;
	return newstate == TCP_CLOSE ? sk->__sk_common.skc_cookie.counter
				     : kp_sock_of(sk, 0, KP_SK_ARG, &kind);
}

SEC("tp_btf/inet_sock_set_state")
int KP_PROG(tcp, kp_tcp_state, const struct sock *sk, int oldstate, int newstate)
{
	struct kp_cpu *c = kp_this_cpu();
	struct kp_ev_tcp_state *ev;
	__u64 sock;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	sock = sock_in(sk, newstate);
	if (newstate == TCP_CLOSE && closed_cnt)
		forget_window((__u64)sk);
	kp_set_why(c, kp_context(c), KP_CTX_NET, 0, sock);
	if (!KP_TELLS(tcp) || kp_is_self())
		return 0;
	ev = KP_EVENT(tcp_state, tcp, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->sock = sock;
	ev->oldstate = oldstate;
	ev->newstate = newstate;
	ev->pad = 0;
	KP_COMMIT(ev);
	return 0;
}

/*
 * The timer's handler takes a timeout off `pending` before it sends, and a tail loss probe after
 * that. What acknowledgements make TCP send again, in recovery, finds either of them still there.
 */
static __always_inline __u8 why_again(__u8 ca_state, __u8 pending)
{
	if (ca_state == TCP_CA_RECOVERY)
		return KP_RETRANSMIT_fast;
	if (ca_state == TCP_CA_LOSS)
		return pending ? KP_RETRANSMIT_loss : KP_RETRANSMIT_rto;
	return pending == ICSK_TIME_LOSS_PROBE ? KP_RETRANSMIT_tlp : KP_RETRANSMIT_unknown;
}

static __always_inline int tell_retransmit(const struct sock *sk, const struct sk_buff *skb)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct tcp_sock *tp = (const void *)sk;
	struct tcp_skb_cb *cb = (void *)skb->cb;
	struct kp_ev_tcp_retransmit *ev;
	__u8 kind;
	__u64 sock = kp_sock_of(sk, 0, KP_SK_ARG, &kind);

	ev = KP_EVENT(tcp_retransmit, tcp, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->sock = sock;
	ev->tcp_seq = BPF_CORE_READ(cb, seq);
	ev->len = BPF_CORE_READ(cb, end_seq) - ev->tcp_seq;
	ev->state = sk->__sk_common.skc_state;
	ev->icsk_retransmits = BPF_CORE_READ(icsk, icsk_retransmits);
	ev->ca_state = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	ev->tcp_una = BPF_CORE_READ(tp, snd_una);
	ev->window = BPF_CORE_READ(tp, snd_wnd);
	ev->cwnd = BPF_CORE_READ(tp, snd_cwnd);
	ev->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	ev->rto_us = ev->srtt_us ? ev->srtt_us + BPF_CORE_READ(tp, rttvar_us) : 0;
	ev->why = why_again(ev->ca_state, BPF_CORE_READ(icsk, icsk_pending));
	ev->pad0 = 0;
	ev->pad1 = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int KP_PROG(tcp, kp_tcp_retransmit_3, const struct sock *sk, const struct sk_buff *skb)
{
	return tell_retransmit(sk, skb);
}

/* err: the segment could not be sent. */
SEC("tp_btf/tcp_retransmit_skb")
int KP_PROG(tcp, kp_tcp_retransmit, const struct sock *sk, const struct sk_buff *skb, int err)
{
	return err ? 0 : tell_retransmit(sk, skb);
}

/* The connection has no socket yet, so its ends stand here. */
SEC("tp_btf/tcp_retransmit_synack")
int KP_PROG(tcp, kp_synack_retransmit, const struct sock *sk, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const void *)req;
	struct kp_ev_tcp_synack_retransmit *ev;
	struct kp_ends ends = {};
	__u8 kind;
	__u64 sock = kp_sock_of(sk, 0, KP_SK_ARG, &kind);

	kp_read_ends(&ends, (const void *)req, req->__req_common.skc_family);
	ev = KP_EVENT(tcp_synack_retransmit, tcp, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->sock = sock;
	__builtin_memcpy(ev->laddr, &ends.laddr, sizeof(ev->laddr));
	__builtin_memcpy(ev->raddr, &ends.raddr, sizeof(ev->raddr));
	ev->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	ev->lport = ends.lport;
	ev->rport = ends.rport;
	ev->tcp_seq = BPF_CORE_READ(treq, snt_isn);
	ev->before = req->num_retrans;
	ev->waiting = sk->sk_ack_backlog;
	ev->waiting_max = sk->sk_max_ack_backlog;
	KP_COMMIT(ev);
	return 0;
}

/* --- sends and receives: since 6.3 a tracepoint of all protocols, before that what TCP has --- */

_Static_assert(sizeof(struct kp_ev_sock_send) == sizeof(struct kp_ev_sock_recv),
	       "a send and a receive have the same members");

/* kind: KP_EV_sock_send or KP_EV_sock_recv */
static __always_inline int tell_transfer(__u16 kind, const struct sock *sk, __u32 len, __u32 seq,
					 enum kp_sk_from from)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_ev_sock_send *ev;
	__u8 obj;
	__u64 sock = kp_sock_of(sk, from == KP_SK_ADDRESS ? kp_sock_ino(sk) : 0, from, &obj);

	ev = kp_reserve_for(KP_RING_EVENTS, KP_GROUP_tcp, kind, sizeof(*ev), bpf_ktime_get_ns(),
			    task->tgid, task->pid);
	if (!ev)
		return 0;
	ev->sock = sock;
	ev->len = len;
	ev->tcp_seq = obj == KP_OBJ_tcp ? seq : 0;
	ev->nr = kp_call_nr((struct pt_regs *)bpf_task_pt_regs(task), task);
	ev->obj = obj;
	ev->pad0 = 0;
	ev->pad1 = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/sock_send_length")
int KP_PROG(tcp, kp_sock_send, struct sock *sk, int ret)
{
	/* An empty datagram wakes who waits for one. */
	return ret > 0 || (!ret && sk->sk_protocol != IPPROTO_TCP)
		       ? tell_transfer(KP_EV_sock_send, sk, ret, KP_CAST(tcp_sock, sk)->write_seq,
				       KP_SK_ARG)
		       : 0;
}

SEC("tp_btf/sock_recv_length")
int KP_PROG(tcp, kp_sock_recv, struct sock *sk, int ret, int flags)
{
	return ret >= 0 && !(flags & MSG_PEEK)
		       ? tell_transfer(KP_EV_sock_recv, sk, ret, KP_CAST(tcp_sock, sk)->copied_seq,
				       KP_SK_ARG)
		       : 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int KP_PROG(tcp, kp_tcp_recv, struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	return tell_transfer(KP_EV_sock_recv, sk, LEN_UNKNOWN, BPF_CORE_READ(tp, copied_seq),
			     KP_SK_ARG);
}

/* A packet goes to its device; in the sender's own context it is what a send has just given. */
SEC("tp_btf/net_dev_start_xmit")
int KP_PROG(tcp, kp_xmit, const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	const unsigned char *at;
	__u8 header[TCP_HEADER_LEN];
	__u32 len;

	if (!sk || kp_context(kp_this_cpu()))
		return 0;
	at = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header);
	len = BPF_CORE_READ(skb, len) - (at - BPF_CORE_READ(skb, data));
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP)
		return tell_transfer(KP_EV_sock_send, sk, len - UDP_HEADER_LEN, 0, KP_SK_ADDRESS);
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP ||
	    bpf_probe_read_kernel(header, sizeof(header), at))
		return 0;
	len -= (header[12] >> 4) * 4;
	if (!len) /* an acknowledgement */
		return 0;
	return tell_transfer(KP_EV_sock_send, sk, len,
			     __builtin_bswap32(*(__u32 *)(header + 4)) + len, KP_SK_ADDRESS);
}
