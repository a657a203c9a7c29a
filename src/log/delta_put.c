/* SPDX-License-Identifier: MIT
 * Delta coding; see delta.h, and codec.c for the bytes.
 */
#include "log/delta_in.h"

static inline unsigned char *put_varint(unsigned char *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (unsigned char)(value | 0x80);
	*at++ = (unsigned char)value;
	return at;
}

/* Appends the low cnt bits of value, 63 at most; it has no others. */
static inline void put_bits(struct kp_delta *d, uint64_t value, unsigned cnt)
{
	struct kp_delta_column *column = &d->columns[KP_DELTA_BITS];
	unsigned have = (unsigned)d->bit_cnt;

	d->bits |= value << have;
	d->bit_cnt += cnt;
	if (d->bit_cnt < 64)
		return;
	memcpy(column->put, &d->bits, sizeof(d->bits));
	column->put += sizeof(d->bits);
	d->bit_cnt -= 64;
	d->bits = have ? value >> (64 - have) : 0;
}

/* Appends the distance of two times, which is not 0: its sign and size, and what is below its
 * highest bit. */
static inline void put_time(struct kp_delta *d, struct kp_delta_column *column, int64_t distance)
{
	uint64_t value = distance < 0 ? 0 - (uint64_t)distance : (uint64_t)distance;
	unsigned size = 64 - (unsigned)__builtin_clzll(value);

	*column->put++ = (unsigned char)(size | (distance < 0 ? KP_DELTA_NEGATIVE : 0));
	put_bits(d, value & ~(1ull << (size - 1)), size - 1);
}

/* Appends a distance that is not 0. */
static inline void put_number(struct kp_delta_column *column, int64_t distance)
{
	column->put = put_varint(column->put, (uint64_t)distance << 1 ^ (uint64_t)(distance >> 63));
}

static void put_bytes(struct kp_delta *d, const void *data, size_t len)
{
	struct kp_delta_column *bytes = &d->columns[KP_DELTA_BYTES];

	memcpy(bytes->put, data, len);
	bytes->put += len;
}

void kp_delta_begin(struct kp_delta *d, const struct kp_schema *schema)
{
	kp_delta_reset(d, schema);
	for (int i = 0; i < KP_DELTA_COLUMNS; i++)
		d->columns[i].put = d->columns[i].data;
}

/* Number of the shape; KP_DELTA_SHAPE_ALONE when the block has too many. *ret_is_new: it must be
 * defined. */
static inline unsigned find_shape(struct kp_delta *d, const struct kp_delta_shape *shape,
				  bool *ret_is_new)
{
	uint64_t hash = ((shape->mask * 64 + shape->kind) * 512 + shape->key) * 0x9e3779b97f4a7c15u;
	unsigned i = hash >> 54, number;

	for (; (number = d->buckets[i]) != KP_DELTA_SHAPE_ALONE;
	     i = (i + 1) % KP_DELTA_SHAPE_BUCKETS)
		if (d->shapes[number].mask == shape->mask && d->shapes[number].key == shape->key &&
		    d->shapes[number].kind == shape->kind) {
			*ret_is_new = false;
			return number;
		}
	*ret_is_new = true;
	if (d->shape_cnt == KP_DELTA_SHAPE_ALONE)
		return KP_DELTA_SHAPE_ALONE;
	d->buckets[i] = (uint8_t)d->shape_cnt;
	d->shapes[d->shape_cnt] = *shape;
	return d->shape_cnt++;
}

static void put_shape(struct kp_delta *d, const struct kp_delta_shape *shape)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[shape->kind];
	unsigned char *at = d->columns[KP_DELTA_SHAPES].put;
	unsigned len = kp_delta_mask_len(kind);
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

/* The bits of the header's values that are not as predicted. */
static inline uint64_t put_hdr(struct kp_delta *d, const struct kp_hdr *ev)
{
	struct kp_delta_column *ids = &d->columns[KP_DELTA_IDS];
	uint32_t pid = kp_delta_guess_pid(d, ev->tid);
	uint64_t mask = 0;

	if (ev->time_ns != d->hdr.time_ns) {
		put_time(d, &d->columns[KP_DELTA_TIMES], (int64_t)(ev->time_ns - d->hdr.time_ns));
		mask |= 1;
	}
	if (ev->cpu != d->hdr.cpu) {
		put_number(ids, (int16_t)(ev->cpu - d->hdr.cpu));
		mask |= 2;
	}
	if (ev->tid != d->next_tid) {
		put_number(ids, (int32_t)(ev->tid - d->next_tid));
		mask |= 8;
	}
	if (ev->pid != pid) {
		put_number(ids, (int32_t)(ev->pid - pid));
		kp_delta_learn_pid(d, ev->tid, ev->pid);
		mask |= 4;
	}
	d->hdr = *ev;
	d->next_tid = ev->tid;
	return mask;
}

/* The bits of the fields in words that are not as they were. */
static inline uint64_t differing(const uint64_t *word_bits, const void *from, const uint64_t *words,
				 unsigned word_cnt)
{
	const unsigned char *at = from;
	uint64_t bits = 0, word;

	for (unsigned i = 0; i < word_cnt; i++) {
		memcpy(&word, at + i * sizeof(word), sizeof(word));
		bits |= word != words[i] ? word_bits[i] : 0;
	}
	return bits;
}

static bool put_whole(struct kp_delta *d, const unsigned char *value, const unsigned char *last)
{
	if (!memcmp(value, last, KP_TYPE_BYTES))
		return false;
	put_bytes(d, value, KP_TYPE_BYTES);
	return true;
}

/* Appends a field of the struct at `at` unless it is as predicted. last: the struct before. */
static inline bool put_field(struct kp_delta *d, const struct kp_schema_field *f,
			     const unsigned char *at, const unsigned char *last)
{
	unsigned unused = kp_delta_unused_bits(f);
	uint64_t value, prediction;
	int64_t distance;

	if (kp_type_is_bytes(f->type))
		return put_whole(d, at + f->offset, last + f->offset);
	value = kp_delta_load_top(at, f) >> unused;
	prediction = f->is_time ? d->hdr.time_ns : kp_delta_load_top(last, f) >> unused;
	distance = (int64_t)((value - prediction) << unused) >> unused;
	if (!distance)
		return false;
	if (f->is_time)
		put_time(d, &d->columns[KP_DELTA_INSTANTS], distance);
	else
		put_number(&d->columns[KP_DELTA_VALUES], distance);
	return true;
}

/* The same for a process, which stands before its task. */
static inline bool put_proc(struct kp_delta *d, const struct kp_schema_field *f,
			    const unsigned char *at)
{
	uint32_t pid = (uint32_t)kp_delta_load(at + f->offset, KP_T_u32);
	uint32_t tid = (uint32_t)kp_delta_load(at + f[1].offset, KP_T_u32);
	uint32_t guess = kp_delta_guess_pid(d, tid);

	if (pid == guess)
		return false;
	put_number(&d->columns[KP_DELTA_VALUES], (int32_t)(pid - guess));
	kp_delta_learn_pid(d, tid, pid);
	return true;
}

static inline uint64_t put_fields(struct kp_delta *d, const struct kp_schema_kind *kind,
				  const struct kp_hdr *ev, uint64_t *words)
{
	const struct kp_schema_field *fields = d->schema->fields + kind->first_field;
	const unsigned char *at = (const unsigned char *)ev, *last = kp_delta_struct_of(words);
	uint64_t mask = 0, left;
	unsigned bit;

	left = differing(d->schema->word_bits + kind->first_word, ev + 1, words, kind->word_cnt);
	for (left = kp_delta_plain_bits(kind, left | kind->times); left; left &= left - 1) {
		bit = (unsigned)__builtin_ctzll(left);
		if (put_field(d, &fields[bit - KP_SCHEMA_HDR_BITS], at, last))
			mask |= 1ull << bit;
	}
	for (left = kind->procs; left; left &= left - 1) {
		bit = (unsigned)__builtin_ctzll(left);
		if (put_proc(d, &fields[bit - KP_SCHEMA_HDR_BITS], at))
			mask |= 1ull << bit;
	}
	/* By bytes: a copy of words becomes an instruction that is slow to start. */
	memcpy(words, ev + 1, kind->struct_len - sizeof(*ev));
	return mask;
}

void kp_delta_put(struct kp_delta *d, const struct kp_hdr *ev)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[ev->kind];
	struct kp_delta_shape shape = {
		.kind = (uint8_t)ev->kind,
		.key = kp_delta_value_of(d->schema, kind, kind->key_bit, ev)};

	shape.mask = put_hdr(d, ev);
	shape.mask |= put_fields(d, kind, ev, kp_delta_words(d, ev->kind, shape.key, ev->tid));
	put_shape(d, &shape);
	if (kind->next_bit)
		d->next_tid = kp_delta_value_of(d->schema, kind, kind->next_bit, ev);
	/* data_len is the last field. */
	if (kind->has_tail)
		put_bytes(
			d, (const char *)ev + kind->struct_len,
			kp_delta_load((const unsigned char *)ev + kind->struct_len - 4, KP_T_u32));
}

/* The bits that make no word. */
static void end_bits(struct kp_delta *d)
{
	struct kp_delta_column *column = &d->columns[KP_DELTA_BITS];

	memcpy(column->put, &d->bits, sizeof(d->bits));
	column->put += (d->bit_cnt + 7) / 8;
	d->bits = d->bit_cnt = 0;
}

size_t kp_delta_len(struct kp_delta *d)
{
	unsigned char *at = d->lens;
	size_t len = 0;

	end_bits(d);
	for (int i = 0; i < KP_DELTA_COLUMNS; i++) {
		at = put_varint(at, (uint64_t)(d->columns[i].put - d->columns[i].data));
		len += (size_t)(d->columns[i].put - d->columns[i].data);
	}
	d->lens_len = (size_t)(at - d->lens);
	return d->lens_len + len;
}

const void *kp_delta_part(const struct kp_delta *d, unsigned part, size_t *ret_len)
{
	const struct kp_delta_column *column;

	if (!part) {
		*ret_len = d->lens_len;
		return d->lens;
	}
	column = &d->columns[part - 1];
	*ret_len = (size_t)(column->put - column->data);
	return column->data;
}
