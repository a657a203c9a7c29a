/* SPDX-License-Identifier: MIT
 *
 * One segment file: its name, its headers, its blocks in the order of the file. What the writer,
 * the recovery and the reader share; segment.c describes the bytes.
 */
#ifndef KP_LOG_SEGMENT_H
#define KP_LOG_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "kprobe/log_format.h"

#define KP_SEG_NAME_MAX 32

/* Name of the segment with this number, and the number of a name; false: no segment's name. */
void kp_seg_name(uint64_t sequence, char name[KP_SEG_NAME_MAX]);
bool kp_seg_parse_name(const char *name, uint64_t *ret_sequence);

/* Largest number of a segment in the folder fd; 0: it has none. -errno. */
int kp_seg_find_last(int dir_fd, uint64_t *ret_sequence);

/* All of iov at offset, whatever the kernel takes at once; changes iov. 0 or -errno. */
int kp_seg_write(int fd, struct iovec *iov, int iov_cnt, uint64_t offset);

/* Up to len bytes at offset, less only at the end of the file. Number of bytes or -errno. */
int64_t kp_seg_read(int fd, void *data, size_t len, uint64_t offset);

/* A header with all that may stand in its len bytes. */
union kp_seg_head {
	struct kp_seg_hdr hdr;
	unsigned char bytes[KP_HDR_MAX];
};

union kp_block_head {
	struct {
		struct kp_block_hdr hdr;
		kp_u64 lost[KP_LOG_GROUPS]; /* hdr.lost_cnt of them */
	};
	unsigned char bytes[KP_HDR_MAX];
};

/* Fill in the checksums; len must be set. */
void kp_seg_head_seal(union kp_seg_head *head);
void kp_block_head_seal(union kp_block_head *head);
void kp_seg_seal_seal(struct kp_seg_seal *seal);

struct kp_hash kp_seg_hash(const void *data, size_t len);
bool kp_seg_hash_is(const struct kp_hash *hash, const void *data, size_t len);

/* Name of a kp_end_reason: "interrupted" … */
const char *kp_end_reason_name(unsigned reason);

/*
 * A segment is locked while its writer has it open; so a log that has no end yet is told from one
 * that will never have it.
 */
void kp_seg_lock(int fd);
bool kp_seg_is_locked(int fd);

/* What a segment begins with. */
struct kp_seg_start {
	struct kp_seg_hdr hdr;
	struct kp_hash hash; /* of the header with what else its len bytes hold */
};

/*
 * Reads a segment's header and its text (NUL behind it; freed by the caller). 0; -EBADMSG with
 * *ret_why (static text) when they are not whole, -errno.
 */
int kp_seg_read_hdr(int fd, struct kp_seg_start *ret_start, char **ret_text, const char **ret_why);

/* Whether a header that cannot be read was never written whole: cut, or still zero. */
bool kp_seg_is_hdr_torn(int fd, uint64_t file_len);

/* A walk over the block headers of a segment. */
struct kp_seg_scan {
	int fd;
	uint64_t salt;
	uint64_t pos;
	uint64_t end; /* behind the last block: the index, or the file's end */
	bool has_seal;
	struct kp_seg_seal seal;
	unsigned char *heads; /* the index, if it is used … */
	const unsigned char *next_head;
	size_t heads_left; /* … and what is left of it */
	uint64_t next_sequence;
	struct kp_hash prev;      /* of the header before */
	union kp_block_head head; /* the header read last … */
	bool has_pending;         /* … which was found behind a gap, and is not told yet */
};

/* What the walk comes upon: a block, or a gap of len bytes (0: only the chain is broken). */
struct kp_seg_item {
	bool is_gap;
	uint64_t offset;                 /* of the block's header, or of the gap */
	uint64_t len;                    /* of header and payload, or of the gap */
	const char *why;                 /* gap: static text */
	const union kp_block_head *head; /* block: valid until the next item */
};

void kp_seg_scan_init(struct kp_seg_scan *scan, int fd, const struct kp_seg_start *start,
		      uint64_t file_len);

/*
 * Takes the headers from the index, if there is one whose every byte fits what it should be; max:
 * most bytes that it may have. Else all is as before, and the headers are read where they stand.
 */
bool kp_seg_scan_use_index(struct kp_seg_scan *scan, uint64_t max);

/* Goes behind the last block without looking at any: what the seal says stands for them. */
void kp_seg_scan_skip(struct kp_seg_scan *scan);

void kp_seg_scan_done(struct kp_seg_scan *scan);

/* The next item: 1, 0 at the end, or -errno. Payloads are neither read nor verified. */
int kp_seg_scan_next(struct kp_seg_scan *scan, struct kp_seg_item *ret_item);

/*
 * Reads a header, a payload or an index of len bytes, for which data has room, at offset and
 * verifies its hash. 0; -EBADMSG when it is not what was written; -errno.
 */
int kp_seg_read_hashed(int fd, uint64_t offset, uint32_t len, const struct kp_hash *hash,
		       void *data);

/* Most bytes that a payload can have. */
#define KP_STORED_MAX KP_BLOCK_RAW_MAX

#endif
