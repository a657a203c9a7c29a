// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Packets: which are dropped and why, resets that go out and come in, and, where that is asked for,
 * each one that goes to a device or comes from one. Sockets and packets may be missing in these
 * tracepoints, which not every verifier knows: so what they give is read as addresses.
 */
#include "bpf/packet.h"

/* --- drops --- */

/*
 * Whether a packet that is freed had come to a socket, and goes away unread with it: for TCP the
 * socket has lost its descriptor, of a datagram in a queue the device is not known any more.
 */
static __always_inline bool is_purged(const struct sk_buff *skb, const struct sock *sk, __u32 netns)
{
	return !netns || (BPF_CORE_READ(skb, skb_iif) && sk && sk == BPF_CORE_READ(skb, sk) &&
			  kp_is_full_sock(sk) && !BPF_CORE_READ(sk, sk_socket));
}

static __always_inline int tell_drop(const struct sk_buff *skb, __u64 location, __u32 reason,
				     const struct sock *sk)
{
	struct kp_packet p = {};
	struct kp_ev_packet_drop *ev;
	__u32 netns;
	__u64 sock;

	if (!kp_read_packet(&p, skb))
		return 0;
	if (!sk)
		sk = BPF_CORE_READ(skb, sk);
	netns = kp_netns_of(skb, sk);
	if (is_purged(skb, sk, netns))
		return 0;
	sock = kp_full_sock(sk);
	ev = KP_EVENT(packet_drop, tcp, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	KP_PUT_PACKET(ev, &p);
	ev->sock = sock;
	ev->location = location;
	ev->netns = netns;
	ev->reason = reason;
	KP_COMMIT(ev);
	return 0;
}

SEC("raw_tp/kfree_skb")
int KP_PROG(tcp, kp_drop, const struct sk_buff *skb, void *location, __u32 reason,
	    const struct sock *sk)
{
	return tell_drop(skb, (__u64)location, reason, sk);
}

SEC("raw_tp/kfree_skb")
int KP_PROG(tcp, kp_drop_4, const struct sk_buff *skb, void *location, __u32 reason)
{
	return tell_drop(skb, (__u64)location, reason, NULL);
}

SEC("raw_tp/kfree_skb")
int KP_PROG(tcp, kp_drop_3, const struct sk_buff *skb, void *location)
{
	return tell_drop(skb, (__u64)location, KP_REASON_UNTOLD, NULL);
}

/* --- resets --- */

/* As the socket has them, or as the packet that is answered came. */
static __always_inline void reset_ends(struct kp_ends *ends, const struct sock *sk,
				       const struct sk_buff *skb)
{
	struct kp_packet p = {};

	if (sk) {
		kp_read_ends(ends, sk, BPF_CORE_READ(sk, __sk_common.skc_family));
		if (!ends->lport && kp_is_full_sock(sk)) /* it has given its port back */
			ends->lport = __builtin_bswap16(
				BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
		return;
	}
	if (!skb || !kp_read_packet(&p, skb))
		return;
	__builtin_memcpy(&ends->laddr, p.daddr, sizeof(ends->laddr));
	__builtin_memcpy(&ends->raddr, p.saddr, sizeof(ends->raddr));
	ends->lport = p.dport;
	ends->rport = p.sport;
}

static __always_inline int tell_reset(__u8 dir, const struct sock *sk, const struct sk_buff *skb,
				      __u32 reason)
{
	struct kp_ends ends = {};
	struct kp_ev_tcp_reset *ev;
	__u64 sock = kp_full_sock(sk);

	reset_ends(&ends, sk, skb);
	ev = KP_EVENT(tcp_reset, tcp, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->sock = sock;
	__builtin_memcpy(ev->laddr, &ends.laddr, sizeof(ev->laddr));
	__builtin_memcpy(ev->raddr, &ends.raddr, sizeof(ev->raddr));
	ev->netns = kp_netns_of(skb, sk);
	ev->reason = reason;
	ev->lport = ends.lport;
	ev->rport = ends.rport;
	ev->state = sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : 0;
	ev->dir = dir;
	ev->ctx = kp_context(kp_this_cpu());
	KP_COMMIT(ev);
	return 0;
}

SEC("raw_tp/tcp_send_reset")
int KP_PROG(tcp, kp_reset_sent, const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	return tell_reset(KP_PACKET_OUT, sk, skb, reason);
}

SEC("raw_tp/tcp_send_reset")
int KP_PROG(tcp, kp_reset_sent_3, const struct sock *sk, const struct sk_buff *skb)
{
	return tell_reset(KP_PACKET_OUT, sk, skb, KP_REASON_UNTOLD);
}

SEC("raw_tp/tcp_receive_reset")
int KP_PROG(tcp, kp_reset_received, const struct sock *sk)
{
	return tell_reset(KP_PACKET_IN, sk, NULL, KP_REASON_UNTOLD);
}

/* --- all packets --- */

static __always_inline int tell_packet(__u8 dir, const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	struct kp_packet p = {};
	struct kp_ev_packet *ev;
	__u64 sock;

	if (!kp_read_packet(&p, skb))
		return 0;
	sock = kp_full_sock(sk);
	ev = KP_EVENT(packet, packet, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	KP_PUT_PACKET(ev, &p);
	ev->sock = sock;
	ev->netns = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	ev->ifindex = BPF_CORE_READ(skb, dev, ifindex);
	ev->dir = dir;
	ev->pad0 = 0;
	ev->pad1 = 0;
	ev->pad2 = 0;
	KP_COMMIT(ev);
	return 0;
}

SEC("raw_tp/net_dev_start_xmit")
int KP_PROG(packet, kp_packet_out, const struct sk_buff *skb)
{
	return tell_packet(KP_PACKET_OUT, skb);
}

SEC("raw_tp/netif_receive_skb")
int KP_PROG(packet, kp_packet_in, const struct sk_buff *skb)
{
	return tell_packet(KP_PACKET_IN, skb);
}
