/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Sockets: an event has a socket's number, and before the first such event the log is told what
 * that means (kp_ev_socket). What it was told last stands in `told`, by the number; where another
 * socket has the place, or the two ends have changed, or some seconds have passed, it is told
 * again. The clock of an event that names a socket is read behind that: so the log has the telling
 * first, whichever CPU did it.
 */
#ifndef KP_BPF_SOCKET_H
#define KP_BPF_SOCKET_H

#include "bpf/emit.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12

/* A telling holds for 64 rounds of the accounts, some seconds; which, differs by socket. */
#define KP_TOLD_ROUNDS_BITS 6

/* Where a struct sock * comes from. */
enum kp_sk_from {
	KP_SK_ARG,     /* the program's argument: it has a type, and its cookie can be asked for */
	KP_SK_CAST,    /* it has a type only */
	KP_SK_ADDRESS, /* to be read by the helper */
};

/*
 * Tells the log of the socket at the address told_sk of this CPU's kp_cpu; its number, its inode
 * (0: to be looked up) and its kp_told.state without kind. Returns its kind. (net.bpf.c)
 */
int kp_tell_sock(__u64 number, __u64 ino, __u64 state);

static __always_inline __u64 kp_hash(__u64 hash, __u64 value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ull;
}

/* Of what can change in a socket's life. */
static __always_inline __u64 kp_sock_hash(const struct sock *sk, __u16 family, bool typed)
{
	const struct unix_sock *u = (const void *)sk;
	struct in6_addr to;

	if (family == AF_UNIX)
		return bpf_core_field_exists(u->peer) ? (__u64)BPF_CORE_READ(u, peer) : 0;
	if (family == AF_INET)
		return kp_hash(KP_LOAD(typed, sk, __sk_common.skc_portpair),
			       KP_LOAD(typed, sk, __sk_common.skc_addrpair));
	if (family != AF_INET6)
		return 0;
	BPF_CORE_READ_INTO(&to, sk, __sk_common.skc_v6_daddr);
	return kp_hash(kp_hash(KP_LOAD(typed, sk, __sk_common.skc_portpair),
			       to.in6_u.u6_addr32[0] ^ to.in6_u.u6_addr32[1]),
		       (__u64)to.in6_u.u6_addr32[2] << 32 | to.in6_u.u6_addr32[3]);
}

/* A socket's number by its cookie or, known from its descriptor, its inode; 0: it has neither. */
static __always_inline __u64 kp_sock_number(const struct sock *sk, __u64 ino, enum kp_sk_from from)
{
	__u64 cookie = KP_LOAD(from != KP_SK_ADDRESS, sk, __sk_common.skc_cookie.counter);

	if (!cookie && from == KP_SK_ARG)
		cookie = bpf_get_socket_cookie((void *)sk);
	return cookie ? cookie : ino ? KP_SOCK_INO + ino : 0;
}

/* Number and kind of a socket, for an event whose time is read later; it is told if need be. */
static __always_inline __u64 kp_sock_of(const struct sock *sk, __u64 ino, enum kp_sk_from from,
					__u8 *kind)
{
	bool typed = from != KP_SK_ADDRESS;
	__u64 number = kp_sock_number(sk, ino, from), state, seen;
	struct kp_told *t = &told[number & (KP_TOLD_CNT - 1)];

	*kind = KP_OBJ_sock;
	if (!number)
		return 0;
	state = kp_hash(kp_sock_hash(sk, KP_LOAD(typed, sk, __sk_common.skc_family), typed),
			(loss_round + number) >> KP_TOLD_ROUNDS_BITS) &
		KP_TOLD_HASH;
	if (ino || KP_LOAD(typed, sk, sk_socket))
		state |= KP_TOLD_INO;
	seen = t->state;
	if (t->sock == number && !((seen ^ state) & KP_TOLD_HASH) &&
	    (seen & KP_TOLD_INO || !(state & KP_TOLD_INO))) {
		*kind = seen & KP_TOLD_OBJ;
		return number;
	}
	kp_this_cpu()->told_sk = (__u64)sk;
	*kind = kp_tell_sock(number, ino, state);
	return number;
}

/* Inode of a socket, also while accept has not made its file yet. */
static __always_inline __u64 kp_sock_ino(const struct sock *sk)
{
	const struct socket_alloc *alloc = (const void *)BPF_CORE_READ(sk, sk_socket);

	return alloc ? BPF_CORE_READ(alloc, vfs_inode.i_ino) : 0;
}

struct kp_ends {
	struct in6_addr laddr, raddr;
	__u16 lport, rport;
};

/* Addresses and ports, also of what TCP has for a connection that begins or lingers; leaves zeroed
 * ends as they are if the family has none. */
static __always_inline void kp_read_ends(struct kp_ends *ends, const struct sock *sk, __u16 family)
{
	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&ends->laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&ends->raddr, sk, __sk_common.skc_v6_daddr);
	} else if (family == AF_INET) {
		ends->laddr.in6_u.u6_addr32[2] = __builtin_bswap32(0xffff);
		ends->raddr.in6_u.u6_addr32[2] = __builtin_bswap32(0xffff);
		ends->laddr.in6_u.u6_addr32[3] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		ends->raddr.in6_u.u6_addr32[3] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	}
	if (family == AF_UNIX)
		return;
	ends->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	ends->rport = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

#endif
