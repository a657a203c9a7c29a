/* SPDX-License-Identifier: MIT
 * Reading a clock as one number, and writing that for people.
 */
#ifndef KP_BASE_CLOCK_H
#define KP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/buf.h"

/* Nanoseconds of a clock that the kernel always has (CLOCK_MONOTONIC, CLOCK_REALTIME, …). */
uint64_t kp_clock_ns(clockid_t clock);

/* Appends a wall time as RFC 3339, in UTC and microseconds. */
void kp_clock_put_wall(uint64_t realtime_ns, struct kp_buf *out);
void kp_clock_put_wall_ns(uint64_t realtime_ns, struct kp_buf *out); /* to the nanosecond */

#endif
