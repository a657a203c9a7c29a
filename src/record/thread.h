/* SPDX-License-Identifier: MIT
 * Threads of the recorder: each has a name, which ps -L and /proc show. And what they wait for.
 */
#ifndef KP_RECORD_THREAD_H
#define KP_RECORD_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* name: at most 15 characters. 0 or a negative errno. */
int kp_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *arg), void *arg);

/* A condition whose timed waits are on CLOCK_MONOTONIC. */
void kp_cond_init_timed(pthread_cond_t *cond);

/* Until when such a wait of ns from now on is. */
struct timespec kp_cond_until(uint64_t ns);

#endif
