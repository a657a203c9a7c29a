/* SPDX-License-Identifier: MIT
 *
 * From events to the log: gathers the events of each stream into blocks and hands full ones to
 * threads that encode and write them; another thread brings them to disk, one more makes the
 * snapshots. Whoever fills a stream from a ring never waits for the disk, nor do the writing
 * threads for any other file system: when the queue is full, events are counted as lost.
 *
 * All that goes into the log passes here, and here card numbers are masked: always in texts of what
 * is not recorded for replay, and if that is wanted in what is (mask.h).
 */
#ifndef KP_RECORD_PIPELINE_H
#define KP_RECORD_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "log/writer.h"
#include "record/ledger.h"
#include "record/sink.h"

struct kp_pipeline;

struct kp_pipeline_options {
	const char *dir;           /* as for kp_log_create … */
	struct kp_log_options log; /* … whose on_segment is the pipeline's own: the snapshot */
	uint64_t queue_len;        /* most bytes of events in memory; 0: 256 MiB */
	uint64_t sync_ns;          /* between two syncs; 0: never but at the end */
	struct kp_retain_limits retain;
	bool has_command;         /* whose files' contents are about to be written beside the log */
	bool is_masked;           /* what is recorded for replay, too */
	struct kp_ledger *ledger; /* what is written is accounted for here; NULL: nowhere */
};

/* Per stream: events in blocks handed to the log, and those dropped since the queue was full or the
 * log could not be written. A block that is still in the queue counts as stored. */
struct kp_accounts {
	uint64_t stored[KP_GROUP_CNT];
	uint64_t dropped[KP_GROUP_CNT];
};

/* Creates the log and starts the threads. 0 or a negative errno. */
int kp_pipeline_start(const struct kp_pipeline_options *options, struct kp_pipeline **ret_pipeline,
		      struct kp_err *err);

/*
 * Adds one event to a stream. All streams but the sink's belong to the one thread that calls this
 * and the two functions below.
 */
void kp_pipeline_put(struct kp_pipeline *pipeline, uint32_t stream, const struct kp_hdr *event);

/* Sets what the probes lost on a stream so far, for the headers of its next blocks. */
void kp_pipeline_set_lost(struct kp_pipeline *pipeline, uint32_t stream,
			  const uint64_t lost[KP_GROUP_CNT]);

/* Hands on every block whose first event was put max_age_ns ago, and those that fill fast earlier.
 */
void kp_pipeline_flush(struct kp_pipeline *pipeline, uint64_t max_age_ns);

/* The sink of the recorder's own events (stream KP_CPU_USER), for any thread; waits for room. */
const struct kp_sink *kp_pipeline_sink(struct kp_pipeline *pipeline);

/* The same for the thread that empties the rings, which never waits: without room the event is
 * counted as dropped, and what a `lost` event told is unsaid (kp_pipeline_take_unsaid). */
const struct kp_sink *kp_pipeline_drain_sink(struct kp_pipeline *pipeline);

/* As kp_pipeline_sink, for what is recorded of the command for replay, which is not masked unless
 * that is wanted. */
const struct kp_sink *kp_pipeline_command_sink(struct kp_pipeline *pipeline);

/* As kp_objects_make, beside the pipeline's log. */
int kp_pipeline_make_objects(struct kp_pipeline *pipeline, struct kp_objects **ret_objects,
			     struct kp_err *err);

/* Accounts of a stream; zeros for one that had no event. */
void kp_pipeline_accounts(struct kp_pipeline *pipeline, uint32_t stream,
			  struct kp_accounts *ret_accounts);

/* Losses that `lost` events told which could not be written: to be told again. */
struct kp_unsaid {
	uint64_t cnt[KP_GROUP_CNT];
	uint64_t from_ns; /* the earliest of their times; 0: there are none */
};

/* What is unsaid of a stream, and forgets it. */
void kp_pipeline_take_unsaid(struct kp_pipeline *pipeline, uint32_t stream,
			     struct kp_unsaid *ret_unsaid);

/* Share of the queue's room that waits for the writing thread, in percent. */
unsigned kp_pipeline_load(struct kp_pipeline *pipeline);

/* Bytes of memory in which events wait or can wait, and the most that this can be. */
size_t kp_pipeline_memory(struct kp_pipeline *pipeline, size_t *ret_max);

/* Number of the segment that is being written. */
uint64_t kp_pipeline_segment(struct kp_pipeline *pipeline);

/* Whether the snapshot has been at work for more than after_ns, and the process it is at. */
bool kp_pipeline_snapshot_hangs(struct kp_pipeline *pipeline, uint64_t after_ns, uint32_t *ret_pid);

/* Waits until all that was put is written. */
void kp_pipeline_drain(struct kp_pipeline *pipeline);

/* The log's run, and where it went on. */
uint64_t kp_pipeline_run(const struct kp_pipeline *pipeline);
struct kp_log_place kp_pipeline_resumed_at(const struct kp_pipeline *pipeline);

/* Bytes of the log so far. */
uint64_t kp_pipeline_written(struct kp_pipeline *pipeline);

/* How it stands with the log's disk. */
struct kp_disk_look {
	bool is_short; /* nothing can be written; the newest of it is kept in memory … */
	int error;     /* … since writing failed so; 0: less is free than there should be */
	struct kp_err why;
	uint64_t since_ns;  /* CLOCK_MONOTONIC */
	uint64_t lost;      /* events that could not be written, in this run */
	uint64_t free_len;  /* of the disk */
	uint64_t full_cnt;  /* segments that went since the disk was full, … */
	uint64_t full_len;  /* … and their bytes */
	bool is_over_quota; /* there are pins that are not kept */
};

void kp_pipeline_disk(struct kp_pipeline *pipeline, struct kp_disk_look *ret_look);

/* The last error of writing or syncing, and clears it; 0 if there was none. */
int kp_pipeline_error(struct kp_pipeline *pipeline, struct kp_err *ret_err);

/*
 * All that happened has been put: writes it. What is put from now on, the last words, is written
 * also when the disk is full. Waits a moment for the snapshot, then gives it up and says so in the
 * log.
 */
void kp_pipeline_begin_end(struct kp_pipeline *pipeline);

/* Somebody who puts into a sink hangs, and may come back: kp_pipeline_stop is not to free it. */
void kp_pipeline_keep(struct kp_pipeline *pipeline);

struct kp_pipeline_end {
	enum kp_end_reason reason; /* for the log */
	int sig;
	uint64_t doubtful_cnt; /* set: events that may not be on disk, since a sync failed */
	uint64_t log_len;      /* set: bytes of the log */
};

/* Writes what is left, ends and closes the log and frees; 0 or the error of ending. NULL is fine.
 */
int kp_pipeline_stop(struct kp_pipeline *pipeline, struct kp_pipeline_end *end, struct kp_err *err);

#endif
