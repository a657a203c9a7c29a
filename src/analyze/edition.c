/* SPDX-License-Identifier: MIT
 * Editions of the database; see edition.h.
 */
#include "analyze/edition.h"

#include <string.h>

#include "analyze/tables.h"

/* Editions before this one have the mark 2. */
#define MARKED_SINCE 5u
#define OLD_MARK 2u

unsigned kp_edition_mark(unsigned edition)
{
	return edition < MARKED_SINCE ? OLD_MARK : edition;
}

/* Runs what is in sql and empties it. */
static int run(sqlite3 *db, struct kp_buf *sql)
{
	int code = sql->failed ? SQLITE_NOMEM
		   : sql->len  ? sqlite3_exec(db, sql->data, NULL, NULL, NULL)
			       : SQLITE_OK;

	kp_buf_done(sql);
	return code;
}

static int make(sqlite3 *db, unsigned edition)
{
	struct kp_buf sql = {0};

	for (const struct kp_table *t = kp_tables; t->name; t++) {
		kp_table_define(t, edition, &sql);
		kp_table_index(t, edition, &sql);
	}
	kp_buf_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %u;", KP_STORE_APP,
		      kp_edition_mark(edition));
	return run(db, &sql);
}

int kp_edition_make(sqlite3 *db)
{
	return make(db, KP_EDITION);
}

/* --- which one --- */

/* Both give the same rows of text. */
static bool same_rows(sqlite3_stmt *a, sqlite3_stmt *b)
{
	const char *x, *y;
	int code;

	while ((code = sqlite3_step(a)) == sqlite3_step(b)) {
		if (code != SQLITE_ROW)
			return code == SQLITE_DONE;
		for (int i = 0; i < sqlite3_column_count(a); i++) {
			x = (const char *)sqlite3_column_text(a, i);
			y = (const char *)sqlite3_column_text(b, i);
			if (x == y ? false : !x || !y || strcmp(x, y) != 0)
				return false;
		}
	}
	return false;
}

static bool same_answer(sqlite3 *a, sqlite3 *b, const char *sql)
{
	sqlite3_stmt *of_a = NULL, *of_b = NULL;
	bool same = sqlite3_prepare_v2(a, sql, -1, &of_a, NULL) == SQLITE_OK &&
		    sqlite3_prepare_v2(b, sql, -1, &of_b, NULL) == SQLITE_OK &&
		    same_rows(of_a, of_b);

	sqlite3_finalize(of_a);
	sqlite3_finalize(of_b);
	return same;
}

static bool is_edition(sqlite3 *db, unsigned edition)
{
	sqlite3 *model = NULL;
	bool same = sqlite3_open(":memory:", &model) == SQLITE_OK &&
		    make(model, edition) == SQLITE_OK &&
		    same_answer(db, model, "PRAGMA user_version") &&
		    same_answer(db, model,
				"SELECT type, name, tbl_name, sql FROM sqlite_master"
				" ORDER BY type, name");

	sqlite3_close(model);
	return same;
}

unsigned kp_edition_of(sqlite3 *db)
{
	for (unsigned edition = KP_EDITION; edition >= KP_EDITION_FIRST; edition--)
		if (is_edition(db, edition))
			return edition;
	return 0;
}

/* --- from one to the next --- */

static bool is_new(const struct kp_table *t, unsigned edition)
{
	return t->since == edition;
}

/* Whether an edition has the table otherwise than the one before, which had it. */
static bool is_changed(const struct kp_table *t, unsigned edition, struct kp_buf *work)
{
	size_t len;

	if (t->since >= edition)
		return false;
	kp_buf_reset(work);
	kp_table_define(t, edition - 1, work);
	kp_table_index(t, edition - 1, work);
	len = work->len;
	kp_table_define(t, edition, work);
	kp_table_index(t, edition, work);
	return !work->failed &&
	       (work->len != 2 * len || memcmp(work->data, work->data + len, len) != 0);
}

/* "INSERT INTO table(…) SELECT … FROM old_table AS o WHERE …;": rows of an incident whose own row
 * somebody removed stay behind. */
static void copy_rows(const struct kp_table *t, unsigned edition, struct kp_buf *sql)
{
	const struct kp_col *nr = NULL;
	const char *comma = "";

	kp_buf_printf(sql, "INSERT INTO %s(", t->name);
	for (const struct kp_col *c = t->cols; c->type; c++)
		if (kp_col_is_in(c, edition)) {
			kp_buf_printf(sql, "%s%s", comma, c->name);
			comma = ", ";
		}
	kp_buf_puts(sql, ") SELECT ");
	comma = "";
	for (const struct kp_col *c = t->cols; c->type; c++)
		if (kp_col_is_in(c, edition)) {
			if (c->since == edition)
				kp_buf_printf(sql, "%s%s", comma, c->was);
			else
				kp_buf_printf(sql, "%so.%s", comma, c->name);
			nr = c->type == KP_COL_NR && c->since == edition ? c : nr;
			comma = ", ";
		}
	kp_buf_printf(sql, " FROM old_%s AS o", t->name);
	if (nr)
		kp_buf_printf(sql, " WHERE %s IS NOT NULL", nr->was);
	kp_buf_putc(sql, ';');
}

static void fill(const struct kp_table *t, unsigned edition, struct kp_buf *sql)
{
	for (const struct kp_col *c = t->cols; c->type; c++)
		if (c->type == KP_COL_FILL && c->since == edition)
			kp_buf_printf(sql, "%s;", c->sql);
}

/* Tables that change are put aside, made as they are now, filled from what they were, and dropped:
 * so each stands in the schema as a new one does, to the letter. */
static int take_step(sqlite3 *db, unsigned edition)
{
	struct kp_buf sql = {0}, work = {0};
	int code;

	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (is_changed(t, edition, &work))
			kp_buf_printf(&sql, "ALTER TABLE %s RENAME TO old_%s;", t->name, t->name);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (is_new(t, edition) || is_changed(t, edition, &work))
			kp_table_define(t, edition, &sql);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (is_changed(t, edition, &work))
			copy_rows(t, edition, &sql);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		fill(t, edition, &sql);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (is_changed(t, edition, &work))
			kp_buf_printf(&sql, "DROP TABLE old_%s;", t->name);
	for (const struct kp_table *t = kp_tables; t->name; t++)
		if (is_new(t, edition) || is_changed(t, edition, &work))
			kp_table_index(t, edition, &sql);
	code = work.failed ? SQLITE_NOMEM : run(db, &sql);
	kp_buf_done(&sql);
	kp_buf_done(&work);
	return code;
}

int kp_edition_migrate(sqlite3 *db, unsigned edition)
{
	struct kp_buf mark = {0};
	int code = SQLITE_OK;

	while (edition < KP_EDITION && code == SQLITE_OK)
		code = take_step(db, ++edition);
	if (code != SQLITE_OK)
		return code;
	kp_buf_printf(&mark, "PRAGMA user_version = %u", kp_edition_mark(KP_EDITION));
	return run(db, &mark);
}
