/* SPDX-License-Identifier: MIT
 *
 * Whether a log is what its recorders wrote: every byte of every segment and object, the chains
 * that lead through the segments of a run, their order, and the accounts.
 */
#ifndef KP_LOG_VERIFY_H
#define KP_LOG_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum kp_verify_grade {
	KP_VERIFY_NOTE,   /* nothing is wrong with it */
	KP_VERIFY_LOST,   /* the recorder lost events, and says so */
	KP_VERIFY_DAMAGE, /* what was written is not there, or is not what was written */
};

struct kp_verify_options {
	/* Called for each finding, of very many for the first: where it is, a stranger's text, and
	 * what. */
	void (*tell)(void *arg, enum kp_verify_grade grade, const char *where, const char *what);
	void *arg;
};

struct kp_verified {
	enum kp_verify_grade worst;
	uint64_t boot_cnt, segment_cnt, block_cnt, event_cnt, object_cnt;
	uint64_t damage_cnt; /* findings */
	uint64_t lost;       /* events of which the recorders say so */
};

/*
 * Verifies what path is, as for kp_log_open, but of a log's folder all boots; of a segment alone
 * only that. 0 whatever is found; -ENOENT when there is no log; other -errno: it could not be read.
 */
int kp_verify(const char *path, const struct kp_verify_options *options,
	      struct kp_verified *ret_verified, struct kp_err *err);

#endif
