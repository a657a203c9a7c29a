/* SPDX-License-Identifier: MIT
 *
 * From an incident's id to its report: find it in the database, or define it (a span, or a process
 * and a time), read the log, walk, compare with normal spans, and save.
 */
#ifndef KP_ANALYZE_INCIDENT_H
#define KP_ANALYZE_INCIDENT_H

#include "analyze/report.h"

/* Zero-initialised members are not given. */
struct kp_incident {
	const char *id;
	const char *input;     /* the log */
	const char *traces;    /* file of spans */
	const char *db;        /* NULL: incidents.db in the input */
	const char *trace;     /* definition: trace id, in hex of either case … */
	const char *span;      /* … and span id */
	const char *attribute; /* or KEY=VALUE of a span */
	uint32_t pid;          /* or a process */
	uint32_t tid;
	uint64_t from_realtime_ns;
	uint64_t to_realtime_ns;
	uint64_t deadline_realtime_ns;
};

/* Where the incidents of this input are, in buf. */
const char *kp_incident_db(const struct kp_incident *incident, char *buf, size_t len);

/*
 * Fills *ret_report, to be ended with kp_report_done in any case. Errors: -ENOENT when the id, the
 * span or the process is not found, -EBADMSG for a log or traces that cannot be read, -EINVAL for a
 * definition that makes no sense, other -errno.
 */
int kp_incident_analyze(const struct kp_incident *incident, struct kp_report *ret_report,
			struct kp_err *err);

#endif
