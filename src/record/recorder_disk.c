/* SPDX-License-Identifier: MIT
 *
 * What becomes of a recording whose log cannot be written, for want of room or by a fault of the
 * disk: retention has made what room it could (pipeline_disk.c); if that is not enough the tier
 * steps down, so that what memory keeps reaches further back, and when there is no lower one memory
 * keeps the last of it alone. All that undoes itself. See recorder_in.h.
 */
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "event/event.h"
#include "record/recorder_in.h"

#define LASTS_NS 10000000000ull /* after so long without a fault the tier rises again */

static void put_state(struct recorder *r, const struct kp_disk_look *look)
{
	struct kp_ev_disk ev = {.since_ns = look->since_ns,
				.free_len = look->free_len,
				.lost = look->lost,
				.error = look->error,
				.state = r->disk.state};

	kp_sink_put_fixed(kp_pipeline_drain_sink(r->pipeline), KP_EV_disk, &ev, sizeof(ev));
}

static void lower_tier(struct recorder *r)
{
	enum kp_tier from = kp_tiers_wanted(r->tiers);
	enum kp_tier to = kp_tier_below(kp_probes_tiers(r->options->groups), from);

	if (to == from)
		return;
	if (!r->disk.is_tier_lowered)
		r->disk.before = from;
	r->disk.is_tier_lowered = true;
	kp_tiers_want(r->tiers, to, KP_TIER_WHY_full);
	kp_recorder_notice(r, "still nothing can be written: it goes on in the tier %s, not %s",
			   kp_tier_name(to), kp_tier_name(from));
}

static void raise_tier(struct recorder *r)
{
	enum kp_tier from = kp_tiers_wanted(r->tiers);
	enum kp_tier to = r->disk.before < r->ceiling ? r->disk.before : r->ceiling;

	r->disk.is_tier_lowered = false;
	kp_budget_reset(&r->budget);
	if (to <= from)
		return;
	kp_tiers_want(r->tiers, to, KP_TIER_WHY_room);
	kp_recorder_notice(r, "what is recorded can be written: it goes on in the tier %s, not %s",
			   kp_tier_name(to), kp_tier_name(from));
}

/* A step each time that it is looked at. */
static void step_down(struct recorder *r, const struct kp_disk_look *look)
{
	enum kp_tier tier = kp_tiers_wanted(r->tiers);

	r->disk.since_ns = kp_clock_ns(CLOCK_MONOTONIC);
	if (r->disk.state == KP_DISK_WRITTEN) {
		r->disk.state = KP_DISK_SHORT;
		kp_recorder_notice(r,
				   "%s; what is recorded waits in memory until it can be written",
				   look->why.text);
		put_state(r, look);
	} else if (kp_tier_below(kp_probes_tiers(r->options->groups), tier) != tier) {
		lower_tier(r);
	} else if (r->disk.state == KP_DISK_SHORT) {
		r->disk.state = KP_DISK_HELD;
		kp_recorder_notice(r, "nothing more can be left out: memory keeps the last of what "
				      "is recorded, and what is older will be lost");
		put_state(r, look);
	}
}

static void go_on(struct recorder *r, const struct kp_disk_look *look)
{
	r->disk.state = KP_DISK_WRITTEN;
	kp_recorder_notice(r,
			   "what is recorded is written again; %" PRIu64
			   " events of this recording could not be",
			   look->lost);
	put_state(r, look);
}

static void tell_removed(struct recorder *r, const struct kp_disk_look *look)
{
	if (look->full_cnt == r->disk.full_cnt)
		return;
	kp_recorder_notice(r,
			   "the disk is full: %" PRIu64 " of the log's oldest segments (%.1f MiB) "
			   "went for that so far",
			   look->full_cnt, (double)look->full_len / (1 << 20));
	r->disk.full_cnt = look->full_cnt;
}

void kp_recorder_look_at_disk(struct recorder *r)
{
	struct kp_disk_look look;

	kp_pipeline_disk(r->pipeline, &look);
	tell_removed(r, &look);
	if (look.is_over_quota && !r->disk.has_told_quota) {
		r->disk.has_told_quota = true;
		kp_recorder_warn(r,
				 "the log's pins name more than --pin-quota allows: the segments "
				 "of the oldest pins are not kept");
	}
	if (look.is_short)
		step_down(r, &look);
	else if (r->disk.state != KP_DISK_WRITTEN)
		go_on(r, &look);
	else if (r->disk.is_tier_lowered &&
		 kp_clock_ns(CLOCK_MONOTONIC) - r->disk.since_ns >= LASTS_NS)
		raise_tier(r);
}
