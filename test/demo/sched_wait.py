#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An independent reading of the kernel's scheduler tracepoints for scripts/demo.sh.

usage: sched_wait.py TRACE-FILE PID

TRACE-FILE is what tracefs printed of sched_switch and sched_waking on the clock "mono". Prints the
longest time that task PID was runnable but did not run, in nanoseconds (the trace has microseconds),
and the task that took its CPU at the beginning of that wait.
"""
import re
import sys

LINE = re.compile(r"\s(\d+)\.(\d{6}): (sched_switch|sched_waking): (.*)$")
SWITCH = re.compile(
    r"prev_comm=.* prev_pid=(\d+) prev_prio=\d+ prev_state=(\S+) ==> "
    r"next_comm=(.*) next_pid=(\d+) next_prio=\d+"
)
WAKING = re.compile(r"comm=.* pid=(\d+) prio=")


def longest_wait(lines, pid):
    since, behind, best = None, "", (0, "")
    for line in lines:
        match = LINE.search(line)
        if not match:
            continue
        now = int(match[1]) * 1_000_000_000 + int(match[2]) * 1000
        if match[3] == "sched_waking":
            woken = WAKING.match(match[4])
            if woken and int(woken[1]) == pid and since is None:
                since, behind = now, "?"
            continue
        switch = SWITCH.match(match[4])
        if not switch:
            continue
        if int(switch[1]) == pid and switch[2].startswith("R"):
            since, behind = now, f"{switch[3]} {switch[4]}"
        elif int(switch[1]) == pid:
            since = None
        elif int(switch[4]) == pid and since is not None:
            best = max(best, (now - since, behind))
            since = None
    return best


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as trace:
        wait_ns, behind = longest_wait(trace, int(sys.argv[2]))
    print(wait_ns, behind)


main()
