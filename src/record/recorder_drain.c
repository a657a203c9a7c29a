/* SPDX-License-Identifier: MIT
 * Reading the rings; see recorder_in.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "record/recorder_in.h"

/* Where little happens the rings are emptied less often, the small ones more often: in those a
 * program looks too late whether they fill. */
#define REST_MS_MAX 100
#define RING_LEN_PER_REST_MS (80u * 1024u)
#define REST_LEN 65536 /* bytes of all rings at one time, up to which that is often enough */
/* Load of the queue at which the command is held, and at which it goes on. */
#define HOLD_PERCENT 20
#define RELEASE_PERCENT 5
#define PAYLOAD_STEPS 16

struct drain {
	struct recorder *recorder;
	enum kp_ring kind;
};

static void put_event(const struct kp_hdr *event, void *arg)
{
	const struct drain *drain = arg;

	kp_pipeline_put(drain->recorder->pipeline, kp_tally_stream(event->cpu, drain->kind), event);
}

static void put_selected(const struct kp_hdr *event, void *arg)
{
	const struct drain *drain = arg;

	put_event(event, arg);
	kp_lint_selected(drain->recorder->lint, event);
}

static void put_life(const struct kp_hdr *event, void *arg)
{
	const struct drain *drain = arg;

	put_event(event, arg);
	kp_lint_life(drain->recorder->lint, event);
	kp_identity_put(drain->recorder->identity, event);
}

/* The command, until the log has caught up. Said again at each turn of the timer: a single call can
 * be missed. */
static void hold(struct recorder *r, bool wanted)
{
	if (r->command)
		kp_command_hold(r->command, wanted);
}

void kp_recorder_pace(struct recorder *r)
{
	unsigned load = kp_pipeline_load(r->pipeline);

	if (load >= HOLD_PERCENT || load <= RELEASE_PERCENT)
		r->is_behind = load >= HOLD_PERCENT;
	hold(r, r->is_behind);
}

/*
 * Reads one ring; at most its length, so that a busy one does not keep the others waiting. A
 * payload ring is read in short steps: its writers, who can be faster than we are, are held as soon
 * as it fills.
 */
static size_t drain_ring(struct recorder *r, unsigned index, enum kp_ring kind)
{
	struct kp_ring_reader *ring = kp_probes_ring(r->probes, index, kind);
	struct drain drain = {r, kind};
	size_t len = 0, n;

	if (!ring)
		return 0;
	if (kind == KP_RING_LIFE)
		return kp_ring_drain(ring, ring->len, put_life, &drain);
	do {
		if (kp_ring_fill(ring) > ring->len / PAYLOAD_STEPS)
			hold(r, true);
		n = kp_ring_drain(ring, ring->len / PAYLOAD_STEPS, put_selected, &drain);
		len += n;
	} while (n && len < ring->len);
	return len;
}

static size_t drain_events(struct recorder *r, unsigned index)
{
	struct kp_event_ring *ring = kp_probes_event_ring(r->probes, index);
	struct drain drain = {r, KP_RING_EVENTS};

	return kp_event_ring_drain(ring, ring->len, put_event, &drain);
}

size_t kp_recorder_drain(struct recorder *r)
{
	uint64_t begin_ns = kp_clock_ns(CLOCK_MONOTONIC);
	size_t len = drain_ring(r, 0, KP_RING_BULK);

	for (unsigned i = 0; i < r->ring_cnt; i++) {
		len += drain_ring(r, i, KP_RING_PAYLOAD);
		len += drain_ring(r, i, KP_RING_LIFE);
		len += drain_events(r, i);
	}
	kp_probes_beat(r->probes);
	kp_lint_turn(r->lint, begin_ns);
	return len;
}

/* When the rings are emptied next. A command is paced by the same timer, and a loop of calls, each
 * of them an event, fills a ring while a busy machine keeps us waiting. */
uint64_t kp_recorder_next_drain_ms(const struct recorder *r, size_t drained_len)
{
	uint64_t rest_ms = r->options->ring_len / RING_LEN_PER_REST_MS;
	uint64_t last_ms = uv_timer_get_repeat(&r->drain_timer);

	if (drained_len > REST_LEN || r->command || rest_ms <= KP_DRAIN_MS ||
	    kp_tiers_wanted(r->tiers) == KP_TIER_calls)
		return KP_DRAIN_MS;
	if (rest_ms > REST_MS_MAX)
		rest_ms = REST_MS_MAX;
	return last_ms * 2 < rest_ms ? last_ms * 2 : rest_ms;
}

/* A ring fills before its time. */
static void on_wake(uv_poll_t *poll, int status, int events)
{
	struct recorder *r = poll->data;

	(void)status;
	(void)events;
	kp_probes_take_wakes(r->probes);
	kp_recorder_drain(r);
	uv_timer_set_repeat(&r->drain_timer, KP_DRAIN_MS);
	uv_timer_again(&r->drain_timer);
}

int kp_recorder_poll_rings(struct recorder *r)
{
	int error = uv_poll_init(&r->loop, &r->ring_poll, kp_probes_wake_fd(r->probes));

	r->ring_poll.data = r;
	return error < 0 ? error : uv_poll_start(&r->ring_poll, UV_READABLE, on_wake);
}
