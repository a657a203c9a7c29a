#!/bin/bash
# SPDX-License-Identifier: MIT
# Whether a real log is whole, by its accounts too: after a command, after losses, after retention,
# killed, and with one bit changed.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1

# verify STATUS LOG PATTERN
verify() {
	"$KPROBE" dump --verify "$2" >out 2>&1
	local got=$?
	[ $got = "$1" ] || fail "$2: exit $got, not $1: $(cat out)"
	grep -q -- "$3" out || fail "$2: no '$3' in $(cat out)"
}

# has_lost LOG: what runs beside this can take both CPUs for longer than a ring holds.
has_lost() {
	"$KPROBE" dump --verify "$1" | grep -q '^lost [1-9]'
}

for _ in 1 2 3; do
	rm -rf log
	record log out sh -c 'ls -lR /etc >/dev/null; echo done' || fail "record: $(cat out.err)"
	has_lost log && continue
	verify 0 log '^whole$'
	grep -q '^objects [1-9]' out || fail "no contents: $(cat out)"
	record log out sleep 0.2 || fail "record: $(cat out.err)"
	has_lost log || break
done
verify 0 log '^whole$'
verify 0 "$(find log -name 00000002.kpl)" '^whole$'
"$KPROBE" dump --verify --format json log | python3 -c '
import json, sys
v = json.load(sys.stdin)
assert v["whole"] and not v["findings"] and v["segments"] == 2 and v["lost"] == 0, v' || fail "JSON"
"$KPROBE" dump --verify -k sched log >out 2>&1
[ $? = 2 ] || fail "a filter: $(cat out)"

# A ring that is too small: what is lost is told, stored and lost are what was produced.
spawn sh -c 'while :; do dd if=/dev/zero of=/dev/null bs=1 count=2000000 2>/dev/null; done'
load=$!
"$KPROBE" record -o lossy -e syscall --ring 64K --duration 3s >out 2>&1 || fail "lossy: $(cat out)"
if grep -q '^kprobe: total  *[0-9]*  *0 ' out; then
	echo "nothing was lost: the status 6 is not seen"
else
	verify 6 lossy '^whole, but events were lost$'
fi

# Retention takes the begin, and says so.
"$KPROBE" record -o short -e syscall -C 1M --duration 4s >out 2>&1 || fail "short: $(cat out)"
kill "$load"
"$KPROBE" dump --verify short >out 2>&1
status=$?
[ $status = 0 ] || [ $status = 6 ] || fail "retained: exit $status: $(cat out)"
grep -q '^note: .*: retention removed them$' out || fail "retained: not told: $(cat out)"
rm "$(find short -name '*.kpl' | sort | sed -n 3p)"
verify 4 short 'nothing says that retention removed them'

# One bit, anywhere.
for file in $(find log -type f); do
	cp "$file" good
	python3 - "$file" <<'PY'
import os, random, sys
with open(sys.argv[1], "r+b") as f:
    at = random.randrange(os.path.getsize(sys.argv[1]))
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 1 << random.randrange(8)]))
    print(sys.argv[1], at)
PY
	verify 4 log '^damaged in'
	cp good "$file"
done
verify 0 log '^whole$'

# Killed: nobody can tell that from a log whose end was cut off.
spawn "$KPROBE" record -o killed >out 2>&1
recorder=$!
wait_for 60 sh -c "[ -n \"\$(find killed -name '*.kpl' -size +8k 2>/dev/null)\" ]" || fail "$(cat out)"
sleep 1.5
verify 0 killed 'still being recorded'
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
verify 4 killed 'has no end: its recorder was killed'
echo "whole, lost, retained, changed and killed are told apart"
