/* SPDX-License-Identifier: MIT
 * Reading a clock and writing it; see clock.h.
 */
#include "base/clock.h"

uint64_t kp_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Date and time of day, without the zone. */
static void put_seconds(uint64_t realtime_ns, struct kp_buf *out)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	kp_buf_puts(out, text);
}

void kp_clock_put_wall(uint64_t realtime_ns, struct kp_buf *out)
{
	put_seconds(realtime_ns, out);
	kp_buf_printf(out, ".%06uZ", (unsigned)(realtime_ns % 1000000000 / 1000));
}

void kp_clock_put_wall_ns(uint64_t realtime_ns, struct kp_buf *out)
{
	put_seconds(realtime_ns, out);
	kp_buf_printf(out, ".%09uZ", (unsigned)(realtime_ns % 1000000000));
}
