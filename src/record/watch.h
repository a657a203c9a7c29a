/* SPDX-License-Identifier: MIT
 *
 * What the recorder sees first of a recorded process: the files that it maps, and its image at the
 * end of each exec. Nobody is traced for longer than an exec takes, or a hold. For one thread:
 * ptrace belongs to a thread.
 */
#ifndef KP_RECORD_WATCH_H
#define KP_RECORD_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"
#include "record/archive.h"
#include "record/sink.h"

struct kp_seized {
	pid_t tid;
	bool stopped;
	int sig; /* on its way to it when it stopped, or 0 */
};

struct kp_watch {
	const struct kp_sink *sink;
	struct kp_archive *archive;
	void (*on_warning)(void *arg, const char *text);
	void *arg;
	int listener; /* of the filter; -1: none */
	pid_t except; /* a child of ours that is not recorded, or 0 */
	uint32_t image_cnt;
	bool holding;
	unsigned told; /* what the user was warned of */
	KP_VEC(struct kp_seized) tracees;
};

/* Serves the next held call; poll(2) has said that there is one. */
void kp_watch_call(struct kp_watch *watch);

/* Serves a stop that waitpid reported. */
void kp_watch_stop(struct kp_watch *watch, pid_t tid, int status);

/* waitpid reported the end of a task. */
void kp_watch_forget(struct kp_watch *watch, pid_t tid);

/* Stops all recorded tasks, or lets them go on. */
void kp_watch_hold(struct kp_watch *watch, bool hold);

void kp_watch_done(struct kp_watch *watch);

#endif
