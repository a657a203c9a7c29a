/* SPDX-License-Identifier: MIT
 *
 * The accounts that outlive a recorder which is killed: what was taken out of each ring, what of
 * that is in the log, and which losses the log tells. Its memory is pinned with the rings (pins.h),
 * or the process's own. A row is a CPU's ring of one kind, the recorder's own stream, or what is of
 * no known CPU.
 *
 * Each change is written down as what will be true after it, before the step that makes it true:
 * the ring's tail moves, or a block is whole in the log. So whoever comes after a kill at any
 * instruction sees whether that step was made, and takes the accounts from there. A step that is
 * taken up twice changes nothing.
 *
 * A struct without memory (all zeros) is fine for all of it: then nothing is kept.
 */
#ifndef KP_RECORD_LEDGER_H
#define KP_RECORD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared.h"
#include "log/writer.h"

struct kp_ledger_row {
	uint64_t taken[KP_GROUP_CNT];   /* out of the ring */
	uint64_t stored[KP_GROUP_CNT];  /* in the log */
	uint64_t dropped[KP_GROUP_CNT]; /* had no room on the way; as it was when last looked at */
	uint64_t told[KP_GROUP_CNT];    /* by `lost` events that are in the log */
	uint64_t taken_ns, stored_ns;   /* time of the last event */
};

/* What is taken out of a ring next: the row's accounts when the ring's tail is at `to`. */
struct kp_take {
	uint64_t to; /* 0: nothing was ever taken */
	uint64_t row;
	uint64_t taken_ns;
	uint64_t taken[KP_GROUP_CNT];
};

/* Events of one CPU, one after the other, that are about to be taken. */
struct kp_taking {
	unsigned cpu;
	uint64_t last_ns;
	uint64_t cnt[KP_GROUP_CNT];
};

/* `lost` events are the shortest that a block of the recorder's own can be full of. */
#define KP_LEDGER_TOLD_MAX (KP_BLOCK_RAW_MAX / sizeof(struct kp_ev_lost))

struct kp_ledger_told {
	uint32_t row, group;
	uint64_t told;
};

/* The block that is written next: the accounts when it is in the log. */
struct kp_ledger_write {
	uint64_t is_begun;
	uint64_t row;
	uint64_t stored_ns;
	uint64_t stored[KP_GROUP_CNT];
	uint64_t told_cnt;
	struct kp_ledger_told told[KP_LEDGER_TOLD_MAX];
};

#define KP_LEDGER_PROGRAMS 256

struct kp_ledger_memory {
	unsigned char identity[16]; /* of programs, rings and options; see probes_pins.c */
	uint64_t is_ready;          /* all is pinned */
	uint64_t run;               /* of the log, as in its segments' headers */
	uint64_t looked_ns;         /* when losses were last looked for */
	uint64_t beat_ns;           /* when the rings were last emptied */
	struct kp_log_place place;
	struct kp_ledger_write write;
	uint64_t misses[KP_GROUP_CNT];            /* runs that the kernel left out, … */
	uint64_t seen_misses[KP_LEDGER_PROGRAMS]; /* … by program, what was counted of them */
	struct kp_take takes[KP_CPU_MAX][KP_RING_CNT];
	struct kp_ledger_row rows[];
};

struct kp_ledger {
	struct kp_ledger_memory *memory;
	uint32_t row_cnt;
};

/* Bytes of the memory for so many CPUs. */
size_t kp_ledger_len(unsigned cpu_cnt);
void kp_ledger_init(struct kp_ledger *ledger, void *memory, unsigned cpu_cnt);

/* By the log's number of a stream; KP_LOST_ANYWHERE has one too. NULL: it has no account. */
struct kp_ledger_row *kp_ledger_row(const struct kp_ledger *ledger, uint32_t stream);

void kp_taking_add(struct kp_taking *taking, const struct kp_hdr *event);

/* Before the tail of ring `index` of a kind is moved to `to`, and after it was. */
void kp_ledger_take(struct kp_ledger *ledger, unsigned index, enum kp_ring kind,
		    const struct kp_taking *taking, uint64_t to);
void kp_ledger_taken(struct kp_ledger *ledger, unsigned index, enum kp_ring kind);

/* Before a stream's block is appended to the log, which sets kp_ledger_place, and after it was, or
 * was not. */
void kp_ledger_begin_write(struct kp_ledger *ledger, uint32_t stream, const void *events,
			   uint32_t len);
void kp_ledger_end_write(struct kp_ledger *ledger, bool is_written);

/* For the log's writer; NULL without memory. */
struct kp_log_place *kp_ledger_place(struct kp_ledger *ledger);

/* After a kill: the log's end, behind its last whole block, says whether the last write was made.
 */
void kp_ledger_settle_write(struct kp_ledger *ledger, const struct kp_log_place *end);

#endif
