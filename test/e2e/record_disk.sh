#!/bin/bash
# SPDX-License-Identifier: MIT
# What becomes of a log whose disk is full, whose folder is removed, whose recorder is killed: the
# accounts are right, in the log too, and each reader says how it ended.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
mkdir disk
mount -t tmpfs -o mode=700,size=12m kprobe-test disk 2>/dev/null || skip "needs the right to mount"
tidy_up() {
	umount -l "$work/disk" 2>/dev/null
	cleanup
}
trap tidy_up EXIT

# busy OUT LOG: a recorder of the whole machine, and something to record. $recorder, $load.
busy() {
	spawn python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$KPROBE" record -o "$2" >"$1" 2>"$1.err" </dev/null
	recorder=$!
	spawn sh -c 'while :; do dd if=/dev/urandom of=/dev/null bs=97 count=20000 2>/dev/null; done'
	load=$!
	wait_for 60 sh -c "[ -n \"\$(find $2 -name '*.kpl' -size +64k 2>/dev/null)\" ]" || fail "$1: $(cat "$1.err")"
}

ended() {
	! kill -0 "$recorder" 2>/dev/null
}

# finish OUT STATUS
finish() {
	local status
	kill "$load"
	kill -INT "$recorder"
	wait_for 60 ended || fail "$1: no end; $(cat "$1.err")"
	wait "$recorder"
	status=$?
	[ $status = "$2" ] || fail "$1: exit $status, not $2; $(cat "$1.err")"
	grep -q '^kprobe: total ' "$1.err" || fail "$1: no accounts; $(cat "$1.err")"
}

# same_losses OUT LOG: per class, what stderr says is what the events `lost` and the block headers say.
same_losses() {
	"$KPROBE" dump -i "$2" --stats >"$1.stats" 2>"$1.stats.err" || fail "$1: $(cat "$1.stats.err")"
	dump "$2" >"$1.events" || fail "$1: dump"
	python3 - "$1.err" "$1.stats" "$1.events" <<'PY' || fail "$1: the losses differ: $(cat "$1.err" "$1.stats")"
import json, re, sys
table, header, events = {}, {}, {}
names = "sched life syscall payload signal irq block sync tcp memory clock meta kernel packet".split()
for line in open(sys.argv[1]):
    m = re.match(r"kprobe: (\w+) +(\d+) +(\d+)$", line)
    if m and m[1] in names:
        table[m[1]] = int(m[3])
for line in open(sys.argv[2]):
    m = re.match(r"lost\.(\w+) (\d+)$", line)
    if m:
        header[m[1]] = int(m[2])
for line in open(sys.argv[3]):
    if '"kind":"lost"' in line:
        e = json.loads(line)
        events[names[e["lost_group"]]] = events.get(names[e["lost_group"]], 0) + e["count"]
bad = [n for n in names if table.get(n, 0) != events.get(n, 0)]
print("table", {n: c for n, c in table.items() if c}, "headers", header, "events", events)
assert sum(table.values()) > 0, "nothing was lost"
assert not bad, bad
assert all(header.get(n, 0) <= table.get(n, 0) for n in names)
PY
}

# --- full to the last byte, until the end ---
busy full disk/log
dd if=/dev/zero of=disk/ballast bs=4096 2>/dev/null
wait_for 60 grep -q 'No space left' full.err || fail "full: not said: $(cat full.err)"
sleep 1
finish full 1
same_losses full disk/log
grep -q '^gaps 0$' full.stats || fail "full: $(cat full.stats full.stats.err)"
grep -q '^end interrupted$' full.stats || fail "full: $(cat full.stats)"
rm -rf disk/log disk/ballast

# --- full, then not: each step down is said and in the log, memory keeps what is recorded, and all
# of it undoes itself ---
busy again disk/log
dd if=/dev/zero of=disk/ballast bs=4096 2>/dev/null
for step in 'No space left on device; what is recorded waits in memory' 'in the tier switches, not waits' \
	'in the tier none, not switches' 'nothing more can be left out'; do
	wait_for 60 grep -q "$step" again.err || fail "again: '$step' not said: $(cat again.err)"
done
rm disk/ballast
wait_for 60 grep -q 'is written again; 0 events' again.err || fail "again: $(cat again.err)"
wait_for 60 grep -q 'in the tier waits, not none' again.err || fail "again: no step up: $(cat again.err)"
sleep 2
finish again 0
"$KPROBE" dump -i disk/log --stats >again.stats 2>&1 || fail "again: $(cat again.stats)"
grep -q '^gaps 0$' again.stats || fail "again: $(cat again.stats)"
dump disk/log -k disk,tier >again.events || fail "again: dump"
for state in '"error":-28,"state":1' '"error":-28,"state":2' '"lost":0,"error":-28,"state":0' \
	'"before":2,"why":4' '"before":1,"why":4' '"tier":2,.*"before":0,"why":5'; do
	grep -q "$state" again.events || fail "again: no $state in $(cat again.events)"
done
rm -rf disk/log

# --- full of its own log: the oldest segments go, and nothing is lost ---
spawn "$KPROBE" record -o disk/log -e syscall --segment-size 1M -C 1G --duration 8s >own 2>own.err </dev/null
recorder=$!
spawn sh -c 'while :; do dd if=/dev/urandom of=/dev/null bs=97 count=200000 2>/dev/null; done'
load=$!
dd if=/dev/zero of=disk/ballast bs=1M count=6 2>/dev/null
wait "$recorder" || fail "own: exit $?; $(cat own.err)"
kill "$load"
grep -q "of the log's oldest segments" own.err || fail "own: nothing went: $(cat own.err)"
grep -q 'waits in memory' own.err && fail "own: it had to wait: $(cat own.err)"
dump disk/log -k retain | grep -q '"why":4' || fail "own: the log does not say what went"
"$KPROBE" dump -i disk/log --stats >own.stats 2>&1 || fail "own: $(cat own.stats)"
grep -q '^gaps 0$' own.stats || fail "own: $(cat own.stats)"
rm -rf disk/log disk/ballast

# --- its folder is removed meanwhile ---
busy removed log-removed
rm -rf log-removed
wait_for 60 grep -q 'removed' removed.err || fail "removed: not said: $(cat removed.err)"
finish removed 1

# --- killed ---
busy killed log-killed
begin=$(date +%s.%N)
sleep 0.5
"$KPROBE" dump -i log-killed --stats >open.stats 2>open.err || fail "open: $(cat open.err)"
grep -q '^end none yet: it is still being recorded$' open.stats || fail "open: $(cat open.stats)"
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
"$KPROBE" dump -i log-killed --stats >killed.stats 2>killed.stats.err || fail "killed: $(cat killed.stats.err)"
grep -q 'no end: its recorder was killed' killed.stats.err || fail "killed: dump does not say so: $(cat killed.stats.err)"
grep -q '^gaps 1$' killed.stats || fail "killed: $(cat killed.stats)"
"$KPROBE" analyze killed -i log-killed --db killed.db --pid "$load" --from "$begin" --to "$(date +%s.%N)" \
	>killed.report 2>&1
grep -q 'no end: its recorder was killed' killed.report || fail "killed: analyze does not say so: $(cat killed.report)"
kill "$load"

# The command outlives a recorder that is killed.
spawn "$KPROBE" record -o log-command -- sh -c 'sleep 0.3; echo begun $$; exec sleep 1000' >command 2>command.err
recorder=$!
wait_for 60 grep -q begun command || fail "command: $(cat command.err)"
sleep 0.5
kp_children="$kp_children $(sed -n 's/^begun //p' command)"
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
"$KPROBE" replay log-command >command.replay 2>&1
status=$?
[ $status = 125 ] || fail "command: replay: exit $status; $(cat command.replay)"
grep -q 'no end: its recorder was killed' command.replay || fail "command: replay does not say so: $(cat command.replay)"
echo "killed: dump, analyze and replay say so"
