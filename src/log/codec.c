/* SPDX-License-Identifier: MIT
 *
 * The codecs of a block's payload.
 *
 * KP_CODEC_RAW: the structs as in memory.
 *
 * KP_CODEC_DELTA: columns. First the length of each as LEB128, then their bytes:
 *
 *   shapes    of each event the number of a shape, 1 byte: a kind, a key and a mask. The first
 * number not used yet in the block defines the next shape. 255 is never used up: each time it
 *             stands it defines a shape that only its event has. Behind a number that defines:
 *               kind  1 byte
 *               mask  ⌈(4 + number of fields) / 8⌉ bytes, little endian: bit 0 time_ns, 1 cpu,
 *                     2 pid, 3 tid, then the fields in their order; clear: as predicted
 *               key   LEB128, if the kind has a field that the schema marks KEY: that field's value
 *   times     time_ns of the events whose mask says so: sign and size, 1 byte
 *   instants  the same of fields that the schema marks TIME
 *   bits      the rest of both, in the order in which an event has them: bit after bit from the
 * lowest ids       cpu, tid, pid values    all other fields but the key: first those that are not
 * processes, then those bytes     the 16 bytes of names and addresses, and tails
 *
 * A number is the difference of value and prediction, modulo 2 to the field's bits. Those of ids
 * and values are zigzag, as LEB128. Of a time's, which no packing shortens but in its size, the
 * size is the number of bits up to the highest, plus 128 if it is negative; the bits below the
 * highest are the rest.
 *
 * time_ns and cpu are predicted by the event before, whatever its kind; tid too, but behind an
 * event whose kind has a field that the schema marks NEXT by that field: who runs is who was
 * switched to. pid, and a field marked PROC before one marked TASK or NEXT, is predicted as the one
 * that was last stored for the same tid, or as the tid; 1024 tids but 0 are kept, each in the place
 * of its remainder. An instant is predicted by its event's time; a name or any other field by the
 * same field of the last event of the same kind, key and tid. The first such event of a block is
 * predicted by the last of the triple of that kind and key that came up last, as it is by then, or
 * by zeros. 512 triples are kept, and 8192 words of 8 bytes behind their headers; those for which
 * there is no room share the last event of their kind. All predictions begin with zero in each
 * block, so that a block decodes alone. hdr.size and padding are not stored.
 *
 * So calls of one number in one task predict each other, which is what programs do; and what is
 * alike stands together, which packs by a tenth better than events one after the other.
 *
 * KP_CODEC_DELTA_ZSTD: that, as one Zstandard frame of level 1, whose blocks end where long columns
 * do. Behind the frame stand zeros if the payload would else be shorter than raw_len / KP_PACK_MAX.
 *
 * Coded events are at most twice as long as their structs, or the block is left raw.
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
#include "log/delta.h"

/* A shorter column is not worth a block of its own in the frame. */
#define LONG_COLUMN 256u

struct kp_encoder {
	enum kp_codec codec;
	struct kp_schema *schema;
	struct kp_delta *delta;
	ZSTD_CCtx *zstd;
	size_t packed_max;
	unsigned char *packed;
};

struct kp_decoder {
	struct kp_delta *delta;
	ZSTD_DCtx *zstd;
	unsigned char *plain; /* KP_DELTA_MAX(KP_BLOCK_RAW_MAX) */
};

/* A run of bytes to be read. */
struct input {
	const unsigned char *at;
	const unsigned char *end;
};

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
	e->packed_max = ZSTD_compressBound(KP_DELTA_MAX(KP_BLOCK_RAW_MAX));
	e->packed = malloc(e->packed_max);
	if (!e->zstd || !e->packed || kp_delta_new(true, &e->delta) < 0 ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, 1)))
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
	kp_delta_free(e->delta);
	free(e->packed);
	free(e);
}

/* Validates the events, counts them, and codes them unless the codec is raw. */
static int code_events(struct kp_encoder *e, const void *events, size_t len, struct kp_encoded *ret,
		       struct kp_err *err)
{
	const struct kp_hdr *ev;
	int r;

	*ret = (struct kp_encoded){.first_ns = UINT64_MAX,
				   .codec = KP_CODEC_RAW,
				   .data = events,
				   .len = (uint32_t)len};
	kp_delta_begin(e->delta, e->schema);
	for (size_t pos = 0; pos < len; pos += ev->size) {
		ev = (const struct kp_hdr *)((const char *)events + pos);
		r = kp_event_validate(ev, len - pos, err);
		if (r < 0)
			return kp_err_prefix(err, -EINVAL, "event at offset %zu of a block", pos);
		if (e->codec != KP_CODEC_RAW)
			kp_delta_put(e->delta, ev);
		ret->event_cnt++;
		kp_set_add(&ret->kinds, ev->kind);
		kp_set_add(&ret->tids, kp_tid_bit(ev->tid, 0));
		kp_set_add(&ret->tids, kp_tid_bit(ev->tid, 1));
		if (ev->time_ns < ret->first_ns)
			ret->first_ns = ev->time_ns;
		if (ev->time_ns > ret->last_ns)
			ret->last_ns = ev->time_ns;
	}
	return 0;
}

/* Joins the columns in e->packed; their length. */
static size_t join(struct kp_encoder *e)
{
	size_t at = 0, len;
	const void *part;

	for (unsigned i = 0; i < KP_DELTA_PARTS; i++) {
		part = kp_delta_part(e->delta, i, &len);
		memcpy(e->packed + at, part, len);
		at += len;
	}
	return at;
}

/* Packs the columns to e->packed as one frame; its length, or zstd's error. */
static size_t pack(struct kp_encoder *e)
{
	ZSTD_outBuffer out = {e->packed, e->packed_max, 0};
	ZSTD_EndDirective then;
	ZSTD_inBuffer in;
	size_t r = ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_only);

	for (unsigned i = 0; i < KP_DELTA_PARTS && !ZSTD_isError(r); i++) {
		in = (ZSTD_inBuffer){0};
		in.src = kp_delta_part(e->delta, i, &in.size);
		then = in.size < LONG_COLUMN ? ZSTD_e_continue : ZSTD_e_flush;
		if (i + 1 == KP_DELTA_PARTS)
			then = ZSTD_e_end;
		/* 0: all of it went out, for which there is room. */
		r = ZSTD_compressStream2(e->zstd, &out, &in, then);
	}
	return ZSTD_isError(r) ? r : out.pos;
}

/* Puts the columns into *ret in place of the events, packed if the codec says so. */
static int take_columns(struct kp_encoder *e, struct kp_encoded *ret, struct kp_err *err)
{
	size_t plain_len = kp_delta_len(e->delta), len = SIZE_MAX;

	if (plain_len > KP_DELTA_MAX(ret->len))
		return 0;
	if (e->codec == KP_CODEC_DELTA_ZSTD) {
		len = pack(e);
		if (ZSTD_isError(len))
			return kp_err_set(err,
					  ZSTD_getErrorCode(len) == ZSTD_error_memory_allocation
						  ? -ENOMEM
						  : -EINVAL,
					  "zstd cannot pack a block: %s", ZSTD_getErrorName(len));
	}
	if (len >= ret->len && plain_len >= ret->len)
		return 0;
	ret->codec = len < plain_len ? KP_CODEC_DELTA_ZSTD : KP_CODEC_DELTA;
	ret->len = (uint32_t)(len < plain_len ? len : join(e));
	ret->data = e->packed;
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
	r = code_events(e, events, len, &encoded, err);
	if (r >= 0 && e->codec != KP_CODEC_RAW)
		r = take_columns(e, &encoded, err);
	if (r < 0)
		return r;
	pad(e, len, &encoded);
	if (encoded.len < least_len(len)) {
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
	d->plain = malloc(KP_DELTA_MAX(KP_BLOCK_RAW_MAX));
	if (!d->zstd || !d->plain || kp_delta_new(false, &d->delta) < 0)
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
	kp_delta_free(d->delta);
	free(d->plain);
	free(d);
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
			     const struct kp_hdr *hdr, const void *tail, uint64_t data_len,
			     unsigned char *to)
{
	uint32_t size, end;
	struct kp_err err;

	if (data_len > KP_DATA_MAX || !tail)
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
			memcpy(to + kind->to_struct_len, tail, data_len);
		memset(to + end, 0, size - end);
		if (kp_event_validate(to, size, &err) < 0)
			return "an event is not valid";
		o->out->len += size;
	} else {
		o->block->unknown_cnt++;
		if (o->block->unknown)
			o->block->unknown[kind - o->schema->kinds]++;
	}
	return NULL;
}

/* Takes the fields of a struct in the log's layout; returns the value of the last one. */
static uint64_t take_fields(const struct kp_schema *schema, const struct kp_schema_kind *kind,
			    const unsigned char *from, unsigned char *to)
{
	const struct kp_schema_field *f = schema->fields + kind->first_field;
	const struct kp_schema_field *end = f + kind->field_cnt;

	if (to && kind->is_same)
		memcpy(to + sizeof(struct kp_hdr), from + sizeof(struct kp_hdr),
		       kind->struct_len - sizeof(struct kp_hdr));
	for (; to && !kind->is_same && f < end; f++) {
		if (f->to_offset == KP_NO_PLACE)
			continue;
		if (kp_type_is_bytes(f->type))
			memcpy(to + f->to_offset, from + f->offset, KP_TYPE_BYTES);
		else
			kp_delta_store(schema, f, to, kp_delta_load(from + f->offset, f->type));
	}
	return kind->has_tail ? kp_delta_load(from + end[-1].offset, end[-1].type) : 0;
}

static const char *decode_delta(struct output *o, struct kp_delta *delta, struct input in)
{
	const struct kp_schema_kind *kind;
	const unsigned char *tail, *from;
	unsigned char *to;
	struct kp_hdr hdr;
	const char *why;
	uint64_t last;
	int number;

	if (!kp_delta_open(delta, o->schema, in.at, (size_t)(in.end - in.at)))
		return "the columns' lengths are wrong";
	while (kp_delta_has_more(delta)) {
		number = kp_delta_get_kind(delta);
		if (number < 0)
			return "an event's shape is not defined";
		why = begin_event(o, (unsigned)number, &kind, &to);
		if (why)
			return why;
		from = kp_delta_get(delta, &hdr);
		if (!from)
			return "an event is cut";
		last = take_fields(o->schema, kind, from, to);
		tail = kp_delta_get_bytes(delta, last);
		why = end_event(o, kind, &hdr, tail, last, to);
		if (why)
			return why;
	}
	return kp_delta_is_done(delta) ? NULL : "bytes are left that no event has";
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
		last = take_fields(o->schema, kind, begin, to);
		in.at += kind->struct_len;
		why = end_event(o, kind, &hdr, last <= (uint64_t)(in.end - in.at) ? in.at : NULL,
				last, to);
		if (why)
			return why;
		in.at += last;
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
	size_t max = KP_DELTA_MAX(block->raw_len), len, plain_len;

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

	if (block->raw_len > KP_BLOCK_RAW_MAX || stored_len > KP_DELTA_MAX(KP_BLOCK_RAW_MAX) ||
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
		why = decode_delta(&o, decoder->delta, in);
	else
		why = "its codec is unknown to this version";
	if (!why && (o.event_cnt != block->event_cnt || o.raw_used != block->raw_len))
		why = "fewer events or bytes than the header says";
	return why ? kp_err_set(err, -EBADMSG, "%s", why) : 0;
}
