/* SPDX-License-Identifier: MIT
 * Makes the traced process what a recorded one was at the end of an exec.
 */
#ifndef KP_REPLAY_IMAGE_H
#define KP_REPLAY_IMAGE_H

#include "replay/session.h"
#include "replay/tracee.h"

/* A page-aligned address at which no mapping of the image is. */
uint64_t kp_image_stub_address(const struct kp_image *image);

/*
 * Rebuilds image in a process that has just executed the stub of kp_image_stub_address. The
 * session's files are open in the process at the same descriptor numbers. -EAGAIN: mappings of the
 * kernel are in the way, another exec puts them elsewhere.
 */
int kp_image_build(struct kp_tracee *tracee, const struct kp_session *session,
		   const struct kp_image *image, struct kp_err *err);

#endif
