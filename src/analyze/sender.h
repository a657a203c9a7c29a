/* SPDX-License-Identifier: MIT
 *
 * For which socket a task was woken, and who on this host sent what came. For waits that a wake
 * ended.
 */
#ifndef KP_ANALYZE_SENDER_H
#define KP_ANALYZE_SENDER_H

#include "analyze/rules.h"

/*
 * The socket for which the task was woken, or KP_NONE: not known; what it is may not be told. What
 * stands in the wake, if anything, is the last socket for which something came in that softirq; in
 * older logs the last TCP socket, which a datagram that came behind its segment left there. So it
 * must be what the task waited for, or after waiting for many what it then read from.
 */
uint32_t kp_sender_sock(const struct kp_model *m, const struct kp_blocked *b);

/* The same, but KP_NONE if the log does not tell what the socket is. */
uint32_t kp_sender_told_sock(const struct kp_model *m, const struct kp_blocked *b);

/* Whether the sender was found by the socket that stands in the wake, with both ends swapped. */
bool kp_sender_is_sure(const struct kp_model *m, const struct kp_blocked *b);

/* Who sent what woke the task, on this host: its send, or a made-up one of the process itself. */
bool kp_sender_find(const struct kp_walk *walk, const struct kp_blocked *b,
		    struct kp_send *ret_send);

#endif
