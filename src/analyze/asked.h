/* SPDX-License-Identifier: MIT
 * What was asked: which incident, in which log, and how it is defined. Kept with its report.
 */
#ifndef KP_ANALYZE_ASKED_H
#define KP_ANALYZE_ASKED_H

#include <stdint.h>

/* Zero-initialised members are not given. */
struct kp_incident {
	const char *id;
	const char *input;     /* the log */
	const char *db;        /* NULL: the reader's own */
	const char *traces;    /* file of spans … */
	uint64_t traces_sum;   /* … and a sum over its content; 0: there is none */
	const char *trace;     /* definition: trace id, in hex of either case … */
	const char *span;      /* … and span id */
	const char *attribute; /* or KEY=VALUE of a span */
	uint32_t pid;          /* or a process */
	uint32_t tid;
	uint64_t from_realtime_ns;
	uint64_t to_realtime_ns;
	uint64_t deadline_realtime_ns;
	uint64_t memory_max; /* bytes that may be taken; 0: by the log's length */
	uint64_t read_cnt; /* events of tasks that are read at first; 0: incident.c says how many */
};

#endif
