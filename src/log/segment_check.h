/* SPDX-License-Identifier: MIT
 * Whether each byte of one segment is the one that was written.
 */
#ifndef KP_LOG_SEGMENT_CHECK_H
#define KP_LOG_SEGMENT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "log/segment.h"

struct kp_seg_check {
	/* Set by the caller. */
	unsigned char *payload; /* room for KP_STORED_MAX bytes */
	/* Called for each place at which it is not; a negative errno ends the check. */
	int (*on_damage)(void *arg, uint64_t offset, uint64_t len, const char *why);
	/* Called for each block that is whole, with its payload; may be NULL. */
	int (*on_block)(void *arg, const union kp_block_head *head, const unsigned char *payload);
	void *arg;

	/* Results. */
	bool has_header; /* else there is nothing below */
	struct kp_seg_hdr hdr;
	struct kp_hash last; /* of the last header, a block's or the segment's own */
	uint64_t block_cnt;
	bool has_seal;
	struct kp_seg_seal seal;
};

/* Reads all of the file. 0, also of a damaged segment, or -errno. */
int kp_seg_check(int fd, uint64_t file_len, struct kp_seg_check *check);

#endif
