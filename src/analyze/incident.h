/* SPDX-License-Identifier: MIT
 *
 * From an incident's id to its report: find it in the database, or define it (a span, or a process
 * and a time), read the log, walk, compare with normal spans, and save.
 */
#ifndef KP_ANALYZE_INCIDENT_H
#define KP_ANALYZE_INCIDENT_H

#include "analyze/asked.h"
#include "analyze/report.h"

/*
 * Fills *ret_report, to be ended with kp_report_done in any case. 0; 1: the report is whole, but
 * could not be saved (or looked up), and err says why. Errors: -ENOENT when the id, the
 * span or the process is not found, -EBADMSG for a log or traces that cannot be read, -EINVAL for a
 * definition that makes no sense, other -errno.
 */
int kp_incident_analyze(const struct kp_incident *incident, struct kp_report *ret_report,
			struct kp_err *err);

/* Analyzes without the database: saves nothing, finds nothing saved. Errors as above. */
int kp_incident_make(const struct kp_incident *incident, struct kp_report *ret_report,
		     struct kp_err *err);

/*
 * Appends the incidents in the database, newest first, a line each; of the log only, if there is an
 * input. -ENOENT: there is no database.
 */
int kp_incident_list(const struct kp_incident *incident, bool json, struct kp_buf *out,
		     struct kp_err *err);

#endif
