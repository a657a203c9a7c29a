#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command and says what it and all processes below it took.

usage: measure.py FILE COMMAND…     FILE: gets "EXIT PEAK_KIB CPU_MS"

Memory is sampled: what is resident, page tables, and the memory files that the processes hold (each
once). CPU time is that of all processes, waited for or not.
"""
import os
import subprocess
import sys
import time


def ticks_of(pid):
    with open(f"/proc/{pid}/stat", errors="replace") as f:
        row = f.read().rpartition(")")[2].split()
    return int(row[11]) + int(row[12])


def children(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/children") as f:
            yield from f.read().split()


def tree(top):
    found, todo = [], [top]
    while todo:
        pid = todo.pop()
        try:
            found.append((pid, ticks_of(pid)))
            todo.extend(map(int, children(pid)))
        except OSError:
            continue
    return found[1:]


def memory(pid, files):
    total = 0
    try:
        with open(f"/proc/{pid}/status", errors="replace") as f:
            for line in f:
                if line.startswith(("RssAnon:", "RssFile:", "VmPTE:", "VmSwap:")):
                    total += int(line.split()[1])
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            if os.readlink(path).startswith("/memfd:"):
                st = os.stat(path)
                files[st.st_dev, st.st_ino] = st.st_blocks // 2
    except OSError:
        pass
    return total


def main():
    list(children(os.getpid()))  # a kernel without CONFIG_PROC_CHILDREN: nothing would be seen
    run = subprocess.Popen(sys.argv[2:])
    peak, ticks = 0, {}
    while True:
        files = {}
        found = tree(os.getpid())
        peak = max(peak, sum(memory(pid, files) for pid, _ in found) + sum(files.values()))
        ticks.update(found)
        pid, status, usage = os.wait4(run.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.005)
    below = sum(ticks.values()) * 1000 // os.sysconf("SC_CLK_TCK")
    waited = int((usage.ru_utime + usage.ru_stime) * 1000)
    with open(sys.argv[1], "w") as f:
        print(os.waitstatus_to_exitcode(status), max(peak, usage.ru_maxrss), max(below, waited), file=f)


main()
