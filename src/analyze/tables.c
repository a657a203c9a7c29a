/* SPDX-License-Identifier: MIT
 * The database's tables; see tables.h.
 */
#include "analyze/tables.h"

#include <assert.h>
#include <stddef.h>

#include "analyze/edition.h"

/* --- the columns of each table --- */

#define NO NULL, false
#define AS(member) #member, false
#define IF(member) #member, true

#define TABLE(name, rows, of, list, since, order, doc) static const struct kp_col name##_cols[] = {
#define COLUMN(of, type, name, declared, field, json, since, was, doc) \
	{KP_COL_##type, #name, declared, since, 0, was, offsetof(struct of, field), json, doc},
#define OWN(type, name, declared, json, since, was, doc) \
	{KP_COL_##type, #name, declared, since, 0, was, 0, json, doc},
#define MEMBER(of, type, field, json, doc) \
	{KP_COL_##type, NULL, "", 0, 0, "", offsetof(struct of, field), json, doc},
#define GONE(name, declared, since, until) \
	{KP_COL_GONE, #name, declared, since, until, "", 0, NO, ""},
#define KEY(since, until, text) {KP_COL_KEY, NULL, text, since, until, "", 0, NO, ""},
#define INDEX(since, until, text) {KP_COL_INDEX, NULL, text, since, until, "", 0, NO, ""},
#define FILL(edition, text) {KP_COL_FILL, NULL, text, edition, (edition) + 1, "", 0, NO, ""},
#define END(name) \
	{0},      \
	}         \
	;
#include "analyze/tables.def"
#undef TABLE
#undef COLUMN
#undef OWN
#undef MEMBER
#undef GONE
#undef KEY
#undef INDEX
#undef FILL
#undef END

/* --- the tables --- */

#define LIST_ONE(list) NULL
#define LIST_SHARED(list) NULL
#define LIST_SOME(list) #list
#define PLACE_ONE(list) 0, sizeof(struct kp_report)
#define PLACE_SHARED(list) 0, sizeof(struct kp_report)
#define PLACE_SOME(list) offsetof(struct kp_report, list), sizeof(*((struct kp_report *)0)->list.at)

const struct kp_table kp_tables[] = {
#define TABLE(name, rows, of, list, since, order, doc)                    \
	{#name, KP_ROWS_##rows,     since,      order, LIST_##rows(list), \
	 doc,   PLACE_##rows(list), name##_cols},
#define COLUMN(of, type, name, declared, field, json, since, was, doc)
#define OWN(type, name, declared, json, since, was, doc)
#define MEMBER(of, type, field, json, doc)
#define GONE(name, declared, since, until)
#define KEY(since, until, text)
#define INDEX(since, until, text)
#define FILL(edition, text)
#define END(name)
#include "analyze/tables.def"
	{0},
};

const kp_any_vec *kp_table_list(const struct kp_table *table, const struct kp_report *report)
{
	return (const void *)((const char *)report + table->vec);
}

const char *kp_col_sql(enum kp_col_type type)
{
	static const char *const names[KP_COL_CNT] = {
#define X(type, sql) [KP_COL_##type] = (sql),
		KP_COL_TYPES(X)
#undef X
	};

	return names[type];
}

static bool is_then(const struct kp_col *col, unsigned edition)
{
	return col->since <= edition && (!col->until || edition < col->until);
}

bool kp_col_is_in(const struct kp_col *col, unsigned edition)
{
	return col->name && is_then(col, edition);
}

bool kp_col_is_now(const struct kp_col *col)
{
	return kp_col_is_in(col, KP_EDITION);
}

void kp_table_define(const struct kp_table *table, unsigned edition, struct kp_buf *out)
{
	const struct kp_col *key = NULL;

	if (edition < table->since)
		return;
	kp_buf_printf(out, "CREATE TABLE %s(", table->name);
	for (const struct kp_col *c = table->cols; c->type; c++) {
		if (kp_col_is_in(c, edition))
			kp_buf_printf(out, "%s %s%s, ", c->name, kp_col_sql(c->type), c->sql);
		else if (c->type == KP_COL_KEY && is_then(c, edition))
			key = c;
	}
	assert(key);
	kp_buf_printf(out, "%s;", key->sql);
}

void kp_table_index(const struct kp_table *table, unsigned edition, struct kp_buf *out)
{
	for (const struct kp_col *c = table->cols; c->type; c++)
		if (c->type == KP_COL_INDEX && is_then(c, edition))
			kp_buf_printf(out, "%s;", c->sql);
}
