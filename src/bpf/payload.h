/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Capture of a system call's bytes, and reading a socket's addresses.
 */
#ifndef KP_BPF_PAYLOAD_H
#define KP_BPF_PAYLOAD_H

#include "bpf/emit.h"

/*
 * Writes the payloads behind argument i of the call that this CPU's kp_cpu describes (args, ret,
 * cap_*, budget) into the payload ring; sets its `incomplete` when some bytes are missing. Returns
 * 0.
 */
int kp_capture_arg(__u32 i);

/* Local and remote address of an inet socket, IPv6 folded. */
static __always_inline void kp_read_addrs(const struct sock *sk, bool typed, __u16 family,
					  __u32 *laddr, __u32 *raddr)
{
	struct in6_addr l, r;

	if (family == 2) {
		*laddr = KP_LOAD(typed, sk, __sk_common.skc_rcv_saddr);
		*raddr = KP_LOAD(typed, sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO(&l, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&r, sk, __sk_common.skc_v6_daddr);
	*laddr = kp_fold6(l.in6_u.u6_addr32[0], l.in6_u.u6_addr32[1], l.in6_u.u6_addr32[2],
			  l.in6_u.u6_addr32[3]);
	*raddr = kp_fold6(r.in6_u.u6_addr32[0], r.in6_u.u6_addr32[1], r.in6_u.u6_addr32[2],
			  r.in6_u.u6_addr32[3]);
}

#endif
