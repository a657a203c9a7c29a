#!/bin/bash
# SPDX-License-Identifier: MIT
# Spans of a server whose requests overlap (test/analyze/programs/pool.c): each is joined with the
# thread that worked on it, or the answer says why not and what to do.
# Runs alone: what the machine does beside it delays what it measures.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"
cc -D_GNU_SOURCE -O2 -o "$work/pool" "$top/test/analyze/programs/pool.c" -lpthread ||
	fail "the test's program does not compile"

attempt() {
	local recorder
	rm -rf "$work/log"
	"$KPROBE" record -o "$work/log" >"$work/record.out" 2>&1 &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 20 test -n "$(find "$work/log" -name '*.kpl' -size +0 2>/dev/null)" || sleep 2
	sleep 1
	timeout 60 "$work/pool" "$work/spans.jsonl" || fail "the server"
	sleep 0.5
	kill -INT $recorder
	wait $recorder
	python3 "$top/test/e2e/analyze_traces.py" "$KPROBE" "$work/log" "$work/spans.jsonl"
}

for try in 1 2 3; do
	attempt
	status=$?
	[ $status -eq 75 ] || break
	echo "try $try: events were lost when it mattered"
done
exit $status
