/* SPDX-License-Identifier: MIT
 *
 * What the recorder gives up once its programs are attached: capabilities that its loop does not
 * need, and system calls that it never makes. For the calling thread and those that it makes later;
 * there is no way back. A recorder that runs a command does not, since the command would inherit
 * it.
 */
#ifndef KP_RECORD_CONFINE_H
#define KP_RECORD_CONFINE_H

#include <stdint.h>

#include "base/err.h"

/* dir: the log's folder, which is made; without it none is written. 0, or a negative errno: what
 * could not be given up, err says. */
int kp_confine(const char *dir, struct kp_err *err);

/* Calls that the filter refused so far (-EPERM), and the number of the last. */
uint64_t kp_confine_refused(int *ret_nr);

/* The capabilities of this process that are in effect, bit 1 << CAP_… */
uint64_t kp_confine_capabilities(void);

#endif
