/* SPDX-License-Identifier: MIT
 * The reading side of a ring of events; see event_ring.h.
 */
#include "record/event_ring.h"

#include <assert.h>
#include <string.h>

/* The run of events that begins at `at` and ends with its piece, at `end`, with max_len bytes or at
 * one that is not complete: for each of them fn, then zeros in their place. Returns its length. */
static kp_u64 drain_run(struct kp_event_ring *ring, kp_u64 at, kp_u64 end, size_t max_len,
			void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	unsigned char *begin = ring->pieces[(at & (ring->len - 1)) / KP_PIECE_LEN].data +
			       (at & (KP_PIECE_LEN - 1));
	size_t left = KP_PIECE_LEN - (at & (KP_PIECE_LEN - 1)), len = 0;
	const struct kp_hdr *event;
	kp_u32 size;

	while (len < left && len < max_len && at + len < end) {
		event = (const void *)(begin + len);
		size = __atomic_load_n(&event->size, __ATOMIC_ACQUIRE);
		if (!size)
			break;
		assert(size >= sizeof(*event) && size <= KP_RING_EVENT_MAX &&
		       size <= end - at - len);
		fn(event, arg);
		len += size;
	}
	memset(begin, 0, len);
	return len;
}

size_t kp_event_ring_drain(struct kp_event_ring *ring, size_t max_len,
			   void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	kp_u64 begin = ring->ends->tail, at = begin, end, len;

	end = __atomic_load_n(&ring->ends->head, __ATOMIC_ACQUIRE);
	do {
		len = drain_run(ring, at, end, max_len - (at - begin), fn, arg);
		at += len;
		__atomic_store_n(&ring->ends->tail, at, __ATOMIC_RELEASE);
	} while (len && at - begin < max_len);
	return at - begin;
}
