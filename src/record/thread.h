/* SPDX-License-Identifier: MIT
 * Threads of the recorder: each has a name, which ps -L and /proc show.
 */
#ifndef KP_RECORD_THREAD_H
#define KP_RECORD_THREAD_H

#include <pthread.h>

/* name: at most 15 characters. 0 or a negative errno. */
int kp_thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *arg), void *arg);

#endif
