/* SPDX-License-Identifier: MIT
 *
 * The database's tables: each column is a field of a report, named once. From here come the
 * schema, what is saved and loaded, and the list in kprobe-analyze(1).
 */
#ifndef KP_ANALYZE_TABLES_H
#define KP_ANALYZE_TABLES_H

#include "analyze/report.h"
#include "base/buf.h"

enum kp_col_type {
	KP_COL_TEXT,
	KP_COL_MAYBE,  /* text or NULL */
	KP_COL_LETTER, /* a confidence, as text of one letter; 0: empty */
	KP_COL_KIND,   /* a bucket's kind and detail, as their names */
	KP_COL_DETAIL,
	KP_COL_MET, /* enum kp_met */
	KP_COL_BOOL,
	KP_COL_U32,
	KP_COL_U64,
	KP_COL_REAL,
};

struct kp_col {
	const char *name;
	enum kp_col_type type;
	size_t offset; /* in the row's struct */
};

struct kp_table {
	const char *name;
	const char *doc;
	const char *seq; /* column that numbers an incident's rows; NULL: it has one row */
	unsigned first;  /* the first number */
	bool is_loaded;  /* with the report, when it is printed again */
	size_t vec;      /* offset of the list in struct kp_report */
	size_t row_len;
	const struct kp_col *cols; /* ended by name NULL */
	const char *index;         /* statements that make its indexes, or "" */
};

/* The first is `incident` itself; ended by name NULL. */
extern const struct kp_table kp_tables[];

/* Columns of `incident` that say how it was asked for have this before an option's name. */
#define KP_ASKED "asked_"

/* Appends the statements that make all tables. */
void kp_tables_schema(struct kp_buf *out);

#endif
