/* SPDX-License-Identifier: MIT
 * Connection tracking over netlink; see conntrack.h.
 */
#include "record/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/addr.h"

/* Present while connection tracking is in the kernel, loaded or built in. */
#define IN_USE "/proc/sys/net/netfilter/nf_conntrack_count"
/* Bytes that may wait for us in the kernel: some 8,000 connections. */
#define RECEIVE_LEN (8 << 20)
#define ATTRIBUTE_MAX 32

struct attribute {
	const void *data;
	size_t len;
};

/* By type the attributes in so many bytes; what does not fit into them ends the list. */
static void split(struct attribute attributes[ATTRIBUTE_MAX], const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	struct nlattr head;

	memset(attributes, 0, sizeof(*attributes) * ATTRIBUTE_MAX);
	while (len >= NLA_HDRLEN) {
		memcpy(&head, at, sizeof(head));
		if (head.nla_len < NLA_HDRLEN || head.nla_len > len)
			return;
		head.nla_type &= NLA_TYPE_MASK;
		if (head.nla_type < ATTRIBUTE_MAX)
			attributes[head.nla_type] =
				(struct attribute){at + NLA_HDRLEN, head.nla_len - NLA_HDRLEN};
		if ((size_t)NLA_ALIGN(head.nla_len) >= len)
			return;
		at += NLA_ALIGN(head.nla_len);
		len -= (size_t)NLA_ALIGN(head.nla_len);
	}
}

static bool get_addr(kp_addr addr, const struct attribute *v4, const struct attribute *v6)
{
	if (v6->len == KP_ADDR_LEN)
		memcpy(addr, v6->data, KP_ADDR_LEN);
	else if (v4->len == 4)
		kp_addr_from_v4(addr, v4->data);
	else
		return false;
	return true;
}

static bool get_port(uint16_t *port, const struct attribute *attribute)
{
	if (attribute->len != sizeof(*port))
		return false;
	memcpy(port, attribute->data, sizeof(*port));
	*port = ntohs(*port);
	return true;
}

/* One direction of a connection: where its packets come from, and where they go. */
struct direction {
	kp_addr from, to;
	uint16_t from_port, to_port;
	uint8_t protocol;
};

static bool get_direction(struct direction *d, const struct attribute *tuple)
{
	struct attribute parts[ATTRIBUTE_MAX], ip[ATTRIBUTE_MAX], proto[ATTRIBUTE_MAX];

	split(parts, tuple->data, tuple->len);
	split(ip, parts[CTA_TUPLE_IP].data, parts[CTA_TUPLE_IP].len);
	split(proto, parts[CTA_TUPLE_PROTO].data, parts[CTA_TUPLE_PROTO].len);
	if (proto[CTA_PROTO_NUM].len != 1)
		return false;
	d->protocol = *(const uint8_t *)proto[CTA_PROTO_NUM].data;
	return (d->protocol == IPPROTO_TCP || d->protocol == IPPROTO_UDP) &&
	       get_addr(d->from, &ip[CTA_IP_V4_SRC], &ip[CTA_IP_V6_SRC]) &&
	       get_addr(d->to, &ip[CTA_IP_V4_DST], &ip[CTA_IP_V6_DST]) &&
	       get_port(&d->from_port, &proto[CTA_PROTO_SRC_PORT]) &&
	       get_port(&d->to_port, &proto[CTA_PROTO_DST_PORT]);
}

static bool is_same(const kp_addr a, uint16_t a_port, const kp_addr b, uint16_t b_port)
{
	return kp_addr_same(a, b) && a_port == b_port;
}

/* The client's packets set out so; the server's answers, which its end is that of, set out so. */
static void fill(struct kp_ev_translation *ev, const struct direction *there,
		 const struct direction *back)
{
	memcpy(ev->client_laddr, there->from, sizeof(ev->client_laddr));
	memcpy(ev->client_raddr, there->to, sizeof(ev->client_raddr));
	memcpy(ev->server_laddr, back->from, sizeof(ev->server_laddr));
	memcpy(ev->server_raddr, back->to, sizeof(ev->server_raddr));
	ev->client_lport = there->from_port;
	ev->client_rport = there->to_port;
	ev->server_lport = back->from_port;
	ev->server_rport = back->to_port;
	ev->protocol = there->protocol;
}

bool kp_conntrack_parse(struct kp_ev_translation *ret_event, const void *message, size_t len)
{
	const size_t head_len = NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct attribute attributes[ATTRIBUTE_MAX];
	struct direction there = {0}, back = {0};
	struct nfgenmsg head;

	if (len < head_len)
		return false;
	memcpy(&head, message, sizeof(head));
	split(attributes, (const char *)message + head_len, len - head_len);
	if (!get_direction(&there, &attributes[CTA_TUPLE_ORIG]) ||
	    !get_direction(&back, &attributes[CTA_TUPLE_REPLY]) || there.protocol != back.protocol)
		return false;
	if (is_same(there.from, there.from_port, back.to, back.to_port) &&
	    is_same(there.to, there.to_port, back.from, back.from_port))
		return false; /* tracked, and not translated */
	*ret_event = (struct kp_ev_translation){.family = head.nfgen_family};
	fill(ret_event, &there, &back);
	return true;
}

static int ask(int fd)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg body;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
	};

	return send(fd, &request, sizeof(request), MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int listen_to_news(int fd)
{
	const int group = NFNLGRP_CONNTRACK_NEW, room = RECEIVE_LEN;

	/* Beyond the limit of the system if that is allowed; else what it gives. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return ask(fd);
}

int kp_conntrack_open(struct kp_conntrack *conntrack, struct kp_err *err)
{
	struct stat st;
	int error;

	*conntrack = (struct kp_conntrack){.fd = -1};
	if (access(IN_USE, F_OK))
		return 0;
	if (!stat("/proc/self/ns/net", &st))
		conntrack->netns = (uint32_t)st.st_ino;
	conntrack->fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
	error = conntrack->fd < 0 ? -errno : listen_to_news(conntrack->fd);
	if (error >= 0)
		return 0;
	kp_conntrack_done(conntrack);
	return kp_err_sys(err, error,
			  "cannot listen to the kernel's connection tracking: the other ends of "
			  "connections whose addresses it rewrites are not told");
}

void kp_conntrack_ask(const struct kp_conntrack *conntrack)
{
	if (conntrack->fd >= 0)
		ask(conntrack->fd);
}

static void put_messages(const struct kp_conntrack *conntrack, const void *bytes, size_t len,
			 const struct kp_sink *sink)
{
	const struct nlmsghdr *head = bytes;
	struct kp_ev_translation ev;
	int left = (int)len;

	for (; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		    !kp_conntrack_parse(&ev, NLMSG_DATA(head), head->nlmsg_len - NLMSG_HDRLEN))
			continue;
		ev.netns = conntrack->netns;
		kp_sink_put_fixed(sink, KP_EV_translation, &ev, sizeof(ev));
	}
}

void kp_conntrack_read(struct kp_conntrack *conntrack, const struct kp_sink *sink)
{
	_Alignas(struct nlmsghdr) char bytes[32 << 10]; /* more than one message of a dump has */
	ssize_t len;

	while (conntrack->fd >= 0) {
		len = recv(conntrack->fd, bytes, sizeof(bytes), 0);
		if (len >= 0)
			put_messages(conntrack, bytes, (size_t)len, sink);
		else if (errno == ENOBUFS)
			conntrack->lost++;
		else if (errno != EINTR)
			return;
	}
}

void kp_conntrack_done(struct kp_conntrack *conntrack)
{
	if (conntrack->fd >= 0)
		close(conntrack->fd);
	conntrack->fd = -1;
}
