/* SPDX-License-Identifier: MIT
 * Readings of the clocks; see clocks.h.
 */
#include "record/clocks.h"

#include <sys/timex.h>
#include <time.h>

#include "base/clock.h"

#define TRIES 5

/* All clocks between two readings of CLOCK_MONOTONIC; their middle is the event's time. */
static void read_all(struct kp_ev_clock *ev)
{
	uint64_t before = kp_clock_ns(CLOCK_MONOTONIC);

	ev->realtime_ns = kp_clock_ns(CLOCK_REALTIME);
	ev->boottime_ns = kp_clock_ns(CLOCK_BOOTTIME);
	ev->tai_ns = kp_clock_ns(CLOCK_TAI);
	ev->bracket_ns = kp_clock_ns(CLOCK_MONOTONIC) - before;
	ev->hdr.time_ns = before + ev->bracket_ns / 2;
}

void kp_clocks_write(const struct kp_sink *sink)
{
	struct kp_ev_clock best = {0}, ev = {0};
	struct timex timex = {0};

	/* A reading that was interrupted in its middle is wide; the narrowest one is kept. */
	for (int i = 0; i < TRIES; i++) {
		read_all(&ev);
		if (i == 0 || ev.bracket_ns < best.bracket_ns)
			best = ev;
	}
	if (adjtimex(&timex) >= 0) {
		best.offset_ns = timex.status & STA_NANO ? timex.offset : timex.offset * 1000;
		best.maxerror_ns = (uint64_t)timex.maxerror * 1000;
		best.adj_status = (uint32_t)timex.status;
	}
	kp_sink_put_fixed(sink, KP_EV_clock, &best, sizeof(best));
}
