/* SPDX-License-Identifier: MIT
 * The threads that must not wait for a CPU, or events are lost.
 */
#ifndef KP_RECORD_PRIORITY_H
#define KP_RECORD_PRIORITY_H

/* For whom somebody waits, or a ring, which holds some ten milliseconds; and who empties the queue,
 * which holds some seconds. */
#define KP_NICE_AT_ONCE (-20)
#define KP_NICE_SOON (-5)

/*
 * Gives the calling thread a nice value, if it may have it. Not more than that: a recorder with a
 * real-time priority could itself be what delays the node.
 */
void kp_priority_raise(int nice);

#endif
