/* SPDX-License-Identifier: MIT
 *
 * The SQLite database of incidents (tables.h has its tables). It is the reader's own: it lies among
 * his state, not in a log's folder, since a log may be a stranger's. One that is named may be a
 * stranger's too: before it is used its schema is compared with ours, so that no view, trigger or
 * expression of it runs, and what is read is bounded and checked.
 *
 * An incident is known by its id and the run of the recorder in whose time it lies. A report that
 * was saved can be loaded and printed again without the log, its graph included. A database that an
 * earlier version made is brought to the present edition when it is opened (edition.h).
 */
#ifndef KP_ANALYZE_STORE_H
#define KP_ANALYZE_STORE_H

#include "analyze/report.h"
#include "log/reader.h"

struct kp_store;

/*
 * Opens, and makes if `create`; path NULL: the reader's own ($XDG_STATE_HOME or ~/.local/state,
 * /var/lib for root, /kprobe/incidents.db), whose folder is made. Errors: -ENOENT when it does not
 * exist and !create, -EIO when it is not a database of incidents, or a later version's, other
 * -errno.
 */
int kp_store_open(const char *path, bool create, struct kp_store **ret_store, struct kp_err *err);
void kp_store_free(struct kp_store *store);

/* Saves; an incident with the same id and run is replaced. All or nothing. */
int kp_store_save(struct kp_store *store, const struct kp_report *report, struct kp_err *err);

/*
 * Fills *ret_report (to be ended with kp_report_done in any case) with the incident of the newest
 * of these runs that has it; n 0: of any run. -ENOENT: no such incident; -EEXIST: n is 0, and
 * several runs have one.
 */
int kp_store_load(struct kp_store *store, const char *id, const struct kp_log_run *runs, size_t n,
		  struct kp_report *ret_report, struct kp_err *err);

/* Appends a line per incident of these runs (n 0: of all), newest first: text columns, or JSON
 * objects. */
int kp_store_list(struct kp_store *store, const struct kp_log_run *runs, size_t n, bool json,
		  struct kp_buf *out, struct kp_err *err);

#endif
