#!/bin/bash
# SPDX-License-Identifier: MIT
# A recorder is killed again and again under load, and the next one goes on: in one run of the log,
# with exact accounts. One that is stopped or stays dead costs next to nothing, and what it missed is
# counted. Another build's or other options' remains are removed.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
kills=${KILLS:-20}
export KPROBE_PIN=/sys/fs/bpf/kprobe-test-$$
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf 2>/dev/null || skip "no BPF file system"
trap '"$KPROBE" record --unpin >/dev/null 2>&1; rmdir "$KPROBE_PIN" 2>/dev/null; cleanup' EXIT

# Two processes that wake each other.
cat >load.py <<'PY'
import os, time
r, w = os.pipe()
r2, w2 = os.pipe()
if not os.fork():
    os.close(w)
    while os.read(r, 1):
        os.write(w2, b"x")
    os._exit(0)
while True:
    for i in range(100):
        os.write(w, b"x")
        os.read(r2, 1)
    time.sleep(0.01)
PY
spawn python3 load.py

cat >accounts.py <<'PY'
import collections, json, subprocess, sys
takeovers = int(sys.argv[1])
# Groups whose events are the probes' alone.
groups = {0: "sched", 1: "life", 4: "signal", 7: "sync"}
cnt, lost, stats = (collections.Counter() for _ in range(3))
snapshot = 0
for line in sys.stdin:
    e = json.loads(line)
    cnt[e["kind"]] += 1
    if e["kind"] == "lost":
        lost[e["lost_group"]] += e["count"]
        assert e["from_ns"] <= e["to_ns"] <= e["time_ns"], e
    elif e["kind"] == "record_stats":
        for field in "produced", "stored", "lost":
            stats[field, e["of_group"]] += e[field]
        assert e["produced"] == e["stored"] + e["lost"], e
# One that is killed before it wrote anything has not written that either.
assert cnt["takeover"] <= takeovers and (cnt["takeover"] > 0) == (takeovers > 0), cnt["takeover"]
for g, name in groups.items():
    stored, missing = stats["stored", g], stats["lost", g]
    print(name, "produced", stats["produced", g], "stored", stored, "lost", missing)
    assert lost[g] == missing, (name, lost[g])
    if name != "life": # the snapshots have sockets of their own
        dump = subprocess.run([*sys.argv[2:], "--kind", name], stdout=subprocess.PIPE, check=True)
        assert dump.stdout.count(b"\n") == stored, (name, stored)
assert stats["stored", 0] > 1000
PY

# begin LOG [OPTION…]: a recorder, $recorder, that has begun.
begin() {
	local log=$1
	shift
	"$KPROBE" record -o "$log" "$@" 2>>"$log.err" &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 60 has_begun "$log.err" $((++begun)) || fail "$(cat "$log.err")"
}
begun=0

has_begun() {
	[ "$(grep -c 'recording into' "$1")" = "$2" ]
}

finish() {
	kill -INT "$recorder"
	wait "$recorder" || fail "exit $?: $(cat "$1.err")"
	"$KPROBE" dump -i "$1" --stats >stats || fail "dump: $(cat stats)"
	grep -q '^gaps 0$' stats || fail "$(cat stats)"
	grep -q '^end interrupted' stats || fail "$(cat stats)"
	dump "$1" | python3 accounts.py "$2" "$KPROBE" dump -i "$1" --format jsonl || fail "accounts: $(cat "$1.err")"
	[ -z "$(ls "$KPROBE_PIN")" ] || fail "left: $(ls "$KPROBE_PIN")"
}

# --- killed at any moment ---

for ((i = 0; i < kills; i++)); do
	begin log
	sleep "0.$((RANDOM % 9))$((RANDOM % 10))"
	kill -KILL "$recorder"
	wait "$recorder" 2>/dev/null
	[ -e "$KPROBE_PIN/ledger" ] || fail "nothing is pinned: $(cat log.err)"
done
begin log
sleep 0.5
finish log "$kills"
[ "$(grep -c 'goes on where the recorder' log.err)" = "$kills" ] || fail "$(cat log.err)"
grep -q '^runs' stats && fail "more than one run: $(cat stats)"
echo "killed $kills times: ok"

# --- stopped ---

begun=0
begin stopped
kill -STOP "$recorder"
sleep 7
kill -CONT "$recorder"
sleep 0.5
finish stopped 0 >stopped.accounts
cat stopped.accounts
[ "$(sed -n 's/^sched .*lost //p' stopped.accounts)" -gt 1000 ] || fail "stopped: all was heard"
echo "stopped: ok"

# --- dead for longer ---

begun=0
begin dead
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
sleep 7
begin dead
sleep 0.5
finish dead 1 >dead.accounts
[ "$(sed -n 's/^sched .*lost //p' dead.accounts)" -gt 1000 ] || fail "dead: all was heard"
echo "dead: ok"

# --- remains of another, and of nobody ---

begun=0
begin one
"$KPROBE" record -o beside --duration 500ms 2>beside.err || fail "beside: $(cat beside.err)"
grep -q 'another recorder is at work' beside.err || fail "beside: $(cat beside.err)"
"$KPROBE" record --unpin 2>unpin.err && fail "unpin: under a recorder"
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
"$KPROBE" record -o one --irq-threshold 1ms --duration 500ms 2>other.err || fail "other: $(cat other.err)"
grep -q 'removed from the kernel what another' other.err || fail "other: $(cat other.err)"
begun=0
begin two
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
"$KPROBE" record --unpin 2>unpin.err || fail "unpin: $(cat unpin.err)"
grep -q 'removed what a recorder had left' unpin.err || fail "unpin: $(cat unpin.err)"
[ -z "$(ls "$KPROBE_PIN")" ] || fail "unpin left: $(ls "$KPROBE_PIN")"
"$KPROBE" record --unpin 2>unpin.err || fail "unpin: $(cat unpin.err)"
grep -q 'nothing is left' unpin.err || fail "unpin: $(cat unpin.err)"
echo "remains: ok"
