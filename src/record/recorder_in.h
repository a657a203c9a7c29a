/* SPDX-License-Identifier: MIT
 *
 * What the recorder's files share: its life and what it reads beside the rings (recorder.c),
 * the rings (recorder_drain.c), in which tier (recorder_tiers.c), what a full disk does to that
 * (recorder_disk.c), and how it ends (recorder_end.c).
 * All of it belongs to the thread that runs the loop; others reach it by uv_async_send alone.
 */
#ifndef KP_RECORD_RECORDER_IN_H
#define KP_RECORD_RECORDER_IN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "record/budget.h"
#include "record/clocks.h"
#include "record/command.h"
#include "record/conntrack.h"
#include "record/identity.h"
#include "record/lint.h"
#include "record/pipeline.h"
#include "record/pressure.h"
#include "record/probes.h"
#include "record/process.h"
#include "record/quotas.h"
#include "record/reasons.h"
#include "record/recorder.h"
#include "record/sources.h"
#include "record/tiers.h"

#define KP_STEP_SIGNAL_CNT 2
#define KP_DRAIN_MS 5 /* between two turns while there is work */

/* What was made of the log's disk. */
struct recorder_disk {
	enum kp_disk_state state;
	uint64_t since_ns;    /* that it was last seen that nothing can be written, … */
	bool is_tier_lowered; /* … for which the tier is lower … */
	enum kp_tier before;  /* … than this */
	uint64_t full_cnt;    /* segments that went for lack of room, as was told */
	bool has_told_quota;
};

struct recorder {
	const struct kp_recorder_options *options;
	struct kp_probes *probes;
	struct kp_pipeline *pipeline;
	struct kp_command_run *command;
	struct kp_tally *tally;
	struct kp_clocks clocks;
	struct kp_conntrack conntrack;
	uint64_t conntrack_segment; /* for which it was asked for all */
	struct kp_pressure pressure;
	struct kp_quotas quotas;
	bool has_told_quotas; /* that there are too many */
	struct kp_reasons reasons;
	uint64_t reasons_segment; /* to which they were told */
	struct kp_lint *lint;
	struct kp_identity *identity;
	struct kp_sources sources;
	struct kp_err error; /* first error of writing */
	bool has_told_hang;  /* that the snapshot hangs */
	uint64_t refused;    /* calls, as far as it was told */
	int pins_fd;         /* -1: nothing stays */
	uint64_t resume_run; /* of the log, if what stayed belongs to it; 0: none */

	/* the rings */
	unsigned ring_cnt;
	bool is_behind; /* the queue: it was full, and has not run empty since */
	uv_poll_t ring_poll;

	/* in which tier */
	struct kp_tiers *tiers;
	enum kp_tier ceiling; /* as a signal left it; the budget may want less */
	struct kp_budget budget;
	struct recorder_disk disk;
	uv_signal_t step_signals[KP_STEP_SIGNAL_CNT];

	/* how it ends */
	struct kp_process process; /* as it was before */
	enum kp_end_reason reason; /* why it ended, and by which signal */
	int end_sig;
	int asked; /* signal by which the end was asked for; 0: not yet */
	uint64_t asked_ms;
	bool is_left_alone; /* the command has ended, and left processes */
	bool has_told_left; /* that they are waited for */
	bool is_ending;
	uint64_t objects_len; /* that the command which has ended added */
	uint64_t copied;      /* of the command's files, when it was last looked */
	bool is_kept;         /* a thread that hangs may come back to this */

	uv_loop_t loop;
	bool has_loop;
	uv_timer_t drain_timer, end_timer, grace_timer;
	uv_signal_t signals[KP_END_SIGNAL_MAX];
	uv_async_t command_end;
	uv_poll_t clock_poll;
	struct kp_recorder_result result;
};

void kp_recorder_warn(const struct recorder *r, const char *text);
void __attribute__((format(printf, 2, 3)))
kp_recorder_notice(const struct recorder *r, const char *format, ...);

/* --- the rings --- */

/* A program that finds a ring filling wakes the loop. 0 or a negative errno. */
int kp_recorder_poll_rings(struct recorder *r);

/* Reads all rings once; returns the bytes. */
size_t kp_recorder_drain(struct recorder *r);

/* In how many ms they are to be read next. */
uint64_t kp_recorder_next_drain_ms(const struct recorder *r, size_t drained_len);

/*
 * Holds the command while much of what it did waits to be written, so that nothing of it is lost,
 * and lets it go on when most is written. Called at the timer's pace only: a hold takes a moment to
 * reach the command, and must not end before it did.
 */
void kp_recorder_pace(struct recorder *r);

/* --- in which tier --- */

/* Says it, and listens to who wants another. */
int kp_recorder_start_tiers(struct recorder *r, struct kp_err *err);

/* Once a second. */
void kp_recorder_look_at_budget(struct recorder *r);

/* --- what a full disk does --- */

/* Once a second. */
void kp_recorder_look_at_disk(struct recorder *r);

/* --- how it ends --- */

/* Makes the handles by which it ends. 0 or a negative errno. */
int kp_recorder_init_end(struct recorder *r);

/* Starts the command that is recorded. */
int kp_recorder_start_command(struct recorder *r, struct kp_err *err);

/* Ends the recording when its time is over. */
void kp_recorder_start_end_timer(struct recorder *r);

/* Once a second: what ends by itself, or by the signal that was passed on, is not worth a word. */
void kp_recorder_watch_command(struct recorder *r);

/* A thread of the command that hangs in a file system is left behind, with all that it knows of. */
void kp_recorder_free_command(struct recorder *r);

#endif
