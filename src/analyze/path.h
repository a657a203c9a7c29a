/* SPDX-License-Identifier: MIT
 *
 * Why a process had not yet sent what it sent: by the messages of the request that it answered,
 * rather than by who woke its threads last. An event loop, or a pool of threads, serves many
 * requests at a time, and most of its wakeups are for others.
 */
#ifndef KP_ANALYZE_PATH_H
#define KP_ANALYZE_PATH_H

#include "analyze/walk.h"

/*
 * Explains [lo, hi): at hi the task sent on the socket (KP_NONE: not known on which) what somebody
 * waited for. Where the log does not have the messages, by what the task itself did. wait: that led
 * here, or KP_NONE.
 */
void kp_path_walk(struct kp_walk *walk, uint32_t task, uint32_t sock, uint64_t lo, uint64_t hi,
		  uint32_t wait);

/*
 * Explains [lo, hi), the time of an incident in the task, if its process was then busy with several
 * connections: by the request that it received near lo and answered near hi, or by what it asked
 * and was answered, if there is such a pair. False: it was not, and nothing is explained.
 */
bool kp_path_window(struct kp_walk *walk, uint32_t task, uint64_t lo, uint64_t hi);

#endif
