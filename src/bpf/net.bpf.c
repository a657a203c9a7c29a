// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Sockets: sends and receives, the states and retransmissions of TCP, and for which socket a
 * segment has come, which is the reason of the wakeups that follow it in the same softirq.
 */
#include "bpf/emit.h"
#include "bpf/object.h"
#include "bpf/payload.h"

#define MSG_PEEK 2
#define LEN_UNKNOWN 0xffffffffu
#define TCP_HEADER_LEN 20
#define UDP_HEADER_LEN 8

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

/* --- sends and receives: since 6.3 a tracepoint of all protocols, before that what TCP has --- */

static __always_inline __u64 ino_of(const struct sock *sk, bool typed)
{
	return typed ? sk->sk_socket->file->f_inode->i_ino
		     : BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

/* Of a unix socket. */
static __always_inline __u64 peer_ino_of(const struct sock *sk)
{
	const struct unix_sock *u = (const void *)sk;

	return bpf_core_field_exists(u->peer)
		       ? BPF_CORE_READ(u, peer, sk_socket, file, f_inode, i_ino)
		       : 0;
}

_Static_assert(sizeof(struct kp_ev_sock_send) == sizeof(struct kp_ev_sock_recv),
	       "a send and a receive have the same members");

/* kind: KP_EV_sock_send or KP_EV_sock_recv */
static __always_inline int tell_transfer(__u16 kind, const struct sock *sk, __u32 len, __u32 seq,
					 bool typed)
{
	struct kp_object object = {};
	struct task_struct *task = bpf_get_current_task_btf();
	struct kp_ev_sock_send *ev = kp_reserve_for(KP_RING_EVENTS, KP_GROUP_tcp, kind, sizeof(*ev),
						    bpf_ktime_get_ns(), task->tgid, task->pid);

	if (!ev)
		return 0;
	kp_resolve_sock(&object, sk, typed);
	ev->ino = ino_of(sk, typed);
	ev->peer_ino = object.kind == KP_OBJ_unix ? peer_ino_of(sk) : 0;
	ev->len = len;
	ev->tcp_seq = object.kind == KP_OBJ_tcp ? seq : 0;
	KP_PUT_ADDRESSES(ev, &object);
	ev->nr = kp_call_nr((struct pt_regs *)bpf_task_pt_regs(task), task);
	ev->obj = object.kind;
	ev->pad0 = 0;
	ev->pad1 = 0;
	KP_SUBMIT(ev);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(kp_sock_send, struct sock *sk, int ret)
{
	return ret > 0 ? tell_transfer(KP_EV_sock_send, sk, ret, KP_CAST(tcp_sock, sk)->write_seq,
				       true)
		       : 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(kp_sock_recv, struct sock *sk, int ret, int flags)
{
	return ret >= 0 && !(flags & MSG_PEEK)
		       ? tell_transfer(KP_EV_sock_recv, sk, ret, KP_CAST(tcp_sock, sk)->copied_seq,
				       true)
		       : 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(kp_tcp_recv, struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	return tell_transfer(KP_EV_sock_recv, sk, LEN_UNKNOWN, BPF_CORE_READ(tp, copied_seq),
			     false);
}

/* A packet goes to its device; in the sender's own context it is what a send has just given. */
SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(kp_xmit, const struct sk_buff *skb)
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
		return tell_transfer(KP_EV_sock_send, sk, len - UDP_HEADER_LEN, 0, false);
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP ||
	    bpf_probe_read_kernel(header, sizeof(header), at))
		return 0;
	len -= (header[12] >> 4) * 4;
	if (!len) /* an acknowledgement */
		return 0;
	return tell_transfer(KP_EV_sock_send, sk, len,
			     __builtin_bswap32(*(__u32 *)(header + 4)) + len, false);
}
