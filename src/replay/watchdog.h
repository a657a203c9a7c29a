/* SPDX-License-Identifier: MIT
 *
 * Kills a replayed process that runs on without reaching its next stop, or takes more than the log
 * may ask for. Its own CPU time counts, so a busy machine does no harm.
 */
#ifndef KP_REPLAY_WATCHDOG_H
#define KP_REPLAY_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct kp_watchdog;

/* What the whole replay may take; 0: no limit. */
struct kp_watch_limits {
	uint64_t memory; /* bytes of the process, with what is held in memory files for it */
	uint64_t cpu_ns; /* of the process and of the replayer, from kp_watchdog_new on */
};

enum kp_watch_end {
	KP_WATCH_RUNS, /* it has not killed it */
	KP_WATCH_STUCK,
	KP_WATCH_MEMORY,
	KP_WATCH_TIME,
};

int kp_watchdog_new(pid_t pid, const struct kp_watch_limits *limits,
		    struct kp_watchdog **ret_watchdog, struct kp_err *err);
void kp_watchdog_free(struct kp_watchdog *watchdog);

/* From now on the process may use budget_ns of CPU time. */
void kp_watchdog_arm(struct kp_watchdog *watchdog, uint64_t budget_ns);
void kp_watchdog_disarm(struct kp_watchdog *watchdog);

/* Why it has killed the process. */
enum kp_watch_end kp_watchdog_fired(const struct kp_watchdog *watchdog);

#endif
