/* SPDX-License-Identifier: MIT
 * The reading side of a ring of events; see event_ring.h.
 */
#include "record/event_ring.h"

#include <assert.h>
#include <string.h>

static unsigned char *memory_at(struct kp_event_ring *ring, kp_u64 at)
{
	return ring->pieces[(at & (ring->len - 1)) / KP_PIECE_LEN].data + (at & (KP_PIECE_LEN - 1));
}

/* How long the run of complete events of one CPU is that begins at `at` and ends with its piece, at
 * `end`, or with max_len bytes. */
static size_t measure_run(struct kp_event_ring *ring, kp_u64 at, kp_u64 end, size_t max_len,
			  struct kp_taking *taking)
{
	const unsigned char *begin = memory_at(ring, at);
	size_t left = KP_PIECE_LEN - (at & (KP_PIECE_LEN - 1)), len = 0;
	const struct kp_hdr *event;
	kp_u32 size;

	while (len < left && len < max_len && at + len < end) {
		event = (const void *)(begin + len);
		size = __atomic_load_n(&event->size, __ATOMIC_ACQUIRE);
		if (!size || (len && event->cpu != taking->cpu))
			break;
		assert(size >= sizeof(*event) && size <= KP_RING_EVENT_MAX &&
		       size <= end - at - len);
		kp_taking_add(taking, event);
		len += size;
	}
	return len;
}

/* Zeros in the place of what was read, and then the ring has the room. */
static void release(struct kp_event_ring *ring, kp_u64 at, size_t len)
{
	memset(memory_at(ring, at), 0, len);
	__atomic_store_n(&ring->ends->tail, at + len, __ATOMIC_RELEASE);
}

/* Takes a run out of the ring, and only then calls fn: what a kill comes between is not in two
 * places. Returns the run's length. */
static size_t drain_run(struct kp_event_ring *ring, kp_u64 at, kp_u64 end, size_t max_len,
			void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	_Alignas(8) unsigned char run[sizeof(struct kp_piece)];
	struct kp_taking taking = {0};
	size_t len = measure_run(ring, at, end, max_len, &taking);
	const struct kp_hdr *event;

	if (!len)
		return 0;
	memcpy(run, memory_at(ring, at), len);
	kp_ledger_take(&ring->ledger, ring->index, KP_RING_EVENTS, &taking, at + len);
	release(ring, at, len);
	kp_ledger_taken(&ring->ledger, ring->index, KP_RING_EVENTS);
	for (size_t i = 0; i < len; i += event->size) {
		event = (const void *)(run + i);
		fn(event, arg);
	}
	return len;
}

void kp_event_ring_settle(struct kp_event_ring *ring)
{
	const struct kp_take *take = &ring->ledger.memory->takes[ring->index][KP_RING_EVENTS];

	if (!take->to)
		return;
	if (take->to > ring->ends->tail)
		release(ring, ring->ends->tail, take->to - ring->ends->tail);
	kp_ledger_taken(&ring->ledger, ring->index, KP_RING_EVENTS);
}

size_t kp_event_ring_drain(struct kp_event_ring *ring, size_t max_len,
			   void (*fn)(const struct kp_hdr *event, void *arg), void *arg)
{
	kp_u64 begin = ring->ends->tail, at = begin, end, len;

	end = __atomic_load_n(&ring->ends->head, __ATOMIC_ACQUIRE);
	do {
		len = drain_run(ring, at, end, max_len - (at - begin), fn, arg);
		at += len;
	} while (len && at - begin < max_len);
	return at - begin;
}
