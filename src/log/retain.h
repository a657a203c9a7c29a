/* SPDX-License-Identifier: MIT
 *
 * Retention: which segments of a log go when it is too long, too old or the disk too full. The
 * oldest go first, of former runs and boots too; the one that is being written stays, and so do
 * those that pins keep (pins.h), up to a quota, the newest pins first. With the last segment that
 * names an object that object goes. One thread, beside the log's writer, whose lock it relies on.
 */
#ifndef KP_LOG_RETAIN_H
#define KP_LOG_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kprobe/event.h"

struct kp_retain_limits {
	uint64_t len;          /* of all segments together; 0: any */
	uint64_t age_ns;       /* since a segment's last event; 0: any */
	uint64_t free_len;     /* of the disk that is to stay free, bytes, … */
	uint32_t free_percent; /* … and percent of it; 0: none */
	uint64_t pin_len;      /* of the segments that are kept for pins */
};

/* Whether anything is limited. */
bool kp_retain_is_wanted(const struct kp_retain_limits *limits);

struct kp_retain_segment {
	const char *boot;
	uint64_t number;
	uint64_t len;
	uint64_t left_len; /* of those that are left */
	enum kp_retain_why why;
};

struct kp_retain_options {
	struct kp_retain_limits limits;
	bool keeps_objects; /* somebody may be writing one: they are left alone */
	/* Called before a segment is removed, and for those that are found to be gone; or NULL. */
	void (*on_remove)(void *arg, const struct kp_retain_segment *segment);
	void *arg;
};

struct kp_retainer;

/* log_fd: the folder of the log, which must outlive it; boot: the folder in it that is written to;
 * NULL: none is. 0 or -errno. */
int kp_retainer_new(int log_fd, const char *boot, const struct kp_retain_options *options,
		    struct kp_retainer **ret_retainer);
void kp_retainer_free(struct kp_retainer *retainer); /* NULL is fine */

/* Where the writer is. */
struct kp_retain_now {
	uint64_t segment; /* that it writes; what has a larger number is newer */
	uint64_t written; /* bytes in this run */
	bool is_full;     /* it has no room: at least one segment is to go */
};

/* Whether it is time to look: after a new segment, a part of the length, some seconds, or when
 * there is no room. Cheap. */
bool kp_retainer_is_due(const struct kp_retainer *retainer, const struct kp_retain_now *now);

struct kp_retained {
	uint64_t removed_len;
	uint32_t removed_cnt;
	uint64_t left_len;
	bool is_short;      /* less is free than should be, and nothing is left to go */
	bool is_over_quota; /* there are pins that are not kept for want of it */
};

/* Removes what has to go. 0 or a negative errno; what was removed until then is told in any case.
 */
int kp_retainer_run(struct kp_retainer *retainer, const struct kp_retain_now *now,
		    struct kp_retained *ret_retained, struct kp_err *err);

/*
 * Removes the oldest segment of a log that cannot be written to for want of room, so that a
 * recorder can begin. 1; 0: there is none, or none that may go; or a negative errno.
 */
int kp_retain_oldest(const char *dir, const struct kp_retain_limits *limits, struct kp_err *err);

#endif
