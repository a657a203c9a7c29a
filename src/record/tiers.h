/* SPDX-License-Identifier: MIT
 *
 * Changes of the tier while it records. A thread of its own attaches and detaches the programs,
 * since the kernel takes its time for that, and says in the log what holds from when on.
 *
 * Around a change both tiers are recorded for a second: a call that begins in one and ends in the
 * other is told by one of them at least if it is no longer. The log names the higher one as long as
 * it is whole.
 */
#ifndef KP_RECORD_TIERS_H
#define KP_RECORD_TIERS_H

#include "base/err.h"
#include "record/probes.h"
#include "record/sink.h"

struct kp_tiers;

struct kp_tiers_options {
	struct kp_probes *probes; /* attached, in the tier of these groups */
	uint32_t groups;
	const struct kp_sink *sink; /* one that may wait */
	/* Called in the thread, when a tier cannot be had. */
	void (*on_warning)(void *arg, const char *text);
	void *arg;
};

/* Says in which tier recording begins. */
int kp_tiers_start(const struct kp_tiers_options *options, struct kp_tiers **ret_tiers,
		   struct kp_err *err);

/* The tier that was asked for last; the change to it may be under way. */
enum kp_tier kp_tiers_wanted(const struct kp_tiers *tiers);

/* Asks for a tier of kp_probes_tiers. Never waits. */
void kp_tiers_want(struct kp_tiers *tiers, enum kp_tier tier, enum kp_tier_why why);

/* Says once more in which tier it is. Never waits. */
void kp_tiers_repeat(struct kp_tiers *tiers);

/* Ends a change at once, then the thread. NULL is fine. */
void kp_tiers_stop(struct kp_tiers *tiers);

/* The next tier of the set below or above one; the same: there is none. */
enum kp_tier kp_tier_below(uint32_t tiers, enum kp_tier tier);
enum kp_tier kp_tier_above(uint32_t tiers, enum kp_tier tier);

#endif
