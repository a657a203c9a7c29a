#!/bin/bash
# SPDX-License-Identifier: MIT
# Delays whose causes are known (test/analyze/programs/delay.c), recorded on the whole node; each
# must get its own answer: what the time was spent on, by whom, and through what.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"
cc -D_GNU_SOURCE -O2 -o "$work/delay" "$top/test/analyze/programs/delay.c" -lpthread ||
	fail "the test's program does not compile"
mkdir "$work/disk"

recording() {
	[ -n "$(find "$work/log" -name '*.kpl' -size +0 2>/dev/null)" ]
}

attempt() {
	local recorder
	rm -rf "$work/log"
	"$KPROBE" record -o "$work/log" >"$work/record.out" 2>&1 &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 20 recording || fail "no recording: $(cat "$work/record.out")"
	sleep 1
	timeout 90 "$work/delay" "$work/disk" >"$work/known" ||
		fail "the delays: $(cat "$work/known")"
	sleep 0.5
	kill -INT $recorder
	wait $recorder
	cat "$work/record.out"
	python3 "$top/test/e2e/analyze_causes.py" "$KPROBE" "$work/log" "$work/known"
}

for try in 1 2 3; do
	attempt
	status=$?
	[ $status -eq 75 ] || break
	echo "try $try: the kernel did not trace a CPU when it mattered"
done
exit $status
