/* SPDX-License-Identifier: MIT
 *
 * What a program finds on its stack when it begins (System V ABI, AMD64 supplement, "Process
 * Initialization"): read from a recorded image, and adjusted in a process of another build.
 */
#ifndef KP_REPLAY_STARTUP_H
#define KP_REPLAY_STARTUP_H

#include "replay/session.h"
#include "replay/tracee.h"

struct kp_startup {
	char **argv; /* ended by NULL, like envp; all in arena */
	char **envp;
	char *path;               /* as exec was given it (AT_EXECFN); NULL: the image has none */
	unsigned char random[16]; /* what AT_RANDOM led to */
	bool has_random;
	bool dynamic; /* it had a program interpreter (AT_BASE) */
	struct kp_arena arena;
};

/* Arguments, environment and random bytes of an image. -ENODATA: the image is incomplete. */
int kp_startup_read(const struct kp_image *image, struct kp_startup *startup, struct kp_err *err);
void kp_startup_done(struct kp_startup *startup);

/*
 * In a process at the exit of its exec: hides the vDSO and gives it the recorded random bytes.
 * *ret_entry is its program's entry point if the dynamic loader runs before it, else 0.
 */
int kp_startup_apply(const struct kp_startup *startup, struct kp_tracee *tracee,
		     uint64_t *ret_entry, struct kp_err *err);

#endif
