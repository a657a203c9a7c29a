#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's 6.1 kernel in QEMU: the static binary checks itself there, records a workload in which
# one process waits for another, and this machine reads the log.
. "$(dirname "$0")/lib.sh"
command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
kernel=$("$top/test/vm/kernel.sh" "$top/build/vm" 6.1) || skip "no 6.1 kernel to be had"

cat >"$work/script" <<'SCRIPT'
uname -r >/out/release
kprobe record --check >/out/check 2>&1
echo $? >/out/check-status
cat >/tmp/workload <<'EOF'
mkfifo /tmp/pipe
echo $$ >/out/pid
(sleep 2; echo late >/tmp/pipe) &
read -r word </tmp/pipe
i=0
while [ $i -lt 200 ]; do
	echo $i >/tmp/file
	read -r back </tmp/file
	i=$((i + 1))
done
echo "$word $back"
sleep 3
EOF
kprobe record -o /out/log -- /bin/sh -c 'date +%s >/out/from; . /tmp/workload' \
	>/out/stdout 2>/out/stderr
SCRIPT
"$top/test/vm/boot.sh" "$kernel" "$KPROBE" "$work/script" "$work/vm" || {
	cat "$work/vm/out/check" "$work/vm/out/stderr" 2>/dev/null
	fail "the machine's script"
}
out=$work/vm/out
echo "kernel $(cat "$out/release")"
cat "$out/check" "$out/stderr"
[ "$(cat "$out/check-status")" = 0 ] || fail "record --check says no"
[ "$(cat "$out/stdout")" = "late 199" ] || fail "the workload printed $(cat "$out/stdout")"

pid=$(cat "$out/pid")
dump "$out/log" >"$work/events" || fail "dump"
"$KPROBE" dump -i "$out/log" --kind syscall >"$work/events.txt" || fail "dump"
for kind in sched_switch sched_waking syscall task_fork task_exec task_exit clock; do
	n=$(grep -c "\"kind\":\"$kind\"" "$work/events")
	echo "$kind: $n"
	[ "$n" -gt 0 ] || fail "no $kind was recorded"
done
# Descriptors are resolved there by the form of the program that is for kernels before 6.2.
for object in file pipe chr; do
	n=$(grep -c " obj=$object" "$work/events.txt")
	echo "$object: $n"
	[ "$n" -gt 0 ] || fail "no call on a descriptor of kind $object was recorded"
done
# Three seconds after the workload's first: the wait for the pipe, whose writer sleeps, the loop,
# and most of the wait for a sleeping child.
from=$(cat "$out/from")
"$KPROBE" analyze vm -i "$out/log" --db "$work/db" --pid "$pid" --from "$((from + 1))" \
	--to "$((from + 4))" --format json >"$work/report" || fail "analyze"
python3 - "$work/report" <<'PY' || fail "the report"
import json, sys
report = json.load(open(sys.argv[1]))
total = sum(b["ns"] for b in report["buckets"])
print("duration", report["duration_ns"], "causes", [(c["kind"], c["ns"]) for c in report["causes"]][:3])
assert total == report["duration_ns"] and abs(total - 3_000_000_000) < 1_000_000
timer = sum(c["ns"] for c in report["causes"] if c["kind"] == "timer")
assert report["causes"][0]["kind"] == "timer" and timer > 2_000_000_000, timer
PY
