#!/bin/bash
# SPDX-License-Identifier: MIT
# Bit flips within the events, with right checksums: what no checksum stops must still never be exit
# 0 with a wrong output, a crash or a hang of any reader.
. "$(dirname "$0")/lib.sh"
need_root
record_mixed
python3 "$top/test/e2e/forge.py" "$work/good" "$segment" 0 || fail "forge.py"
statuses=
for seed in $(seq 1 "${FLIPS:-100}"); do
	python3 "$top/test/e2e/forge.py" "$work/good" "$segment" "$seed" || fail "forge.py $seed"
	REPLAY_TIMEOUT=30 replay "$work/log" "$work/replayed"
	status=$?
	judge "seed $seed: replay" $status "$work/replayed.err"
	statuses="$statuses $status"
	[ $status -ne 0 ] || cmp "$work/out" "$work/replayed" || fail "seed $seed: exit 0, wrong output"
	[ -n "${ASAN_KPROBE:-}" ] && [ $((seed % 4)) -eq 0 ] || continue
	timeout 60 "$ASAN_KPROBE" dump -i "$work/log" --format jsonl >/dev/null 2>"$work/err"
	judge "seed $seed: dump, sanitizers" $? "$work/err"
	KPROBE=$ASAN_KPROBE REPLAY_TIMEOUT=60 replay "$work/log" "$work/replayed"
	judge "seed $seed: replay, sanitizers" $? "$work/replayed.err"
done
# shellcheck disable=SC2086 # they are words
exits $statuses
