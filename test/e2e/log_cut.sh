#!/bin/bash
# SPDX-License-Identifier: MIT
# A log cut at any byte is read up to its last whole block by every reader, which says so; a flipped
# byte is reported. Run in the sanitizer build too, where there is one.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
seq 1 100 >input.txt
from=$(date +%s.%N)
record "$work/log" "$work/out" sort -rn input.txt || fail "record: $(cat "$work/out.err")"
to=$(date +%s.%N)
segment=$(find "$work/log" -name '*.kpl')
[ "$(echo "$segment" | wc -l)" -eq 1 ] || fail "more than one segment: $segment"
cp "$segment" "$work/good"
dump "$work/log" >"$work/all" 2>"$work/all.err" || fail "dump: $(cat "$work/all.err")"
pid=$(sed -n 's/.*"kind":"command".*/&/p' "$work/all" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
[ -n "$pid" ] || fail "no command event in the dump"

# Positions with the number of whole blocks and events before each, from kprobe-log(5).
cat >"$work/blocks.py" <<'PY'
import sys
import kpl
segment = kpl.Segment(open(sys.argv[1], "rb").read())
segment.check()
data, events = segment.data, 0
ends = [(segment.first, 0)]
for block in segment.blocks:
    events += block.event_cnt
    ends.append((block.end, events))
assert len(segment.seal) == kpl.SEG_SEAL and segment.index
HEADER, BLOCK = kpl.SEG_HDR, kpl.BLOCK_HDR
cuts = {0, 1, 8, HEADER - 1, HEADER, HEADER + 1, ends[0][0] - 1}
for end, _ in ends[:: max(1, len(ends) // 8)] + ends[-1:]:
    cuts |= {end - 1, end, end + 1, end + BLOCK - 1, end + BLOCK, end + BLOCK + 1}
cuts |= {len(data) * i // 24 for i in range(24)}
for cut in sorted(c for c in cuts if 0 <= c <= len(data)):
    whole = [e for e in ends if e[0] <= cut]
    # Between two blocks it is cut too: the end is missing.
    print(cut, whole[-1][1] if whole else 0, "whole" if cut == len(data) else "torn")
PY
PYTHONPATH=$top/test/e2e python3 "$work/blocks.py" "$work/good" >"$work/cuts" || fail "the segment is not as kprobe-log(5) says"
echo "$(wc -l <"$work/cuts") cuts of $(stat -c %s "$work/good") bytes, $(wc -l <"$work/all") events"

# judge WHAT STATUS FILE: a reader must end by itself and not by a signal or the sanitizer.
judge() {
	case $2 in
	0 | 1 | 3 | 4 | 7 | 125) ;;
	*)
		tail -n 30 "$3.err"
		fail "$1: exit $2"
		;;
	esac
}

readers() { # WHAT
	timeout 60 "$KPROBE" dump -i "$work/log" --format jsonl >"$work/dump" 2>"$work/dump.err" </dev/null
	dumped=$?
	judge "$1: dump" $dumped "$work/dump"
	rm -f "$work/db"
	timeout 60 "$KPROBE" analyze cut -i "$work/log" --db "$work/db" --pid "$pid" --from "$from" \
		--to "$to" >"$work/report" 2>"$work/report.err" </dev/null
	judge "$1: analyze" $? "$work/report"
	REPLAY_TIMEOUT=60 replay "$work/log" "$work/replayed"
	replayed=$?
	judge "$1: replay" $replayed "$work/replayed"
	[ $replayed -ne 0 ] || cmp "$work/out" "$work/replayed" || fail "$1: replay: exit 0, wrong output"
}

n=0
while read -r cut events whole; do
	n=$((n + 1))
	head -c "$cut" "$work/good" >"$segment"
	readers "cut at $cut"
	got=$(wc -l <"$work/dump")
	[ "$got" -eq "$events" ] || fail "cut at $cut: $got events of $events are readable"
	if [ "$whole" = torn ]; then
		[ -s "$work/dump.err" ] || fail "cut at $cut: dump does not say so"
		[ -s "$work/report.err" ] || grep -qi -E 'cut|torn|incomplete|damage' "$work/report" ||
			fail "cut at $cut: analyze does not say so"
	fi
	if [ -n "${ASAN_KPROBE:-}" ] && [ $((n % 6)) -eq 0 ]; then
		(KPROBE=$ASAN_KPROBE && readers "sanitizer, cut at $cut") || exit 1
	fi
done <"$work/cuts"

while read -r at; do
	cp "$work/good" "$segment"
	python3 - "$segment" "$at" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 0x55]))
PY
	(KPROBE=${ASAN_KPROBE:-$KPROBE} && readers "flip at $at" && [ -s "$work/dump.err" ]) ||
		fail "flip at $at: dump does not say so"
done < <(python3 -c "
import random
size = $(stat -c %s "$work/good")
r = random.Random(7)
print('\n'.join(str(x) for x in [0, 9, 12, 20, 50, 57] + [r.randrange(size) for _ in range(20)]))")
