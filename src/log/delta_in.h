/* SPDX-License-Identifier: MIT
 *
 * What both directions of delta coding share: the state of a block, and how its events are
 * predicted.
 */
#ifndef KP_LOG_DELTA_IN_H
#define KP_LOG_DELTA_IN_H

#include "kprobe/log_format.h"
#include "log/delta.h"

#define KP_DELTA_COLUMN_LEN_MAX 5u /* bytes of a column's length */

#define KP_DELTA_SHAPE_ALONE 255u /* number of a shape that is not kept */
#define KP_DELTA_SHAPE_BUCKETS 1024u

/* So many contexts a block has at most, and so many words all of them. */
#define KP_DELTA_CONTEXTS 512u
#define KP_DELTA_CONTEXT_WORDS 8192u
#define KP_DELTA_CONTEXT_BUCKETS 2048u /* each context, and the last of each kind and key */

#define KP_DELTA_PROCS 1024u /* tasks whose process is remembered */

#define KP_DELTA_NEGATIVE 128u /* of a size */

/* Kind, key and mask of an event. */
struct kp_delta_shape {
	uint64_t mask;
	uint32_t key;
	uint8_t kind;
};

/* The last event of a kind, a key and a task; or, for any task, the context that was begun last. */
struct kp_delta_context {
	uint32_t key;
	uint32_t tid;
	uint16_t word;
	uint8_t kind;
	bool is_used, is_any;
};

struct kp_delta_proc {
	uint32_t tid, pid;
};

struct kp_delta_column {
	unsigned char *data;      /* encoding: KP_DELTA_MAX(KP_BLOCK_RAW_MAX) */
	const unsigned char *end; /* decoding */
	union {
		unsigned char *put;
		const unsigned char *get;
	};
};

struct kp_delta {
	const struct kp_schema *schema;
	struct kp_delta_column columns[KP_DELTA_COLUMNS];
	unsigned char lens[KP_DELTA_COLUMNS * KP_DELTA_COLUMN_LEN_MAX];
	size_t lens_len;
	uint64_t bits;    /* encoding: the last bits, bit_cnt of them, that make no word yet; … */
	uint64_t bit_cnt; /* … decoding: how many were read */
	struct kp_hdr hdr;           /* of the event before */
	uint32_t next_tid;           /* the task that runs on behind it */
	struct kp_delta_shape shape; /* decoding: of the next event */
	unsigned shape_cnt;
	struct kp_delta_shape shapes[KP_DELTA_SHAPE_ALONE];
	uint8_t buckets[KP_DELTA_SHAPE_BUCKETS];    /* number of a shape by its hash;
						       KP_DELTA_SHAPE_ALONE: free */
	struct kp_delta_proc procs[KP_DELTA_PROCS]; /* by tid */
	unsigned context_cnt, word_cnt;             /* used */
	struct kp_delta_context contexts[KP_DELTA_CONTEXT_BUCKETS];
	uint64_t words[KP_SCHEMA_WORDS + KP_DELTA_CONTEXT_WORDS]; /* the first one is nobody's */
};

/* Begins a block. */
void kp_delta_reset(struct kp_delta *delta, const struct kp_schema *schema);

/* What stood behind the header of the event that predicts one. */
uint64_t *kp_delta_words(struct kp_delta *delta, unsigned number, uint32_t key, uint32_t tid);

static inline struct kp_delta_proc *kp_delta_proc_of(struct kp_delta *d, uint32_t tid)
{
	return &d->procs[tid % KP_DELTA_PROCS];
}

/* The process of a task, as far as the block has told; a task without others is its process. */
static inline uint32_t kp_delta_guess_pid(struct kp_delta *d, uint32_t tid)
{
	const struct kp_delta_proc *proc = kp_delta_proc_of(d, tid);

	return proc->tid == tid && tid ? proc->pid : tid;
}

static inline void kp_delta_learn_pid(struct kp_delta *d, uint32_t tid, uint32_t pid)
{
	*kp_delta_proc_of(d, tid) = (struct kp_delta_proc){tid, pid};
}

/*
 * The bytes of a field at the top of a word, below them those before the field. The struct, whose
 * fields lie behind a header, begins at `at`.
 */
static inline uint64_t kp_delta_load_top(const unsigned char *at, const struct kp_schema_field *f)
{
	uint64_t word;

	memcpy(&word, at + f->offset + f->len - sizeof(word), sizeof(word));
	return word;
}

/* Where a struct would begin whose fields are in these words. */
static inline unsigned char *kp_delta_struct_of(uint64_t *words)
{
	return (unsigned char *)words - sizeof(struct kp_hdr);
}

static inline unsigned kp_delta_unused_bits(const struct kp_schema_field *f)
{
	return 64 - 8 * f->len;
}

/* Those bits that are not of the header, of the key or of processes. */
static inline uint64_t kp_delta_plain_bits(const struct kp_schema_kind *kind, uint64_t bits)
{
	uint64_t others = kind->procs | ((1ull << KP_SCHEMA_HDR_BITS) - 1);

	return bits & ~(others | (kind->key_bit ? 1ull << kind->key_bit : 0));
}

static inline unsigned kp_delta_mask_len(const struct kp_schema_kind *kind)
{
	return (KP_SCHEMA_HDR_BITS + kind->field_cnt + 7u) / 8;
}

/* The value of the field with this bit, if the kind has it. */
static inline uint32_t kp_delta_value_of(const struct kp_schema *schema,
					 const struct kp_schema_kind *kind, unsigned bit,
					 const void *at)
{
	const struct kp_schema_field *f;

	if (!bit)
		return 0;
	f = &schema->fields[kind->first_field + bit - KP_SCHEMA_HDR_BITS];
	return (uint32_t)kp_delta_load((const unsigned char *)at + f->offset, f->type);
}

#endif
