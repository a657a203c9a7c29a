/* SPDX-License-Identifier: MIT
 *
 * The bytes of a log on disk. kprobe-log(5) says the same in prose.
 *
 *   DIR/BOOT-ID/SEQUENCE.kpl     SEQUENCE: 8 decimal digits, growing
 *
 *   segment  = kp_seg_hdr, header text (seg.text_len bytes), block*, kp_seg_end in a run's last
 *   block    = kp_block_hdr, payload (block.stored_len bytes)
 *
 * All numbers are little endian. The header text is JSON: node, boot id, kernel, options, and the
 * schema (every kind with its fields' names and types), so that a log stays readable when
 * events.def has grown. A block belongs to one stream (the rings of one CPU, or the recorder
 * itself), decodes alone, and holds whole events; within a stream blocks and events are in the
 * order of the ring.
 */
#ifndef KPROBE_LOG_FORMAT_H
#define KPROBE_LOG_FORMAT_H

#include "kprobe/event.h"

#define KP_LOG_VERSION 1
#define KP_SEG_MAGIC 0x3147455350524b7fULL /* "\x7fKRPSEG1" */
#define KP_END_MAGIC 0x31444e4550524b7fULL /* "\x7fKRPEND1" */
#define KP_BLOCK_MAGIC 0x314b4c42u         /* "BLK1" */

/* Largest raw length of a block, and so of what a reader must be ready to allocate. */
#define KP_BLOCK_RAW_MAX (256u * 1024u)
/*
 * A writer pads a payload to at least a part of this many of its raw length; a reader takes no
 * block whose events are more than KP_MAX_UNPACKED times as long as the payload, in its own layout,
 * which may have more fields. So a log of a megabyte cannot unpack to a gigabyte.
 */
#define KP_PACK_MAX 32u

/* kp_block_hdr.codec: how the events became the stored bytes. */
enum kp_codec {
	KP_CODEC_RAW = 0,        /* structs as in memory */
	KP_CODEC_DELTA = 1,      /* delta-varint over the descriptors */
	KP_CODEC_DELTA_ZLIB = 2, /* the same, then deflate (RFC 1950), level 1 */
				 /* 3 is kept for delta-varint and zstd */
};

/* Numbers of streams: a CPU's event ring has the CPU's number, its rings for the life of processes
 * and for the tasks selected for replay that number with a bit (their large calls with two), the
 * recorder's own events KP_CPU_USER, its snapshots and the archived files their own. */
#define KP_STREAM_BULK 0x1000u
#define KP_STREAM_LIFE 0x2000u
#define KP_STREAM_SELECTED 0x4000u
#define KP_STREAM_ARCHIVE 0xfffdu
#define KP_STREAM_SNAPSHOT 0xfffeu
#define KP_STREAM_IS(stream, bit) ((stream) & (bit) && (stream) < KP_STREAM_ARCHIVE)

struct kp_seg_hdr {
	kp_u64 magic;
	kp_u32 version;
	kp_u32 text_len;
	kp_u64 salt;        /* random; every block of the segment repeats it */
	kp_u64 sequence;    /* number of the segment in its boot */
	kp_u64 realtime_ns; /* CLOCK_REALTIME at creation */
	kp_u64 time_ns;     /* CLOCK_MONOTONIC at the same moment */
	kp_u32 text_crc;    /* CRC-32C of the header text */
	kp_u32 crc;         /* CRC-32C of this header with crc = 0 */
};

struct kp_block_hdr {
	kp_u32 magic;
	kp_u16 version;
	kp_u8 codec;
	kp_u8 pad;
	kp_u64 salt;
	kp_u64 sequence; /* number of the block in its segment, from 0 */
	kp_u64 first_ns; /* smallest and largest time_ns of its events */
	kp_u64 last_ns;
	kp_u32 event_cnt;
	kp_u32 raw_len;    /* length of the events as structs */
	kp_u32 stored_len; /* length of the payload behind this header */
	/* CPU: its event ring; 0x4000 | CPU: its ring of calls selected for replay; KP_CPU_USER:
	 * the recorder's own events; 0xfffe: the snapshots at the segments' begins; 0xfffd:
	 * archived files */
	kp_u32 stream;
	kp_u32 prev_crc; /* payload_crc of the segment's block before; text_crc for the first */
	kp_u32 payload_crc;
	kp_u64 lost[KP_GROUP_CNT]; /* lost on this stream since the recorder's start, per group */
	kp_u32 reserved;
	kp_u32 crc; /* CRC-32C of this header with crc = 0 */
};

/* Why a recording ended. */
enum kp_end_reason {
	KP_END_CLOSED = 0,  /* its writer closed it */
	KP_END_SIGNAL = 1,  /* interrupted */
	KP_END_TIME = 2,    /* the time asked for was over */
	KP_END_COMMAND = 3, /* the command and all that it left had ended */
	KP_END_FAILED = 4,  /* the recorder could not go on */
};

/* The last bytes of the last segment of a recorder's run. Without it the run has no end: the
 * recorder was killed, or what it wrote last is gone. */
struct kp_seg_end {
	kp_u64 magic;
	kp_u64 salt;
	kp_u64 block_cnt;    /* blocks of the segment */
	kp_u64 doubtful_cnt; /* events of the run that may not be on disk, since a sync failed */
	kp_u32 reason;       /* enum kp_end_reason */
	kp_u32 sig;          /* the signal, if it was one */
	kp_u32 prev_crc;     /* payload_crc of the last block; text_crc if there is none */
	kp_u32 crc;          /* CRC-32C of this record with crc = 0 */
};

_Static_assert(sizeof(struct kp_seg_end) == 48, "segment end");
_Static_assert(sizeof(struct kp_seg_hdr) == 56, "segment header");
_Static_assert(sizeof(struct kp_block_hdr) == 72 + 8 * KP_GROUP_CNT, "block header");

#endif
