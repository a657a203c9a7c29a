/* SPDX-License-Identifier: MIT
 * What the recorder needs of this machine, and whether it is there.
 */
#ifndef KP_RECORD_CHECK_H
#define KP_RECORD_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum kp_check_state {
	KP_CHECK_OK,
	KP_CHECK_MISSING, /* recording goes on without it */
	KP_CHECK_FAILED,  /* recording is not possible */
};

/* One line: what was looked at, its state, and for a state other than OK the remedy. */
typedef void (*kp_check_fn)(const char *what, enum kp_check_state state, const char *remedy,
			    void *arg);

/* Looks at everything, loading and attaching all programs for a moment. Returns whether recording
 * is possible. */
bool kp_check_run(kp_check_fn fn, void *arg);

#endif
