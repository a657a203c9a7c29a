/* SPDX-License-Identifier: MIT
 *
 * Spans out of a file of traces, in whichever of the known formats it is (traces.c has their
 * table), plain or gzip. What is not understood or cannot be used is left out, counted by reason
 * and told with its place: a span that is not found may be among it.
 */
#ifndef KP_ANALYZE_TRACES_H
#define KP_ANALYZE_TRACES_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/ids.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

struct kp_attr {
	const char *key;
	const char *value; /* as text; arrays and maps as compact text */
	const struct kp_attr *next;
};

#define KP_PROGRAM_NAMES 3

/* The process that made spans. Texts are never NULL; "" is not given. */
struct kp_resource {
	const char *service;                    /* service.name */
	const char *host;                       /* host.name */
	const char *sdk;                        /* telemetry.sdk.language */
	const char *programs[KP_PROGRAM_NAMES]; /* names that its program may have, without paths */
	const char *container; /* the attribute that says that it ran in a container: its name … */
	const char *container_id; /* … and its value */
	uint32_t pid;             /* process.pid; 0: not given */
};

/* Append only, as OTLP numbers them. */
enum kp_span_kind {
	KP_SPAN_UNSPECIFIED,
	KP_SPAN_INTERNAL,
	KP_SPAN_SERVER,
	KP_SPAN_CLIENT,
	KP_SPAN_PRODUCER,
	KP_SPAN_CONSUMER,
	KP_SPAN_KIND_CNT
};

struct kp_span {
	char trace_id[2 * KP_TRACE_ID_BYTES + 1]; /* as ids.h has them */
	char span_id[2 * KP_SPAN_ID_BYTES + 1];
	char parent_id[2 * KP_SPAN_ID_BYTES + 1];
	uint8_t kind;     /* enum kp_span_kind */
	uint8_t status;   /* 0 unset 1 ok 2 error */
	const char *name; /* never NULL */
	const struct kp_resource *by;
	uint64_t start_ns; /* CLOCK_REALTIME */
	uint64_t end_ns;
	const struct kp_attr *attrs;
};

/*
 * What can be wrong with a file of traces: FAULT(name, noun, what, remedy), to be read as "2 NOUNs
 * WHAT: REMEDY". Spans without one of their times are left out, all others kept.
 */
#define KP_TRACE_FAULTS(FAULT)                                                                    \
	FAULT(gzip, "gzip stream", "that ends too early or is damaged",                           \
	      "what is behind is missing, so copy the file again")                                \
	FAULT(no_start, "span", "without a start", "")                                            \
	FAULT(no_end, "span", "without an end", "only spans that have ended can be explained")    \
	FAULT(backwards, "span", "with the end before the begin",                                 \
	      "kept, for the clock may have been set meanwhile")                                  \
	FAULT(no_object, "span", "of no JSON object", "")                                         \
	FAULT(no_trace_id, "span", "without a trace id", "")                                      \
	FAULT(no_span_id, "span", "without a span id", "")                                        \
	FAULT(bad_trace_id, "span",                                                               \
	      "with a trace id that is neither 32 hexadecimal digits nor 16 bytes in base64",     \
	      "found by --attribute only")                                                        \
	FAULT(bad_span_id, "span",                                                                \
	      "with a span id that is neither 16 hexadecimal digits nor 8 bytes in base64", "")   \
	FAULT(short_trace_id, "span", "with a trace id of fewer than 32 digits",                  \
	      "taken with zeros before it")                                                       \
	FAULT(bad_pid, "resource", "with a process.pid that is no process id", "")                \
	FAULT(no_key, "attribute", "without a key", "")                                           \
	FAULT(not_json, "line", "not JSON", "")                                                   \
	FAULT(cut_json, "JSON value", "cut off", "its writer was killed, or the copy is partial") \
	FAULT(foreign, "JSON value", "in no format of traces that is known",                      \
	      "export OTLP to a Collector with the exporter 'file'")                              \
	FAULT(unread, "JSON value", "in a format that is not read", "")

enum kp_trace_fault {
#define FAULT(name, noun, what, remedy) KP_TF_##name,
	KP_TRACE_FAULTS(FAULT)
#undef FAULT
		KP_TF_CNT
};

struct kp_trace_place {
	uint64_t line, byte; /* from 1; byte within the line */
	const char *detail;  /* what was there, or why; "": nothing to add */
};

/* Zero-initialised is empty. */
struct kp_traces {
	struct kp_arena arena;
	KP_VEC(struct kp_span) spans;
	uint64_t faults[KP_TF_CNT];
	struct kp_trace_place first[KP_TF_CNT]; /* of each fault that there is */
	size_t kept;                            /* bytes that the spans take */
};

/*
 * Adds the spans of a file. Errors: -errno of opening and reading; -EFBIG above a limit (see
 * kprobe-analyze(1)); -EPROTO when nothing in it is of a known format, err says what it is instead
 * and what to do.
 */
int kp_traces_read(struct kp_traces *traces, const char *path, struct kp_err *err);

/* The same from memory; name is what an error calls it. */
int kp_traces_parse(struct kp_traces *traces, const char *text, size_t len, const char *name,
		    struct kp_err *err);
void kp_traces_done(struct kp_traces *traces);

/* Appends what was left out or is odd, each with its number and first place; nothing if all was
 * well. */
void kp_traces_explain(const struct kp_traces *traces, struct kp_buf *out);

/* Adds the same to what err says of the file, before it if the file is cut, for then what err says
 * may come from that; returns code. */
int kp_traces_blame(const struct kp_traces *traces, const char *path, int code, struct kp_err *err);

/* Value of a span's attribute, or NULL. */
const char *kp_span_attr(const struct kp_span *span, const char *key);

#endif
