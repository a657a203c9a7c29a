/* SPDX-License-Identifier: MIT
 *
 * Wall clock (CLOCK_REALTIME, what spans and people use) and monotonic clock (what the log uses) of
 * one host, by the readings that the recorder took of both together.
 *
 * The kernel slews both alike, so their difference is the same as long as nobody sets the wall
 * clock and the machine does not sleep: an era. Between the last reading of an era and the first of
 * the next the clock was set; when exactly is not known. A wall time can so have existed once, more
 * than once (the clock was set back) or never (it was set forward, or the machine slept).
 */
#ifndef KP_LOG_CLOCK_H
#define KP_LOG_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

struct kp_clock_reading {
	uint64_t time_ns;     /* CLOCK_MONOTONIC, the middle of the reading */
	uint64_t realtime_ns; /* CLOCK_REALTIME at some moment of the reading */
	uint64_t bracket_ns;  /* time that taking the reading took */
	uint64_t boottime_ns; /* CLOCK_BOOTTIME, which goes on in sleep; 0: not read */
};

#define KP_CLOCK_NO_BOOT INT64_MIN

/* A time in which the difference is the same. */
struct kp_clock_era {
	uint64_t from_ns; /* its first and its last reading, CLOCK_MONOTONIC */
	uint64_t to_ns;
	int64_t min_ns;  /* wall minus monotonic is at least … */
	int64_t max_ns;  /* … and at most this */
	int64_t boot_ns; /* CLOCK_BOOTTIME minus monotonic; KP_CLOCK_NO_BOOT: not read */
};

/* Zero-initialised: no reading yet; then both clocks are taken as equal. */
struct kp_clock {
	KP_VEC(struct kp_clock_era) eras;
	size_t gap_cnt; /* of the log as it was read for this: readings may be missing */
};

/* How often a wall time existed. */
enum kp_clock_fit {
	KP_CLOCK_ONCE,
	KP_CLOCK_TWICE,
	KP_CLOCK_NEVER,
	KP_CLOCK_UNREAD, /* it lies outside the readings: once, if nobody set the clock there */
};

/* A wall time on the monotonic clock. */
struct kp_clock_moment {
	uint64_t time_ns;  /* 0: before the boot */
	uint64_t bound_ns; /* the moment meant is at most so far from it */
	uint64_t
		first_ns; /* earliest and latest moment at which the clock showed it; if it never */
	uint64_t last_ns; /* did, the time in which it was set */
	uint32_t era;     /* in which time_ns lies */
	uint32_t step;    /* the era whose begin made it TWICE or NEVER; 0: ONCE */
	enum kp_clock_fit fit;
};

/* Whether the clock was set (or the machine slept) between two readings, a before b. */
bool kp_clock_is_step(const struct kp_clock_reading *a, const struct kp_clock_reading *b);

/* Readings come in the order of time_ns; one that does not is ignored. 0, -ENOMEM, or -EOVERFLOW: a
 * log cannot be trusted whose clock was set that often. */
int kp_clock_add(struct kp_clock *clock, struct kp_clock_reading reading);
/* Adds a log's readings, or how it began if it has none. Errors as kp_log_open. */
int kp_clock_read(const char *path, struct kp_clock *clock, struct kp_err *err);
void kp_clock_done(struct kp_clock *clock);

/* Of several moments at which the clock showed it, the latest. */
struct kp_clock_moment kp_clock_find(const struct kp_clock *clock, uint64_t realtime_ns);

/*
 * Begin and end of one window, read one after the other: of several pairs of moments one within an
 * era (so that its length is kept) before one across, and the latest. The end may be the smaller
 * wall time if the clock was set back in between; false: no pair has its end behind its begin.
 */
bool kp_clock_window(const struct kp_clock *clock, uint64_t from_realtime_ns,
		     uint64_t to_realtime_ns, struct kp_clock_moment ret_ends[2]);

/* Both ends in era k; false: the clock did not show both in it, in this order. */
bool kp_clock_window_in(const struct kp_clock *clock, uint32_t k, uint64_t from_realtime_ns,
			uint64_t to_realtime_ns, struct kp_clock_moment ret_ends[2]);

/* kp_clock_find without the doubts. */
uint64_t kp_clock_to_mono(const struct kp_clock *clock, uint64_t realtime_ns);
uint64_t kp_clock_to_real(const struct kp_clock *clock, uint64_t time_ns);

/* How far kp_clock_to_real at time_ns can be off. */
uint64_t kp_clock_bound(const struct kp_clock *clock, uint64_t time_ns);

/* Appends what is to be said of a moment that did not exist once: what happened to the clock, when,
 * and how the moment was taken. Nothing for one that did. */
void kp_clock_explain(const struct kp_clock *clock, const struct kp_clock_moment *moment,
		      struct kp_buf *out);

#endif
