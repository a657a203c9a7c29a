#!/bin/bash
# SPDX-License-Identifier: MIT
# The wall clock is set by -1 h, +1 h, +100 ms and -100 ms while a node is recorded (in QEMU, so that
# this machine's clock is left alone): each of 1,000 moments and windows is found within the bound
# that is stated, and analyze takes windows on either side of a step for as long as they were.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"
tool=$(dirname "$KPROBE")/test/clock_moments
[ -x "$tool" ] || {
	mkdir "$work/build"
	BUILD=$work/build "$top/scripts/build.sh" -DKP_TESTS=ON >/dev/null &&
		tool=$work/build/test/clock_moments
}
[ -x "$tool" ] || fail "no clock_moments beside $KPROBE"
gcc -O1 -static -o "$work/steps" "$top/test/vm/steps.c" || fail "build"
vm_node 6.12 "date -s '2026-11-25 12:00:00' >/dev/null" "--node vm" "
$work/steps >/out/moments || exit 1
sleep 2" "$work/steps"
pid=$(head -n 1 "$out/moments")
tail -n +2 "$out/moments" >"$work/moments"
"$tool" "$out/log" <"$work/moments" || fail "moments"

seconds() { # NANOSECONDS
	echo "${1%?????????}.${1: -9}"
}

# window FROM-LINE TO-LINE: analyze, into $work/report. As read by the program: where the clock showed
# a time twice, the program ran at one of the two only.
window() {
	local from to
	from=$(sed -n "$1p" "$work/moments") to=$(sed -n "$2p" "$work/moments")
	"$KPROBE" analyze "w$1" -i "$out/log" --db "$work/db" --pid "$pid" \
		--from "$(seconds "${from##* }")" --to "$(seconds "${to##* }")" --format json \
		>"$work/report" || fail "analyze $1"
	python3 - "$work/report" ${from%% *} ${to%% *} <<'PY' || fail "window from line $1"
import json, sys
r = json.load(open(sys.argv[1])); a, b = int(sys.argv[2]), int(sys.argv[3])
off = max(abs(r["t0_ns"] - a), abs(r["t1_ns"] - b))
print(f'{b - a} ns: off by {off}, bound {r["clock"][0]["bound_ns"]}, {r["clock"][0].get("note", "")}')
assert off <= r["clock"][0]["bound_ns"] + 1000000, (r["t0_ns"], a, r["t1_ns"], b)
assert r["complete"], r["lost"]
PY
}

# 290 lines a step, the clock is set behind the 100th.
for step in 0 290 580 870; do
	window $((step + 50)) $((step + 70))
	window $((step + 62)) $((step + 100))
	window $((step + 101)) $((step + 140))
	window $((step + 98)) $((step + 200))
	window $((step + 210)) $((step + 215))
done
