#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An independent reading of the kernel's scheduler tracepoints for scripts/demo.sh.

usage: sched_wait.py TRACE-FILE PID OTHER-PID FROM-NS TO-NS

TRACE-FILE is what tracefs printed of sched_switch and sched_waking for these two on the clock
"mono". Prints, in nanoseconds (the trace has microseconds), the longest time between the two
instants that task PID was runnable but did not run, and how much of it OTHER-PID ran on a CPU.
"""
import re
import sys

LINE = re.compile(r"\s(\d+)\.(\d{6}): (sched_switch|sched_waking): (.*)$")
SWITCH = re.compile(r"prev_comm=.* prev_pid=(\d+) .*prev_state=(\S+) ==> .* next_pid=(\d+) ")
WAKING = re.compile(r"comm=.* pid=(\d+) prio=")


def read(lines, pid, other):
    """The waits of pid and the runs of other, as lists of (begin, end)."""
    waits, runs = [], []
    waiting_since = running_since = None
    for line in lines:
        match = LINE.search(line)
        if not match:
            continue
        now = int(match[1]) * 1_000_000_000 + int(match[2]) * 1000
        if match[3] == "sched_waking":
            woken = WAKING.match(match[4])
            if woken and int(woken[1]) == pid and waiting_since is None:
                waiting_since = now
            continue
        switch = SWITCH.match(match[4])
        if not switch:
            continue
        before, state, after = int(switch[1]), switch[2], int(switch[3])
        if before == pid:
            waiting_since = now if state.startswith("R") else None
        if after == pid and waiting_since is not None:
            waits.append((waiting_since, now))
            waiting_since = None
        if before == other and running_since is not None:
            runs.append((running_since, now))
            running_since = None
        if after == other:
            running_since = now
    return waits, runs


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as trace:
        waits, runs = read(trace, int(sys.argv[2]), int(sys.argv[3]))
    low, high = int(sys.argv[4]), int(sys.argv[5])
    waits = [wait for wait in waits if wait[1] > low and wait[0] < high]
    begin, end = max(waits, key=lambda wait: wait[1] - wait[0], default=(0, 0))
    ran = sum(max(0, min(end, run[1]) - max(begin, run[0])) for run in runs)
    print(end - begin, ran)


main()
