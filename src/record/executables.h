/* SPDX-License-Identifier: MIT
 *
 * The programs that processes run, with their build ids, as `executable` events. Their files are
 * asked: that may take long, or for ever where a server answers for a file system, so this is for a
 * thread that nobody waits for. Of files on such file systems only the path is told.
 */
#ifndef KP_RECORD_EXECUTABLES_H
#define KP_RECORD_EXECUTABLES_H

#include "base/map.h"
#include "base/vec.h"
#include "record/sink.h"

struct kp_executable;

/* Zero-initialised: nothing is known yet. */
struct kp_executables {
	struct kp_map index; /* hash of device and inode → index in known */
	KP_VEC(struct kp_executable *) known;
};

/*
 * Tells the program that a process runs. exec: its exec event, by which the program is known also
 * when the process has ended meanwhile, if it was told before; NULL: any time. Kernel threads have
 * none.
 */
void kp_executables_tell(struct kp_executables *executables, uint32_t pid,
			 const struct kp_ev_task_exec *exec, const struct kp_sink *sink);

/* Tells the programs of all processes. */
void kp_executables_tell_all(struct kp_executables *executables, const struct kp_sink *sink);

void kp_executables_done(struct kp_executables *executables);

#endif
