/* SPDX-License-Identifier: MIT
 *
 * What the probes told of sockets lately, to be told again at a segment's begin, so that a segment
 * says by itself what its numbers of sockets mean. The probes tell a socket that is in use again
 * every few seconds (src/bpf/socket.h): so one that was not told for longer will be told before it
 * is named, and there is a place for many at a time rather than for all.
 */
#ifndef KP_RECORD_SOCKETS_H
#define KP_RECORD_SOCKETS_H

#include <pthread.h>

#include "record/sink.h"

struct kp_sockets {
	pthread_mutex_t lock;
	struct kp_ev_socket *at; /* by number */
};

/* 0 or -ENOMEM. */
int kp_sockets_init(struct kp_sockets *sockets);
void kp_sockets_done(struct kp_sockets *sockets);

/* Takes what was told; never waits for whoever writes. */
void kp_sockets_put(struct kp_sockets *sockets, const struct kp_ev_socket *event);

/* Tells all that were told lately; from another thread than the above. */
void kp_sockets_write(struct kp_sockets *sockets, const struct kp_sink *sink);

#endif
