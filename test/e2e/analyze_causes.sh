#!/bin/bash
# SPDX-License-Identifier: MIT
# Delays whose causes are known (test/analyze/programs/delay.c), recorded on the whole node; each
# must get its own answer: what the time was spent on, by whom, and through what. Once in each tier:
# as system calls are recorded by default, and with a record for each; and once while the tier changes,
# where an answer may be less sure, but not wrong for sure.
# Runs alone: what the machine does beside it delays what it measures.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"
cc -D_GNU_SOURCE -O2 -o "$work/delay" "$top/test/analyze/programs/delay.c" -lpthread ||
	fail "the test's program does not compile"
mkdir "$work/disk"

recording() {
	[ -n "$(find "$work/log" -name '*.kpl' -size +0 2>/dev/null)" ]
}

# The tier changes, from calls to waits and back, until the recorder ends.
change_tier() {
	while kill -USR1 "$1" 2>/dev/null && sleep 1.7 && kill -USR2 "$1" 2>/dev/null; do
		sleep 1.7
	done
}

# attempt TIER [OPTION…]
attempt() {
	local recorder tier=$1
	shift
	rm -rf "$work/log"
	"$KPROBE" record -o "$work/log" "$@" >"$work/record.out" 2>&1 &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 20 recording || fail "no recording: $(cat "$work/record.out")"
	sleep 1
	[ "$tier" = mixed ] && change_tier $recorder &
	timeout 90 "$work/delay" "$work/disk" >"$work/known" ||
		fail "the delays: $(cat "$work/known")"
	sleep 0.5
	kill -INT $recorder
	wait $recorder
	cat "$work/record.out"
	python3 "$top/test/e2e/analyze_causes.py" "$KPROBE" "$work/log" "$work/known" "$tier" \
		"$work/right"
}

# all_right TIER [OPTION…]
all_right() {
	local try status
	rm -f "$work/right"
	for try in 1 2 3; do
		echo "--- $1"
		attempt "$@"
		status=$?
		[ $status -eq 75 ] || break
		echo "try $try: the kernel did not trace a CPU when it mattered"
	done
	return $status
}

all_right waits || exit
all_right calls -e syscall || exit
all_right mixed -e syscall
