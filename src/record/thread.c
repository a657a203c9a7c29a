/* SPDX-License-Identifier: MIT
 * Threads with names; see thread.h.
 */
#include "record/thread.h"

int kp_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *arg), void *arg)
{
	int r = -pthread_create(ret_thread, NULL, fn, arg);

	if (r >= 0)
		pthread_setname_np(*ret_thread, name);
	return r;
}
