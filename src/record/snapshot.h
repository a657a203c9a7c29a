/* SPDX-License-Identifier: MIT
 *
 * What was there before the first event: the CPU's model, and every thread and every open
 * descriptor, from /proc. It may take long, or for ever: whoever reads /proc/PID waits for locks of
 * the process, which may wait for its file system. So it is made in a thread of its own, and can be
 * given up.
 */
#ifndef KP_RECORD_SNAPSHOT_H
#define KP_RECORD_SNAPSHOT_H

#include "record/sink.h"

/* How far it has come; may be read from another thread meanwhile. */
struct kp_snapshot {
	uint64_t segment;        /* for which it is made */
	uint64_t begun_ns;       /* CLOCK_MONOTONIC */
	_Atomic uint32_t at_pid; /* process being read */
	_Atomic uint32_t task_cnt;
	_Atomic uint32_t fd_cnt;
	_Atomic uint32_t guessed_cnt;
};

/*
 * Writes a `cpu_model` event, a `task` event for each thread and an `fd` event for each descriptor
 * of each process (but not of the recorder), and the `snapshot` event that ends it. Processes that
 * end meanwhile are left out: that is no error. No file system that may hang is asked: of a file on
 * one the device and inode are known, and that it is a file is a guess.
 */
void kp_snapshot_write(const struct kp_sink *sink, struct kp_snapshot *snapshot);

/* Writes the `snapshot` event of one that is not complete. */
void kp_snapshot_give_up(const struct kp_sink *sink, const struct kp_snapshot *snapshot);

#endif
