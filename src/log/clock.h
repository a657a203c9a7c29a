/* SPDX-License-Identifier: MIT
 *
 * Wall clock (CLOCK_REALTIME, what spans and people use) and monotonic clock (what the log uses) of
 * one host, by the readings that the recorder took of both together. Between two readings the
 * difference is interpolated as long as it changes no faster than a clock may be slewed; a larger
 * change is a step, and the difference before it holds until the reading that shows it.
 */
#ifndef KP_LOG_CLOCK_H
#define KP_LOG_CLOCK_H

#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

struct kp_clock_reading {
	uint64_t time_ns;     /* CLOCK_MONOTONIC */
	uint64_t realtime_ns; /* CLOCK_REALTIME at that moment */
	uint64_t bracket_ns;  /* time that taking the reading took */
};

/* Zero-initialised: no reading yet; then both clocks are taken as equal. */
struct kp_clock {
	KP_VEC(struct kp_clock_reading) readings;
};

/* Readings come in the order of time_ns; one that does not is ignored. 0 or -ENOMEM. */
int kp_clock_add(struct kp_clock *clock, struct kp_clock_reading reading);
/* Adds a log's readings, or how it began if it has none. Errors as kp_log_open. */
int kp_clock_read(const char *path, struct kp_clock *clock, struct kp_err *err);
void kp_clock_done(struct kp_clock *clock);

/* When the clock was set back a wall time exists twice: the later moment is meant. 0: before the
 * boot. */
uint64_t kp_clock_to_mono(const struct kp_clock *clock, uint64_t realtime_ns);
uint64_t kp_clock_to_real(const struct kp_clock *clock, uint64_t time_ns);

/* How far the mapping at time_ns can be off. */
uint64_t kp_clock_bound(const struct kp_clock *clock, uint64_t time_ns);

#endif
