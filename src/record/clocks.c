/* SPDX-License-Identifier: MIT
 * Readings of the clocks; see clocks.h.
 */
#include "record/clocks.h"

#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/clock.h"

#define TRIES 5
#define NARROW_NS 500

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

/* A reading that was interrupted in its middle is wide; the narrowest one of a few is kept. */
static struct kp_ev_clock read_narrow(void)
{
	struct kp_ev_clock best = {0}, ev = {0};

	for (int i = 0; i < TRIES && (i == 0 || best.bracket_ns > NARROW_NS); i++) {
		read_all(&ev);
		if (i == 0 || ev.bracket_ns < best.bracket_ns)
			best = ev;
	}
	return best;
}

static struct kp_clock_reading reading_of(const struct kp_ev_clock *ev)
{
	return (struct kp_clock_reading){ev->hdr.time_ns, ev->realtime_ns, ev->bracket_ns,
					 ev->boottime_ns};
}

/* Writes the newest reading, if it is not written yet. */
static void put_last(struct kp_clocks *clocks)
{
	struct kp_ev_clock ev = clocks->last;
	struct timex timex = {0};

	if (clocks->written)
		return;
	if (adjtimex(&timex) >= 0) {
		ev.offset_ns = timex.status & STA_NANO ? timex.offset : timex.offset * 1000;
		ev.maxerror_ns = (uint64_t)timex.maxerror * 1000;
		ev.adj_status = (uint32_t)timex.status;
	}
	kp_sink_put_fixed(clocks->sink, KP_EV_clock, &ev, sizeof(ev));
	clocks->written = true;
}

/* Takes a new reading; the last one is written if the clock was set since. Returns whether. */
static bool look(struct kp_clocks *clocks)
{
	struct kp_ev_clock new = read_narrow();
	struct kp_clock_reading a = reading_of(&clocks->last), b = reading_of(&new);
	bool set = kp_clock_is_step(&a, &b);

	if (set)
		put_last(clocks);
	clocks->last = new;
	clocks->written = false;
	return set;
}

void kp_clocks_write(struct kp_clocks *clocks)
{
	look(clocks);
	put_last(clocks);
}

void kp_clocks_watch(struct kp_clocks *clocks)
{
	uint64_t expired;

	/* ECANCELED is the news; it is asked for only so that the kernel tells the next time. */
	if (clocks->fd >= 0 && read(clocks->fd, &expired, sizeof(expired)) < 0)
		expired = 0;
	if (look(clocks))
		put_last(clocks);
}

void kp_clocks_init(struct kp_clocks *clocks, const struct kp_sink *sink)
{
	/* Never, as far as the timer goes. */
	const struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX}};

	*clocks = (struct kp_clocks){.sink = sink, .last = read_narrow()};
	put_last(clocks);
	clocks->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (clocks->fd >= 0 &&
	    timerfd_settime(clocks->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) <
		    0) {
		close(clocks->fd);
		clocks->fd = -1;
	}
}

void kp_clocks_done(struct kp_clocks *clocks)
{
	if (clocks->fd >= 0)
		close(clocks->fd);
	clocks->fd = -1;
}
