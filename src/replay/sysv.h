/* SPDX-License-Identifier: MIT
 *
 * System V shared memory that the replayed process makes for itself: a memory file for each
 * segment. What others store there is not in the log.
 */
#ifndef KP_REPLAY_SYSV_H
#define KP_REPLAY_SYSV_H

#include "replay/session.h"

struct kp_sysv;

/* Makes the memory of each segment that the session's process makes. -errno with err. */
int kp_sysv_new(const struct kp_session *session, struct kp_sysv **ret_sysv, struct kp_err *err);
void kp_sysv_free(struct kp_sysv *sysv);

/* Descriptors that must be open in the process at the same numbers. */
size_t kp_sysv_fd_cnt(const struct kp_sysv *sysv);
int kp_sysv_fd(const struct kp_sysv *sysv, size_t index);

/* An exec detaches everything. */
void kp_sysv_exec(struct kp_sysv *sysv);

#endif
