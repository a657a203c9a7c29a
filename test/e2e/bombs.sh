#!/bin/bash
# SPDX-License-Identifier: MIT
# Logs of less than a megabyte that ask for as much as they can: no command takes more than 256 MiB,
# with the process that it replays, or 20 s of CPU time, and each says what it did not do.
# usage: bombs.sh [NAME…]
. "$(dirname "$0")/lib.sh"
bomb=$top/build/test/bomb
[ -x "$bomb" ] || fail "no $bomb: scripts/test.sh builds it"
measure=$top/test/e2e/measure.py
memory_max=262144 cpu_max=20000
broken=0

# try NAME LABEL COMMAND…
try() {
	local name=$1 label=$2 status memory cpu verdict=ok
	shift 2
	"$measure" "$work/taken" timeout -k 5 200 "$@" >/dev/null 2>"$work/err" </dev/null || fail "$name $label is not measured: $(cat "$work/err")"
	read -r status memory cpu <"$work/taken"
	[ "$memory" -le $memory_max ] && [ "$cpu" -le $cpu_max ] || verdict="TOO MUCH"
	case $status in
	0 | 1 | 3 | 4 | 7 | 125) ;;
	*) verdict="BAD EXIT" ;;
	esac
	[ "$verdict" = ok ] || broken=$((broken + 1))
	printf '%-15s %-8s exit %-4s %7s KiB %6s ms  %-8s %s\n' "$name" "$label" "$status" "$memory" \
		"$cpu" "$verdict" "$(tail -n 1 "$work/err" | cut -c 1-120)"
}

# The same long span often enough to be a baseline of itself.
spans() {
	local i
	printf '{"resourceSpans":[{"resource":{"attributes":['
	printf '{"key":"service.name","value":{"stringValue":"s"}},'
	printf '{"key":"process.pid","value":{"intValue":"4242"}}]},"scopeSpans":[{"spans":['
	for i in $(seq 400); do
		[ "$i" = 1 ] || printf ,
		printf '{"traceId":"%032x","spanId":"%016x","name":"op","kind":2,' "$i" "$i"
		printf '"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"17000010000000%05d"}' "$i"
	done
	printf ']}]}]}'
}

# Several at a time: CPU time is what counts.
if [ $# = 0 ]; then
	"$bomb" --list | xargs -n 1 -P "$(nproc)" "$0"
	exit
fi

spans >"$work/spans.json"
for name in "$@"; do
	log=$work/$name
	"$bomb" "$name" "$log" || fail "$name cannot be written"
	try "$name" text "$KPROBE" dump -i "$log"
	try "$name" jsonl "$KPROBE" dump -i "$log" --format jsonl
	try "$name" stats "$KPROBE" dump -i "$log" --stats
	try "$name" window "$KPROBE" analyze -i "$log" --db "$work/db-$name" --pid 4242 \
		--from 1700000000 --to 1700001000 x
	try "$name" traces "$KPROBE" analyze -i "$log" --db "$work/db-$name" \
		--traces "$work/spans.json" --trace 00000000000000000000000000000001 y
	try "$name" list "$KPROBE" analyze -i "$log" --db "$work/db-$name" --list
	try "$name" replay "$KPROBE" replay "$log"
	cpu_max=10000 try "$name" until "$KPROBE" replay --time 3s --pid 4242 --until 1700000500 "$log"
	try "$name" exe "$KPROBE" replay --exe /bin/true "$log"
	[ "$(id -u)" = 0 ] && try "$name" append "$KPROBE" record -o "$log" --duration 10ms
	rm -rf "$log"
done
[ $broken = 0 ] || fail "$broken commands took too much"
