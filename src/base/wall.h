/* SPDX-License-Identifier: MIT
 * Wall clock times as people and programs write them.
 */
#ifndef KP_BASE_WALL_H
#define KP_BASE_WALL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * RFC 3339 (a space for the T, a zone without colon and no zone for UTC are taken too), or seconds
 * since the epoch, each with a fraction, as nanoseconds of CLOCK_REALTIME. False: neither, or a day
 * that the calendar does not have.
 */
bool kp_wall_read(const char *text, uint64_t *ret_realtime_ns);

#endif
