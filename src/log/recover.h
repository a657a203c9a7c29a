/* SPDX-License-Identifier: MIT
 * What a new writer does about the torn end that an earlier one left.
 */
#ifndef KP_LOG_RECOVER_H
#define KP_LOG_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kprobe/log_format.h"

struct kp_recovery {
	bool was_torn;
	char name[320]; /* BOOT-ID/SEGMENT */
	uint64_t kept_len;
	uint64_t cut_len;
	char newest[256];       /* boot whose segment it looked at; "": there is none … */
	uint64_t newest_number; /* … and that boot's number */
};

/*
 * Looks at the newest segment below the log's directory, the only one that can be torn since each
 * writer did this before it began, and cuts off what stands behind its last whole block; removes it
 * if not even its header was written whole. A segment whose header is damaged rather than cut is
 * left alone; so is what is no regular file, has a second name, or belongs to somebody else. 0 or
 * -errno.
 */
int kp_log_recover(int dir_fd, struct kp_recovery *ret_recovery, struct kp_err *err);

/* The newest segment of a boot's folder. */
struct kp_log_tail {
	uint64_t segment;    /* its number */
	uint64_t run;        /* of the recorder that wrote it */
	uint64_t block_cnt;  /* whole headers in it, … */
	struct kp_hash prev; /* … and the last one's hash, or its own header's */
};

/* -ENOENT: there is no segment; -EBADMSG: damage; -errno. */
int kp_log_read_tail(int boot_fd, struct kp_log_tail *ret_tail);

/* The run to which the newest segment belongs below the log's directory. 0 or -errno. */
int kp_log_newest_run(const char *dir, uint64_t *ret_run);

#endif
