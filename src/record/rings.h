/* SPDX-License-Identifier: MIT
 *
 * The rings of the BPF programs and which CPU writes into which. There may be fewer rings than
 * CPUs: a CPU that was offline at the start, or for which the memory does not reach, shares one
 * with others, so that each has a ring the moment it comes online.
 */
#ifndef KP_RECORD_RINGS_H
#define KP_RECORD_RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bpf/shared.h"
#include "record/event_ring.h"
#include "record/memory.h"
#include "record/ring.h"

struct kp_ring_plan {
	unsigned cnt; /* rings of each kind but the bulk's, of which there is one */
	uint64_t event_len, payload_len, bulk_len; /* bytes of a ring, powers of two */
};

/*
 * How many rings of which size within the memory: a ring of event_len, as asked for, for each CPU
 * that is online (at least 1); where that is more, smaller ones, and below a megabyte fewer.
 */
struct kp_ring_plan kp_ring_plan(unsigned online, uint64_t event_len,
				 const struct kp_memory *memory);

/* The ring of a CPU; rank: how many of the CPUs before it are online. */
unsigned kp_ring_of(const struct kp_ring_plan *plan, unsigned cpu, unsigned rank, bool is_online);

struct kp_rings {
	struct kp_ring_plan plan;
	uint16_t of[KP_CPU_MAX];                  /* which, by CPU */
	struct kp_event_ring *events;             /* [plan.cnt] */
	struct kp_ring_reader (*at)[KP_RING_CNT]; /* [plan.cnt]; events' and bulk's are never open
						   */
	struct kp_ring_reader bulk;
	void *pieces; /* of all rings of events */
	int wake_fd;  /* epoll of all others, by their edges */
};

/* Plans for the CPUs that are online now and makes room for the readers; 0 or -ENOMEM. */
int kp_rings_init(struct kp_rings *rings, unsigned cpu_cnt, uint64_t event_len,
		  const struct kp_memory *memory, struct kp_err *err);

/* Pieces of all rings of events. */
uint32_t kp_rings_piece_cnt(const struct kp_rings *rings);

struct kp_rings_kept {
	const int *life; /* maps of an earlier recorder, [plan.cnt], which are taken over; NULL */
	const struct kp_ledger *ledger;
};

/* Makes the rings, those of replay if `select`, or takes those that were kept, and puts each CPU's
 * into the map of descriptor maps[kind]; that of events has their pieces, and `ends` by ring where
 * they begin and end. */
int kp_rings_open(struct kp_rings *rings, unsigned cpu_cnt, bool select,
		  const int maps[KP_RING_CNT], struct kp_ring_ends *ends,
		  const struct kp_rings_kept *kept, struct kp_err *err);

/* After a kill: what was taken out of them is taken, and accounted for. */
void kp_rings_settle(struct kp_rings *rings);

/* Ring `index` below plan.cnt of a kind but events, or NULL. */
struct kp_ring_reader *kp_rings_get(struct kp_rings *rings, unsigned index, enum kp_ring kind);

/*
 * Readable when a program found a ring filled to a quarter: from then on the rings have to be read
 * again and again, and this be called first. Unread events alone wake nobody.
 */
void kp_rings_take_wakes(const struct kp_rings *rings);

/* Zeros are fine. */
void kp_rings_close(struct kp_rings *rings);

#endif
