/* SPDX-License-Identifier: MIT
 * Delta coding; see delta.h, and codec.c for the bytes.
 */
#include "log/delta.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "kprobe/log_format.h"

#define COLUMN_LEN_MAX 5u /* bytes of a column's length */

#define SHAPE_ALONE 255u /* number of a shape that is not kept */
#define SHAPE_BUCKETS 1024u

/* So many contexts a block has at most, and so many values all of them. */
#define CONTEXTS 512u
#define CONTEXT_SLOTS 8192u
#define CONTEXT_BUCKETS 2048u /* each context, and the last of each kind and key */

/* Kind, key and mask of an event. */
struct shape {
	uint64_t mask;
	uint32_t key;
	uint8_t kind;
};

/* The last values of the events of a kind, a key and a task; or, for any task, the context that was
 * begun last. */
struct context {
	uint32_t key;
	uint32_t tid;
	uint16_t slot;
	uint8_t kind;
	bool is_used, is_any;
};

struct column {
	unsigned char *data;      /* encoding: KP_DELTA_MAX(KP_BLOCK_RAW_MAX) */
	const unsigned char *end; /* decoding */
	union {
		unsigned char *put;
		const unsigned char *get;
	};
};

struct kp_delta {
	const struct kp_schema *schema;
	struct column columns[KP_DELTA_COLUMNS];
	unsigned char lens[KP_DELTA_COLUMNS * COLUMN_LEN_MAX];
	size_t lens_len;
	struct kp_hdr hdr;  /* of the event before */
	struct shape shape; /* decoding: of the next event */
	unsigned shape_cnt;
	struct shape shapes[SHAPE_ALONE];
	uint8_t buckets[SHAPE_BUCKETS]; /* number of a shape by its hash; SHAPE_ALONE: free */
	unsigned context_cnt, slot_cnt; /* used */
	struct context contexts[CONTEXT_BUCKETS];
	uint64_t slots[KP_SCHEMA_SLOTS + CONTEXT_SLOTS];
};

int kp_delta_new(bool is_encoder, struct kp_delta **ret_delta)
{
	struct kp_delta *d = calloc(1, sizeof(*d));

	for (int i = 0; d && is_encoder && i < KP_DELTA_COLUMNS; i++) {
		d->columns[i].data = malloc(KP_DELTA_MAX(KP_BLOCK_RAW_MAX));
		if (!d->columns[i].data) {
			kp_delta_free(d);
			d = NULL;
		}
	}
	if (!d)
		return -ENOMEM;
	*ret_delta = d;
	return 0;
}

void kp_delta_free(struct kp_delta *d)
{
	for (int i = 0; d && i < KP_DELTA_COLUMNS; i++)
		free(d->columns[i].data);
	free(d);
}

static void reset(struct kp_delta *d, const struct kp_schema *schema)
{
	d->schema = schema;
	memset(&d->hdr, 0, sizeof(d->hdr));
	d->shape_cnt = 0;
	memset(d->buckets, SHAPE_ALONE, sizeof(d->buckets));
	memset(d->contexts, 0, sizeof(d->contexts));
	memset(d->slots, 0, schema->slot_cnt * sizeof(d->slots[0]));
	d->context_cnt = 0;
	d->slot_cnt = schema->slot_cnt;
}

/* The context's place, or the free one where it would be. */
static struct context *find_context(struct kp_delta *d, unsigned kind, uint32_t key, uint32_t tid,
				    bool is_any)
{
	uint64_t hash = ((uint64_t)tid << 32 ^ (uint64_t)key << 16 ^ kind << 1 ^ is_any) *
			0x9e3779b97f4a7c15u;
	unsigned i = hash >> 53;
	struct context *c;

	for (;; i = (i + 1) % CONTEXT_BUCKETS) {
		c = &d->contexts[i];
		if (!c->is_used ||
		    (c->key == key && c->tid == tid && c->kind == kind && c->is_any == is_any))
			return c;
	}
}

/* Begins a context as a copy of the last of its kind and key. */
static uint64_t *add_context(struct kp_delta *d, struct context *c, unsigned kind, uint32_t key,
			     uint32_t tid)
{
	unsigned slot_cnt = d->schema->kinds[kind].slot_cnt;
	uint64_t *slots = d->slots + d->slot_cnt;
	struct context *last;

	*c = (struct context){.kind = (uint8_t)kind,
			      .key = key,
			      .tid = tid,
			      .slot = (uint16_t)d->slot_cnt,
			      .is_used = true};
	last = find_context(d, kind, key, 0, true);
	if (last->is_used)
		memcpy(slots, d->slots + last->slot, slot_cnt * sizeof(*slots));
	else
		memset(slots, 0, slot_cnt * sizeof(*slots));
	*last = *c;
	last->tid = 0;
	last->is_any = true;
	d->context_cnt++;
	d->slot_cnt += slot_cnt;
	return slots;
}

/* The values by which those of an event are predicted. */
static uint64_t *slots_of(struct kp_delta *d, unsigned number, uint32_t key, uint32_t tid)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[number];
	struct context *c;

	if (!kind->slot_cnt)
		return d->slots;
	c = find_context(d, number, key, tid, false);
	if (c->is_used)
		return d->slots + c->slot;
	if (d->context_cnt == CONTEXTS ||
	    d->slot_cnt + kind->slot_cnt > KP_SCHEMA_SLOTS + CONTEXT_SLOTS)
		return d->slots + kind->first_slot;
	return add_context(d, c, number, key, tid);
}

static unsigned mask_len(const struct kp_schema_kind *kind)
{
	return (KP_SCHEMA_HDR_BITS + kind->field_cnt + 7u) / 8;
}

/* --- encoding --- */

static inline unsigned char *put_varint(unsigned char *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (unsigned char)(value | 0x80);
	*at++ = (unsigned char)value;
	return at;
}

/* Appends the distance from prediction to value, and says so in the mask, unless it is 0. */
static inline void put_delta(struct column *column, uint64_t value, uint64_t prediction,
			     uint64_t *mask, unsigned bit)
{
	uint64_t d = value - prediction;

	if (!d)
		return;
	*mask |= 1ull << bit;
	column->put = put_varint(column->put, d << 1 ^ (uint64_t)((int64_t)d >> 63));
}

static void put_bytes(struct kp_delta *d, const void *data, size_t len)
{
	struct column *bytes = &d->columns[KP_DELTA_BYTES];

	memcpy(bytes->put, data, len);
	bytes->put += len;
}

void kp_delta_begin(struct kp_delta *d, const struct kp_schema *schema)
{
	reset(d, schema);
	for (int i = 0; i < KP_DELTA_COLUMNS; i++)
		d->columns[i].put = d->columns[i].data;
}

/* Number of the shape; SHAPE_ALONE when the block has too many. *ret_is_new: it must be defined. */
static unsigned find_shape(struct kp_delta *d, const struct shape *shape, bool *ret_is_new)
{
	uint64_t hash = ((shape->mask * 64 + shape->kind) * 512 + shape->key) * 0x9e3779b97f4a7c15u;
	unsigned i = hash >> 54, number;

	for (; (number = d->buckets[i]) != SHAPE_ALONE; i = (i + 1) % SHAPE_BUCKETS)
		if (d->shapes[number].mask == shape->mask && d->shapes[number].key == shape->key &&
		    d->shapes[number].kind == shape->kind) {
			*ret_is_new = false;
			return number;
		}
	*ret_is_new = true;
	if (d->shape_cnt == SHAPE_ALONE)
		return SHAPE_ALONE;
	d->buckets[i] = (uint8_t)d->shape_cnt;
	d->shapes[d->shape_cnt] = *shape;
	return d->shape_cnt++;
}

static void put_shape(struct kp_delta *d, const struct shape *shape)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[shape->kind];
	unsigned char *at = d->columns[KP_DELTA_SHAPES].put;
	unsigned len = mask_len(kind);
	bool is_new;

	*at++ = (unsigned char)find_shape(d, shape, &is_new);
	if (is_new) {
		*at++ = shape->kind;
		memcpy(at, &shape->mask, len);
		at += len;
		if (kind->key_bit)
			at = put_varint(at, shape->key);
	}
	d->columns[KP_DELTA_SHAPES].put = at;
}

static void put_fields(struct kp_delta *d, const struct kp_schema_kind *kind,
		       const struct kp_hdr *ev, uint64_t *slot, uint64_t *mask)
{
	const struct kp_schema_field *f = d->schema->fields + kind->first_field;
	const struct kp_schema_field *end = f + kind->field_cnt;
	struct column *values = &d->columns[KP_DELTA_VALUES];
	const unsigned char *from;
	uint64_t value;

	for (unsigned bit = KP_SCHEMA_HDR_BITS; f < end; f++, bit++) {
		from = (const unsigned char *)ev + f->offset;
		if (f->type == KP_T_comm) {
			if (memcmp(slot, from, KP_COMM_LEN)) {
				memcpy(slot, from, KP_COMM_LEN);
				put_bytes(d, from, KP_COMM_LEN);
				*mask |= 1ull << bit;
			}
			slot += 2;
			continue;
		}
		value = kp_delta_load(from, f->type);
		if (f->is_time)
			put_delta(&d->columns[KP_DELTA_INSTANTS], value, ev->time_ns, mask, bit);
		else if (bit != kind->key_bit)
			put_delta(values, value, *slot, mask, bit);
		*slot++ = value;
	}
}

/* The value of the field by which the others of its kind are told apart. */
static uint32_t key_of(const struct kp_schema *schema, const struct kp_schema_kind *kind,
		       const struct kp_hdr *ev)
{
	const struct kp_schema_field *f;

	if (!kind->key_bit)
		return 0;
	f = &schema->fields[kind->first_field + kind->key_bit - KP_SCHEMA_HDR_BITS];
	return (uint32_t)kp_delta_load((const unsigned char *)ev + f->offset, f->type);
}

void kp_delta_put(struct kp_delta *d, const struct kp_hdr *ev)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[ev->kind];
	struct shape shape = {.kind = (uint8_t)ev->kind, .key = key_of(d->schema, kind, ev)};
	struct column *ids = &d->columns[KP_DELTA_IDS];

	put_delta(&d->columns[KP_DELTA_TIMES], ev->time_ns, d->hdr.time_ns, &shape.mask, 0);
	put_delta(ids, ev->cpu, d->hdr.cpu, &shape.mask, 1);
	put_delta(ids, ev->pid, d->hdr.pid, &shape.mask, 2);
	put_delta(ids, ev->tid, d->hdr.tid, &shape.mask, 3);
	d->hdr = *ev;
	put_fields(d, kind, ev, slots_of(d, ev->kind, shape.key, ev->tid), &shape.mask);
	put_shape(d, &shape);
	/* data_len is the last field. */
	if (kind->has_tail)
		put_bytes(
			d, (const char *)ev + kind->struct_len,
			kp_delta_load((const unsigned char *)ev + kind->struct_len - 4, KP_T_u32));
}

size_t kp_delta_len(struct kp_delta *d)
{
	unsigned char *at = d->lens;
	size_t len = 0;

	for (int i = 0; i < KP_DELTA_COLUMNS; i++) {
		at = put_varint(at, (uint64_t)(d->columns[i].put - d->columns[i].data));
		len += (size_t)(d->columns[i].put - d->columns[i].data);
	}
	d->lens_len = (size_t)(at - d->lens);
	return d->lens_len + len;
}

const void *kp_delta_part(const struct kp_delta *d, unsigned part, size_t *ret_len)
{
	const struct column *column;

	if (!part) {
		*ret_len = d->lens_len;
		return d->lens;
	}
	column = &d->columns[part - 1];
	*ret_len = (size_t)(column->put - column->data);
	return column->data;
}

/* --- decoding --- */

static bool get_varint(struct column *in, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && in->get < in->end; shift += 7) {
		unsigned char byte = *in->get++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* Adds the next difference to *value if the mask's lowest bit is set; takes the bit off. */
static inline bool get_delta(struct column *in, uint64_t *mask, uint64_t *value)
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

bool kp_delta_open(struct kp_delta *d, const struct kp_schema *schema, const void *coded,
		   size_t len)
{
	struct column in = {.get = coded, .end = (const unsigned char *)coded + len};
	uint64_t lens[KP_DELTA_COLUMNS];

	reset(d, schema);
	for (int i = 0; i < KP_DELTA_COLUMNS; i++)
		if (!get_varint(&in, &lens[i]))
			return false;
	for (int i = 0; i < KP_DELTA_COLUMNS; i++) {
		if (lens[i] > (uint64_t)(in.end - in.get))
			return false;
		d->columns[i].get = in.get;
		in.get += lens[i];
		d->columns[i].end = in.get;
	}
	return in.get == in.end;
}

bool kp_delta_has_more(const struct kp_delta *d)
{
	return d->columns[KP_DELTA_SHAPES].get < d->columns[KP_DELTA_SHAPES].end;
}

bool kp_delta_is_done(const struct kp_delta *d)
{
	for (int i = 0; i < KP_DELTA_COLUMNS; i++)
		if (d->columns[i].get < d->columns[i].end)
			return false;
	return true;
}

/* Reads the definition of a shape. */
static bool define_shape(struct kp_delta *d, struct column *in, struct shape *ret_shape)
{
	struct shape shape = {0};
	const struct kp_schema_kind *kind;
	uint64_t key = 0;
	unsigned len;

	if (in->get == in->end)
		return false;
	shape.kind = *in->get++;
	kind = &d->schema->kinds[shape.kind];
	len = mask_len(kind);
	if (!kind->known || in->end - in->get < len)
		return false;
	memcpy(&shape.mask, in->get, len);
	in->get += len;
	if (kind->key_bit && (!get_varint(in, &key) || key > UINT32_MAX))
		return false;
	shape.key = (uint32_t)key;
	*ret_shape = shape;
	return true;
}

int kp_delta_get_kind(struct kp_delta *d)
{
	struct column *in = &d->columns[KP_DELTA_SHAPES];
	unsigned number = *in->get++;

	if (number < d->shape_cnt) {
		d->shape = d->shapes[number];
		return d->shape.kind;
	}
	if ((number != d->shape_cnt && number != SHAPE_ALONE) || !define_shape(d, in, &d->shape))
		return -1;
	if (number != SHAPE_ALONE)
		d->shapes[d->shape_cnt++] = d->shape;
	return d->shape.kind;
}

/* The header's four values, kept in d->hdr. */
static bool get_hdr(struct kp_delta *d, uint64_t *mask)
{
	uint64_t time_ns = d->hdr.time_ns, cpu = d->hdr.cpu, pid = d->hdr.pid, tid = d->hdr.tid;
	struct column *ids = &d->columns[KP_DELTA_IDS];

	if (!get_delta(&d->columns[KP_DELTA_TIMES], mask, &time_ns) ||
	    !get_delta(ids, mask, &cpu) || !get_delta(ids, mask, &pid) ||
	    !get_delta(ids, mask, &tid))
		return false;
	d->hdr.time_ns = time_ns;
	d->hdr.cpu = (kp_u16)cpu;
	d->hdr.pid = (kp_u32)pid;
	d->hdr.tid = (kp_u32)tid;
	return true;
}

static bool get_comm(struct kp_delta *d, uint64_t *mask, uint64_t *slot)
{
	bool present = *mask & 1;
	const unsigned char *from;

	*mask >>= 1;
	if (!present)
		return true;
	from = kp_delta_get_bytes(d, KP_COMM_LEN);
	if (from)
		memcpy(slot, from, KP_COMM_LEN);
	return from;
}

/* A field's value; slot: the value that predicts it. */
static inline bool get_value(struct kp_delta *d, const struct kp_schema_field *f, bool is_key,
			     uint64_t *mask, uint64_t *slot)
{
	struct column *in = &d->columns[f->is_time ? KP_DELTA_INSTANTS : KP_DELTA_VALUES];

	if (f->is_time)
		*slot = d->hdr.time_ns;
	else if (is_key)
		*slot = d->shape.key;
	return get_delta(in, mask, slot);
}

bool kp_delta_get(struct kp_delta *d, struct kp_hdr *ret_hdr, unsigned char *to, uint64_t *ret_last)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[d->shape.kind];
	const struct kp_schema_field *f = d->schema->fields + kind->first_field;
	const struct kp_schema_field *end = f + kind->field_cnt;
	uint64_t mask = d->shape.mask, *slot;

	if (!get_hdr(d, &mask))
		return false;
	slot = slots_of(d, d->shape.kind, d->shape.key, d->hdr.tid);
	for (unsigned bit = KP_SCHEMA_HDR_BITS; f < end; f++, bit++) {
		if (f->type == KP_T_comm) {
			if (!get_comm(d, &mask, slot))
				return false;
			if (to && f->to_offset != KP_NO_PLACE)
				memcpy(to + f->to_offset, slot, KP_COMM_LEN);
			slot += 2;
			continue;
		}
		if (!get_value(d, f, bit == kind->key_bit, &mask, slot))
			return false;
		if (to && f->to_offset != KP_NO_PLACE)
			kp_delta_store(d->schema, f, to, *slot);
		*ret_last = *slot++;
	}
	*ret_hdr = d->hdr;
	return true;
}

const unsigned char *kp_delta_get_bytes(struct kp_delta *d, uint64_t len)
{
	struct column *bytes = &d->columns[KP_DELTA_BYTES];
	const unsigned char *at = bytes->get;

	if (len > (uint64_t)(bytes->end - bytes->get))
		return NULL;
	bytes->get += len;
	return at;
}
