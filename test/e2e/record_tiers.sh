#!/bin/bash
# SPDX-License-Identifier: MIT
# The tier changes while a node is recorded: programs are attached and detached, the log says when
# and why and has in each stretch what its tier promises, and the accounts stay exact. Once by
# signals, once by a budget that a load exceeds.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"
cd "$work" || exit 1

# Calls, waits and bytes through a socket, a thousand times a second.
cat >load.py <<'PY'
import os, signal, socket, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
a, b = socket.socketpair()
if not os.fork():
    b.close()
    try:
        while a.recv(1):
            a.send(b"x")
    except OSError:
        pass
    os._exit(0)
a.close()
while True:
    b.send(b"x")
    b.recv(1)
    os.getppid()
    time.sleep(0.001)
PY

# begin OUT LOG [OPTION…]
begin() {
	local out=$1 log=$2
	shift 2
	spawn "$KPROBE" record -o "$log" "$@" >"$out" 2>&1
	recorder=$!
	wait_for 30 grep -q 'recording into' "$out" || fail "no recording: $(cat "$out")"
}

end() {
	kill -INT $recorder
	wait $recorder
	grep -q '^kprobe: total' "$1" || fail "no end: $(cat "$1")"
}

links() {
	grep -l '^link_type' /proc/$recorder/fdinfo/* 2>/dev/null | wc -l
}

fewer() {
	[ "$(links)" -lt "$1" ]
}

more() {
	[ "$(links)" -gt "$1" ]
}

# step SIGNAL TEST: waits until the programs have changed.
step() {
	local before
	before=$(links)
	kill -"$1" $recorder
	wait_for 30 "$2" "$before" || fail "SIG$1: still $before links: $(cat out)"
	echo "SIG$1: $before links, then $(links)"
	sleep 2.5 # both tiers are recorded for a second of it
}

spawn python3 load.py
load=$!
begin out log -e syscall
sleep 2
calls=$(links)
[ "$calls" -gt 20 ] || fail "$calls links"
kill -USR1 $recorder # detaches sys_enter and sys_exit, but attaches the sockets' two
wait_for 30 grep -q 'the tier waits, not calls' out || fail "not said: $(cat out)"
sleep 4
step USR1 fewer
step USR1 fewer
none=$(links)
step USR2 more
step USR2 more
kill -USR2 $recorder
sleep 3
[ "$(links)" -eq "$calls" ] || fail "$(links) links at the end, $calls at the begin"
names=$(cat /proc/$recorder/task/*/comm | sort -u | tr '\n' ' ')
end out
kill $load
echo "threads: $names"
for name in kp-write kp-disk kp-snapshot kp-tiers; do
	[[ " $names" == *" $name "* ]] || fail "no thread $name"
done
[ "$none" -lt $((calls - 4)) ] || fail "$none links in the lowest tier"

cat >stretches.py <<'PY'
"""Each stretch has the kinds of its tier and no other, a second after its begin on."""
import collections, json, re, subprocess, sys
kprobe, log, wanted = sys.argv[1], sys.argv[2], sys.argv[3].split()
dump = subprocess.Popen([kprobe, "dump", "-i", log, "--format", "jsonl"], stdout=subprocess.PIPE, text=True)
head = re.compile(r'{"time_ns":(\d+),.*?"kind":"(\w+)"')
names = ["none", "switches", "waits", "calls"]
has = {"none": set(), "switches": {"sched_switch", "sched_waking"},
       "waits": {"sched_switch", "sched_waking", "wait", "sock_send", "sock_recv"},
       "calls": {"sched_switch", "sched_waking", "sock_send", "sock_recv", "syscall"}}
every = set.union(*has.values())
own = {"tier": [], "record_stats": []}
kinds, times = collections.Counter(), {kind: [] for kind in every}
for line in dump.stdout:
    time_ns, kind = head.match(line).groups()
    kinds[kind] += 1
    last = int(time_ns)
    if kind in every:
        times[kind].append(last)
    elif kind in own:
        own[kind].append(json.loads(line))
assert dump.wait() == 0
changes = own["tier"]
assert changes[0]["why"] == 0, changes[0]
stretches = [changes[0]] + [e for e in changes if e["why"]]
assert [names[e["tier"]] for e in stretches] == wanted, stretches
for a, b in zip(stretches, stretches[1:]):
    assert b["before"] == a["tier"], (a, b)
MS = 1_000_000
for i, e in enumerate(stretches):
    # A step up begins, and a step down ends, with a second of both tiers.
    begin = e["time_ns"] + (1300 if i and e["tier"] > e["before"] else 300) * MS
    after = stretches[i + 1] if i + 1 < len(stretches) else None
    end = after["time_ns"] - (1300 if after["tier"] < e["tier"] else 300) * MS if after else last
    seen = {kind: sum(begin <= t < end for t in times[kind]) for kind in sorted(every)}
    print(names[e["tier"]], "%.1f s" % ((end - begin) / 1e9), seen)
    assert end - begin > 300 * MS
    for kind in every:
        assert bool(seen[kind]) == (kind in has[names[e["tier"]]]), (names[e["tier"]], kind, seen[kind])
stored, lost = collections.Counter(), 0
for e in own["record_stats"]:
    assert e["produced"] == e["stored"] + e["lost"], e
    stored[e["of_group"]] += e["stored"]
    lost += e["lost"]
for number, group in {0: "sched", 2: "syscall"}.items():
    dump = subprocess.run([kprobe, "dump", "-i", log, "--kind", group], stdout=subprocess.PIPE, check=True)
    assert stored[number] == dump.stdout.count(b"\n"), (group, stored[number], kinds)
print("stored", dict(stored), "lost", lost)
PY
python3 stretches.py "$KPROBE" log "calls waits switches none switches waits calls" || fail "the stretches"

# --- a budget that is too small for any load ---
spawn python3 load.py
load=$!
begin over over-log --budget 0.01
wait_for 60 grep -q 'tier switches, not waits' over || fail "no step: $(cat over)"
grep 'tier switches' over
kill $load
end over
dump over-log --kind tier | grep -q '"tier":1,.*"before":2,"why":2' || fail "$(dump over-log --kind tier)"

# --- by default a command has no limit, and who records the machine has 1 percent ---
unset KPROBE_BUDGET
"$KPROBE" record -o node-log --duration 100ms 2>node || fail "$(cat node)"
strings -n 8 node-log/*/*.kpl | grep -q '"budget":1}' || fail "the node has no budget"
"$KPROBE" record -o free-log -- true 2>free || fail "$(cat free)"
strings -n 8 free-log/*/*.kpl | grep -q '"budget":0}' || fail "a command has a budget"
for bad in 101 -1 x '' 0.0001 1x; do
	"$KPROBE" record --budget "$bad" -o bad-log --duration 1ms >bad 2>&1 && fail "--budget '$bad' is taken"
done
echo ok
