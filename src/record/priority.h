/* SPDX-License-Identifier: MIT
 * The threads that must not wait for a CPU, or events are lost.
 */
#ifndef KP_RECORD_PRIORITY_H
#define KP_RECORD_PRIORITY_H

/*
 * Gives the calling thread the highest nice value that it may have. Not more than that: a recorder
 * with a real-time priority could itself be what delays the node.
 */
void kp_priority_raise(void);

#endif
