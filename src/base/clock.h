/* SPDX-License-Identifier: MIT
 * Reading a clock as one number.
 */
#ifndef KP_BASE_CLOCK_H
#define KP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of a clock that the kernel always has (CLOCK_MONOTONIC, CLOCK_REALTIME, …). */
uint64_t kp_clock_ns(clockid_t clock);

#endif
