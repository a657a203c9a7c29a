/* SPDX-License-Identifier: MIT
 *
 * Kills a replayed process that runs on without reaching its next stop. Its own CPU time counts, so
 * a busy machine does no harm.
 */
#ifndef KP_REPLAY_WATCHDOG_H
#define KP_REPLAY_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct kp_watchdog;

int kp_watchdog_new(pid_t pid, struct kp_watchdog **ret_watchdog, struct kp_err *err);
void kp_watchdog_free(struct kp_watchdog *watchdog);

/* From now on the process may use budget_ns of CPU time. */
void kp_watchdog_arm(struct kp_watchdog *watchdog, uint64_t budget_ns);
void kp_watchdog_disarm(struct kp_watchdog *watchdog);

/* Whether it has killed the process. */
bool kp_watchdog_fired(const struct kp_watchdog *watchdog);

#endif
