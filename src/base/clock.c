/* SPDX-License-Identifier: MIT
 * Reading a clock; see clock.h.
 */
#include "base/clock.h"

uint64_t kp_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
