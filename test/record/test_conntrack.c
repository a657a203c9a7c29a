/* SPDX-License-Identifier: MIT
 * Messages of connection tracking: a translation is read as it is, all else is none, and a message
 * that is cut anywhere is never read beyond its end.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "record/conntrack.h"

struct message {
	size_t len;
	unsigned char bytes[512];
};

static size_t begin(struct message *m, uint16_t type)
{
	struct nlattr head = {.nla_type = type};
	size_t at = m->len;

	memcpy(m->bytes + at, &head, sizeof(head));
	m->len += NLA_HDRLEN;
	return at;
}

static void end(struct message *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(m->bytes + at, &len, sizeof(len));
	m->len = at + NLA_ALIGN(len);
}

static void put(struct message *m, uint16_t type, const void *data, size_t len)
{
	size_t at = begin(m, type);

	memcpy(m->bytes + m->len, data, len);
	m->len += len;
	end(m, at);
}

static void put_direction(struct message *m, uint16_t type, const char *from, uint16_t from_port,
			  const char *to, uint16_t to_port)
{
	size_t tuple = begin(m, type | NLA_F_NESTED), ip = begin(m, CTA_TUPLE_IP | NLA_F_NESTED),
	       proto;
	uint16_t ports[] = {htons(from_port), htons(to_port)};
	uint8_t protocol = IPPROTO_TCP;
	uint32_t addr;

	inet_pton(AF_INET, from, &addr);
	put(m, CTA_IP_V4_SRC, &addr, sizeof(addr));
	inet_pton(AF_INET, to, &addr);
	put(m, CTA_IP_V4_DST, &addr, sizeof(addr));
	end(m, ip);
	proto = begin(m, CTA_TUPLE_PROTO | NLA_F_NESTED);
	put(m, CTA_PROTO_NUM, &protocol, sizeof(protocol));
	put(m, CTA_PROTO_SRC_PORT, &ports[0], sizeof(ports[0]));
	put(m, CTA_PROTO_DST_PORT, &ports[1], sizeof(ports[1]));
	end(m, proto);
	end(m, tuple);
}

static struct message connection(const char *server, uint16_t port)
{
	struct message m = {.len = NLMSG_ALIGN(sizeof(struct nfgenmsg))};

	m.bytes[0] = AF_INET;
	put_direction(&m, CTA_TUPLE_ORIG, "10.0.0.1", 40000, "10.0.0.99", 80);
	put_direction(&m, CTA_TUPLE_REPLY, server, port, "10.0.0.1", 40000);
	return m;
}

Test(conntrack, a_translation_has_the_ends_of_both_sides)
{
	struct message m = connection("10.0.0.2", 7001);
	struct kp_ev_translation ev;

	cr_assert(kp_conntrack_parse(&ev, m.bytes, m.len));
	cr_expect_eq(ev.protocol, IPPROTO_TCP);
	cr_expect_eq(ev.family, AF_INET);
	cr_expect_eq(ev.client_lport, 40000);
	cr_expect_eq(ev.client_rport, 80);
	cr_expect_eq(ev.server_lport, 7001);
	cr_expect_eq(ev.server_rport, 40000);
	cr_expect_eq(ev.client_raddr[15], 99);
	cr_expect_eq(ev.server_laddr[15], 2);
	cr_expect_eq(ev.server_raddr[11], 0xff);
}

Test(conntrack, what_is_tracked_only_is_no_translation)
{
	struct message m = connection("10.0.0.99", 80);
	struct kp_ev_translation ev;

	cr_expect_not(kp_conntrack_parse(&ev, m.bytes, m.len));
}

Test(conntrack, a_cut_message_is_none)
{
	struct message m = connection("10.0.0.2", 7001);
	struct kp_ev_translation ev;
	unsigned char *copy;

	for (size_t len = 0; len < m.len; len++) {
		copy = malloc(len + 1); /* so that a sanitizer sees what is read behind it */
		memcpy(copy, m.bytes, len);
		cr_expect_not(kp_conntrack_parse(&ev, copy, len), "%zu of %zu", len, m.len);
		free(copy);
	}
}
