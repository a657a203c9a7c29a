#!/bin/bash
# SPDX-License-Identifier: MIT
# test/soak/run for half a minute; and what judges it finds a recorder that grows.
. "$(dirname "$0")/lib.sh"
soak=$top/test/soak
for grown in 0 40; do # descriptors
	for i in $(seq 20); do
		echo "$((i * 20)) 7 10000 5000 20000 $((30 + grown * i / 20)) 6 8000 $i"
	done >"$work/samples-$grown"
done
python3 "$soak/judge.py" "$work/samples-0" 8192 || fail "nothing grew"
python3 "$soak/judge.py" "$work/samples-40" 8192 >"$work/out" && fail "40 descriptors are not found"
grep -q '^descriptors grew in all: from 36' "$work/out" || fail "$(cat "$work/out")"
python3 "$soak/judge.py" "$work/samples-0" 4096 && fail "a log of twice its length is not found"
"$soak/run" 30
