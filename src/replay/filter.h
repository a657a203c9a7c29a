/* SPDX-License-Identifier: MIT
 *
 * The seccomp filters behind ptrace: the system calls that can run at all in a replayed process,
 * whatever it, its log or a bug of the replayer's asks for (seccomp(2)).
 */
#ifndef KP_REPLAY_FILTER_H
#define KP_REPLAY_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#define KP_FILTER_MAX 256

enum kp_filter_kind {
	KP_FILTER_REPLAY, /* memory, signal actions, and the exec of a stub by its descriptor */
	KP_FILTER_LOADER, /* … and what a dynamic loader reads */
	KP_FILTER_BUILD,  /* another build behind its entry: memory and signal actions */
};

struct kp_filter {
	struct sock_filter code[KP_FILTER_MAX];
	uint16_t len;
};

/*
 * What the table runs (EXECUTE and MEMORY in syscalls.def, for a loader LOADER as far as it reads)
 * and what the replayer itself has the process run.
 * A call of another ABI, or one that is not listed, ends the process; those of the vsyscall page,
 * which come without a stop of ptrace's, stop it (PTRACE_EVENT_SECCOMP).
 */
void kp_filter_build(enum kp_filter_kind kind, struct kp_filter *ret_filter);

/* Whether a filter has the call at all, and whether with these arguments. */
bool kp_filter_has(enum kp_filter_kind kind, uint64_t nr);
bool kp_filter_permits(enum kp_filter_kind kind, uint64_t nr, const uint64_t args[6]);

#endif
