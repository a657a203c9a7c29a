/* SPDX-License-Identifier: MIT
 *
 * Spans from OpenTelemetry traces in JSON: one document or JSON lines (what the collector's file
 * exporter writes), plain or gzip. Unknown fields are ignored, as the specification asks; a line
 * that is not JSON is skipped and counted.
 */
#ifndef KP_ANALYZE_OTLP_H
#define KP_ANALYZE_OTLP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct kp_attr {
	const char *key;
	const char *value; /* as text; arrays and maps as compact text */
	const struct kp_attr *next;
};

struct kp_span {
	char trace_id[33]; /* hex, lower case; "" if missing */
	char span_id[17];
	char parent_id[17];
	const char *name; /* never NULL */
	const char *service;
	const char *host;
	uint32_t pid;      /* process.pid of the resource; 0: not given */
	uint32_t kind;     /* 0 unspecified 1 internal 2 server 3 client 4 producer 5 consumer */
	uint32_t status;   /* 0 unset 1 ok 2 error */
	uint64_t start_ns; /* CLOCK_REALTIME */
	uint64_t end_ns;
	const struct kp_attr *attrs;
};

/* Zero-initialised is empty. */
struct kp_traces {
	struct kp_arena arena;
	KP_VEC(struct kp_span) spans;
	uint64_t skipped; /* lines or values that were not OTLP JSON, spans without times */
};

/*
 * Adds the spans of a file. Errors: -errno of opening and reading; -EFBIG above 1 GiB of text;
 * -EBADMSG when it holds no span and is not OTLP JSON.
 */
int kp_traces_read(struct kp_traces *traces, const char *path, struct kp_err *err);

/* The same from memory; name is what an error calls it. */
int kp_traces_parse(struct kp_traces *traces, const char *text, size_t len, const char *name,
		    struct kp_err *err);
void kp_traces_done(struct kp_traces *traces);

/* Value of a span's attribute, or NULL. */
const char *kp_span_attr(const struct kp_span *span, const char *key);

#endif
