/* SPDX-License-Identifier: MIT
 * What the two halves of the store share; see store.h.
 */
#ifndef KP_ANALYZE_STORE_SQL_H
#define KP_ANALYZE_STORE_SQL_H

#include <sqlite3.h>

#include "analyze/store.h"

struct kp_store {
	sqlite3 *db;
	char *path;
	bool read_only;
	bool is_empty;      /* when it was opened */
	uint64_t text_left; /* bytes of text that the present operation may still read */
	int calls;          /* how long the present operation has taken; it begins with 0 */
};

/* -EIO with the database's path and SQLite's reason. */
int kp_store_fail(struct kp_store *s, const char *what, struct kp_err *err);

#endif
