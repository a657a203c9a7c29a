#!/bin/bash
# SPDX-License-Identifier: MIT
# 100 random bit flips in a log, with a fixed seed: a replay is never exit 0 with a wrong output,
# never a crash, never a hang.
. "$(dirname "$0")/lib.sh"
need_root
record_mixed
size=$(stat -c %s "$segment")
echo "a log of $size bytes"
statuses=
flip=0
while read -r offset bit; do
	flip=$((flip + 1))
	python3 - "$work/good" "$segment" "$offset" "$bit" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 1 << int(sys.argv[4])
open(sys.argv[2], "wb").write(data)
PY
	REPLAY_TIMEOUT=20 replay "$work/log" "$work/replayed"
	status=$?
	statuses="$statuses $status"
	judge "flip $flip at $offset.$bit" $status "$work/replayed.err"
	[ $status -ne 0 ] || cmp "$work/out" "$work/replayed" ||
		fail "flip $flip at $offset.$bit: exit 0, wrong output"
	# The sanitizer build finds what the other survives by luck.
	if [ -n "${ASAN_KPROBE:-}" ] && [ $((flip % 5)) -eq 0 ]; then
		KPROBE=$ASAN_KPROBE REPLAY_TIMEOUT=60 replay "$work/log" "$work/replayed"
		judge "flip $flip at $offset.$bit, sanitizers" $? "$work/replayed.err"
	fi
done < <(python3 -c "
import random
r = random.Random(20251)
for _ in range(100):
    print(r.randrange($size), r.randrange(8))")
# shellcheck disable=SC2086 # they are words
exits $statuses
[ $flip -eq 100 ]
