/* SPDX-License-Identifier: MIT
 *
 * The accounts of a run: what the probes produced, what the log holds, what was lost, per class,
 * CPU and stream; and the sums of interrupts, of which there are no events.
 *
 * Invariant, checked by the tests: produced = stored + lost.
 */
#ifndef KP_RECORD_TALLY_H
#define KP_RECORD_TALLY_H

#include <stdint.h>

#include "base/err.h"
#include "kprobe/event.h"
#include "record/pipeline.h"
#include "record/probes.h"

struct kp_totals {
	uint64_t produced[KP_GROUP_CNT];
	uint64_t stored[KP_GROUP_CNT];
	uint64_t lost[KP_GROUP_CNT];
	uint64_t log_len;     /* bytes of the log, … */
	uint64_t objects_len; /* … of them, those of the contents of mapped files that were new */
	uint64_t doubtful;    /* events stored that may not be on disk, since a sync failed */
};

struct kp_tally;

/* The stream of the log into which a ring is drained. */
uint32_t kp_tally_stream(unsigned cpu, enum kp_ring ring);

/* The ring that is drained into such a stream, and its CPU. */
enum kp_ring kp_tally_ring(uint32_t stream);
unsigned kp_tally_cpu(uint32_t stream);

/*
 * The probes and the pipeline must outlive it. since_ns: CLOCK_MONOTONIC before the probes were
 * attached, so that the first losses have a time to begin at. 0 or -ENOMEM.
 */
int kp_tally_new(struct kp_probes *probes, struct kp_pipeline *pipeline, uint64_t since_ns,
		 struct kp_tally **ret_tally, struct kp_err *err);

/* Of probes that were taken over: goes on with the accounts as they were left, tells as lost what
 * the killed recorder had read and not written, and returns how many these events were. */
uint64_t kp_tally_take_over(struct kp_tally *tally);

/* Writes a `lost` event for each class of which a stream lost more since the last call, or of which
 * the last one that said so could not be written. */
void kp_tally_losses(struct kp_tally *tally);

/* The same for the runs of programs that the kernel left out, for which it is asked program by
 * program: not as often. */
void kp_tally_misses(struct kp_tally *tally);

/* Writes an `irq_sum` event for each vector and CPU that had interrupts since the last call. */
void kp_tally_irq(struct kp_tally *tally);

/* Writes the final accounts, a `record_stats` event for each CPU and class. */
void kp_tally_write(struct kp_tally *tally);

/* The accounts so far, of the whole run. */
void kp_tally_sum(struct kp_tally *tally, struct kp_totals *ret_totals);

/* NULL is fine. */
void kp_tally_free(struct kp_tally *tally);

#endif
