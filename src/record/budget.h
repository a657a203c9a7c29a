/* SPDX-License-Identifier: MIT
 *
 * When the recorder takes too much of the node's CPU time, and when there is room again: from
 * readings of the time and of what it has used, to steps of the tier. It looks back ten seconds: a
 * moment's work (the snapshot of a new segment) is no reason. A step down is judged by what came
 * after it. After a step up that did not last it waits twice as long for the next one.
 */
#ifndef KP_RECORD_BUDGET_H
#define KP_RECORD_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define KP_BUDGET_READINGS 11   /* one each second */
#define KP_BUDGET_WHOLE 100000u /* all CPUs, in thousandths of a percent */

struct kp_budget {
	uint32_t share; /* thousandths of a percent of the node; 0: no limit */
	unsigned cpu_cnt;
	struct kp_budget_reading {
		uint64_t now_ns, used_ns;
	} readings[KP_BUDGET_READINGS]; /* the oldest first, since the last step */
	unsigned reading_cnt;
	uint32_t used;           /* in the time that was looked at last, in the unit of share */
	uint64_t quiet_since_ns; /* it was under half of the budget since; 0: it was not */
	uint64_t patience_ns;    /* it must be so long before a step up */
	uint64_t raised_ns;      /* the last step up; 0: none that may still fail */
};

void kp_budget_init(struct kp_budget *budget, uint32_t share, unsigned cpu_cnt);

/* After a step that others made: what was before it counts no more. */
void kp_budget_reset(struct kp_budget *budget);

/* Once a second; used_ns: CPU time of all its threads so far; can_rise: there is a step up to make.
 * -1: step down, 1: up, 0: stay. */
int kp_budget_look(struct kp_budget *budget, uint64_t now_ns, uint64_t used_ns, bool can_rise);

#endif
