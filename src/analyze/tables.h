/* SPDX-License-Identifier: MIT
 *
 * The database's tables and columns and the members of a report's JSON, as tables.def has them.
 * Who saves, loads, migrates, prints and documents walks these.
 */
#ifndef KP_ANALYZE_TABLES_H
#define KP_ANALYZE_TABLES_H

#include "analyze/report.h"
#include "base/buf.h"

/* What a column or member is: X(type, SQL's type). Those without are of the JSON only. */
#define KP_COL_TYPES(X)                                                     \
	X(TEXT, "TEXT")                                                     \
	X(MAYBE, "TEXT")  /* text or NULL */                                \
	X(LETTER, "TEXT") /* a confidence; 0: empty */                      \
	X(KIND, "TEXT")   /* a bucket's kind and detail, by name */         \
	X(DETAIL, "TEXT")                                                   \
	X(VIA, "TEXT")   /* names joined by commas */                       \
	X(ROLE, "TEXT")  /* enum kp_role, by name */                        \
	X(EVENT, "TEXT") /* a kind of event, by name; 0: empty */           \
	X(MET, "INT")    /* enum kp_met */                                  \
	X(BOOL, "INT")                                                      \
	X(U32, "INT")                                                       \
	X(CPU, "INT")   /* KP_NONE: NULL */                                 \
	X(GROUP, "INT") /* likewise */                                      \
	X(U64, "INT")                                                       \
	X(S64, "INT")                                                       \
	X(COUNT, "INT") /* 0: not known */                                  \
	X(REAL, "REAL")                                                     \
	X(OWN_NR, "INTEGER") /* of an incident's own row, made by SQLite */ \
	X(NR, "INT")         /* the same in its other rows */               \
	X(SEQ, "INT")        /* 0, 1, 2 … */                              \
	X(RANK, "INT")       /* 1, 2, 3 … */                              \
	X(CREATED, "TEXT")   /* made by SQLite */                           \
	X(GONE, "")          /* a column of earlier editions */             \
	X(KEY, NULL)         /* how the table's definition ends */          \
	X(INDEX, NULL)       /* a statement */                              \
	X(FILL, NULL)        /* likewise, in a migration */                 \
	X(WHO, NULL)         /* struct kp_who */                            \
	X(HOST, NULL)        /* the report's */                             \
	X(HOSTS, NULL)       /* a list of it */                             \
	X(LENGTH, NULL)      /* of the incident */                          \
	X(IN_TIME, NULL)     /* a deadline, whether it was met */           \
	X(LINES, NULL)       /* what proves a node, in words */             \
	X(ZERO, NULL)

enum kp_col_type {
	KP_COL_END, /* behind the last of a table */
#define X(type, sql) KP_COL_##type,
	KP_COL_TYPES(X)
#undef X
		KP_COL_CNT
};

/* A row of tables.def within a table. */
struct kp_col {
	enum kp_col_type type;
	const char *name; /* NULL: not in the database */
	const char *sql;  /* behind name and type; of KEY, INDEX and FILL: all */
	unsigned since;   /* edition */
	unsigned until;   /* 0: to this day */
	const char *was;  /* in the edition before; "": it was there */
	size_t offset;    /* in the row's struct */
	const char *json; /* member; NULL: not in the JSON */
	bool is_optional; /* it is left out if it is not set */
	const char *doc;
};

enum kp_rows { KP_ROWS_ONE, KP_ROWS_SOME, KP_ROWS_SHARED };

struct kp_table {
	const char *name;
	enum kp_rows rows;
	unsigned since;
	const char *order;
	const char *json; /* member of the report that is the list; NULL: not in it */
	const char *doc;
	size_t vec; /* offset of the list in struct kp_report */
	size_t row_len;
	const struct kp_col *cols; /* ended by type KP_COL_END */
};

/* The first is `incident` itself; ended by name NULL. */
extern const struct kp_table kp_tables[];

/* A list of the report, as all of them are. */
typedef KP_VEC(char) kp_any_vec;

/* The list of a table with KP_ROWS_SOME. */
const kp_any_vec *kp_table_list(const struct kp_table *table, const struct kp_report *report);

/* Columns of `incident` that say how it was asked for have this before an option's name. */
#define KP_ASKED "asked_"

/* "TEXT", "INT" …; NULL: it is in the JSON only. */
const char *kp_col_sql(enum kp_col_type type);

/* Whether it is a column in that edition. */
bool kp_col_is_in(const struct kp_col *col, unsigned edition);

bool kp_col_is_now(const struct kp_col *col);

/* Appends the statement that makes the table as it was in that edition, and those of its indexes.
 */
void kp_table_define(const struct kp_table *table, unsigned edition, struct kp_buf *out);
void kp_table_index(const struct kp_table *table, unsigned edition, struct kp_buf *out);

#endif
