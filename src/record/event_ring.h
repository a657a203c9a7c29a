/* SPDX-License-Identifier: MIT
 *
 * The reading side of a ring of events, which several CPUs may write at once and one thread reads;
 * bpf/shared.h says how (struct kp_ring_ends), bpf/emit.h writes it.
 */
#ifndef KP_RECORD_EVENT_RING_H
#define KP_RECORD_EVENT_RING_H

#include <stddef.h>

#include "bpf/shared.h"
#include "record/ledger.h"

struct kp_event_ring {
	struct kp_piece *pieces; /* len / KP_PIECE_LEN */
	struct kp_ring_ends *ends;
	size_t len; /* a power of two, of KP_PIECE_LEN or more */
	struct kp_ledger ledger;
	unsigned index; /* there */
};

/* After a kill: what was taken is taken, and accounted for. */
void kp_event_ring_settle(struct kp_event_ring *ring);

/*
 * Calls fn for each event that is complete, in order, until about max_len bytes were read. The
 * event is valid during the call only. Returns the bytes read.
 */
size_t kp_event_ring_drain(struct kp_event_ring *ring, size_t max_len,
			   void (*fn)(const struct kp_hdr *event, void *arg), void *arg);

#endif
