/* SPDX-License-Identifier: MIT
 *
 * What the pipeline's files share: streams and blocks (pipeline.c), and the threads behind them
 * (pipeline_threads.c), of which one looks after the disk (pipeline_disk.c).
 *
 * Locks: `user_lock` over the sink's stream; `lock` over the queue, the pool, the accounts
 * that both sides change, the snapshot that is wanted, and the last error. A stream's current block
 * belongs to its filling side alone: the thread that drains the rings, or the snapshot's. The
 * writing threads encode side by side and append in the order of the queue.
 */
#ifndef KP_RECORD_PIPELINE_IN_H
#define KP_RECORD_PIPELINE_IN_H

#include <pthread.h>

#include "record/mask.h"
#include "record/pipeline.h"
#include "record/pool.h"
#include "record/snapshot.h"
#include "record/sockets.h"

#define KP_PIPELINE_STREAMS 0x10000
#define KP_PIPELINE_WRITERS 2

/* Whose bytes an event has. */
enum kp_bytes {
	KP_BYTES_NODE,    /* texts only, which are always masked */
	KP_BYTES_CALLS,   /* for replay: from the rings; of the thread that drains them */
	KP_BYTES_COMMAND, /* for replay: from who holds the command; under user_lock */
	KP_BYTES_CNT
};

struct kp_pipeline_stream {
	struct kp_pipeline_stream *next; /* made before it */
	uint32_t number;
	struct kp_pipeline_block *current;
	uint32_t filled; /* what the block before it held */
	uint64_t probe_lost[KP_GROUP_CNT];
	uint64_t put[KP_GROUP_CNT];     /* in sealed blocks */
	uint64_t dropped[KP_GROUP_CNT]; /* no block could be had */
	uint64_t failed[KP_GROUP_CNT];  /* in blocks that could not be written */
	struct kp_unsaid unsaid;
};

/* The disk of the log; under the lock, but for what belongs to the thread that looks after it. */
struct kp_pipeline_disk {
	pthread_cond_t turn; /* there is room, or may be */
	bool is_look_due;    /* a segment was begun */
	bool is_looking;     /* for what has to go, … */
	bool is_over;        /* … which nothing has any more */
	bool is_room_wanted; /* by a thread that writes, which waits … */
	uint64_t look_cnt;   /* … for the next look to end */
	bool is_short;       /* nothing can be written … */
	bool is_below_floor; /* … since less is free than there should be … */
	bool is_try_due;     /* … and it is to be seen whether that still holds */
	int error;
	struct kp_err why;
	uint64_t since_ns;
	uint64_t lost;
	uint64_t free_len; /* on it, at the last turn */
	uint64_t full_cnt, full_len;
	bool is_over_quota;

	/* The thread's own. */
	struct kp_retainer *retainer; /* NULL: nothing is limited */
	uint64_t synced_ns;
};

struct kp_pipeline {
	struct kp_log_writer *writer;
	struct kp_sink sink, drain_sink, command_sink;
	enum kp_codec codec;
	struct kp_pipeline_stream *newest;
	/* By number; the last is KP_LOST_ANYWHERE, for what is unsaid. */
	struct kp_pipeline_stream *streams[KP_PIPELINE_STREAMS + 1];
	uint64_t sync_ns;
	struct kp_ledger ledger; /* of whose write there is one at a time */

	struct kp_masker *maskers[KP_BYTES_CNT]; /* NULL: such bytes are not masked */

	pthread_mutex_t user_lock;
	pthread_mutex_t lock;
	pthread_cond_t work;  /* the queue has a block, or stopping */
	pthread_cond_t space; /* a block came back, or the queue ran empty */
	struct kp_pipeline_block *head, *tail;
	struct kp_pool pool;
	size_t in_flight_len; /* rooms that are queued or being written */
	uint64_t queued;      /* blocks ever queued … */
	uint64_t taken;       /* … of them, those taken from the queue … */
	uint64_t written;     /* … and of them, those written */
	pthread_cond_t turn;
	bool stopping;
	bool is_draining; /* somebody waits until all is written: nothing is held back */
	struct kp_pipeline_disk disk;
	int error;
	struct kp_err error_text;

	pthread_cond_t tick; /* stopping, or a look is wanted, for the thread of the disk */
	pthread_t write_threads[KP_PIPELINE_WRITERS], disk_thread, snapshot_thread;
	unsigned write_thread_cnt;
	bool has_disk_thread, has_snapshot_thread;

	pthread_cond_t snapshot_wanted, snapshot_made;
	uint64_t segment; /* the newest */
	bool is_snapshot_due;
	bool is_snapshot_running;
	struct kp_snapshot snapshot;
	struct kp_sockets sockets;
	bool is_snapshot_lost; /* it was given up; its thread may come back */
	bool is_kept;          /* somebody may still come back: never freed */
};

/* --- pipeline.c --- */

enum kp_pool_class kp_pipeline_class(const struct kp_pipeline_stream *stream);

/* The stream of a number, made when it is first asked for, by whichever thread. */
struct kp_pipeline_stream *kp_pipeline_get_stream(struct kp_pipeline *p, uint32_t number);

/* Hands the current block of a stream to the writing threads. */
void kp_pipeline_seal(struct kp_pipeline *p, struct kp_pipeline_stream *stream);

/* For a stream that one thread fills, which has the time to wait. */
void kp_pipeline_put_patiently(struct kp_pipeline *p, struct kp_pipeline_stream *stream,
			       const struct kp_hdr *event);

/* What a `lost` event told, which is lost itself, is to be told again. Under the lock. */
void kp_pipeline_keep_unsaid(struct kp_pipeline *p, const struct kp_ev_lost *event);

/* Writing or syncing failed. Under the lock. */
void kp_pipeline_set_error(struct kp_pipeline *p, int error, const struct kp_err *text);

/* --- pipeline_disk.c --- */

/* What limits there are. 0 or a negative errno. */
int kp_pipeline_init_disk(struct kp_pipeline *p, const struct kp_pipeline_options *options,
			  struct kp_err *err);
void kp_pipeline_done_disk(struct kp_pipeline *p);

/* From now on nothing is removed, and what was is put. */
void kp_pipeline_end_retention(struct kp_pipeline *p);

/* Syncs, removes what the log need not keep, and sees whether a full disk has room again. */
void *kp_pipeline_disk_loop(void *arg);

/*
 * Appends a block whose turn it is. For want of room, or by a fault of the disk, it waits: until it
 * can be written, or until newer ones need its memory, or all is to end; then it is lost, with the
 * error that writing had.
 */
int kp_pipeline_append(struct kp_pipeline *p, const struct kp_pipeline_block *block,
		       const struct kp_encoded *encoded, struct kp_err *err);

/* --- pipeline_threads.c --- */

/* 0 or a negative errno; then none runs. */
int kp_pipeline_start_threads(struct kp_pipeline *p);
void kp_pipeline_stop_threads(struct kp_pipeline *p);

/* In kp_log_append or kp_log_create: only asks for a snapshot, since it may take any time. */
void kp_pipeline_on_segment(uint64_t segment, void *arg);

/* Waits for the snapshot, which is given up if it does not come. */
void kp_pipeline_end_snapshot(struct kp_pipeline *p);

#endif
