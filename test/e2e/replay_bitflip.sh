#!/bin/bash
# SPDX-License-Identifier: MIT
# 100 random bit flips in a log, with a fixed seed: a replay is never exit 0 with a wrong output,
# never a crash, never a hang.
. "$(dirname "$0")/lib.sh"
need_root
gcc -D_GNU_SOURCE -O1 -w -o "$work/mixed" "$top/test/replay/programs/mixed.c" || fail "build"
cd "$work" || exit 1
seq -f 'input line %05g' 1 600 >input.txt
record "$work/log" "$work/out" "$work/mixed" || fail "record: $(cat "$work/out.err")"
segment=$(find "$work/log" -name '*.kpl' | head -n 1)
cp "$segment" "$work/good"
size=$(stat -c %s "$segment")
echo "a log of $size bytes"
declare -A statuses
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
	statuses[$status]=$((${statuses[$status]:-0} + 1))
	case $status in
	0)
		cmp "$work/out" "$work/replayed" || fail "flip $flip at $offset.$bit: exit 0, wrong output"
		;;
	1 | 3 | 4 | 7 | 125)
		[ -s "$work/replayed.err" ] || fail "flip $flip at $offset.$bit: exit $status, no word"
		;;
	*)
		cat "$work/replayed.err"
		fail "flip $flip at $offset.$bit: exit $status"
		;;
	esac
	# The sanitizer build finds what the other survives by luck.
	if [ -n "${KPROBE_ASAN:-}" ] && [ $((flip % 5)) -eq 0 ]; then
		KPROBE=$KPROBE_ASAN REPLAY_TIMEOUT=60 replay "$work/log" "$work/replayed"
		status=$?
		case $status in
		0 | 1 | 3 | 4 | 7 | 125) ;;
		*)
			tail -n 40 "$work/replayed.err"
			fail "flip $flip at $offset.$bit: exit $status in the sanitizer build"
			;;
		esac
	fi
done < <(python3 -c "
import random
r = random.Random(20251)
for _ in range(100):
    print(r.randrange($size), r.randrange(8))")
for status in "${!statuses[@]}"; do
	echo "exit $status: ${statuses[$status]} times"
done
[ $flip -eq 100 ]
