#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether what a recorder takes stays the same: the table of the samples, and each that grows.

usage: judge.py SAMPLES MAX_KIB     SAMPLES: the lines of sample.sh; MAX_KIB: what its log may be long

The last quarter's median may be that of the first and a tenth, and a little that is stated in the table
of measures; the same holds within each recorder's life, if there are several. Memory has its level only
after minutes: in less than that it is not judged. Exit 1 if something grew.
"""
import statistics
import sys

# (column, name, unit's divisor and name, what may come on top of a tenth, in the column's unit, or None: it is
# not judged; from how many seconds on it is)
MEASURES = (("rss", "resident memory", 1024, "MiB", 2048, 240),
            ("anon", "of its own", 1024, "MiB", 2048, 240),
            ("kernel", "maps and programs", 1024, "MiB", 1024, 240),
            ("fds", "descriptors", 1, "", 4, 10),
            ("threads", "threads", 1, "", 1, 10),
            ("folder", "its log", 1024, "MiB", None, 0),
            ("cpu", "CPU time", 1, "%", None, 0))
TOLERANCE = 1.1


def read(path):
    columns = "time pid rss anon kernel fds threads folder ticks".split()
    rows = [dict(zip(columns, map(float, line.split()))) for line in open(path)
            if len(line.split()) == len(columns)]
    for before, row in zip([None] + rows, rows):
        same = before and before["pid"] == row["pid"] and row["time"] > before["time"]
        row["cpu"] = (row["ticks"] - before["ticks"]) / (row["time"] - before["time"]) if same else None
    return rows


def quarters(rows, column):
    values = [row[column] for row in rows if row[column] is not None]
    part = max(1, len(values) // 4)
    return statistics.median(values[:part]), statistics.median(values), statistics.median(values[-part:]), max(values)


def is_judged(rows, more, least):
    return more is not None and rows[-1]["time"] - rows[0]["time"] >= least


def grew(rows, column, more):
    first, _, last, _ = quarters(rows, column)
    return last > first * TOLERANCE + more


def parts(rows):
    by_pid = {}
    for row in rows:
        by_pid.setdefault(row["pid"], []).append(row)
    return [("in all", rows)] + [(f"in the life of {pid:.0f}", life) for pid, life in by_pid.items()]


def main():
    rows, longest = read(sys.argv[1]), float(sys.argv[2])
    if len(rows) < 4:
        sys.exit("too few samples")
    bad = []
    span = rows[-1]["time"] - rows[0]["time"]
    print(f"{len(rows)} samples in {span:.0f} s of {len({row['pid'] for row in rows})} recorders\n")
    print(f"{'':24}{'first quarter':>14}{'median':>10}{'last quarter':>14}{'max':>10}  may grow by")
    for column, name, by, unit, more, least in MEASURES:
        told = "".join(f"{value / by:{width}.1f}" for value, width in
                       zip(quarters(rows, column), (14, 10, 14, 10)))
        may = f"10 % + {more / by:g} {unit}".rstrip() if is_judged(rows, more, least) else "not judged"
        print(f"{(name + ' (' + unit + ')') if unit else name:24}{told}  {may}")
        for what, part in parts(rows):
            if is_judged(part, more, least) and grew(part, column, more):
                first, _, last, _ = quarters(part, column)
                bad.append(f"{name} grew {what}: from {first / by:.1f} to {last / by:.1f} {unit}".rstrip())
    if max(row["folder"] for row in rows) > longest * 1.25:
        bad.append(f"its log was longer than {longest / 1024:.0f} MiB and a quarter")
    print("\n" + "\n".join(bad or ["nothing grew"]))
    sys.exit(bool(bad))


main()
