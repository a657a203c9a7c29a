#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A ledger in SQLite, each entry brought to disk. usage: writer.py FILE; until it is killed"""
import sqlite3
import sys
import time

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("pragma journal_mode=wal")
db.execute("pragma synchronous=full")
db.execute("create table if not exists ledger(at real, amount int)")
while True:
    db.execute("insert into ledger values(?, 1)", (time.time(),))
    db.execute("delete from ledger where at < ?", (time.time() - 10,))
    time.sleep(0.02)
