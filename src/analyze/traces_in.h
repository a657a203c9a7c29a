/* SPDX-License-Identifier: MIT
 *
 * Within the reading of traces: what the readers of the formats (otlp.c, spans.c) are given, and
 * how they hand over what they found. Errors that end the reading are kept in `code`.
 */
#ifndef KP_ANALYZE_TRACES_IN_H
#define KP_ANALYZE_TRACES_IN_H

#include "analyze/json.h"
#include "analyze/traces.h"

struct kp_trace_in {
	struct kp_traces *traces;
	const char *name; /* the file's */
	const char *text; /* all of it, for places */
	size_t len;
	size_t kept_max; /* bytes that its spans may take */
	size_t tried;    /* bytes read of what turned out not to be JSON */
	uint64_t known;  /* values of a known format */
	int depth;       /* of values within values */
	bool cut;        /* a value was met that the text's end cuts off */
	int code;        /* 0, -ENOMEM, or -EFBIG */
	struct kp_buf scratch;
	struct kp_json resource;      /* as it stood … */
	const struct kp_resource *by; /* … and as it was read last */
};

/* A span as a format's reader finds it. */
struct kp_span_in {
	struct kp_json self;
	struct kp_json trace_id, span_id, parent_id, name, attrs;
	bool has_start, has_end;
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME */
	uint8_t kind, status;
	const struct kp_resource *by;
};

/* --- spans.c: into the store --- */

/* Counts a fault; at: where in the text it stands. */
void kp_trace_fault(struct kp_trace_in *in, enum kp_trace_fault fault, const char *at,
		    const char *detail);

/* Checks a span and adds it, or counts why not. */
void kp_trace_add(struct kp_trace_in *in, const struct kp_span_in *span);

/*
 * The process that a list of attributes describes: an array of {key, value}, or an object; service:
 * its name, if that stands elsewhere. NULL: in->code is set.
 */
const struct kp_resource *kp_trace_resource(struct kp_trace_in *in, struct kp_json attrs,
					    struct kp_json service);

/* An enum as a number, moved up by `first`, or by the end of a name: SPAN_KIND_SERVER, server. */
uint8_t kp_trace_kind(struct kp_json value, unsigned first);
uint8_t kp_trace_status(struct kp_json value);

/* A time as RFC 3339 text. */
bool kp_trace_time(struct kp_trace_in *in, struct kp_json value, uint64_t *ret_realtime_ns);

/* --- formats: each reads one value that its row in traces.c recognised --- */

void kp_trace_read_request(struct kp_trace_in *in, struct kp_json request);
void kp_trace_read_resource_spans(struct kp_trace_in *in, struct kp_json value);
void kp_trace_read_span(struct kp_trace_in *in, struct kp_json span);
void kp_trace_read_jaeger(struct kp_trace_in *in, struct kp_json trace);
void kp_trace_read_python(struct kp_trace_in *in, struct kp_json span);
void kp_trace_read_js(struct kp_trace_in *in, struct kp_json span);
void kp_trace_read_go(struct kp_trace_in *in, struct kp_json span);

#endif
