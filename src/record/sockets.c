/* SPDX-License-Identifier: MIT
 * The sockets told lately; see sockets.h.
 */
#include "record/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define PLACES 16384u /* a power of two */
/* What was not told for so long is told again before it is named; three times what the probes mean
 * to let pass. */
#define HOLDS_NS 20000000000u

int kp_sockets_init(struct kp_sockets *sockets)
{
	sockets->at = calloc(PLACES, sizeof(*sockets->at));
	pthread_mutex_init(&sockets->lock, NULL);
	return sockets->at ? 0 : -ENOMEM;
}

void kp_sockets_done(struct kp_sockets *sockets)
{
	pthread_mutex_destroy(&sockets->lock);
	free(sockets->at);
}

void kp_sockets_put(struct kp_sockets *sockets, const struct kp_ev_socket *event)
{
	pthread_mutex_lock(&sockets->lock);
	sockets->at[event->sock % PLACES] = *event;
	pthread_mutex_unlock(&sockets->lock);
}

/* The lock is not held while the sink waits. */
void kp_sockets_write(struct kp_sockets *sockets, const struct kp_sink *sink)
{
	uint64_t now_ns = kp_clock_ns(CLOCK_MONOTONIC);
	struct kp_ev_socket event;

	for (uint32_t i = 0; i < PLACES; i++) {
		pthread_mutex_lock(&sockets->lock);
		event = sockets->at[i];
		pthread_mutex_unlock(&sockets->lock);
		if (!event.sock || event.hdr.time_ns + HOLDS_NS < now_ns)
			continue;
		event.hdr.time_ns = 0;
		kp_sink_put_fixed(sink, KP_EV_socket, &event, sizeof(event));
	}
}
