// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * TCP: states, retransmissions, and for which socket a segment has come, which is the reason of the
 * wakeups that follow it in the same softirq.
 */
#include "bpf/emit.h"
#include "bpf/payload.h"

#define IPPROTO_TCP 6

const volatile bool emit_tcp = true;

/* One socket's identity, wherever it is to be written. */
#define FILL_SOCKET(to, sk)                                                              \
	do {                                                                             \
		__u32 laddr_, raddr_;                                                    \
		kp_read_addrs(sk, true, (sk)->__sk_common.skc_family, &laddr_, &raddr_); \
		(to)->laddr = laddr_;                                                    \
		(to)->raddr = raddr_;                                                    \
		(to)->lport = (sk)->__sk_common.skc_num;                                 \
		(to)->rport = __builtin_bswap16((sk)->__sk_common.skc_dport);            \
		(to)->netns = (sk)->__sk_common.skc_net.net->ns.inum;                    \
	} while (0)

static __always_inline void set_why(const struct sock *sk)
{
	struct kp_cpu *c = kp_this_cpu();

	if (!c->softirq_ns)
		return;
	c->soft_why = KP_CTX_NET;
	c->soft_obj = 0;
	FILL_SOCKET(c, sk);
}

/* A segment for an established connection. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(kp_tcp_probe, struct sock *sk)
{
	set_why(sk);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(kp_tcp_state, const struct sock *sk, int oldstate, int newstate)
{
	struct kp_ev_tcp_state *ev;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	set_why(sk);
	if (!emit_tcp || kp_is_self())
		return 0;
	ev = KP_EVENT(tcp_state, tcp, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	FILL_SOCKET(ev, sk);
	ev->oldstate = oldstate;
	ev->newstate = newstate;
	ev->pad = 0;
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(kp_tcp_retransmit, const struct sock *sk, const struct sk_buff *skb)
{
	struct inet_connection_sock *icsk = (void *)sk;
	struct tcp_skb_cb *cb = (void *)skb->cb;
	struct kp_ev_tcp_retransmit *ev = KP_EVENT(tcp_retransmit, tcp, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	FILL_SOCKET(ev, sk);
	ev->tcp_seq = BPF_CORE_READ(cb, seq);
	ev->len = BPF_CORE_READ(cb, end_seq) - ev->tcp_seq;
	ev->state = sk->__sk_common.skc_state;
	ev->icsk_retransmits = BPF_CORE_READ(icsk, icsk_retransmits);
	ev->ca_state = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	KP_SUBMIT(ev);
	return 0;
}
