#!/bin/bash
# SPDX-License-Identifier: MIT
# The built-in incident. A small ledger service books 40 payments; one of them is delayed by a batch
# job with a real-time priority on the service's CPU (test/demo/hog.c says how). kprobe records the
# node, explains that payment, and runs the service again from the log alone. What is claimed is
# checked here: against the kernel's own scheduler tracepoints, read through tracefs at the same
# time, and byte by byte. Exit 0 only if all of it holds.
set -eu
export LC_ALL=C
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/wait_for.sh"
PAYMENT=4017 FIRST=4001 COUNT=40 BURN_MS=60 LINE_LEN=32 CPU=0

[ "$(id -u)" = 0 ] || {
	echo "demo.sh: needs root, to record the node" >&2
	exit 1
}
if [ -z "${KPROBE:-}" ]; then
	echo "== building" >&2
	KPROBE=$("$top/scripts/build.sh")
fi
command -v python3 >/dev/null || "$top/scripts/deps.sh" build

work=$(mktemp -d /var/tmp/kprobe-demo.XXXXXX)
export KPROBE_DB=$work/incidents.db
log=$work/log
tracing=/sys/kernel/tracing
instance=
mounted=
children=
cleanup() {
	for pid in $children; do kill "$pid" 2>/dev/null || :; done
	[ -z "$instance" ] || rmdir "$instance" 2>/dev/null || :
	[ -z "$mounted" ] || umount "$tracing" 2>/dev/null || :
	[ -n "${KEEP:-}" ] && echo "kept: $work" >&2 || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

failed=0
proof() { # STATUS TEXT
	if [ "$1" = 0 ]; then
		echo "proven: $2"
	else
		echo "NOT PROVEN: $2"
		failed=1
	fi
}
die() {
	echo "demo.sh: $*" >&2
	exit 1
}

for program in ledger client hog; do
	cc -D_GNU_SOURCE -O2 -o "$work/$program" "$top/test/demo/$program.c"
done
mv "$work/hog" "$work/risk-batch"

# The witness: the same scheduler events, without kprobe.
[ -e $tracing/instances ] || {
	mount -t tracefs tracefs $tracing || die "cannot mount tracefs"
	mounted=1
}
instance=$tracing/instances/kprobe-demo-$$
mkdir "$instance"
echo mono >"$instance/trace_clock"
echo 'prev_comm == "ledger" || next_comm == "ledger" || prev_comm == "risk-batch" || next_comm == "risk-batch"' \
	>"$instance/events/sched/sched_switch/filter"
echo 'comm == "ledger"' >"$instance/events/sched/sched_waking/filter"
echo 1 >"$instance/events/sched/sched_switch/enable"
echo 1 >"$instance/events/sched/sched_waking/enable"

echo "== recording: $COUNT payments, a batch job bursts in at payment $PAYMENT" >&2
"$KPROBE" record -o "$log" -- "$work/ledger" $CPU "$work/ledger.db" "$work/spans.jsonl" \
	>"$work/ledger.out" 2>"$work/record.err" &
recorder=$!
children="$children $recorder"
wait_for 20 grep -qs listens "$work/ledger.out" || {
	cat "$work/record.err" >&2
	die "the ledger did not start under the recorder"
}
read -r ledger_pid port < <(sed -n 's/.*pid \([0-9]*\) listens on .*:\([0-9]*\)$/\1 \2/p' \
	"$work/ledger.out")
"$work/risk-batch" $CPU "$work/ledger.db" $(((PAYMENT - FIRST + 1) * LINE_LEN)) $BURN_MS \
	>"$work/hog.out" &
hog=$!
children="$children $hog"
wait_for 5 grep -qs ready "$work/hog.out" || die "the batch job did not start"
taskset -c 1 "$work/client" "$port" $FIRST $COUNT >"$work/client.out"
recorded=0
wait $recorder || recorded=$?
cat "$instance/trace" >"$work/trace"
cat "$work/client.out" "$work/record.err" >&2
[ $recorded = 0 ] || die "the recorder ended with status $recorded"

echo "== analyzing payment $PAYMENT" >&2
"$KPROBE" analyze $PAYMENT -i "$log" --traces "$work/spans.jsonl" ||
	die "the payment was not found in the log"
"$KPROBE" analyze $PAYMENT -i "$log" --traces "$work/spans.jsonl" --format json >"$work/report.json"
echo
{ read -r kind comm pid ns && read -r sum_ok duration from_ns to_ns; } < <(python3 - "$work/report.json" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
cause = report["causes"][0]
who = cause.get("cause", cause)
print(cause["kind"], who.get("comm"), who.get("pid"), cause["ns"])
total = sum(bucket["ns"] for bucket in report["buckets"])
print("yes" if total == report["duration_ns"] else "no", report["duration_ns"], report["t0_ns"],
      report["t1_ns"])
PY
)
python3 "$top/test/demo/sched_wait.py" "$work/trace" "$ledger_pid" "$hog" "$from_ns" "$to_ns" \
	>"$work/witness"
read -r wait_ns hog_ns <"$work/witness"
[ "$kind $comm $pid" = "run_queue risk-batch $hog" ] && r=0 || r=1
proof $r "payment $PAYMENT waited in the run queue behind $comm (pid $pid), $ns ns of $duration"
[ $((ns > hog_ns ? ns - hog_ns : hog_ns - ns)) -le $((hog_ns / 20)) ] && r=0 || r=1
proof $r "the kernel's own tracepoints say $hog_ns ns ($(awk -v a="$ns" -v b="$hog_ns" \
	'BEGIN { printf "%+.2f", b ? (a - b) * 100 / b : 100 }') %), within a wait of $wait_ns ns"
[ "$sum_ok" = yes ] && r=0 || r=1
proof $r "every nanosecond of the payment is in exactly one bucket ($duration in all)"

echo "== replaying the ledger, its files gone" >&2
mkdir "$work/gone"
mv "$work/ledger.db" "$work/spans.jsonl" "$work/ledger" "$work/gone/"
r=0
"$KPROBE" replay "$log" >"$work/replay.out" 2>"$work/replay.err" || r=$?
tail -n 3 "$work/replay.err" >&2
proof $r "the service ran again from the log alone: $(sed -n 's/^kprobe: //p' "$work/replay.err" |
	tail -n 1)"
cmp -s "$work/ledger.out" "$work/replay.out" && r=0 || r=1
proof $r "its output is the same, byte for byte: $(tail -n 1 "$work/replay.out")"
[ ! -e "$work/ledger.db" ] && [ ! -e "$work/spans.jsonl" ] && r=0 || r=1
proof $r "the replay wrote no file and sent no byte: ledger and spans were not made again"
exit $failed
