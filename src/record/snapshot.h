/* SPDX-License-Identifier: MIT
 * What was there before the first event: the CPU's model, and every thread and every open
 * descriptor, from /proc.
 */
#ifndef KP_RECORD_SNAPSHOT_H
#define KP_RECORD_SNAPSHOT_H

#include "record/sink.h"

/*
 * Writes a `cpu_model` event, and a `task` event for each thread and an `fd` event for each
 * descriptor of each process (but not of the recorder). Processes that end meanwhile are left out:
 * that is no error.
 */
void kp_snapshot_write(const struct kp_sink *sink);

#endif
