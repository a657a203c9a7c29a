#!/bin/bash
# SPDX-License-Identifier: MIT
# A CPU that is offline when the recorder starts and comes online later (in QEMU) has a ring at once:
# what runs there is recorded whole, and found again after it has gone and come back.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"
printf '#include <unistd.h>\nint main(void) { for (volatile long i = 0; i < 9000000; i++); return getppid() < 0; }' \
	>"$work/spin.c"
gcc -O1 -static -o "$work/spin" "$work/spin.c" || fail "build"
vm_node 6.12 "echo 0 >/sys/devices/system/cpu/cpu1/online || exit 1" "-e sched,life,syscall" "
echo 1 >/sys/devices/system/cpu/cpu1/online
taskset 2 $work/spin
echo 0 >/sys/devices/system/cpu/cpu1/online
echo 1 >/sys/devices/system/cpu/cpu1/online
taskset 2 $work/spin
sleep 1" "$work/spin"
dump "$out/log" >"$work/events" || fail "dump"
python3 - "$work/events" <<'PY' || fail "the CPU's events"
import json, sys

runs, calls = set(), 0
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["cpu"] == 1 and event["kind"] == "task_exec" and event["comm"] == "spin":
        runs.add(event["pid"])
    calls += event["cpu"] == 1 and event["pid"] in runs and event.get("call") == "getppid"
print(f"{len(runs)} programs, {calls} of their calls on CPU 1")
sys.exit(not (len(runs) == 2 and calls == 2))
PY
grep -q 'total .* 0 ' "$out/err" || fail "events were lost: $(tail -n 1 "$out/err")"
