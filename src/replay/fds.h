/* SPDX-License-Identifier: MIT
 *
 * Which descriptors of the replayed process lead to what were its standard output and error, as its
 * calls tell: closed, duplicated, replaced.
 */
#ifndef KP_REPLAY_FDS_H
#define KP_REPLAY_FDS_H

#include <stdbool.h>
#include <stdint.h>

#include "kprobe/event.h"

#define KP_FDS_MAX 1024

struct kp_fds {
	uint8_t stream[KP_FDS_MAX]; /* 0: something else, 1: standard output, 2: standard error */
	bool cloexec[KP_FDS_MAX];
};

/* 1 and 2 lead where their names say. */
void kp_fds_init(struct kp_fds *fds);

/* What a completed call changes. */
void kp_fds_apply(struct kp_fds *fds, const struct kp_ev_syscall *call);

/* A file of this name was opened as fd; pid is the process's. It may be a descriptor that is open
 * (/dev/stdout, /dev/fd/N, /proc/self/fd/N), and leads where that one leads. */
void kp_fds_opened(struct kp_fds *fds, const char *path, uint32_t pid, uint64_t fd, bool cloexec);

/* 1, 2, or 0. */
int kp_fds_stream(const struct kp_fds *fds, uint64_t fd);

#endif
