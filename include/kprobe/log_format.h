/* SPDX-License-Identifier: MIT
 *
 * The bytes of a log on disk. kprobe-log(5) says the same in prose.
 *
 *   DIR/BOOT-ID/SEQUENCE.kpl     SEQUENCE: 8 decimal digits, growing
 *   DIR/objects/ab/cdef…         the contents of mapped files, see log/object.h
 *
 *   segment  = kp_seg_hdr, header text (seg.text_len bytes), block*, index, kp_seg_seal
 *   block    = kp_block_hdr, block.lost_cnt counts, payload (block.stored_len bytes)
 *
 * log_format.def has the fixed parts. The header text is JSON: node, boot id, kernel, options, the
 * groups, and the schema (every kind with its fields' names and types), so that a log stays
 * readable when events.def has grown: numbers of kinds and groups are the writer's, and a reader
 * translates them by name. A block belongs to one stream (the rings of one CPU, or the recorder
 * itself), decodes alone, and holds whole events; within a stream blocks and events are in the
 * order of the ring.
 *
 * Nothing that grows has a fixed place. A header says its own length; what a later version appends
 * to it stands behind what this one knows, and is skipped. Each header names the hash of the header
 * before and that of what stands behind itself: so they form a chain, which headers alone prove.
 */
#ifndef KPROBE_LOG_FORMAT_H
#define KPROBE_LOG_FORMAT_H

#include "kprobe/event.h"

#define KP_LOG_VERSION 2
#define KP_SEG_MAGIC 0x3247455350524b7fULL /* "\x7fKRPSEG2" */
#define KP_END_MAGIC 0x32444e4550524b7fULL /* "\x7fKRPEND2" */
#define KP_BLOCK_MAGIC 0x324b4c42u         /* "BLK2" */

/* Longest header that a reader takes, of a segment or of a block. */
#define KP_HDR_MAX 4096u
/* Kinds and groups of a log are below this. */
#define KP_LOG_KINDS 256u
#define KP_LOG_GROUPS 255u

/* Largest raw length of a block, and so of what a reader must be ready to allocate. */
#define KP_BLOCK_RAW_MAX (256u * 1024u)
/*
 * A writer pads a payload to at least a part of this many of its raw length; a reader takes no
 * block whose events are more than KP_MAX_UNPACKED times as long as the payload, in its own layout,
 * which may have more fields. So a log of a megabyte cannot unpack to a gigabyte.
 */
#define KP_PACK_MAX 48u

/* kp_block_hdr.codec: how the events became the stored bytes. */
enum kp_codec {
	KP_CODEC_RAW = 0,        /* structs as in memory */
	KP_CODEC_DELTA = 1,      /* delta-varint over the descriptors */
	KP_CODEC_DELTA_ZSTD = 2, /* the same, then Zstandard (RFC 8878), level 1 */
};

/* Numbers of streams: a CPU's event ring has the CPU's number, its rings for the life of processes
 * and for the tasks selected for replay that number with a bit (their large calls with two), the
 * recorder's own events KP_CPU_USER, its snapshots their own. */
#define KP_STREAM_BULK 0x1000u
#define KP_STREAM_LIFE 0x2000u
#define KP_STREAM_SELECTED 0x4000u
#define KP_STREAM_SNAPSHOT 0xfffeu
#define KP_STREAM_IS(stream, bit) ((stream) & (bit) && (stream) < KP_STREAM_SNAPSHOT)

/* BLAKE2b of 16 bytes (RFC 7693, without a key), as `b2sum -l 128` makes it. */
struct kp_hash {
	kp_u8 bytes[16];
};

/* A set of numbers below 256. */
struct kp_set {
	kp_u64 bits[4];
};

#define KP_MEMBER_u8 kp_u8
#define KP_MEMBER_u16 kp_u16
#define KP_MEMBER_u32 kp_u32
#define KP_MEMBER_u64 kp_u64
#define KP_MEMBER_hash struct kp_hash
#define KP_MEMBER_set struct kp_set

/* struct kp_seg_hdr, struct kp_block_hdr, struct kp_seg_seal */
#define RECORD(record) struct kp_##record {
#define MEMBER(record, type, name, doc) KP_MEMBER_##type name;
#define DONE(record) \
	}            \
	;
#include "kprobe/log_format.def"
#undef RECORD
#undef MEMBER
#undef DONE

/* No implicit padding, and lengths that keep what follows aligned. */
#define RECORD(record)                                                                        \
	_Static_assert(sizeof(struct kp_##record) % 8 == 0, #record ": not a multiple of 8"); \
	_Static_assert(sizeof(struct kp_##record) == 0
#define MEMBER(record, type, name, doc) +sizeof(KP_MEMBER_##type)
#define DONE(record) , #record ": the compiler added padding");
#include "kprobe/log_format.def"
#undef RECORD
#undef MEMBER
#undef DONE

/*
 * A tid sets two bits of its block's filter: with a hundred tids in a block three of ten others
 * seem to be in it too, with fifty one of ten. which: 0 or 1.
 */
static inline unsigned kp_tid_bit(kp_u32 tid, unsigned which)
{
	return tid * 0x9e3779b1u >> (24 - 8 * which) & 255;
}

/* Why a segment was sealed: but for the last, its recording ended. */
enum kp_end_reason {
	KP_END_CLOSED = 0,  /* its writer closed it */
	KP_END_SIGNAL = 1,  /* interrupted */
	KP_END_TIME = 2,    /* the time asked for was over */
	KP_END_COMMAND = 3, /* the command and all that it left had ended */
	KP_END_FAILED = 4,  /* the recorder could not go on */
	KP_END_FULL = 5,    /* the segment was full */
};

_Static_assert(sizeof(struct kp_block_hdr) + 8 * KP_LOG_GROUPS <= KP_HDR_MAX, "loss counts");
_Static_assert(KP_EV_END <= KP_LOG_KINDS, "more kinds than a set of kinds can hold");
_Static_assert(KP_GROUP_CNT <= KP_LOG_GROUPS, "more groups than a block can count");

#endif
