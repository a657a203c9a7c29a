# SPDX-License-Identifier: MIT
"""What test/e2e/analyze_graph.sh records, and what it checks.

usage: analyze_graph.py work                        waits for what a graph can have; pid, begin and end
       analyze_graph.py proved EVENTS REPORT…       each event of the reports is one of the log's
       analyze_graph.py manual DB PAGE REPORT…      tables, columns and members are as the page has them
"""
import collections
import json
import os
import re
import signal
import socket
import sqlite3
import sys
import time


def serve(sock, pipe_in, pipe_out):
    while True:
        asked = sock.recv(1)
        if not asked:
            os._exit(0)
        os.write(pipe_out, asked)
        os.read(pipe_in, 1)
        sock.send(asked)


def compute(pipe_in, pipe_out):
    while asked := os.read(pipe_in, 1):
        sum(range(100000))
        os.write(pipe_out, asked)
    os._exit(0)


def work():
    spans = []
    asks, answers = os.pipe(), os.pipe()
    near, far = socket.socketpair()
    if os.fork() == 0:
        near.close()
        os.close(asks[0]), os.close(answers[1])
        serve(far, answers[0], asks[1])
    if os.fork() == 0:
        near.close(), far.close()
        os.close(asks[1]), os.close(answers[0])
        compute(asks[0], answers[1])
    far.close()
    for end in asks + answers:
        os.close(end)
    time.sleep(.2)
    begin = time.time()
    for i in range(8):
        start = time.time_ns()
        with open("data", "wb") as f:
            f.write(b"x" * 4096)
            f.flush()
            os.fsync(f.fileno())
        near.send(b"a")
        near.recv(1)
        time.sleep(.005)
        if os.fork() == 0:
            os.kill(os.getppid(), signal.SIGSTOP)
            time.sleep(.01)
            os.kill(os.getppid(), signal.SIGCONT)
            os._exit(0)
        os.wait()
        spans.append({"traceId": f"{i + 1:032x}", "spanId": f"{i + 1:016x}", "name": "pay",
                      "startTimeUnixNano": str(start), "endTimeUnixNano": str(time.time_ns()),
                      "attributes": [{"key": "payment.id", "value": {"stringValue": str(4000 + i)}}]})
    end = time.time()
    near.close()
    of = [{"key": "service.name", "value": {"stringValue": "ledger"}},
          {"key": "process.pid", "value": {"intValue": str(os.getpid())}}]
    with open("spans.json", "w") as f:
        json.dump({"resourceSpans": [{"resource": {"attributes": of}, "scopeSpans": [{"spans": spans}]}]}, f)
    print(os.getpid(), f"{begin:.6f}", f"{end:.6f}")


def proved(events, reports):
    log = {(e["kind"], e["cpu"], e["time_ns"]) for e in map(json.loads, open(events))}
    seen = collections.Counter()
    for path in reports:
        report = json.load(open(path))
        nodes, edges = report["nodes"], report["edges"]
        assert [n["id"] for n in nodes] == list(range(len(nodes)))
        assert nodes[0]["kind"] == "window" and nodes[0]["t1_ns"] - nodes[0]["t0_ns"] == report["duration_ns"]
        # A tree: each node but the window explains one before it, within its time.
        assert [e["cause"] for e in edges] == list(range(1, len(nodes)))
        for edge in edges:
            assert edge["effect"] < edge["cause"], edge
            cause = nodes[edge["cause"]]
            assert edge["ns"] == cause["t1_ns"] - cause["t0_ns"], edge
        for step in report["path"]:
            node = nodes[step["node"]]
            assert (node["t0_ns"], node["t1_ns"], node["kind"]) == (step["t0_ns"], step["t1_ns"], step["kind"])
            on_way = {step["node"], edges[step["node"] - 1]["effect"]}
            roles = {e["role"] for e in report["events"] if e["node"] in on_way}
            assert bool(step["evidence"]) == bool(roles), step
        for e in report["events"]:
            assert e["role"] != "told", e
            seen[e["role"], e["kind"]] += 1
            if e["kind"] and e["cpu"] is not None:
                assert (e["kind"], e["cpu"], e["time_ns"]) in log, e
                seen["found"] += 1
    known = sum(n for what, n in seen.items() if what != "found")
    print(f"{seen['found']} of {known} events stand in the log, of the others the kind or CPU is not known")
    print(dict(seen))
    assert seen["found"] > known * .9, seen
    for role in ("woken", "waited", "waker", "issued", "completed", "signal"):
        assert any(what[0] == role for what in seen), role


def entries(page):
    """The manual's tables: {table: [column…]}, and members: {array or '': [member…]}."""
    text = open(page).read().replace("\\-", "-")
    tables, members = {}, {}
    for part in re.split(r"^\.Ss ", text.split("\n.Sh DATABASE")[1].split("\n.Sh ")[0], flags=re.M)[1:]:
        head, rest = part.split("\n", 1)
        if head.startswith("Table "):
            names = [n for line in re.findall(r"^\.It Va (.*?)(?: Pq \w+)?$", rest, re.M) for n in line.split(" , ")]
            assert len(set(names)) == len(names), (head, names)
            tables[head.split()[1]] = set(names)
    section = text.split("\n.Sh JSON")[1].split("\n.Sh ")[0]
    for part in re.split(r"^(?=Of the table$|The array$)", section, flags=re.M)[1:]:
        part = part.split("\n.Pp\nLeft out")[0]
        lines = part.split("\n")
        name = "" if lines[0] == "Of the table" else re.match(r"\.Va (\w+)", lines[1])[1]
        start = 2 if not name else 4
        names = re.sub(r" (\.|, and)$", "", lines[start].removeprefix(".Va ")).split(" , ")
        members[name] = set(names) | set(re.findall(r"^\.It Va (.*)$", part, re.M))
    return tables, members


def flat(row, known):
    """The members of a row, those of objects that the manual takes apart with a dot."""
    names = set()
    for key, value in row.items():
        inner, dot = (value[0], "[].") if isinstance(value, list) and value and isinstance(value[0], dict) else (value, ".")
        if isinstance(inner, dict) and any(k.startswith(key + dot) for k in known):
            names |= {key + dot + k for k in inner}
        else:
            names.add(key)
    return names


def manual(db, page, reports):
    tables, members = entries(page)
    con = sqlite3.connect(db)
    real = {name: {row[1] for row in con.execute(f"PRAGMA table_info({name})")}
            for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == real, {t: tables.get(t, set()) ^ real.get(t, set()) for t in tables | real}
    seen = collections.defaultdict(set)
    for path in reports:
        report = json.load(open(path))
        lists = {k: report.pop(k) for k in list(report) if k in members}
        assert set(lists) == set(members) - {""}, (lists.keys(), members.keys())
        del report["version"]
        seen[""] |= flat(report, members[""])
        for name, rows in lists.items():
            for row in rows:
                seen[name] |= flat(row, members[name])
    for name, names in members.items():
        assert seen[name] <= names, (name, seen[name] - names)
        missing = names - seen[name]
        print(f"{name or 'report'}: {len(names)} members, not seen: {', '.join(sorted(missing)) or 'none'}")
    # The queries of the manual are taken as they are.
    queries = re.findall(r"^\.Bd -literal -offset indent\n((?:SELECT|WITH)[^;]*;)", open(page).read(), re.M)
    assert len(queries) == 2, queries
    for query in queries:
        print(len(con.execute(query.replace("4017", "pay")).fetchall()), "rows:", query.split("\n")[0])
    assert con.execute(queries[1].replace("4017", "pay")).fetchall()


if sys.argv[1] == "work":
    work()
elif sys.argv[1] == "proved":
    proved(sys.argv[2], sys.argv[3:])
else:
    manual(sys.argv[2], sys.argv[3], sys.argv[4:])
