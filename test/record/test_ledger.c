/* SPDX-License-Identifier: MIT
 * The accounts after a kill at each step of taking events out of a ring and of writing a block.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "record/event_ring.h"

#define LEN 56u
#define CPU 1

static struct kp_ring_ends ends;
static struct kp_event_ring ring;
static struct kp_ledger ledger;
static struct kp_ledger_row *row;
static kp_u64 seen;

static void begin(void)
{
	kp_ledger_init(&ledger, calloc(1, kp_ledger_len(2)), 2);
	row = kp_ledger_row(&ledger, CPU);
	ends = (struct kp_ring_ends){0};
	ring = (struct kp_event_ring){.pieces = calloc(1, sizeof(struct kp_piece)),
				      .ends = &ends,
				      .len = KP_PIECE_LEN,
				      .ledger = ledger};
	seen = 0;
}

static void end(void)
{
	free(ledger.memory);
	free(ring.pieces);
}

TestSuite(ledger, .init = begin, .fini = end);

static void fill_event(struct kp_hdr *event, kp_u16 kind, kp_u64 now)
{
	event->time_ns = now;
	event->kind = kind;
	event->cpu = CPU;
	event->size = LEN;
}

static void put_in_ring(unsigned cnt)
{
	for (; cnt; cnt--, ends.head += LEN)
		fill_event((void *)(ring.pieces->data + ends.head), KP_EV_sched_waking,
			   1000 + ends.head);
}

static void look(const struct kp_hdr *event, void *arg)
{
	(void)arg;
	seen += event->size == LEN;
}

Test(ledger, counts_what_is_taken)
{
	put_in_ring(3);
	kp_event_ring_drain(&ring, ring.len, look, NULL);
	cr_expect_eq(seen, 3);
	cr_expect_eq(row->taken[KP_GROUP_sched], 3);
	cr_expect_eq(row->taken_ns, 1000 + 2 * LEN);
}

/* is_moved: the kill came behind the move of the tail, not before. */
static void kill_while_taking(bool is_moved)
{
	struct kp_taking taking = {.cpu = CPU, .last_ns = 7, .cnt = {[KP_GROUP_sched] = 2}};

	put_in_ring(3);
	kp_ledger_take(&ledger, 0, KP_RING_EVENTS, &taking, 2 * LEN);
	if (is_moved) {
		memset(ring.pieces->data, 0, 2 * LEN);
		ends.tail = 2 * LEN;
	} else {
		memset(ring.pieces->data, 0, LEN); /* in the middle of it */
	}
	for (int i = 0; i < 2; i++) { /* and again by the next, which is killed too */
		kp_event_ring_settle(&ring);
		cr_expect_eq(ends.tail, 2 * LEN);
		cr_expect_eq(row->taken[KP_GROUP_sched], 2);
	}
	kp_event_ring_drain(&ring, ring.len, look, NULL);
	cr_expect_eq(seen, 1);
	cr_expect_eq(row->taken[KP_GROUP_sched], 3);
}

Test(ledger, killed_before_the_tail_moves)
{
	kill_while_taking(false);
}

Test(ledger, killed_after_the_tail_moved)
{
	kill_while_taking(true);
}

Test(ledger, killed_before_anything_was_taken)
{
	put_in_ring(2);
	kp_event_ring_settle(&ring);
	cr_expect_eq(ends.tail, 0);
	cr_expect_eq(row->taken[KP_GROUP_sched], 0);
}

/* A block of two events is being written as number 5 of segment 3, when the kill comes. */
static void kill_while_writing(bool is_placed, struct kp_log_place log_end, uint64_t stored)
{
	unsigned char block[2 * LEN] = {0};

	fill_event((void *)block, KP_EV_sched_waking, 1);
	fill_event((void *)(block + LEN), KP_EV_sched_waking, 2);
	ledger.memory->place = (struct kp_log_place){3, 4}; /* of the one before */
	kp_ledger_begin_write(&ledger, CPU, block, sizeof(block));
	if (is_placed)
		*kp_ledger_place(&ledger) = (struct kp_log_place){3, 5};
	kp_ledger_settle_write(&ledger, &log_end);
	cr_expect_eq(row->stored[KP_GROUP_sched], stored);
	kp_ledger_settle_write(&ledger, &log_end);
	cr_expect_eq(row->stored[KP_GROUP_sched], stored);
}

Test(ledger, killed_before_the_write)
{
	kill_while_writing(false, (struct kp_log_place){3, 5}, 0);
}

Test(ledger, killed_in_the_write)
{
	kill_while_writing(true, (struct kp_log_place){3, 5}, 0);
}

Test(ledger, killed_after_the_write)
{
	kill_while_writing(true, (struct kp_log_place){3, 6}, 2);
}

Test(ledger, killed_after_the_write_and_in_the_next_segments_begin)
{
	kill_while_writing(true, (struct kp_log_place){4, 0}, 2);
}

Test(ledger, lost_events_are_told_when_their_block_is_in_the_log)
{
	struct kp_ev_lost lost[2] = {{.hdr = {.size = sizeof(lost[0]), .kind = KP_EV_lost},
				      .count = 5,
				      .lost_group = KP_GROUP_sched,
				      .lost_stream = CPU}};

	lost[1] = lost[0];
	lost[1].count = 7;
	kp_ledger_begin_write(&ledger, KP_CPU_USER, lost, sizeof(lost));
	cr_expect_eq(row->told[KP_GROUP_sched], 0);
	kp_ledger_end_write(&ledger, true);
	cr_expect_eq(row->told[KP_GROUP_sched], 12);
	cr_expect_eq(kp_ledger_row(&ledger, KP_CPU_USER)->stored[KP_GROUP_meta], 2);
	kp_ledger_begin_write(&ledger, KP_CPU_USER, lost, sizeof(lost));
	kp_ledger_end_write(&ledger, false);
	cr_expect_eq(row->told[KP_GROUP_sched], 12);
}
