/* SPDX-License-Identifier: MIT
 *
 * How the events of a log lie in its decoded blocks, and where each field goes in this program's
 * structs. For a log of the same events.def the two agree; an older or newer one is mapped by the
 * names of kinds and fields.
 */
#ifndef KP_LOG_SCHEMA_H
#define KP_LOG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kprobe/log_format.h"

#define KP_SCHEMA_FIELDS 60  /* most fields of one kind */
#define KP_SCHEMA_WORDS 4096 /* most words of 8 bytes of all kinds' fields together */
#define KP_SCHEMA_HDR_BITS 4 /* of a mask, for the header: time_ns, cpu, pid, tid */
#define KP_NO_GROUP UINT8_MAX
#define KP_NO_PLACE UINT16_MAX /* kp_schema_field.to_offset: this program has no such field */

struct kp_schema_field {
	uint8_t type;       /* enum kp_type in the log */
	uint8_t to_type;    /* and in this program's struct */
	uint8_t len;        /* bytes in the log */
	bool is_time;       /* coded as distance from the event's own time */
	bool is_group;      /* a group by the log's number */
	bool is_proc;       /* coded by the process of the task in the field behind it */
	bool is_task;       /* a tid */
	uint16_t offset;    /* in the log's struct */
	uint16_t to_offset; /* in this program's, or KP_NO_PLACE */
};

struct kp_schema_kind {
	bool known;    /* the log has it */
	bool has_tail; /* its last field is data_len */
	bool is_same;  /* its struct is this program's, byte for byte, and so are its numbers */
	uint8_t field_cnt;
	uint8_t key_bit;     /* of the field that says what the others mean, in a mask; 0: none */
	uint8_t next_bit;    /* of the field that says which task runs from then on; 0: none */
	uint8_t word_cnt;    /* of its struct behind the header */
	uint16_t struct_len; /* in the log */
	uint16_t to_kind;    /* in this program; 0: it has none */
	uint16_t to_struct_len;
	uint16_t first_field;  /* in kp_schema.fields */
	uint16_t first_word;   /* in all kinds' words together, which begin with 1 */
	uint64_t times, procs; /* bits of the fields that are such */
};

struct kp_schema {
	struct kp_schema_kind kinds[KP_LOG_KINDS];
	char **kind_names; /* by number, of those that this program does not have; NULL: none */
	char **group_names;
	uint8_t to_group[KP_LOG_GROUPS]; /* a group of the log in this program, or KP_NO_GROUP */
	struct kp_schema_field *fields;
	uint64_t *word_bits; /* of each word, the bits of the fields in it */
	uint16_t word_cnt;   /* of all kinds, and one before them */
	uint16_t field_cnt;
	uint32_t owner_cnt;  /* that kp_schema_free still has to be called for */
	uint16_t growth_max; /* most bytes by which an event grows when mapped */
	bool is_own;         /* the log's structs are this program's, byte for byte */
};

/*
 * Builds the mapping from the header text of a segment (JSON, not trusted; need not end with NUL).
 * 0, -EBADMSG when the text is not a usable schema, -ENOMEM.
 */
int kp_schema_parse(const char *text, size_t len, struct kp_schema **ret_schema,
		    struct kp_err *err);

/*
 * The same mapping once for two segments: `next` is freed and `before` returned, now with one owner
 * more, if they are alike; else `next` as it is.
 */
struct kp_schema *kp_schema_share(struct kp_schema *before, struct kp_schema *next);

/* Name of a kind or a group that this program does not have; NULL: the log gives it none. */
const char *kp_schema_kind_name(const struct kp_schema *schema, unsigned kind);
const char *kp_schema_group_name(const struct kp_schema *schema, unsigned group);

/* A group of the log in this program, or KP_GROUP_UNKNOWN. */
uint32_t kp_schema_group(const struct kp_schema *schema, uint64_t group);

/* Those kinds of the log's that this program has, in its numbers; *ret_has_others: has it others?
 */
struct kp_set kp_schema_kinds(const struct kp_schema *schema, const struct kp_set *kinds,
			      bool *ret_has_others);

/* The mapping of this program to itself. */
int kp_schema_own(struct kp_schema **ret_schema, struct kp_err *err);

void kp_schema_free(struct kp_schema *schema);

#endif
