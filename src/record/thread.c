/* SPDX-License-Identifier: MIT
 * Threads with names; see thread.h.
 */
#include "record/thread.h"

#include "base/clock.h"

int kp_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *arg), void *arg)
{
	int r = -pthread_create(ret_thread, NULL, fn, arg);

	if (r >= 0)
		pthread_setname_np(*ret_thread, name);
	return r;
}

void kp_cond_init_timed(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct timespec kp_cond_until(uint64_t ns)
{
	uint64_t at = kp_clock_ns(CLOCK_MONOTONIC) + ns;

	return (struct timespec){(time_t)(at / 1000000000), (long)(at % 1000000000)};
}
