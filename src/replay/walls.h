/* SPDX-License-Identifier: MIT
 *
 * What stands around a replayed process besides ptrace. Each wall is enough against what the others
 * let through: a log is a stranger's program.
 */
#ifndef KP_REPLAY_WALLS_H
#define KP_REPLAY_WALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "replay/filter.h"

/* The overflow id (proc_sys_kernel(5)), whose files are nobody's. */
#define KP_NOBODY 65534u

/* Walls that a kernel may refuse; the seccomp filter and the limits are always there. */
enum kp_wall {
	KP_WALL_NAMESPACES = 1, /* pid, network, IPC and UTS namespaces of its own */
	KP_WALL_ROOT = 2,       /* an empty root, or for another build a read-only one */
};

/* The walls of a mask in words, "" for none; at most cap bytes. */
void kp_walls_name(unsigned walls, char *ret_text, size_t cap);

/*
 * Clones with as many namespaces as the kernel grants; returns as fork does, in both processes.
 * *ret_user: with a user namespace, whose ids are to be mapped. *ret_missing: KP_WALL_.
 */
pid_t kp_walls_clone(bool *ret_user, unsigned *ret_missing);

/*
 * The functions below are for the new process, between clone and exec: they allocate nothing.
 *
 * Gives the mount namespace an empty root without a way back; with libraries: the machine's files,
 * read-only, without devices, /proc and /sys. Without mounts (no namespace of them, or they are
 * refused): Landlock, which denies every file (landlock(7)). 0 or KP_WALL_ROOT.
 */
unsigned kp_walls_root(bool libraries, bool mounts);

/* Limits, no capabilities, no new privileges; with nobody: that user's ids. 0 or an errno. */
int kp_walls_limits(bool nobody);

/* From here on only the filter's calls run. 0 or an errno. */
int kp_walls_filter(const struct kp_filter *filter);

#endif
