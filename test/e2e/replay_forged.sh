#!/bin/bash
# SPDX-License-Identifier: MIT
# Bit flips within the events, with right checksums: what no checksum stops must still never be exit
# 0 with a wrong output, a crash or a hang of any reader.
. "$(dirname "$0")/lib.sh"
need_root
gcc -D_GNU_SOURCE -O1 -w -o "$work/mixed" "$top/test/replay/programs/mixed.c" || fail "build"
cd "$work" || exit 1
seq -f 'input line %05g' 1 600 >input.txt
record "$work/log" "$work/out" "$work/mixed" || fail "record: $(cat "$work/out.err")"
segment=$(find "$work/log" -name '*.kpl' | head -n 1)
cp "$segment" "$work/good"
python3 "$top/test/e2e/forge.py" "$work/good" "$segment" 0 || fail "forge.py"
declare -A statuses

# judge WHAT STATUS FILE
judge() {
	case $2 in
	0 | 1 | 3 | 4 | 7 | 125) ;;
	*)
		tail -n 40 "$3"
		cp "$segment" "/tmp/forged.kpl"
		fail "$1: exit $2"
		;;
	esac
}

for seed in $(seq 1 "${FLIPS:-100}"); do
	python3 "$top/test/e2e/forge.py" "$work/good" "$segment" "$seed" || fail "forge.py $seed"
	REPLAY_TIMEOUT=30 replay "$work/log" "$work/replayed"
	status=$?
	judge "seed $seed: replay" $status "$work/replayed.err"
	statuses[$status]=$((${statuses[$status]:-0} + 1))
	[ $status -ne 0 ] || cmp "$work/out" "$work/replayed" || fail "seed $seed: exit 0, wrong output"
	[ -n "${KPROBE_ASAN:-}" ] && [ $((seed % 4)) -eq 0 ] || continue
	timeout 60 "$KPROBE_ASAN" dump -i "$work/log" --format jsonl >/dev/null 2>"$work/err"
	judge "seed $seed: dump, sanitizers" $? "$work/err"
	KPROBE=$KPROBE_ASAN REPLAY_TIMEOUT=60 replay "$work/log" "$work/replayed"
	judge "seed $seed: replay, sanitizers" $? "$work/replayed.err"
done
for status in "${!statuses[@]}"; do
	echo "exit $status: ${statuses[$status]} times"
done
