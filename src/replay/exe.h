/* SPDX-License-Identifier: MIT
 *
 * The executable of another build (--exe): the user's own program, run with a stranger's arguments,
 * environment and files.
 */
#ifndef KP_REPLAY_EXE_H
#define KP_REPLAY_EXE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "replay/startup.h"
#include "replay/tracee.h"

struct kp_exe {
	int fd;
	bool dynamic; /* it has a program interpreter, which loads the machine's libraries */
};

/*
 * Opens path. -ENOENT, -EACCES and others of open; -ENOEXEC unless it is an executable of this
 * architecture: a script would run its interpreter with a stranger's environment.
 */
int kp_exe_open(const char *path, struct kp_exe *ret_exe, struct kp_err *err);

/*
 * Takes out of the recorded environment what loaders and C libraries obey before a program begins:
 * libraries to load, places to look for them, files to write (ld.so(8), "ENVIRONMENT"). ret_names:
 * of those, ", " between them, as far as cap bytes hold them.
 */
void kp_exe_clean_environment(struct kp_startup *startup, char *ret_names, size_t cap);

/* The process stands at its program's begin: leaves it the calls of KP_FILTER_BUILD. */
int kp_exe_lock_up(struct kp_tracee *tracee, struct kp_err *err);

#endif
