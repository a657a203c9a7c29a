/* SPDX-License-Identifier: MIT
 *
 * A JSON reader (RFC 8259) for input that may be hostile: bounded depth, no recursion beyond it,
 * numbers kept as their text so that 64-bit integers stay exact. Everything lives in the arena.
 */
#ifndef KP_ANALYZE_JSON_H
#define KP_ANALYZE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define KP_JSON_DEPTH_MAX 64

enum kp_json_type {
	KP_JSON_NULL,
	KP_JSON_FALSE,
	KP_JSON_TRUE,
	KP_JSON_NUMBER,
	KP_JSON_STRING,
	KP_JSON_ARRAY,
	KP_JSON_OBJECT,
};

struct kp_json {
	enum kp_json_type type;
	const char *key;       /* of a member of an object, else NULL */
	const char *text;      /* NUL-terminated: a string's content, a number as it stands */
	size_t len;            /* of text */
	struct kp_json *child; /* first of an array's or object's */
	struct kp_json *next;
};

/*
 * Reads one value from text, spaces before it skipped. Sets *ret_used to the bytes consumed.
 * Returns 1 and the value, 0 if there was nothing but spaces, -EBADMSG (err says at which byte), or
 * -ENOMEM.
 */
int kp_json_read(struct kp_arena *arena, const char *text, size_t len, size_t *ret_used,
		 struct kp_json **ret_value, struct kp_err *err);

/* The member with this name, or NULL; object may be NULL or of another type. */
const struct kp_json *kp_json_get(const struct kp_json *object, const char *key);

/* A string's text; NULL for anything else. */
const char *kp_json_string(const struct kp_json *value);

/* An unsigned integer as number or string; false if it is none or does not fit. */
bool kp_json_u64(const struct kp_json *value, uint64_t *ret_number);

#endif
