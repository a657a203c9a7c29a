/* SPDX-License-Identifier: MIT
 * What delta coding made, back: from bytes that are not trusted. See delta.h, and codec.c for them.
 */
#include "log/delta_in.h"

static bool get_varint(struct kp_delta_column *in, uint64_t *ret_value)
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

/* Adds the next distance to *value if it is there. */
static inline bool get_number(struct kp_delta_column *in, bool is_there, uint64_t *value)
{
	uint64_t z;

	if (!is_there)
		return true;
	if (!get_varint(in, &z))
		return false;
	*value += z >> 1 ^ (0 - (z & 1));
	return true;
}

/* The next cnt bits, 63 at most. */
static bool get_bits(struct kp_delta *d, unsigned cnt, uint64_t *ret_value)
{
	const struct kp_delta_column *in = &d->columns[KP_DELTA_BITS];
	size_t len = (size_t)(in->end - in->get), at = d->bit_cnt / 8;
	unsigned shift = d->bit_cnt % 8;
	uint64_t value = 0;

	if (d->bit_cnt + cnt > 8 * len)
		return false;
	memcpy(&value, in->get + at, len - at < sizeof(value) ? len - at : sizeof(value));
	value >>= shift;
	if (shift + cnt > 64)
		value |= (uint64_t)in->get[at + sizeof(value)] << (64 - shift);
	d->bit_cnt += cnt;
	*ret_value = value & ((1ull << cnt) - 1);
	return true;
}

/* The same for times. */
static inline bool get_time(struct kp_delta *d, struct kp_delta_column *in, bool is_there,
			    uint64_t *value)
{
	uint64_t distance;
	unsigned size;

	if (!is_there)
		return true;
	if (in->get == in->end)
		return false;
	size = *in->get & (KP_DELTA_NEGATIVE - 1);
	if (!size || size > 64 || !get_bits(d, size - 1, &distance))
		return false;
	distance |= 1ull << (size - 1);
	*value += *in->get++ & KP_DELTA_NEGATIVE ? 0 - distance : distance;
	return true;
}

bool kp_delta_open(struct kp_delta *d, const struct kp_schema *schema, const void *coded,
		   size_t len)
{
	struct kp_delta_column in = {.get = coded, .end = (const unsigned char *)coded + len};
	uint64_t lens[KP_DELTA_COLUMNS];

	kp_delta_reset(d, schema);
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
	const struct kp_delta_column *bits = &d->columns[KP_DELTA_BITS];

	for (int i = 0; i < KP_DELTA_COLUMNS; i++)
		if (i != KP_DELTA_BITS && d->columns[i].get < d->columns[i].end)
			return false;
	return (d->bit_cnt + 7) / 8 == (uint64_t)(bits->end - bits->get);
}

/* Whether a mask has bits only of fields that the kind has. */
static bool is_mask_of(const struct kp_schema_kind *kind, uint64_t mask)
{
	unsigned bit_cnt = KP_SCHEMA_HDR_BITS + kind->field_cnt;

	return bit_cnt >= 64 || !(mask >> bit_cnt);
}

/* Reads the definition of a shape. */
static bool define_shape(struct kp_delta *d, struct kp_delta_column *in,
			 struct kp_delta_shape *ret_shape)
{
	struct kp_delta_shape shape = {0};
	const struct kp_schema_kind *kind;
	uint64_t key = 0;
	unsigned len;

	if (in->get == in->end)
		return false;
	shape.kind = *in->get++;
	kind = &d->schema->kinds[shape.kind];
	len = kp_delta_mask_len(kind);
	if (!kind->known || in->end - in->get < len)
		return false;
	memcpy(&shape.mask, in->get, len);
	in->get += len;
	if (!is_mask_of(kind, shape.mask))
		return false;
	if (kind->key_bit && (!get_varint(in, &key) || key > UINT32_MAX))
		return false;
	shape.key = (uint32_t)key;
	*ret_shape = shape;
	return true;
}

int kp_delta_get_kind(struct kp_delta *d)
{
	struct kp_delta_column *in = &d->columns[KP_DELTA_SHAPES];
	unsigned number = *in->get++;

	if (number < d->shape_cnt) {
		d->shape = d->shapes[number];
		return d->shape.kind;
	}
	if ((number != d->shape_cnt && number != KP_DELTA_SHAPE_ALONE) ||
	    !define_shape(d, in, &d->shape))
		return -1;
	if (number != KP_DELTA_SHAPE_ALONE)
		d->shapes[d->shape_cnt++] = d->shape;
	return d->shape.kind;
}

/* The header's four values, kept in d->hdr. */
static bool get_hdr(struct kp_delta *d)
{
	uint64_t time_ns = d->hdr.time_ns, cpu = d->hdr.cpu, tid = d->next_tid, pid;
	struct kp_delta_column *ids = &d->columns[KP_DELTA_IDS];
	uint64_t mask = d->shape.mask;

	if (!get_time(d, &d->columns[KP_DELTA_TIMES], mask & 1, &time_ns) ||
	    !get_number(ids, mask & 2, &cpu) || !get_number(ids, mask & 8, &tid))
		return false;
	pid = kp_delta_guess_pid(d, (uint32_t)tid);
	if (!get_number(ids, mask & 4, &pid))
		return false;
	d->hdr.time_ns = time_ns;
	d->hdr.cpu = (kp_u16)cpu;
	d->hdr.pid = (kp_u32)pid;
	d->hdr.tid = d->next_tid = (kp_u32)tid;
	if (mask & 4)
		kp_delta_learn_pid(d, d->hdr.tid, d->hdr.pid);
	return true;
}

static bool get_whole(struct kp_delta *d, bool is_there, unsigned char *to)
{
	const unsigned char *from;

	if (!is_there)
		return true;
	from = kp_delta_get_bytes(d, KP_TYPE_BYTES);
	if (from)
		memcpy(to, from, KP_TYPE_BYTES);
	return from;
}

/* The field of the struct at `at`, where the one before stands; its bit is in the mask or not. */
static bool get_field(struct kp_delta *d, const struct kp_schema_field *f, bool is_there,
		      unsigned char *at)
{
	uint64_t value;

	if (kp_type_is_bytes(f->type))
		return get_whole(d, is_there, at + f->offset);
	value = f->is_time ? d->hdr.time_ns : kp_delta_load(at + f->offset, f->type);
	if (!(f->is_time ? get_time(d, &d->columns[KP_DELTA_INSTANTS], is_there, &value)
			 : get_number(&d->columns[KP_DELTA_VALUES], is_there, &value)))
		return false;
	memcpy(at + f->offset, &value, f->len);
	return true;
}

/* A process, which stands before its task. */
static bool get_proc(struct kp_delta *d, const struct kp_schema_field *f, bool is_there,
		     unsigned char *at)
{
	uint32_t tid = (uint32_t)kp_delta_load(at + f[1].offset, KP_T_u32);
	uint64_t pid = kp_delta_guess_pid(d, tid);

	if (!get_number(&d->columns[KP_DELTA_VALUES], is_there, &pid))
		return false;
	if (is_there)
		kp_delta_learn_pid(d, tid, (uint32_t)pid);
	memcpy(at + f->offset, &pid, f->len);
	return true;
}

/* What the mask does not have is as in the event before, but for instants, the key and processes.
 */
static bool get_fields(struct kp_delta *d, const struct kp_schema_kind *kind, unsigned char *at)
{
	const struct kp_schema_field *fields = d->schema->fields + kind->first_field, *f;
	uint64_t mask = d->shape.mask, left;

	if (kind->key_bit) {
		f = &fields[kind->key_bit - KP_SCHEMA_HDR_BITS];
		memcpy(at + f->offset, &d->shape.key, f->len);
	}
	for (left = kp_delta_plain_bits(kind, mask | kind->times); left; left &= left - 1) {
		f = &fields[__builtin_ctzll(left) - KP_SCHEMA_HDR_BITS];
		if (!get_field(d, f, mask & left & (0 - left), at))
			return false;
	}
	for (left = kind->procs; left; left &= left - 1) {
		f = &fields[__builtin_ctzll(left) - KP_SCHEMA_HDR_BITS];
		if (!get_proc(d, f, mask & left & (0 - left), at))
			return false;
	}
	return true;
}

const unsigned char *kp_delta_get(struct kp_delta *d, struct kp_hdr *ret_hdr)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[d->shape.kind];
	unsigned char *at;

	if (!get_hdr(d))
		return NULL;
	at = kp_delta_struct_of(kp_delta_words(d, d->shape.kind, d->shape.key, d->hdr.tid));
	if (!get_fields(d, kind, at))
		return NULL;
	if (kind->next_bit)
		d->next_tid = kp_delta_value_of(d->schema, kind, kind->next_bit, at);
	*ret_hdr = d->hdr;
	return at;
}

const unsigned char *kp_delta_get_bytes(struct kp_delta *d, uint64_t len)
{
	struct kp_delta_column *bytes = &d->columns[KP_DELTA_BYTES];
	const unsigned char *at = bytes->get;

	if (len > (uint64_t)(bytes->end - bytes->get))
		return NULL;
	bytes->get += len;
	return at;
}
