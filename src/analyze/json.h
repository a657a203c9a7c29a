/* SPDX-License-Identifier: MIT
 *
 * A JSON reader (RFC 8259) for input that may be hostile. It makes nothing: a value is a view of
 * the bytes that it consists of, checked once, so that reading a file costs no more memory than the
 * file and each value tells where in it it stands. Numbers stay text until they are asked for, so
 * that 64-bit integers stay exact. Recursion is bounded by KP_JSON_DEPTH_MAX.
 */
#ifndef KP_ANALYZE_JSON_H
#define KP_ANALYZE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

#define KP_JSON_DEPTH_MAX 64

enum kp_json_type {
	KP_JSON_NONE, /* there is no such value */
	KP_JSON_NULL,
	KP_JSON_FALSE,
	KP_JSON_TRUE,
	KP_JSON_NUMBER,
	KP_JSON_STRING,
	KP_JSON_ARRAY,
	KP_JSON_OBJECT,
	KP_JSON_WORD, /* loose only: undefined, Infinity, a date … */
};

/* Valid as long as the text is. text NULL: none. */
struct kp_json {
	const char *text;
	size_t len;
};

enum kp_json_form {
	KP_JSON_STRICT,
	/*
	 * What util.inspect of Node.js prints (console.dir, console.log): names without quotes,
	 * three kinds of quotes, strings added up with +, words, [Object], Map(1) {…}, "... 50 more
	 * items". All that is JSON is this too.
	 */
	KP_JSON_LOOSE,
};

/* Why a text is not JSON. */
struct kp_json_fault {
	size_t at; /* bytes that were good */
	const char *why;
};

/* Whether nothing was wrong but that the text ended. */
bool kp_json_is_cut(const struct kp_json_fault *fault);

/* The value that begins text, behind spaces; false: there is none, *ret_fault says why. */
bool kp_json_read(const char *text, size_t len, enum kp_json_form form, struct kp_json *ret_value,
		  struct kp_json_fault *ret_fault);

enum kp_json_type kp_json_type(struct kp_json value);

/* Steps through the elements of an array or the members of an object; of anything else: none. */
struct kp_json_iter {
	struct kp_json key; /* of a member, with its quotes */
	struct kp_json value;
	const char *at, *end;
	bool keyed;
};
struct kp_json_iter kp_json_each(struct kp_json list);
bool kp_json_next(struct kp_json_iter *iter);

/*
 * Names are compared without regard to case and underscores: traceId, trace_id, TraceID and traceID
 * are one name, since protobuf's JSON has two forms and each SDK its own. The name asked for is
 * given in lower case without underscores.
 */
bool kp_json_is_named(struct kp_json key, const char *name);

/* The member of this name, or none; object may be none or of another type. */
struct kp_json kp_json_get(struct kp_json object, const char *name);

/* The members of n names in one pass; those that are missing or null are none. */
void kp_json_pick(struct kp_json object, const char *const *names, struct kp_json *ret_members,
		  unsigned n);

/* Appends a string's content; false if it is no string. */
bool kp_json_text(struct kp_json value, struct kp_buf *out);

/*
 * A number, or a string that holds one, times 10^decimals, what lies behind the point of that cut
 * off (not allowed with decimals 0). False: not a number, below zero, or above 2^64 - 1.
 */
bool kp_json_u64(struct kp_json value, unsigned decimals, uint64_t *ret_number);

#endif
