/* SPDX-License-Identifier: MIT
 *
 * Ids of traces (16 bytes) and spans (8): as exporters write them, and as people ask for them. Here
 * an id is always hexadecimal, in lower case, with its leading zeros; "" is none.
 */
#ifndef KP_ANALYZE_IDS_H
#define KP_ANALYZE_IDS_H

#include <stdbool.h>
#include <stddef.h>

#define KP_TRACE_ID_BYTES 16
#define KP_SPAN_ID_BYTES 8

enum kp_id_form {
	KP_ID_NONE,  /* empty, or nothing but zeros, which is no id */
	KP_ID_WHOLE, /* all its hexadecimal digits, or the bytes in base64 */
	KP_ID_SHORT, /* fewer digits: leading zeros were left out, or it is of 64 bits */
	KP_ID_BAD,
};

/*
 * Hexadecimal in either case, with or without 0x and leading zeros, or base64 (protobuf's default
 * in JSON). ret_hex has room for 2 * bytes + 1; it is "" unless the form is WHOLE or SHORT.
 */
enum kp_id_form kp_id_read(const char *text, size_t len, unsigned bytes, char *ret_hex);

/* An id as it was asked for. */
struct kp_id_asked {
	char hex[2 * KP_TRACE_ID_BYTES + 1];   /* the whole id, if it is one */
	char begin[2 * KP_TRACE_ID_BYTES + 1]; /* digits as they were given; "" if it was no hex */
	char span[2 * KP_SPAN_ID_BYTES + 1];   /* of a traceparent; "" otherwise */
};

/* Also takes a traceparent (W3C Trace Context: 00-TRACE-SPAN-FLAGS) for a trace's id. */
bool kp_id_ask(const char *text, unsigned bytes, struct kp_id_asked *ret_asked);

enum kp_id_fit {
	KP_ID_OTHER,
	KP_ID_BEGINS, /* it begins with the digits asked for, its leading zeros counted or not */
	KP_ID_SAME,
};

enum kp_id_fit kp_id_fits(const char *id, const struct kp_id_asked *asked);

#endif
