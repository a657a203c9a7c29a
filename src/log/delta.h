/* SPDX-License-Identifier: MIT
 *
 * Delta coding of a block's events: each field as its distance from what it was predicted to be, in
 * columns of like things. codec.c describes the bytes.
 */
#ifndef KP_LOG_DELTA_H
#define KP_LOG_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "event/event.h"
#include "log/schema.h"

/* What repeats itself is packed better when nothing else stands between. */
enum {
	KP_DELTA_SHAPES,
	KP_DELTA_TIMES,    /* hdr.time_ns: signs and sizes */
	KP_DELTA_INSTANTS, /* the same for fields that are times */
	KP_DELTA_BITS,     /* of both: the rest of their numbers */
	KP_DELTA_IDS,      /* hdr.cpu, pid, tid */
	KP_DELTA_VALUES,   /* other fields */
	KP_DELTA_BYTES,    /* tails and names */
	KP_DELTA_COLUMNS
};

/* Most bytes of a column for events of raw_len bytes, and of all columns together if the block is
 * to be coded so. */
#define KP_DELTA_MAX(raw_len) (2 * (size_t)(raw_len))

/* Predictions, the shapes of the block so far, and its columns. */
struct kp_delta;

/* An encoder has room for columns. 0 or -ENOMEM. */
int kp_delta_new(bool is_encoder, struct kp_delta **ret_delta);
void kp_delta_free(struct kp_delta *delta);

/* --- encoding --- */

/* Begins a block of at most KP_BLOCK_RAW_MAX bytes of events; schema must stay until it is done. */
void kp_delta_begin(struct kp_delta *delta, const struct kp_schema *schema);

/* Adds a valid event of the schema that was begun with. */
void kp_delta_put(struct kp_delta *delta, const struct kp_hdr *event);

/* Length of the coded block, and where its parts begin and end: the columns' lengths, then each
 * column. */
size_t kp_delta_len(struct kp_delta *delta);
const void *kp_delta_part(const struct kp_delta *delta, unsigned part, size_t *ret_len);
#define KP_DELTA_PARTS (1 + KP_DELTA_COLUMNS)

/* --- decoding --- */

/* Begins to read the coded bytes, which are not trusted; false: they are no columns. */
bool kp_delta_open(struct kp_delta *delta, const struct kp_schema *schema, const void *coded,
		   size_t len);

/* Whether there is another event. */
bool kp_delta_has_more(const struct kp_delta *delta);

/* Kind of the next event by the log's number, below KP_LOG_KINDS; -1: its shape is not defined. */
int kp_delta_get_kind(struct kp_delta *delta);

/*
 * That event: kp_hdr but size and kind to *ret_hdr, and where its struct would begin in the log's
 * layout, of which what lies behind the header is there until the next call. NULL: it is cut.
 */
const unsigned char *kp_delta_get(struct kp_delta *delta, struct kp_hdr *ret_hdr);

/* The next len bytes of tails; NULL: there are not so many. */
const unsigned char *kp_delta_get_bytes(struct kp_delta *delta, uint64_t len);

/* Whether all columns were used up. */
bool kp_delta_is_done(const struct kp_delta *delta);

/* --- fields, for both codings --- */

/* The structs of a log with another schema need not be aligned. */
static inline uint64_t kp_delta_load(const unsigned char *at, uint8_t type)
{
	uint64_t wide;
	uint32_t word;
	uint16_t half;

	switch (type) {
	case KP_T_u8:
		return *at;
	case KP_T_u16:
		memcpy(&half, at, sizeof(half));
		return half;
	case KP_T_u32:
		memcpy(&word, at, sizeof(word));
		return word;
	case KP_T_s32:
		memcpy(&word, at, sizeof(word));
		return (uint64_t)(int64_t)(int32_t)word;
	default:
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
}

/* Stores a field of the log at its place in this program's struct at `to`. */
static inline void kp_delta_store(const struct kp_schema *schema, const struct kp_schema_field *f,
				  unsigned char *to, uint64_t value)
{
	if (f->is_group)
		value = kp_schema_group(schema, value);
	to += f->to_offset;
	switch (f->to_type) {
	case KP_T_u8:
		*to = (kp_u8)value;
		break;
	case KP_T_u16:
		*(kp_u16 *)to = (kp_u16)value;
		break;
	case KP_T_u32:
	case KP_T_s32:
		*(kp_u32 *)to = (kp_u32)value;
		break;
	default:
		*(kp_u64 *)to = value;
	}
}

#endif
