/* SPDX-License-Identifier: MIT
 *
 * One run of the recorder, from loading the probes to the final accounts: an event loop that drains
 * the rings every few milliseconds, reads the clocks every second, and ends on a signal, after a
 * time, or with its command.
 */
#ifndef KP_RECORD_RECORDER_H
#define KP_RECORD_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "record/tally.h"
#include "record/wanted.h"

struct kp_recorder_options {
	const char *dir;
	const char *node;         /* NULL: the host's name */
	const char *options_json; /* for the log's header */
	uint32_t groups;          /* bit 1 << KP_GROUP_x for each wanted group */
	const pid_t *pids;        /* processes to select for replay, with their descendants */
	size_t pid_cnt;
	const struct kp_wanted *wanted; /* processes to select by name, checked */
	size_t wanted_cnt;
	const char *pod_logs; /* NULL: KP_POD_LOGS */
	char *const *argv;    /* command to run and select, NULL-ended; NULL: none */
	uint64_t segment_len; /* 0: default of the log */
	struct kp_retain_limits retain;
	uint64_t sync_ns;
	uint64_t ring_len; /* bytes of an event ring */
	uint64_t memory;   /* bytes for all; 0: the default */
	uint64_t irq_threshold_ns;
	uint64_t work_threshold_ns;
	uint32_t budget;      /* CPU time, thousandths of a percent of the node; 0: no limit */
	uint64_t duration_ns; /* 0: until interrupted */
	/* Folder in which what is in the kernel stays when the recorder is killed (pins.h); NULL:
	 * nowhere. Not with a command or pids: what replay needs has no second life. */
	const char *pins;
	bool is_masked;   /* card numbers also in what is recorded for replay (mask.h) */
	bool is_confined; /* gives up what it does not need (confine.h); not with a command */
	/* Called in the calling thread; NULL: not wanted. */
	void (*on_second)(const struct kp_totals *totals, void *arg);
	void (*on_warning)(const char *text, void *arg);
	void (*on_notice)(const char *text, void *arg); /* what is waited for, and what was ended */
	void *arg;
};

/* Whether processes are recorded for replay that the recorder does not start itself. */
bool kp_recorder_selects_others(const struct kp_recorder_options *options);

struct kp_recorder_result {
	struct kp_totals totals;
	int command_status; /* wait status, when there was a command that ended */
	bool command_ended;
};

/*
 * Records until the end. 0, or a negative errno: nothing could be recorded, or what was in memory
 * could not be written (err says which). ret_result is set whenever recording had begun.
 * Meanwhile no signal ends the process by default (process.h); one that ends a recording is passed
 * on to the command first, if there is one, and the second ends it.
 */
int kp_recorder_run(const struct kp_recorder_options *options,
		    struct kp_recorder_result *ret_result, struct kp_err *err);

#endif
