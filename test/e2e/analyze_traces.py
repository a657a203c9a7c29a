# SPDX-License-Identifier: MIT
"""Holds the thread that kprobe finds for a span against the one that made it (pool.c). usage: KPROBE LOG SPANS

Exit 75: the log has lost events at the time of a span that was not found, so to be tried again.
"""
import copy
import json
import os
import subprocess
import sys

kprobe, log, path = sys.argv[1:]
lines = [json.loads(line) for line in open(path)]
failed = 0
lost = False


def fail(text):
    global failed
    failed = 1
    print("FAILED", text)


def span_of(line):
    return line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def attributes(line):
    return {a["key"]: list(a["value"].values())[0] for a in span_of(line)["attributes"]}


def write(name, some):
    with open(f"{log}/../{name}", "w") as out:
        for line in some:
            out.write(json.dumps(line) + "\n")
    return f"{log}/../{name}"


def analyze(incident, traces, *more):
    db = f"{log}/../db"
    if os.path.exists(db):
        os.unlink(db)
    run = subprocess.run([kprobe, "analyze", incident, "-i", log, "--db", db, "--traces", traces, "--format", "json",
                          *more], capture_output=True, text=True)
    return run.returncode, json.loads(run.stdout) if run.returncode == 0 else None, run.stderr


# Each request that overlaps others is its own worker's. Where a busy machine gave several threads a
# claim, the answer is a guess, and says so: no wrong one is surer than C, and few are guesses.
letters = {}
guesses = []
for line in lines:
    a = attributes(line)
    status, report, said = analyze(a["req"], path)
    if status:
        fail(f"{a['req']}: exit {status}: {said}")
        continue
    span = [s for s in report["spans"] if s["incident"]][0]
    letters[span["confidence"]] = letters.get(span["confidence"], 0) + 1
    if span["confidence"] > "B":
        guesses.append(a["req"])
        lost = lost or not report["complete"]
    elif report["tid"] != int(a["tid"]):
        lost = lost or not report["complete"]
        fail(f"{a['req']}: thread {report['tid']} instead of {a['tid']}: {span['confidence']} {span['join']}")
    if any(c["confidence"] < report["join_confidence"] for c in report["causes"]):
        fail(f"{a['req']}: a cause is surer than the join")
print(f"{len(lines)} requests, joined with {letters}")
if len(guesses) > len(lines) / 4:
    fail(f"too many guesses: {guesses}")
if len(lines) != 24:
    fail("24 requests were made")


def changed(change):
    some = copy.deepcopy(lines)
    for line in some:
        change(line["resourceSpans"][0]["resource"]["attributes"])
    return some


def say(what, incident, traces, status, word, *more):
    got, report, said = analyze(incident, traces, *more)
    text = json.dumps(report) + said
    if got != status or word not in text:
        fail(f"{what}: exit {got}, wanted {status} and '{word}': {text[:600]}")
    else:
        print(f"{what}: {said.strip() or [s for s in report['spans'] if s['incident']][0]['join']}")
    return report


# A container's pid joins nothing surely, and nothing that it contradicts.
tid = attributes(lines[0])["tid"]
req = attributes(lines[0])["req"]
pod = {"key": "k8s.pod.uid", "value": {"stringValue": "6f1e"}}
report = say("a pod", req, write("pod.jsonl", changed(lambda r: r.append(pod))), 0, "k8s.pod.uid")
if report and any(c["confidence"] < "C" for c in report["causes"]):
    fail("a pod's cause is A or B")
other = {"key": "process.executable.name", "value": {"stringValue": "gunicorn"}}
say("a pod's other program", req, write("program.jsonl", changed(lambda r: (r.pop(), r.extend([pod, other])))), 3,
    "not gunicorn")
away = {"key": "host.name", "value": {"stringValue": "5f967102e6cb"}}
hosts = write("host.jsonl", changed(lambda r: r.extend([pod, other, away])))
say("a container's host", req, hosts, 3, "5f967102e6cb")
report = say("the thread named", req, hosts, 0, "--tid", "--tid", tid)
if report and report["tid"] != int(tid):
    fail("--tid is not heard")
nopid = write("nopid.jsonl", changed(lambda r: r.pop(1)))
say("no pid", req, nopid, 3, "process.pid")

# Another try of one request, and a copy of it: the longest is told, neither is normal.
tries = copy.deepcopy(lines)
again = copy.deepcopy(tries[0])
span_of(again)["spanId"] = "00000000000000ff"
span_of(again)["endTimeUnixNano"] = str(int(span_of(again)["startTimeUnixNano"]) + 1000)
tries += [again, copy.deepcopy(tries[0])]
report = say("another try", req, write("tries.jsonl", tries), 0, "2 spans named")
name = span_of(lines[0])["name"]
normal = sum(span_of(line)["name"] == name for line in lines) - 1
if report and report["baseline"]["spans"] != normal:
    fail(f"{report['baseline']} normal ones, wanted {normal}")
trace = span_of(lines[0])["traceId"]
for form in (trace.lstrip("0"), trace.upper(), f"00-{trace}-{span_of(lines[0])['spanId']}-01"):
    say(f"--trace {form}", "t" + form[-8:], path, 0, trace, "--trace", form)

# A span's name cannot write to the terminal.
evil = copy.deepcopy(lines[:2])
span_of(evil[0])["name"] = "x\x1b]0;owned\x07\nINCIDENT"
del span_of(evil[0])["endTimeUnixNano"]
status, report, said = analyze(req, write("evil.jsonl", evil))
if "\x1b" in said or "\x07" in said or "\nINCIDENT" in said:
    fail(f"raw text of a span reaches the terminal: {said!r}")
sys.exit(75 if failed and lost else failed)
