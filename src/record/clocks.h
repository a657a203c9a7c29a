/* SPDX-License-Identifier: MIT
 *
 * Readings of the host's clocks taken together, by which analyze goes from wall clock to monotonic.
 * One is written each second. The clocks are read far more often than that, since between the last
 * reading before the wall clock was set and the first one behind it nobody can say what it showed:
 * those two are written as well. The kernel tells when the clock was set (timerfd_create(2),
 * TFD_TIMER_CANCEL_ON_SET), the resuming from sleep included.
 */
#ifndef KP_RECORD_CLOCKS_H
#define KP_RECORD_CLOCKS_H

#include <stdbool.h>

#include "kprobe/event.h"
#include "record/sink.h"

struct kp_clocks {
	const struct kp_sink *sink;
	struct kp_ev_clock last; /* newest reading */
	bool written;            /* it is in the log */
	int fd; /* readable when the clock was set, or -1: only kp_clocks_watch notices */
};

/* Writes the first reading. */
void kp_clocks_init(struct kp_clocks *clocks, const struct kp_sink *sink);

/* Writes one `clock` event: the narrowest of a few bracketed readings. */
void kp_clocks_write(struct kp_clocks *clocks);

/* Reads the clocks, and writes the last reading and this one if the clock was set in between. To be
 * called every few milliseconds, and when fd is readable. */
void kp_clocks_watch(struct kp_clocks *clocks);

void kp_clocks_done(struct kp_clocks *clocks);

#endif
