#!/bin/bash
# SPDX-License-Identifier: MIT
# Requests to real services (nginx, asyncio, node, Go, redis, a pool of threads), each beside a
# neighbour that uses the same service (services.py): the first cause is the request's own, and the
# neighbour is never blamed. Once as system calls are recorded by default, once with a record for each.
# Runs alone: what the machine does beside it delays what it measures.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"

recording() {
	[ -n "$(find "$work/log" -name '*.kpl' -size +0 2>/dev/null)" ]
}

# attempt [OPTION…]
attempt() {
	local recorder
	rm -rf "$work/log"* "$work/services"
	mkdir "$work/services"
	"$KPROBE" record -o "$work/log" "$@" >"$work/record.out" 2>&1 &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 20 recording || fail "no recording: $(cat "$work/record.out")"
	sleep 1
	timeout 120 python3 "$top/test/e2e/services.py" "$work/services" >"$work/known" ||
		fail "the services: $(cat "$work/known" "$work/services/words")"
	sleep 0.5
	kill -INT $recorder
	wait $recorder
	cat "$work/record.out"
	python3 "$top/test/e2e/analyze_services.py" "$KPROBE" "$work/log" "$work/known"
}

all_right() {
	local try status
	for try in 1 2 3; do
		attempt "$@"
		status=$?
		[ $status -eq 75 ] || break
		echo "try $try: the kernel did not trace a CPU when it mattered"
	done
	return $status
}

all_right || exit
all_right -e syscall
