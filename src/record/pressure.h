/* SPDX-License-Identifier: MIT
 *
 * The kernel's own accounts of what tasks want and do not get: /proc/pressure. Read from
 * descriptors that stay open; nothing here waits.
 */
#ifndef KP_RECORD_PRESSURE_H
#define KP_RECORD_PRESSURE_H

#include <stdbool.h>

#include "kprobe/event.h"
#include "record/sink.h"

struct kp_pressure {
	const struct kp_sink *sink;
	int fds[KP_PRESSURE_CNT];                    /* -1: the kernel does not tell */
	struct kp_ev_pressure told[KP_PRESSURE_CNT]; /* last */
};

/* The text of such a file; false: it is not understood. Text is ended by NUL. */
bool kp_pressure_parse(const char *text, struct kp_ev_pressure *ret);

/* Opens what there is. */
void kp_pressure_open(struct kp_pressure *pressure, const struct kp_sink *sink);

/* Writes what has grown since it was written last. */
void kp_pressure_read(struct kp_pressure *pressure);

void kp_pressure_done(struct kp_pressure *pressure);

#endif
