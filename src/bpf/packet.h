/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * What a packet's own headers say: its ends, and of a TCP segment its place in the stream. Nothing
 * in a packet is believed: all is read within its linear part, and what does not fit is left out.
 */
#ifndef KP_BPF_PACKET_H
#define KP_BPF_PACKET_H

#include "bpf/emit.h"
#include "bpf/socket.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPV4_LEN 20
#define IPV6_LEN 40
#define IPV4_OFFSET 0x1fff /* of a fragment; another than the first has no ports */
#define TCP_LEN 20
#define UDP_LEN 8
#define NETNS_MIN                                                                      \
	0xeffffff0u /* numbers of namespaces begin there; a pointer's garbage does not \
		     */

struct kp_packet {
	__u8 saddr[KP_ADDR_LEN];
	__u8 daddr[KP_ADDR_LEN];
	__u32 tcp_seq;
	__u32 tcp_ack;
	__u32 len; /* of what TCP, UDP or else IP carries */
	__u32 total_len;
	__u16 sport;
	__u16 dport;
	__u16 window;
	__u8 protocol;
	__u8 tcp_flags;
};

/* The members of an event that has them all, of the same names. */
#define KP_PUT_PACKET(ev, p)                                            \
	do {                                                            \
		__builtin_memcpy((ev)->saddr, (p)->saddr, KP_ADDR_LEN); \
		__builtin_memcpy((ev)->daddr, (p)->daddr, KP_ADDR_LEN); \
		(ev)->tcp_seq = (p)->tcp_seq;                           \
		(ev)->tcp_ack = (p)->tcp_ack;                           \
		(ev)->len = (p)->len;                                   \
		(ev)->total_len = (p)->total_len;                       \
		(ev)->sport = (p)->sport;                               \
		(ev)->dport = (p)->dport;                               \
		(ev)->window = (p)->window;                             \
		(ev)->protocol = (p)->protocol;                         \
		(ev)->tcp_flags = (p)->tcp_flags;                       \
	} while (0)

static __always_inline __u16 kp_be16(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

static __always_inline __u32 kp_be32(const __u8 *at)
{
	return (__u32)kp_be16(at) << 16 | kp_be16(at + 2);
}

/* Where the packet's network header is: a driver's packet has not been told yet. */
static __always_inline const unsigned char *kp_network_header(const struct sk_buff *skb)
{
	__u16 offset = BPF_CORE_READ(skb, network_header);

	return offset && offset != 0xffff ? BPF_CORE_READ(skb, head) + offset
					  : BPF_CORE_READ(skb, data);
}

/* Copies len bytes of a header at `at`, all of which must lie before the end. */
static __always_inline bool kp_read_header(void *to, __u32 len, const unsigned char *at,
					   const unsigned char *end)
{
	return at + len <= end && !bpf_probe_read_kernel(to, len, at);
}

/* Ports, and of TCP the place in the stream; left is what IP carries, in bytes. */
static __always_inline void kp_read_transport(struct kp_packet *p, const unsigned char *at,
					      const unsigned char *end, __u32 left)
{
	__u8 h[TCP_LEN];

	p->len = left;
	if (p->protocol == IPPROTO_UDP && kp_read_header(h, UDP_LEN, at, end)) {
		p->len = left > UDP_LEN ? left - UDP_LEN : 0;
	} else if (p->protocol == IPPROTO_TCP && kp_read_header(h, TCP_LEN, at, end)) {
		p->len = left > h[12] / 16 * 4u ? left - h[12] / 16 * 4u : 0;
		p->tcp_seq = kp_be32(h + 4);
		p->tcp_ack = kp_be32(h + 8);
		p->tcp_flags = h[13];
		p->window = kp_be16(h + 14);
	} else {
		return;
	}
	p->sport = kp_be16(h);
	p->dport = kp_be16(h + 2);
}

static __always_inline bool kp_read_ipv4(struct kp_packet *p, const unsigned char *at,
					 const unsigned char *end, __u32 skb_len)
{
	__u8 h[IPV4_LEN];
	__u32 len;

	if (!kp_read_header(h, sizeof(h), at, end) || h[0] >> 4 != 4)
		return false;
	len = (h[0] & 15) * 4;
	p->saddr[10] = p->saddr[11] = p->daddr[10] = p->daddr[11] = 0xff;
	__builtin_memcpy(p->saddr + 12, h + 12, 4);
	__builtin_memcpy(p->daddr + 12, h + 16, 4);
	p->protocol = h[9];
	p->total_len = kp_be16(h + 2) ? kp_be16(h + 2) : skb_len;
	p->len = p->total_len > len ? p->total_len - len : 0;
	if (!(kp_be16(h + 6) & IPV4_OFFSET))
		kp_read_transport(p, at + len, end, p->len);
	return true;
}

/* Headers between this one and the transport's are not followed. */
static __always_inline bool kp_read_ipv6(struct kp_packet *p, const unsigned char *at,
					 const unsigned char *end, __u32 skb_len)
{
	__u8 h[IPV6_LEN];

	if (!kp_read_header(h, sizeof(h), at, end) || h[0] >> 4 != 6)
		return false;
	__builtin_memcpy(p->saddr, h + 8, KP_ADDR_LEN);
	__builtin_memcpy(p->daddr, h + 24, KP_ADDR_LEN);
	p->protocol = h[6];
	p->len = kp_be16(h + 4) ? kp_be16(h + 4) : skb_len > IPV6_LEN ? skb_len - IPV6_LEN : 0;
	p->total_len = p->len + IPV6_LEN;
	kp_read_transport(p, at + IPV6_LEN, end, p->len);
	return true;
}

/* Fills a zeroed p; false: it is no IP packet. */
static __always_inline bool kp_read_packet(struct kp_packet *p, const struct sk_buff *skb)
{
	__u16 protocol = __builtin_bswap16(BPF_CORE_READ(skb, protocol));
	const unsigned char *at, *data, *end;
	__u32 len;

	if (protocol != ETH_P_IP && protocol != ETH_P_IPV6)
		return false;
	at = kp_network_header(skb);
	data = BPF_CORE_READ(skb, data);
	len = BPF_CORE_READ(skb, len);
	end = data + (len - BPF_CORE_READ(skb, data_len));
	len += data - at;
	return protocol == ETH_P_IP ? kp_read_ipv4(p, at, end, len) : kp_read_ipv6(p, at, end, len);
}

/* Whether it is a whole socket, not what TCP has for a connection that begins or lingers. */
static __always_inline bool kp_is_full_sock(const struct sock *sk)
{
	__u8 state = sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : TCP_TIME_WAIT;

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

/* Number of the socket, if it is one; 0: it is not. */
static __always_inline __u64 kp_full_sock(const struct sock *sk)
{
	__u8 kind;

	return kp_is_full_sock(sk) ? kp_sock_of(sk, kp_sock_ino(sk), KP_SK_ADDRESS, &kind) : 0;
}

/* A packet that waits in a socket has something else in `dev`. */
static __always_inline __u32 kp_netns_of(const struct sk_buff *skb, const struct sock *sk)
{
	__u32 netns = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum)
			 : BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);

	return netns >= NETNS_MIN ? netns : 0;
}

#endif
