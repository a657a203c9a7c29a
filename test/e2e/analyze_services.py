# SPDX-License-Identifier: MIT
"""Holds kprobe's answers against what services.py knows. usage: KPROBE LOG KNOWN

A right answer's first cause is of the right kind and by the right process. An answer may be unsure (C or
D), though not often; one that is sure must be right, and nothing is blamed on the neighbour for sure.
Exit 75: too many are unsure because the kernel did not trace a CPU, so to be tried again.
"""
import json
import subprocess
import sys

kprobe, log, known = sys.argv[1:]
RIGHT_LEAST = 0.85
wrong = right = cnt = lost = 0


def judge(report, kind, cause, other):
    """What is wrong with it."""
    if sum(p["t1_ns"] - p["t0_ns"] for p in report["path"]) != report["duration_ns"]:
        yield "the path does not add up"

    def spent(fits):
        return sum(b["ns"] for b in report["buckets"] if fits(b, (b["cause"] or {}).get("pid"))) / 1e6

    good = spent(lambda b, pid: b["kind"] == kind and pid == cause)
    # Who had the CPU is another matter, and true; what is unknown is not wrong.
    free = spent(lambda b, pid: b["kind"] == "run_queue")
    unsure = spent(lambda b, pid: b["kind"] != "run_queue" and b["confidence"] > "B")
    whole = report["duration_ns"] / 1e6
    if good < 0.75 * (whole - free):
        yield "%s%.3f ms of %s by %d, wanted three quarters of %.3f less %.3f" % (
            "unsure: " if good + unsure >= 0.75 * (whole - free) else "", good, kind, cause, whole, free)
    blamed = spent(lambda b, pid: pid == other and b["kind"] != "run_queue" and b["confidence"] < "C")
    if blamed > 2:
        yield "%.3f ms blamed on the neighbour %d" % (blamed, other)


for line in open(known):
    if line.startswith("#"):
        print(line, end="")
        continue
    name, pid, begin, end, kind, cause, other = line.split()
    run = subprocess.run(
        [kprobe, "analyze", name, "-i", log, "--db", log + ".db", "--pid", pid, "--from", begin, "--to", end,
         "--format", "json"], capture_output=True, text=True)
    cnt += 1
    if run.returncode:
        print(f"FAILED {name}: exit {run.returncode}: {run.stderr}")
        wrong += 1
        continue
    report = json.loads(run.stdout)
    problems = list(judge(report, kind, int(cause), int(other)))
    is_wrong = any(not p.startswith("unsure") for p in problems) and report["complete"]
    first = report["causes"][0]
    print("%-6s %-22s %8.3f ms: %s  %s" % ("FAILED" if is_wrong else "unsure" if problems else "", name,
                                         report["duration_ns"] / 1e6, first["text"], first["confidence"]))
    for problem in problems:
        print("      ", problem)
    wrong += is_wrong
    right += not problems
    lost += bool(problems) and not report["complete"]
print(f"{right} of {cnt} right, {wrong} wrong")
if wrong:
    sys.exit(1)
if right < RIGHT_LEAST * cnt:
    sys.exit(75 if right + lost >= RIGHT_LEAST * cnt else 1)
