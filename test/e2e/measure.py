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


def children():
    below = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", errors="replace") as f:
                row = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(row[1]), []).append((int(pid), int(row[11]) + int(row[12])))
    return below


def tree(top):
    below, found, todo = children(), [], [top]
    while todo:
        for pid, ticks in below.get(todo.pop(), []):
            found.append((pid, ticks))
            todo.append(pid)
    return found


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
