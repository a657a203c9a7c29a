# SPDX-License-Identifier: MIT
"""Holds kprobe's answers against what delay.c knows. usage: KPROBE LOG KNOWN TIER RIGHT

RIGHT is a file with the names of those that were right in an earlier try; this one's are appended.
Exit 75: no answer is wrong but where the kernel did not trace a CPU (see holes), and some of these
were not right in an earlier try either, so to be tried again.
"""
import json
import subprocess
import sys

kprobe, log, known, tier, right = sys.argv[1:]
# kind, via, and the part of the delay (in ms) that must be found; None: any
EXPECT = {
    "own_sleep": ("timer", [], 55),
    "self_stopped": ("stopped", [], 110),
    "service_stopped": ("stopped", ["socket"], 110),
    "tcp_sleeping": ("timer", ["socket"], 55),
    "tcp6_sleeping": ("timer", ["socket"], 55),
    "tcp_reset": ("timer", ["socket"], 55),
    "tcp_timeout": ("network", [], 55),
    "tcp_busy": ("on_cpu", ["socket"], 50),
    "unix_sleeping": ("timer", ["socket"], 55),
    "epoll_sleeping": ("timer", ["socket"], 55),
    "chain_sleeping": ("timer", ["socket", "socket"], 55),
    "pipe_busy": ("on_cpu", ["pipe"], 50),
    "signal_sleeping": ("timer", ["signal"], 55),
    "child_busy": ("on_cpu", ["child"], 50),
    "lock_sleeping": ("timer", ["lock"], 50),
    "queue_hog": ("run_queue", [], 40),
    "slow_disk": ("disk", None, 100),
    "synced_disk": ("disk", None, 1),
    "throttled": ("throttled", [], 30),
    "major_faults": ("fault", [], 1),
}


def holes(begin, end):
    """Where a CPU's switches do not chain: the task that leaves is not the one that came.

    The kernels of some virtual machines fire no tracepoint, for whatever tracer, while the machine's
    own agent runs; nor then for the timers and switches that fall into that time.
    """
    run = subprocess.run([kprobe, "dump", "-i", log, "--kind", "sched_switch", "--from", begin, "--to",
                          end, "--format", "jsonl"], capture_output=True, text=True, check=True)
    running, found = {}, []
    for line in run.stdout.splitlines():
        event = json.loads(line)
        if running.get(event["cpu"], event["tid"]) != event["tid"]:
            found.append("CPU %d before %d ns" % (event["cpu"], event["time_ns"]))
        running[event["cpu"]] = event["next_tid"]
    return found


failed = 0
unjudged = set()
seen = set()
for line in open(known):
    name, pid, begin, end, cause_pid, cause_tid = line.split()
    seen.add(name)
    run = subprocess.run(
        [kprobe, "analyze", name, "-i", log, "--db", log + ".db", "--pid", pid, "--from", begin, "--to", end,
         "--format", "json"], capture_output=True, text=True)
    if run.returncode:
        print(f"FAILED {name}: exit {run.returncode}: {run.stderr}")
        failed = 1
        continue
    report = json.loads(run.stdout)
    problems = []
    if sum(b["ns"] for b in report["buckets"]) != report["duration_ns"]:
        problems.append("the buckets do not add up")
    if sum(p["t1_ns"] - p["t0_ns"] for p in report["path"]) != report["duration_ns"]:
        problems.append("the path does not add up")
    kind, via, least_ms = EXPECT[name]
    good = [b for b in report["buckets"] if b["kind"] == kind
            and (via is None or b["via"] == via)
            and (int(cause_tid) == 0 or via is None or (b["cause"] or {}).get("tid") == int(cause_tid))]
    found = sum(b["ns"] for b in good) / 1e6
    if found < least_ms:
        problems.append(f"{found:.3f} ms of {kind} via {via} by {cause_tid}, wanted {least_ms}")
    by_kind = {}
    for b in report["buckets"]:
        by_kind[b["kind"]] = by_kind.get(b["kind"], 0) + b["ns"]
    first = report["causes"][0]
    # How long it queued for a CPU depends on what else this machine does.
    if kind != "run_queue":
        by_kind.pop("run_queue", None)
    # A fault costs the CPU as much as a fast disk.
    if kind == "fault":
        by_kind.pop("on_cpu", None)
    if max(by_kind, key=by_kind.get) != kind:
        problems.append(f"most time is {max(by_kind, key=by_kind.get)}")
    if name == "tcp_timeout" and not ("timeout" in first["text"] and "127.0.0.1" in first["text"]
                                      and first["confidence"] > "A"):
        problems.append("told as %s, %s" % (first["text"], first["confidence"]))
    told = report["recorded"].split(",")
    if not set(told) <= {"calls", "waits"} if tier == "mixed" else told != [tier]:
        problems.append("recorded as %s" % report["recorded"])
    if not report["complete"] and tier != "mixed":
        problems.append("not complete: %s" % report["lost"][:3])
    print("%-16s %9.3f ms, %9.3f found: %s" % (name, report["duration_ns"] / 1e6, found, first["text"]))
    # Where the tier changed an answer may be unsure; what it is sure of must be right.
    if len(told) > 1 and problems and not any(
            b["confidence"] == "A" and b["kind"] not in (kind, "on_cpu", "run_queue") for b in report["buckets"]):
        print("unsure %s (%s): %s" % (name, report["recorded"], problems))
        problems = []
    untraced = holes(begin, end) if problems else []
    for problem in problems:
        print(f"{'untraced' if untraced else 'FAILED'} {name}: {problem} {untraced[:3] or ''}")
    if untraced:
        unjudged.add(name)
    elif problems:
        failed = 1
        for b in report["buckets"][:6]:
            print("   ", json.dumps(b))
missing = set(EXPECT) - seen
if missing:
    print("FAILED: not run:", *missing)
    failed = 1
with open(right, "a+") as file:
    file.writelines(name + "\n" for name in seen - unjudged)
    file.seek(0)
    unjudged -= set(file.read().split())
sys.exit(failed or (75 if unjudged else 0))
