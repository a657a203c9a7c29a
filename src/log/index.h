/* SPDX-License-Identifier: MIT
 *
 * Where the blocks of a log are: the result of reading all headers and no payload. The reader walks
 * it stream by stream.
 */
#ifndef KP_LOG_INDEX_H
#define KP_LOG_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "log/reader.h"
#include "log/schema.h"
#include "log/segment.h"

#define KP_INDEX_NONE UINT32_MAX

struct kp_index_segment {
	char *path;
	const char *name; /* in path, from the folder on; all of it if path itself was asked for */
	int fd;           /* -1 while closed */
	uint64_t number;
	uint64_t file_len;
	uint64_t disk_len; /* without holes */
	struct kp_seg_start start;
	struct kp_schema *schema; /* NULL: the header is not readable */
	char run[32];
	int64_t previous_blocks; /* -1: unknown */
	bool is_masked;          /* as the header's options say, see struct kp_log_run */
	bool is_run_end;         /* no segment of the same run follows */
	bool is_gone;            /* it was removed meanwhile, and is listed as a gap */
	uint32_t last_block;     /* KP_INDEX_NONE: it has none */
	uint32_t unread_cnt;     /* blocks that the reader has not loaded in this pass */
};

struct kp_index_block {
	uint64_t offset;
	uint64_t first_ns;
	uint64_t last_ns;
	uint32_t segment;
	uint32_t next; /* block of the same stream, or KP_INDEX_NONE */
	uint32_t event_cnt;
	uint32_t raw_len;
	uint32_t stored_len;
	struct kp_hash head; /* of its header */
	struct kp_hash payload;
	struct kp_set kinds;     /* in this program's numbers; full if it has others too, … */
	struct kp_set log_kinds; /* … and in the log's */
	uint16_t hdr_len;        /* with the counts */
	uint8_t codec;
	bool is_bad; /* its gap is listed */
};

struct kp_index_stream {
	uint32_t id;
	uint32_t first_block;
	uint32_t last_block;
	uint32_t segment;             /* of the lost counts … */
	uint64_t lost[KP_LOG_GROUPS]; /* … which are those of the run so far, by its numbers */
};

struct kp_index {
	char *dir;
	int dir_fd;                         /* the boot's folder, or AT_FDCWD */
	bool is_single;                     /* one segment was asked for, by its name */
	const struct kp_log_filter *filter; /* while it is built: what is wanted; NULL: all */
	char *machine_id;
	char *node;
	char *boot_id;
	char *options_json;
	struct kp_index_segment *segments;
	size_t segment_cnt;
	struct kp_index_block *blocks;
	size_t block_cnt, block_cap;
	struct kp_index_stream *streams;
	size_t stream_cnt;
	struct kp_map stream_map; /* id → index */
	struct kp_log_run *runs;
	struct kp_log_gap *gaps;
	size_t gap_cnt;
	struct kp_log_unknown *unknown_kinds;
	struct kp_log_unknown *unknown_lost;
	struct kp_log_info info;
};

/* Builds the index of what path names (as kp_log_open); errors as there. Of a sealed segment that
 * has nothing for the filter only the seal is looked at. */
int kp_index_open(const char *path, const struct kp_log_filter *filter, struct kp_index **ret_index,
		  struct kp_err *err);
/* The same without blocks: the headers of the segments alone. */
int kp_index_open_headers(const char *path, struct kp_index **ret_index, struct kp_err *err);
void kp_index_free(struct kp_index *index);

/* Lists a gap in a segment; 0 or -ENOMEM. */
int kp_index_add_gap(struct kp_index *index, const struct kp_index_segment *segment,
		     const struct kp_log_gap *gap);

/* Lists the payload of a block as a gap, and marks the block. */
int kp_index_mark_bad(struct kp_index *index, uint32_t block, const char *why);

/* Lists a segment that was removed while the log was read as a gap, once. 0 or -ENOMEM. */
int kp_index_mark_gone(struct kp_index *index, uint32_t segment);

/* Counts what a block had of kinds that this program has not, by the log's numbers. 0 or -ENOMEM.
 */
int kp_index_count_unknown(struct kp_index *index, const struct kp_index_segment *segment,
			   const uint32_t cnt[KP_LOG_KINDS]);
void kp_index_forget_unknown(struct kp_index *index);

/* Adds a segment's blocks, losses and gaps. 0, or a negative errno. (index_scan.c) */
int kp_index_scan(struct kp_index *index, uint32_t segment);

/* How the recording ended; text: static. */
void kp_index_set_end(struct kp_index *index, enum kp_log_end end, const char *text);

/* Frees the names of what this program does not know. */
void kp_index_free_unknown(struct kp_index *index);

/* The segment's file, opened when it is closed; -ENXIO: no regular file, not opened; -errno. */
int kp_index_open_segment(struct kp_index *index, struct kp_index_segment *segment);
void kp_index_close_segment(struct kp_index_segment *segment);

#endif
