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

/* So many contexts a block has at most, and so many words all of them. */
#define CONTEXTS 512u
#define CONTEXT_WORDS 8192u
#define CONTEXT_BUCKETS 2048u /* each context, and the last of each kind and key */

#define PROCS 1024u /* tasks whose process is remembered */

#define NEGATIVE 128u /* of a size */

/* Kind, key and mask of an event. */
struct shape {
	uint64_t mask;
	uint32_t key;
	uint8_t kind;
};

/* The last event of a kind, a key and a task; or, for any task, the context that was begun last. */
struct context {
	uint32_t key;
	uint32_t tid;
	uint16_t word;
	uint8_t kind;
	bool is_used, is_any;
};

struct proc {
	uint32_t tid, pid;
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
	uint64_t bits;    /* encoding: the last bits, bit_cnt of them, that make no word yet; … */
	uint64_t bit_cnt; /* … decoding: how many were read */
	struct kp_hdr hdr;  /* of the event before */
	uint32_t next_tid;  /* the task that runs on behind it */
	struct shape shape; /* decoding: of the next event */
	unsigned shape_cnt;
	struct shape shapes[SHAPE_ALONE];
	uint8_t buckets[SHAPE_BUCKETS]; /* number of a shape by its hash; SHAPE_ALONE: free */
	struct proc procs[PROCS];       /* by tid */
	unsigned context_cnt, word_cnt; /* used */
	struct context contexts[CONTEXT_BUCKETS];
	uint64_t words[KP_SCHEMA_WORDS + CONTEXT_WORDS]; /* the first one is nobody's */
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
	d->next_tid = 0;
	d->bits = d->bit_cnt = 0;
	d->shape_cnt = 0;
	memset(d->buckets, SHAPE_ALONE, sizeof(d->buckets));
	memset(d->procs, 0, sizeof(d->procs));
	memset(d->contexts, 0, sizeof(d->contexts));
	memset(d->words, 0, schema->word_cnt * sizeof(d->words[0]));
	d->context_cnt = 0;
	d->word_cnt = schema->word_cnt;
}

/* --- predictions --- */

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
	unsigned word_cnt = d->schema->kinds[kind].word_cnt;
	uint64_t *words = d->words + d->word_cnt;
	struct context *last;

	*c = (struct context){.kind = (uint8_t)kind,
			      .key = key,
			      .tid = tid,
			      .word = (uint16_t)d->word_cnt,
			      .is_used = true};
	last = find_context(d, kind, key, 0, true);
	if (last->is_used)
		memcpy(words, d->words + last->word, word_cnt * sizeof(*words));
	else
		memset(words, 0, word_cnt * sizeof(*words));
	*last = *c;
	last->tid = 0;
	last->is_any = true;
	d->context_cnt++;
	d->word_cnt += word_cnt;
	return words;
}

/* What stood behind the header of the event that predicts one. */
static uint64_t *words_of(struct kp_delta *d, unsigned number, uint32_t key, uint32_t tid)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[number];
	struct context *c;

	if (!kind->word_cnt)
		return d->words;
	c = find_context(d, number, key, tid, false);
	if (c->is_used)
		return d->words + c->word;
	if (d->context_cnt == CONTEXTS ||
	    d->word_cnt + kind->word_cnt > KP_SCHEMA_WORDS + CONTEXT_WORDS)
		return d->words + kind->first_word;
	return add_context(d, c, number, key, tid);
}

static inline struct proc *proc_of(struct kp_delta *d, uint32_t tid)
{
	return &d->procs[tid % PROCS];
}

/* The process of a task, as far as the block has told; a task without others is its process. */
static inline uint32_t guess_pid(struct kp_delta *d, uint32_t tid)
{
	const struct proc *proc = proc_of(d, tid);

	return proc->tid == tid && tid ? proc->pid : tid;
}

static inline void learn_pid(struct kp_delta *d, uint32_t tid, uint32_t pid)
{
	*proc_of(d, tid) = (struct proc){tid, pid};
}

/*
 * The bytes of a field at the top of a word, below them those before the field. The struct, whose
 * fields lie behind a header, begins at `at`.
 */
static inline uint64_t load_top(const unsigned char *at, const struct kp_schema_field *f)
{
	uint64_t word;

	memcpy(&word, at + f->offset + f->len - sizeof(word), sizeof(word));
	return word;
}

/* Where a struct would begin whose fields are in these words. */
static inline unsigned char *struct_of(uint64_t *words)
{
	return (unsigned char *)words - sizeof(struct kp_hdr);
}

static inline unsigned unused_bits(const struct kp_schema_field *f)
{
	return 64 - 8 * f->len;
}

/* Those bits that are not of the header, of the key or of processes. */
static inline uint64_t plain_bits(const struct kp_schema_kind *kind, uint64_t bits)
{
	uint64_t others = kind->procs | ((1ull << KP_SCHEMA_HDR_BITS) - 1);

	return bits & ~(others | (kind->key_bit ? 1ull << kind->key_bit : 0));
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

/* Appends the low cnt bits of value, 63 at most; it has no others. */
static inline void put_bits(struct kp_delta *d, uint64_t value, unsigned cnt)
{
	struct column *column = &d->columns[KP_DELTA_BITS];
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
static inline void put_time(struct kp_delta *d, struct column *column, int64_t distance)
{
	uint64_t value = distance < 0 ? 0 - (uint64_t)distance : (uint64_t)distance;
	unsigned size = 64 - (unsigned)__builtin_clzll(value);

	*column->put++ = (unsigned char)(size | (distance < 0 ? NEGATIVE : 0));
	put_bits(d, value & ~(1ull << (size - 1)), size - 1);
}

/* Appends a distance that is not 0. */
static inline void put_number(struct column *column, int64_t distance)
{
	column->put = put_varint(column->put, (uint64_t)distance << 1 ^ (uint64_t)(distance >> 63));
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
static inline unsigned find_shape(struct kp_delta *d, const struct shape *shape, bool *ret_is_new)
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

/* The bits of the header's values that are not as predicted. */
static inline uint64_t put_hdr(struct kp_delta *d, const struct kp_hdr *ev)
{
	struct column *ids = &d->columns[KP_DELTA_IDS];
	uint32_t pid = guess_pid(d, ev->tid);
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
		learn_pid(d, ev->tid, ev->pid);
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

static bool put_name(struct kp_delta *d, const unsigned char *value, const unsigned char *last)
{
	if (!memcmp(value, last, KP_COMM_LEN))
		return false;
	put_bytes(d, value, KP_COMM_LEN);
	return true;
}

/* Appends a field of the struct at `at` unless it is as predicted. last: the struct before. */
static inline bool put_field(struct kp_delta *d, const struct kp_schema_field *f,
			     const unsigned char *at, const unsigned char *last)
{
	unsigned unused = unused_bits(f);
	uint64_t value, prediction;
	int64_t distance;

	if (f->type == KP_T_comm)
		return put_name(d, at + f->offset, last + f->offset);
	value = load_top(at, f) >> unused;
	prediction = f->is_time ? d->hdr.time_ns : load_top(last, f) >> unused;
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
	uint32_t guess = guess_pid(d, tid);

	if (pid == guess)
		return false;
	put_number(&d->columns[KP_DELTA_VALUES], (int32_t)(pid - guess));
	learn_pid(d, tid, pid);
	return true;
}

static inline uint64_t put_fields(struct kp_delta *d, const struct kp_schema_kind *kind,
				  const struct kp_hdr *ev, uint64_t *words)
{
	const struct kp_schema_field *fields = d->schema->fields + kind->first_field;
	const unsigned char *at = (const unsigned char *)ev, *last = struct_of(words);
	uint64_t mask = 0, left;
	unsigned bit;

	left = differing(d->schema->word_bits + kind->first_word, ev + 1, words, kind->word_cnt);
	for (left = plain_bits(kind, left | kind->times); left; left &= left - 1) {
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

/* The value of the field with this bit, if the kind has it. */
static inline uint32_t value_of(const struct kp_schema *schema, const struct kp_schema_kind *kind,
				unsigned bit, const void *at)
{
	const struct kp_schema_field *f;

	if (!bit)
		return 0;
	f = &schema->fields[kind->first_field + bit - KP_SCHEMA_HDR_BITS];
	return (uint32_t)kp_delta_load((const unsigned char *)at + f->offset, f->type);
}

void kp_delta_put(struct kp_delta *d, const struct kp_hdr *ev)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[ev->kind];
	struct shape shape = {.kind = (uint8_t)ev->kind,
			      .key = value_of(d->schema, kind, kind->key_bit, ev)};

	shape.mask = put_hdr(d, ev);
	shape.mask |= put_fields(d, kind, ev, words_of(d, ev->kind, shape.key, ev->tid));
	put_shape(d, &shape);
	if (kind->next_bit)
		d->next_tid = value_of(d->schema, kind, kind->next_bit, ev);
	/* data_len is the last field. */
	if (kind->has_tail)
		put_bytes(
			d, (const char *)ev + kind->struct_len,
			kp_delta_load((const unsigned char *)ev + kind->struct_len - 4, KP_T_u32));
}

/* The bits that make no word. */
static void end_bits(struct kp_delta *d)
{
	struct column *column = &d->columns[KP_DELTA_BITS];

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

/* Adds the next distance to *value if it is there. */
static inline bool get_number(struct column *in, bool is_there, uint64_t *value)
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
	const struct column *in = &d->columns[KP_DELTA_BITS];
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
static inline bool get_time(struct kp_delta *d, struct column *in, bool is_there, uint64_t *value)
{
	uint64_t distance;
	unsigned size;

	if (!is_there)
		return true;
	if (in->get == in->end)
		return false;
	size = *in->get & (NEGATIVE - 1);
	if (!size || size > 64 || !get_bits(d, size - 1, &distance))
		return false;
	distance |= 1ull << (size - 1);
	*value += *in->get++ & NEGATIVE ? 0 - distance : distance;
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
	const struct column *bits = &d->columns[KP_DELTA_BITS];

	for (int i = 0; i < KP_DELTA_COLUMNS; i++)
		if (i != KP_DELTA_BITS && d->columns[i].get < d->columns[i].end)
			return false;
	return (d->bit_cnt + 7) / 8 == (uint64_t)(bits->end - bits->get);
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
static bool get_hdr(struct kp_delta *d)
{
	uint64_t time_ns = d->hdr.time_ns, cpu = d->hdr.cpu, tid = d->next_tid, pid;
	struct column *ids = &d->columns[KP_DELTA_IDS];
	uint64_t mask = d->shape.mask;

	if (!get_time(d, &d->columns[KP_DELTA_TIMES], mask & 1, &time_ns) ||
	    !get_number(ids, mask & 2, &cpu) || !get_number(ids, mask & 8, &tid))
		return false;
	pid = guess_pid(d, (uint32_t)tid);
	if (!get_number(ids, mask & 4, &pid))
		return false;
	d->hdr.time_ns = time_ns;
	d->hdr.cpu = (kp_u16)cpu;
	d->hdr.pid = (kp_u32)pid;
	d->hdr.tid = d->next_tid = (kp_u32)tid;
	if (mask & 4)
		learn_pid(d, d->hdr.tid, d->hdr.pid);
	return true;
}

static bool get_name(struct kp_delta *d, bool is_there, unsigned char *to)
{
	const unsigned char *from;

	if (!is_there)
		return true;
	from = kp_delta_get_bytes(d, KP_COMM_LEN);
	if (from)
		memcpy(to, from, KP_COMM_LEN);
	return from;
}

/* The field of the struct at `at`, where the one before stands; its bit is in the mask or not. */
static bool get_field(struct kp_delta *d, const struct kp_schema_field *f, bool is_there,
		      unsigned char *at)
{
	uint64_t value;

	if (f->type == KP_T_comm)
		return get_name(d, is_there, at + f->offset);
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
	uint64_t pid = guess_pid(d, tid);

	if (!get_number(&d->columns[KP_DELTA_VALUES], is_there, &pid))
		return false;
	if (is_there)
		learn_pid(d, tid, (uint32_t)pid);
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
	for (left = plain_bits(kind, mask | kind->times); left; left &= left - 1) {
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
	at = struct_of(words_of(d, d->shape.kind, d->shape.key, d->hdr.tid));
	if (!get_fields(d, kind, at))
		return NULL;
	if (kind->next_bit)
		d->next_tid = value_of(d->schema, kind, kind->next_bit, at);
	*ret_hdr = d->hdr;
	return at;
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
