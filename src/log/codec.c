/* SPDX-License-Identifier: MIT
 *
 * The codecs of a block's payload.
 *
 * KP_CODEC_RAW: the structs as in memory.
 *
 * KP_CODEC_DELTA: for each event
 *
 *   shape   1 byte: number of a shape, a pair of kind and mask. The first number not used yet in
 *           the block defines the next shape. 255 is never used up: each time it stands it
 *           defines a shape that only its event has. Behind a number that defines:
 *             kind  1 byte
 *             mask  ⌈(4 + number of fields) / 8⌉ bytes, little endian: bit 0 time_ns, 1 cpu,
 *                   2 pid, 3 tid, then the fields in their order; clear: as predicted
 *   values  for each bit of the mask that is set, from bit 0: a comm's 16 bytes, or the
 *           difference (modulo 2^64) of value and prediction, zigzag, as LEB128
 *   tail    data_len bytes
 *
 * Header values are predicted by the event before, whatever its kind; a field that is an instant by
 * its event's time; any other field by the same field of the event of the same kind before. All
 * predictions begin with zero in each block, so that a block decodes alone. hdr.size and padding
 * are not stored. s32 is sign-extended.
 *
 * KP_CODEC_DELTA_ZSTD: that, as one Zstandard frame of level 1. Real events repeat each other in
 * runs that only matches find. Behind the frame stand zeros if the payload would else be shorter
 * than raw_len / KP_PACK_MAX.
 *
 * An encoded event is at most twice as long as its struct: 24 bytes of header become 1 + 1 + 8 + 10
 * + 3 + 5 + 5 = 33, a u8 2, a u16 3, a u32 5 and a u64 10 bytes.
 */
#include "log/codec.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/limit.h"
#include "event/event.h"
#include "event/kinds.h"

#define ENCODED_MAX(raw_len) (2 * (size_t)(raw_len))
#define HDR_BITS 4

#define SHAPE_ALONE 255u /* number of a shape that is not kept */
#define SHAPE_BUCKETS 1024u

/* Kind and mask of an event. */
struct shape {
	uint64_t mask;
	uint8_t kind;
};

/* Predictions, and the shapes of the block so far. */
struct state {
	struct kp_hdr hdr;
	unsigned shape_cnt;
	struct shape shapes[SHAPE_ALONE];
	uint64_t slots[KP_SCHEMA_SLOTS];
};

struct kp_encoder {
	enum kp_codec codec;
	struct kp_schema *schema;
	struct state state;
	uint8_t buckets[SHAPE_BUCKETS]; /* number of a shape by its hash; SHAPE_ALONE: free */
	ZSTD_CCtx *zstd;
	size_t packed_max;
	unsigned char *plain; /* ENCODED_MAX(KP_BLOCK_RAW_MAX) */
	unsigned char *packed;
};

struct kp_decoder {
	struct state state;
	ZSTD_DCtx *zstd;
	unsigned char *plain; /* ENCODED_MAX(KP_BLOCK_RAW_MAX) */
};

/* A run of bytes to be read. */
struct input {
	const unsigned char *at;
	const unsigned char *end;
};

static void state_reset(struct state *state, const struct kp_schema *schema)
{
	memset(&state->hdr, 0, sizeof(state->hdr));
	state->shape_cnt = 0;
	memset(state->slots, 0, schema->slot_cnt * sizeof(state->slots[0]));
}

/* The structs of a log with another schema need not be aligned. */
static inline uint64_t load(const unsigned char *at, uint8_t type)
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

static inline void store(unsigned char *at, uint8_t type, uint64_t value)
{
	switch (type) {
	case KP_T_u8:
		*at = (kp_u8)value;
		break;
	case KP_T_u16:
		*(kp_u16 *)at = (kp_u16)value;
		break;
	case KP_T_u32:
	case KP_T_s32:
		*(kp_u32 *)at = (kp_u32)value;
		break;
	default:
		*(kp_u64 *)at = value;
	}
}

/* Appends the distance from prediction to value, and says so in the mask, unless it is 0. */
static inline unsigned char *put_delta(unsigned char *at, uint64_t value, uint64_t prediction,
				       uint64_t *mask, unsigned bit)
{
	uint64_t d = value - prediction, z = d << 1 ^ (uint64_t)((int64_t)d >> 63);

	if (!d)
		return at;
	*mask |= 1ull << bit;
	for (; z >= 0x80; z >>= 7)
		*at++ = (unsigned char)(z | 0x80);
	*at++ = (unsigned char)z;
	return at;
}

static unsigned mask_len(const struct kp_schema_kind *kind)
{
	return (HDR_BITS + kind->field_cnt + 7u) / 8;
}

static unsigned char *encode_fields(const struct kp_schema *schema,
				    const struct kp_schema_kind *kind, struct state *state,
				    const struct kp_hdr *ev, unsigned char *at, uint64_t *mask)
{
	const struct kp_schema_field *f = schema->fields + kind->first_field;
	const struct kp_schema_field *end = f + kind->field_cnt;
	uint64_t *slot = state->slots + kind->first_slot, value;
	const unsigned char *from;

	for (unsigned bit = HDR_BITS; f < end; f++, bit++) {
		from = (const unsigned char *)ev + f->offset;
		if (f->type == KP_T_comm) {
			if (memcmp(slot, from, KP_COMM_LEN)) {
				memcpy(slot, from, KP_COMM_LEN);
				memcpy(at, from, KP_COMM_LEN);
				at += KP_COMM_LEN;
				*mask |= 1ull << bit;
			}
			slot += 2;
			continue;
		}
		value = load(from, f->type);
		at = put_delta(at, value, f->is_time ? ev->time_ns : *slot, mask, bit);
		*slot++ = value;
	}
	return at;
}

/* Number of the shape; SHAPE_ALONE when the block has too many. *ret_is_new: it must be defined. */
static unsigned find_shape(struct kp_encoder *e, unsigned kind, uint64_t mask, bool *ret_is_new)
{
	uint64_t hash = (mask * 64 + kind) * 0x9e3779b97f4a7c15u;
	unsigned i = hash >> 54, number;
	struct state *s = &e->state;

	for (; (number = e->buckets[i]) != SHAPE_ALONE; i = (i + 1) % SHAPE_BUCKETS)
		if (s->shapes[number].mask == mask && s->shapes[number].kind == kind) {
			*ret_is_new = false;
			return number;
		}
	*ret_is_new = true;
	if (s->shape_cnt == SHAPE_ALONE)
		return SHAPE_ALONE;
	e->buckets[i] = (uint8_t)s->shape_cnt;
	s->shapes[s->shape_cnt] = (struct shape){.mask = mask, .kind = (uint8_t)kind};
	return s->shape_cnt++;
}

static unsigned char *encode_event(struct kp_encoder *e, const struct kp_hdr *ev, unsigned char *at)
{
	const struct kp_schema_kind *kind = &e->schema->kinds[ev->kind];
	struct state *state = &e->state;
	unsigned char *shape_at = at++, *values = at;
	unsigned len = mask_len(kind);
	uint64_t mask = 0;
	uint32_t data_len;
	bool is_new;

	at = put_delta(at, ev->time_ns, state->hdr.time_ns, &mask, 0);
	at = put_delta(at, ev->cpu, state->hdr.cpu, &mask, 1);
	at = put_delta(at, ev->pid, state->hdr.pid, &mask, 2);
	at = put_delta(at, ev->tid, state->hdr.tid, &mask, 3);
	state->hdr = *ev;
	at = encode_fields(e->schema, kind, state, ev, at, &mask);
	*shape_at = (unsigned char)find_shape(e, ev->kind, mask, &is_new);
	if (is_new) {
		memmove(values + 1 + len, values, (size_t)(at - values));
		*values = (unsigned char)ev->kind;
		memcpy(values + 1, &mask, len);
		at += 1 + len;
	}
	if (kind->has_tail) {
		data_len = kp_event_data_len(ev);
		memcpy(at, (const char *)ev + kind->struct_len, data_len);
		at += data_len;
	}
	return at;
}

int kp_encoder_new(enum kp_codec codec, struct kp_encoder **ret_encoder, struct kp_err *err)
{
	struct kp_encoder *e;
	int r;

	if (codec > KP_CODEC_DELTA_ZSTD)
		return kp_err_set(err, -EINVAL, "codec %d is unknown", (int)codec);
	e = calloc(1, sizeof(*e));
	if (!e)
		return kp_err_set(err, -ENOMEM, "out of memory");
	e->codec = codec;
	r = kp_schema_own(&e->schema, err);
	if (r < 0)
		goto fail;
	r = -ENOMEM;
	e->zstd = ZSTD_createCCtx();
	e->packed_max = ZSTD_compressBound(ENCODED_MAX(KP_BLOCK_RAW_MAX));
	e->plain = malloc(ENCODED_MAX(KP_BLOCK_RAW_MAX));
	e->packed = malloc(e->packed_max);
	if (!e->zstd || !e->plain || !e->packed)
		goto no_memory;
	*ret_encoder = e;
	return 0;
no_memory:
	kp_err_set(err, r, "out of memory");
fail:
	kp_encoder_free(e);
	return r;
}

void kp_encoder_free(struct kp_encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->zstd);
	kp_schema_free(e->schema);
	free(e->plain);
	free(e->packed);
	free(e);
}

/* Validates the events, counts them, and encodes them to e->plain unless the codec is raw. */
static int encode_plain(struct kp_encoder *e, const void *events, size_t len,
			struct kp_encoded *ret, struct kp_err *err)
{
	const struct kp_hdr *ev;
	unsigned char *at = e->plain;
	int r;

	*ret = (struct kp_encoded){.first_ns = UINT64_MAX, .codec = KP_CODEC_DELTA};
	state_reset(&e->state, e->schema);
	memset(e->buckets, SHAPE_ALONE, sizeof(e->buckets));
	for (size_t pos = 0; pos < len; pos += ev->size) {
		ev = (const struct kp_hdr *)((const char *)events + pos);
		r = kp_event_validate(ev, len - pos, err);
		if (r < 0)
			return kp_err_prefix(err, -EINVAL, "event at offset %zu of a block", pos);
		if (e->codec != KP_CODEC_RAW)
			at = encode_event(e, ev, at);
		ret->event_cnt++;
		kp_set_add(&ret->kinds, ev->kind);
		kp_set_add(&ret->tids, kp_tid_bit(ev->tid, 0));
		kp_set_add(&ret->tids, kp_tid_bit(ev->tid, 1));
		if (ev->time_ns < ret->first_ns)
			ret->first_ns = ev->time_ns;
		if (ev->time_ns > ret->last_ns)
			ret->last_ns = ev->time_ns;
	}
	ret->data = e->plain;
	ret->len = (uint32_t)(at - e->plain);
	return 0;
}

/* What does not shrink is left as it is. */
static int pack(struct kp_encoder *e, struct kp_encoded *ret, struct kp_err *err)
{
	size_t len = ZSTD_compressCCtx(e->zstd, e->packed, e->packed_max, e->plain, ret->len, 1);

	if (ZSTD_isError(len))
		return kp_err_set(err,
				  ZSTD_getErrorCode(len) == ZSTD_error_memory_allocation ? -ENOMEM
											 : -EINVAL,
				  "zstd cannot compress a block: %s", ZSTD_getErrorName(len));
	if (len >= ret->len)
		return 0;
	ret->data = e->packed;
	ret->len = (uint32_t)len;
	ret->codec = KP_CODEC_DELTA_ZSTD;
	return 0;
}

static uint32_t least_len(size_t raw_len)
{
	return (uint32_t)((raw_len + KP_PACK_MAX - 1) / KP_PACK_MAX);
}

/* A stranger's block may not unpack to more than that, so ours don't either. */
static void pad(struct kp_encoder *e, size_t raw_len, struct kp_encoded *ret)
{
	uint32_t least = least_len(raw_len);

	if (ret->codec != KP_CODEC_DELTA_ZSTD || ret->len >= least)
		return;
	memset(e->packed + ret->len, 0, least - ret->len);
	ret->len = least;
}

int kp_encode(struct kp_encoder *e, const void *events, size_t len, struct kp_encoded *ret_encoded,
	      struct kp_err *err)
{
	struct kp_encoded encoded;
	int r;

	if (len > KP_BLOCK_RAW_MAX)
		return kp_err_set(err, -E2BIG, "%zu bytes of events are more than a block's %u",
				  len, KP_BLOCK_RAW_MAX);
	if (!len)
		return kp_err_set(err, -EINVAL, "a block needs an event");
	r = encode_plain(e, events, len, &encoded, err);
	if (r >= 0 && e->codec == KP_CODEC_DELTA_ZSTD)
		r = pack(e, &encoded, err);
	if (r < 0)
		return r;
	pad(e, len, &encoded);
	if (e->codec == KP_CODEC_RAW || encoded.len >= len || encoded.len < least_len(len)) {
		encoded.codec = KP_CODEC_RAW;
		encoded.data = events;
		encoded.len = (uint32_t)len;
	}
	*ret_encoded = encoded;
	return 0;
}

int kp_decoder_new(struct kp_decoder **ret_decoder, struct kp_err *err)
{
	struct kp_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		goto fail;
	d->zstd = ZSTD_createDCtx();
	d->plain = malloc(ENCODED_MAX(KP_BLOCK_RAW_MAX));
	if (!d->zstd || !d->plain)
		goto fail;
	*ret_decoder = d;
	return 0;
fail:
	kp_decoder_free(d);
	return kp_err_set(err, -ENOMEM, "out of memory");
}

void kp_decoder_free(struct kp_decoder *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->zstd);
	free(d->plain);
	free(d);
}

static bool get_varint(struct input *in, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		unsigned char byte = *in->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* Adds the next difference to *value if the mask's lowest bit is set; takes the bit off. */
static inline bool get_delta(struct input *in, uint64_t *mask, uint64_t *value)
{
	bool present = *mask & 1;
	uint64_t z;

	*mask >>= 1;
	if (!present)
		return true;
	if (!get_varint(in, &z))
		return false;
	*value += z >> 1 ^ (0 - (z & 1));
	return true;
}

static bool get_comm(struct input *in, uint64_t *mask, uint64_t *slot)
{
	bool present = *mask & 1;

	*mask >>= 1;
	if (!present)
		return true;
	if (in->end - in->at < KP_COMM_LEN)
		return false;
	memcpy(slot, in->at, KP_COMM_LEN);
	in->at += KP_COMM_LEN;
	return true;
}

/* The header's four values, kept in state->hdr. */
static bool decode_hdr(struct input *in, uint64_t *mask, struct kp_hdr *hdr)
{
	uint64_t time_ns = hdr->time_ns, cpu = hdr->cpu, pid = hdr->pid, tid = hdr->tid;

	if (!get_delta(in, mask, &time_ns) || !get_delta(in, mask, &cpu) ||
	    !get_delta(in, mask, &pid) || !get_delta(in, mask, &tid))
		return false;
	hdr->time_ns = time_ns;
	hdr->cpu = (kp_u16)cpu;
	hdr->pid = (kp_u32)pid;
	hdr->tid = (kp_u32)tid;
	return true;
}

static inline uint64_t own_value(const struct kp_schema *schema, const struct kp_schema_field *f,
				 uint64_t value)
{
	return f->is_group ? kp_schema_group(schema, value) : value;
}

/* The fields, stored at `to` unless that is NULL; the last one's value goes to *ret_last. */
static bool decode_fields(struct input *in, const struct kp_schema *schema,
			  const struct kp_schema_kind *kind, struct state *state, uint64_t mask,
			  unsigned char *to, uint64_t *ret_last)
{
	const struct kp_schema_field *f = schema->fields + kind->first_field;
	const struct kp_schema_field *end = f + kind->field_cnt;
	uint64_t *slot = state->slots + kind->first_slot, value;

	for (; f < end; f++) {
		if (f->type == KP_T_comm) {
			if (!get_comm(in, &mask, slot))
				return false;
			if (to && f->to_offset != KP_NO_PLACE)
				memcpy(to + f->to_offset, slot, KP_COMM_LEN);
			slot += 2;
			continue;
		}
		value = f->is_time ? state->hdr.time_ns : *slot;
		if (!get_delta(in, &mask, &value))
			return false;
		if (to && f->to_offset != KP_NO_PLACE)
			store(to + f->to_offset, f->to_type, own_value(schema, f, value));
		*slot++ = value;
		*ret_last = value;
	}
	return true;
}

/* What is decoded, and how much of what the header promised was used. */
struct output {
	const struct kp_schema *schema;
	struct kp_decode *block;
	struct kp_buf *out;
	uint64_t raw_used;
	uint32_t event_cnt;
};

/*
 * Begins an event of a kind: returns it in *ret_kind and, unless this program has no such kind, the
 * place for its zeroed struct in *ret_to. The room is there as long as raw_used stays within
 * raw_len.
 */
static const char *begin_event(struct output *o, unsigned number,
			       const struct kp_schema_kind **ret_kind, unsigned char **ret_to)
{
	const struct kp_schema_kind *kind;

	if (number >= KP_LOG_KINDS || !o->schema->kinds[number].known)
		return "an event's kind is not in the schema";
	if (!kp_set_has(&o->block->kinds, number))
		return "an event's kind is not in the block's header";
	if (++o->event_cnt > o->block->event_cnt)
		return "more events than the header says";
	kind = &o->schema->kinds[number];
	o->raw_used += kind->struct_len;
	if (o->raw_used > o->block->raw_len)
		return "more bytes than the header says";
	*ret_kind = kind;
	*ret_to = kind->to_kind ? (unsigned char *)o->out->data + o->out->len : NULL;
	if (*ret_to)
		memset(*ret_to, 0, kind->to_struct_len);
	return NULL;
}

/* Appends the tail and completes the header of the event at `to` (NULL: not wanted). */
static const char *end_event(struct output *o, const struct kp_schema_kind *kind,
			     const struct kp_hdr *hdr, uint64_t data_len, struct input *tail,
			     unsigned char *to)
{
	uint32_t size, end;
	struct kp_err err;

	if (data_len > KP_DATA_MAX || (size_t)(tail->end - tail->at) < data_len)
		return "an event's data is longer than there are bytes";
	o->raw_used += KP_ALIGN8((uint32_t)data_len);
	if (o->raw_used > o->block->raw_len)
		return "more bytes than the header says";
	if (hdr->time_ns < o->block->first_ns || hdr->time_ns > o->block->last_ns)
		return "an event's time is outside the block's";
	if (to) {
		end = kind->to_struct_len + (uint32_t)data_len;
		size = KP_ALIGN8(end);
		memcpy(to, hdr, sizeof(*hdr));
		((struct kp_hdr *)to)->kind = kind->to_kind;
		((struct kp_hdr *)to)->size = size;
		if (data_len)
			memcpy(to + kind->to_struct_len, tail->at, data_len);
		memset(to + end, 0, size - end);
		if (kp_event_validate(to, size, &err) < 0)
			return "an event is not valid";
		o->out->len += size;
	} else {
		o->block->unknown_cnt++;
		if (o->block->unknown)
			o->block->unknown[kind - o->schema->kinds]++;
	}
	tail->at += data_len;
	return NULL;
}

/* The next event's shape, by its number or defined on the spot. */
static bool get_shape(struct input *in, const struct kp_schema *schema, struct state *state,
		      struct shape *ret_shape)
{
	struct shape shape = {0};
	unsigned number = *in->at++, len;

	if (number < state->shape_cnt) {
		*ret_shape = state->shapes[number];
		return true;
	}
	if (number != state->shape_cnt && number != SHAPE_ALONE)
		return false;
	if (in->at == in->end)
		return false;
	shape.kind = *in->at++;
	len = mask_len(&schema->kinds[shape.kind]);
	if (in->end - in->at < len)
		return false;
	memcpy(&shape.mask, in->at, len);
	in->at += len;
	if (number != SHAPE_ALONE)
		state->shapes[state->shape_cnt++] = shape;
	*ret_shape = shape;
	return true;
}

static const char *decode_delta(struct output *o, struct state *state, struct input in)
{
	const struct kp_schema_kind *kind;
	struct shape shape;
	unsigned char *to;
	const char *why;
	uint64_t last;

	state_reset(state, o->schema);
	while (in.at < in.end) {
		if (!get_shape(&in, o->schema, state, &shape))
			return "an event's shape is not defined";
		why = begin_event(o, shape.kind, &kind, &to);
		if (why)
			return why;
		last = 0;
		if (!decode_hdr(&in, &shape.mask, &state->hdr) ||
		    !decode_fields(&in, o->schema, kind, state, shape.mask, to, &last))
			return "an event is cut";
		why = end_event(o, kind, &state->hdr, kind->has_tail ? last : 0, &in, to);
		if (why)
			return why;
	}
	return NULL;
}

/* Takes the fields of a struct in the log's layout; *ret_last as in decode_fields. */
static void map_fields(const struct kp_schema *schema, const struct kp_schema_kind *kind,
		       const unsigned char *from, unsigned char *to, uint64_t *ret_last)
{
	const struct kp_schema_field *f = schema->fields + kind->first_field;
	const struct kp_schema_field *end = f + kind->field_cnt;

	for (; f < end; f++) {
		if (f->type != KP_T_comm)
			*ret_last = load(from + f->offset, f->type);
		if (!to || f->to_offset == KP_NO_PLACE)
			continue;
		if (f->type == KP_T_comm)
			memcpy(to + f->to_offset, from + f->offset, KP_COMM_LEN);
		else
			store(to + f->to_offset, f->to_type, own_value(schema, f, *ret_last));
	}
}

static const char *decode_raw(struct output *o, struct input in)
{
	const struct kp_schema_kind *kind;
	const unsigned char *begin;
	struct kp_hdr hdr;
	unsigned char *to;
	const char *why;
	uint64_t last;

	while (in.at < in.end) {
		begin = in.at;
		if (in.end - begin < (ptrdiff_t)sizeof(hdr))
			return "an event is cut";
		memcpy(&hdr, begin, sizeof(hdr));
		why = begin_event(o, hdr.kind, &kind, &to);
		if (why)
			return why;
		if (in.end - begin < kind->struct_len)
			return "an event is cut";
		last = 0;
		map_fields(o->schema, kind, begin, to, &last);
		in.at += kind->struct_len;
		why = end_event(o, kind, &hdr, kind->has_tail ? last : 0, &in, to);
		if (why)
			return why;
		/* The padding too must be there; and without it the next event is misplaced. */
		if (hdr.size % 8 || hdr.size > in.end - begin ||
		    hdr.size != KP_ALIGN8((uint32_t)(in.at - begin)))
			return "an event's size is wrong";
		in.at = begin + hdr.size;
	}
	return NULL;
}

static bool is_zero(const unsigned char *at, const unsigned char *end)
{
	while (at < end)
		if (*at++)
			return false;
	return true;
}

/* One frame, whatever it says of its length and its window: no more than max bytes are written, and
 * none allocated. Only zeros may stand behind it. */
static const char *unpack(struct kp_decoder *d, const struct kp_decode *block, struct input *in)
{
	size_t max = ENCODED_MAX(block->raw_len), len, plain_len;

	len = ZSTD_findFrameCompressedSize(in->at, (size_t)(in->end - in->at));
	if (ZSTD_isError(len) || !is_zero(in->at + len, in->end))
		return "the zstd frame is damaged";
	plain_len = ZSTD_decompressDCtx(d->zstd, d->plain, max, in->at, len);
	if (ZSTD_isError(plain_len))
		return "the zstd frame is damaged";
	in->at = d->plain;
	in->end = d->plain + plain_len;
	return NULL;
}

int kp_decode(struct kp_decoder *decoder, const struct kp_schema *schema, struct kp_decode *block,
	      const void *stored, size_t stored_len, struct kp_buf *out, struct kp_err *err)
{
	struct output o = {.schema = schema, .block = block, .out = out};
	struct input in = {.at = stored, .end = (const unsigned char *)stored + stored_len};
	size_t grown_len = block->raw_len + (size_t)block->event_cnt * schema->growth_max;
	const char *why = NULL;

	if (block->raw_len > KP_BLOCK_RAW_MAX || stored_len > ENCODED_MAX(KP_BLOCK_RAW_MAX) ||
	    block->event_cnt > block->raw_len / sizeof(struct kp_hdr))
		return kp_err_set(err, -EBADMSG, "the block's lengths are impossible");
	if (grown_len > stored_len * KP_MAX_UNPACKED)
		return kp_err_set(err, -EBADMSG,
				  "the block unpacks to more than %d times its length",
				  KP_MAX_UNPACKED);
	block->unknown_cnt = 0;
	kp_buf_reset(out);
	if (!kp_buf_reserve(out, grown_len))
		return kp_err_set(err, -ENOMEM, "out of memory");
	if (block->codec == KP_CODEC_DELTA_ZSTD)
		why = unpack(decoder, block, &in);
	if (why)
		return kp_err_set(err, -EBADMSG, "%s", why);
	if (block->codec == KP_CODEC_RAW)
		why = decode_raw(&o, in);
	else if (block->codec <= KP_CODEC_DELTA_ZSTD)
		why = decode_delta(&o, &decoder->state, in);
	else
		why = "its codec is unknown to this version";
	if (!why && (o.event_cnt != block->event_cnt || o.raw_used != block->raw_len))
		why = "fewer events or bytes than the header says";
	return why ? kp_err_set(err, -EBADMSG, "%s", why) : 0;
}
