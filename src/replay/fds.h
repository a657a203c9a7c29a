/* SPDX-License-Identifier: MIT
 *
 * Where the descriptors of a process lead, as its calls tell: closed, duplicated, replaced. Of the
 * replayed process it is asked which of them lead to what were its standard output and error.
 */
#ifndef KP_REPLAY_FDS_H
#define KP_REPLAY_FDS_H

#include <stdbool.h>
#include <stdint.h>

#include "kprobe/event.h"
#include "kprobe/syscall.h"

#define KP_FDS_MAX 1024

struct kp_fd {
	uint32_t file; /* 0: closed, or nothing that is told apart */
	bool cloexec;
};

struct kp_fds {
	struct kp_fd at[KP_FDS_MAX];
};

/* Each leads to a file of its own, descriptor n to n + 1. */
void kp_fds_init(struct kp_fds *fds);

/* A descriptor, if it is followed, leads to this file from now on. */
void kp_fds_put(struct kp_fds *fds, uint64_t fd, uint32_t file, bool cloexec);

/* Whether a call with these arguments asks that what it opens be closed by exec. */
bool kp_fds_asks_cloexec(unsigned nr, const uint64_t args[KP_ARG_MAX]);

/* What a completed call changes; what it opens is nothing that is told apart, unless it is put. */
void kp_fds_apply(struct kp_fds *fds, const struct kp_ev_syscall *call);
/* The same with other arguments, as another build gave them. */
void kp_fds_apply_as(struct kp_fds *fds, const struct kp_ev_syscall *call,
		     const uint64_t args[KP_ARG_MAX]);

/* A file of this name was opened as fd; pid is the process's. It may be a descriptor that is open
 * (/dev/stdout, /dev/fd/N, /proc/self/fd/N), and leads where that one leads. */
void kp_fds_opened(struct kp_fds *fds, const char *path, uint32_t pid, uint64_t fd, bool cloexec);

/* 1 or 2: it leads to what that one was at first; or 0. */
int kp_fds_stream(const struct kp_fds *fds, uint64_t fd);

#endif
