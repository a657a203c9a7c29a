/* SPDX-License-Identifier: MIT
 *
 * Connections whose addresses the kernel rewrites on their way (NAT), as its connection tracking
 * tells them over netlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h): those that there
 * are when it is opened, and each new one.
 */
#ifndef KP_RECORD_CONNTRACK_H
#define KP_RECORD_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/sink.h"

struct kp_conntrack {
	int fd;         /* -1: not open */
	uint32_t netns; /* inode number of the namespace */
	uint64_t lost;  /* times that the kernel had no room for news */
};

/*
 * Begins to listen in the network namespace of the caller. Does not make the kernel load connection
 * tracking: where it is not in use there is nothing to tell. Returns 0, also if it is not there, or
 * a negative errno (-EPERM: needs CAP_NET_ADMIN).
 */
int kp_conntrack_open(struct kp_conntrack *conntrack, struct kp_err *err);

/* Asks for all connections that there are now; they come as the news do. */
void kp_conntrack_ask(const struct kp_conntrack *conntrack);

/* Puts a `translation` for each connection that was told since the last time; never waits. */
void kp_conntrack_read(struct kp_conntrack *conntrack, const struct kp_sink *sink);

void kp_conntrack_done(struct kp_conntrack *conntrack);

/* What one message of `len` bytes behind its netlink header tells; false: no translation. The
 * namespace is left out. */
bool kp_conntrack_parse(struct kp_ev_translation *ret_event, const void *message, size_t len);

#endif
