/* SPDX-License-Identifier: MIT
 *
 * What events.def says, as data: descriptors of kinds and fields, and what is generated from them:
 * validation, printing, the SQLite DDL, the schema in a log's header.
 */
#ifndef KP_EVENT_EVENT_H
#define KP_EVENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "kprobe/event.h"

enum kp_type { KP_T_u8, KP_T_u16, KP_T_u32, KP_T_u64, KP_T_s32, KP_T_s64, KP_T_comm, KP_T_addr };

/* The types that are no numbers, all of this length. */
#define KP_TYPE_BYTES 16
_Static_assert(KP_COMM_LEN == KP_TYPE_BYTES && KP_ADDR_LEN == KP_TYPE_BYTES, "one length");
static inline bool kp_type_is_bytes(uint8_t type)
{
	return type == KP_T_comm || type == KP_T_addr;
}

enum kp_ref {
	KP_REF_NONE,
	KP_REF_TASK,
	KP_REF_NEXT,
	KP_REF_PROC,
	KP_REF_FILE,
	KP_REF_SOCK,
	KP_REF_CPU,
	KP_REF_RQ,
	KP_REF_ADDR
};

enum kp_format {
	KP_F_DEC,
	KP_F_HEX,
	KP_F_NS,
	KP_F_TIME,
	KP_F_BYTES,
	KP_F_IP,
	KP_F_PORT,
	KP_F_SIG,
	KP_F_ERR,
	KP_F_SYSNR,
	KP_F_OBJ,
	KP_F_STATE,
	KP_F_TCPSTATE,
	KP_F_CTX,
	KP_F_COMM,
	KP_F_GROUP,
	KP_F_SOCK,
	KP_F_RETRANSMIT,
	KP_F_DROP,
	KP_F_RESET
};

enum kp_tail { KP_TAIL_NONE, KP_TAIL_STR, KP_TAIL_ARGV, KP_TAIL_BYTES };

struct kp_field {
	const char *name;
	const char *doc;
	uint16_t offset; /* in the struct */
	uint8_t type;    /* enum kp_type */
	uint8_t len;     /* bytes */
	uint8_t ref;     /* enum kp_ref */
	uint8_t format;  /* enum kp_format */
};

struct kp_event_desc {
	const char *name;
	const char *doc;
	uint16_t kind;
	uint16_t struct_len; /* fixed part with header */
	uint8_t group;
	uint8_t tail; /* enum kp_tail */
	uint8_t field_cnt;
	const struct kp_field *fields; /* without the header's */
	uint8_t comm_cnt;              /* of these, names */
};

/* Descriptor of a kind, or NULL. */
const struct kp_event_desc *kp_event_get(unsigned kind);
const struct kp_event_desc *kp_event_find(const char *name);
const char *kp_group_name(unsigned group); /* NULL if there is none */
int kp_group_find(const char *name);       /* number, or -ENOENT */
const char *kp_tier_name(unsigned tier);   /* NULL if there is none */
const char *kp_tier_text(unsigned tier);   /* what it has; NULL: all, or there is none */

/* Value of an integer field, sign-extended to 64 bits; 0 of another. */
uint64_t kp_event_value(const struct kp_hdr *event, const struct kp_field *field);

/* Number of the socket that the event names, which a `socket` event tells; 0: none. */
uint64_t kp_event_sock(const struct kp_hdr *event);

/* The reason that the event has, and of what it is one (enum kp_reason_of); false: it has none. */
bool kp_event_reason(const struct kp_hdr *event, unsigned *ret_what, uint32_t *ret_number);

/* data_len of an event with a tail; 0 for one without. */
uint32_t kp_event_data_len(const struct kp_hdr *event);

/*
 * Whether avail bytes at event hold one valid event: known kind, size within avail and fitting the
 * kind and its data_len, comm fields and padding in order. 0, or -EBADMSG with err set.
 */
int kp_event_validate(const void *event, size_t avail, struct kp_err *err);

struct kp_call_texts; /* event/syscall.h */
struct kp_origin;     /* event/origin.h */

/* How events print, and what is known besides. Zero-initialised: all as the event has it. */
struct kp_print {
	uint64_t base_ns; /* text: times are seconds since then, … */
	/* … or what this makes of them, if it is not NULL; JSON then has its text as "time". */
	void (*time)(uint64_t time_ns, void *arg, struct kp_buf *out);
	void *arg;
	const char *comm; /* name of the header's task, KP_COMM_LEN bytes; NULL: not known */
	const struct kp_origin *origin;    /* of its process; NULL: not known */
	const struct kp_ev_socket *sock;   /* the event's socket; NULL: not known */
	const char *reason;                /* name of the event's reason; NULL: not known */
	const struct kp_call_texts *texts; /* of a system call; NULL: none is known */
};

/* One line of text without newline. */
void kp_event_print_text(const struct kp_hdr *event, const struct kp_print *how,
			 struct kp_buf *out);

/*
 * One JSON object: every header field and field by name as numbers (kind and addresses as text, and
 * behind a system call's nr its name as "call"), without the arguments that the call does not have;
 * "reason_name" is that of a reason, "task" the name of the header's task, "exe" its process's
 * program, "origin" the container or pod in which it runs, "argN_text" the text to which an
 * argument points; behind the number of a socket stand the ends and inodes of that socket, as far
 * as the event has no such fields itself. data is a string, an array of strings for ARGV, or base64
 * for bytes.
 */
void kp_event_print_json(const struct kp_hdr *event, const struct kp_print *how,
			 struct kp_buf *out);

/* Names of the groups as a JSON array, by number, for a log's header. */
void kp_event_print_groups(struct kp_buf *out);

/* CREATE TABLE statements, one table ev_<name> per kind. */
void kp_event_print_ddl(struct kp_buf *out);

/*
 * The schema as a JSON array, for a log's header: per kind an object with kind, name, tail and
 * fields, each field an array of name, type and, if its numbers are instants or groups or say what
 * the other fields mean, "TIME", "GROUP" or "KEY".
 */
void kp_event_print_schema(struct kp_buf *out);

#endif
