/* SPDX-License-Identifier: MIT
 *
 * Editions of the database. Each changes tables or columns, as the rows of tables.def say. A
 * database of an earlier edition is brought to the present one step by step, all in one
 * transaction; what a step does is made from those rows, and what a new table gets from its FILL.
 */
#ifndef KP_ANALYZE_EDITION_H
#define KP_ANALYZE_EDITION_H

#include <sqlite3.h>
#include <stdbool.h>

/* The first that can be read, and the present one: PRAGMA user_version, but that 2, 3 and 4 all
 * have 2 there, since they were told apart by their columns only. */
#define KP_EDITION_FIRST 2u
#define KP_EDITION 5u

/* PRAGMA application_id. */
#define KP_STORE_APP 0x6b70726f

/* The PRAGMA user_version of an edition. */
unsigned kp_edition_mark(unsigned edition);

/* Makes all tables of the present edition, and sets the marks. A code of SQLite. */
int kp_edition_make(sqlite3 *db);

/* The edition whose tables and indexes the database has, and nothing else; 0: it has others. */
unsigned kp_edition_of(sqlite3 *db);

/* Brings a database of an edition to the present one, in the transaction that is open. A code of
 * SQLite. */
int kp_edition_migrate(sqlite3 *db, unsigned edition);

#endif
