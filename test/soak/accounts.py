#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether a log is whole and all that is missing of it is explained.

usage: accounts.py WORDS VERIFIED STATS META     what the recorders said, `dump --verify`, `dump --stats`,
                                                 and the log's events of the group meta as JSON lines

A segment of which a recorder was killed has no end, which a takeover explains; what retention removed is
a note. Of lost events the recorders say how many a kill and a full disk took; the others found a full
ring, and are counted in the recorder's last table as all are.
"""
import collections
import json
import re
import sys

UNSEALED = "its index and seal are missing"


def numbers(pattern, text):
    return [int(n) for n in re.findall(pattern, text, re.M)]


def check_accounts(words, meta):
    sums = collections.Counter()
    for line in open(meta):
        e = json.loads(line)
        if e["kind"] == "record_stats":
            sums.update({field: e[field] for field in ("produced", "stored", "lost")})
            if e["produced"] != e["stored"] + e["lost"]:
                yield f"produced is not stored + lost: {e}"
    killed = sum(numbers(r"(\d+) events that it had read are lost", words))
    disk = max(numbers(r"is written again; (\d+) events", words), default=0)
    print(f"produced {sums['produced']} = stored {sums['stored']} + lost {sums['lost']}: {killed} by the kill,"
          f" {disk} by the full disk, {sums['lost'] - killed - disk} by full rings")
    if not sums["produced"] or sums["produced"] != sums["stored"] + sums["lost"]:
        yield "the accounts"
    if numbers(r"^kprobe: total +\d+ +(\d+)", words)[-1:] != [sums["lost"]]:
        yield "the recorder's own table has other losses"


def check_verified(words, verified):
    kills = len(re.findall("goes on where the recorder", words))
    findings = [line.split(": ", 3) for line in verified.splitlines() if line.startswith(("note: ", "damage: "))]
    unsealed = 0
    for grade, _, what in (line[:2] + [": ".join(line[2:])] for line in findings):
        print(f"verify: {grade}: {what}")
        unsealed += what == UNSEALED
        if grade == "damage" and what != UNSEALED:
            yield f"damage: {what}"
        if grade == "note" and "retention removed" not in what:
            yield f"a note that is not explained: {what}"
    if unsealed > kills:
        yield f"{unsealed} segments without an end, after {kills} kills"
    last = verified.splitlines()[-1]
    print(f"verify: {last}")
    if not last.startswith("damaged in" if unsealed else "whole"):
        yield "the log is not whole"


def main():
    words, verified, stats = (open(path).read() for path in sys.argv[1:4])
    bad = [*check_accounts(words, sys.argv[4]), *check_verified(words, verified)]
    bad += [f"--stats does not say: {want}" for want in ("gaps 0", "end interrupted") if want not in stats.splitlines()]
    print("\n".join(bad or ["all that is missing is explained"]))
    sys.exit(bool(bad))


main()
