/* SPDX-License-Identifier: MIT
 *
 * The SQLite database of incidents. Its tables are documented in kprobe-analyze(1) for users who
 * query them; store.c has the schema. A report that was saved can be loaded and printed again
 * without the log; nodes and edges stay in the database.
 */
#ifndef KP_ANALYZE_STORE_H
#define KP_ANALYZE_STORE_H

#include "analyze/report.h"

struct kp_store;

/* Opens, and makes if `create`. -ENOENT when it does not exist and !create; else -EIO. */
int kp_store_open(const char *path, bool create, struct kp_store **ret_store, struct kp_err *err);
void kp_store_free(struct kp_store *store);

/* Saves; an incident with the same id is replaced. All or nothing. */
int kp_store_save(struct kp_store *store, const struct kp_report *report, struct kp_err *err);

/* Fills *ret_report (to be ended with kp_report_done in any case). -ENOENT: no such incident. */
int kp_store_load(struct kp_store *store, const char *id, struct kp_report *ret_report,
		  struct kp_err *err);

/* Appends a line per incident, newest first: text columns, or JSON objects. */
int kp_store_list(struct kp_store *store, bool json, struct kp_buf *out, struct kp_err *err);

#endif
