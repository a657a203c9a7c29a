#!/bin/bash
# SPDX-License-Identifier: MIT
# A CPU that is offline when the recorder starts and comes online later (in QEMU) has a ring at once:
# what runs there is recorded whole, and found again after it has gone and come back.
. "$(dirname "$0")/lib.sh"
command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
kernel=$("$top/test/vm/kernel.sh" "$top/build/vm" 6.12) || skip "no 6.12 kernel to be had"
printf '#include <unistd.h>\nint main(void) { for (volatile long i = 0; i < 9000000; i++); return getppid() < 0; }' \
	>"$work/spin.c"
gcc -O1 -static -o "$work/spin" "$work/spin.c" || fail "build"
cat >"$work/script" <<SCRIPT
echo 0 >/sys/devices/system/cpu/cpu1/online || exit 1
kprobe record -e sched,life,syscall -o /out/log >/out/err 2>&1 &
recorder=\$!
until ls /out/log/*/*.kpl >/dev/null 2>&1; do sleep 1; done
sleep 5
echo 1 >/sys/devices/system/cpu/cpu1/online
taskset 2 $work/spin
echo 0 >/sys/devices/system/cpu/cpu1/online
echo 1 >/sys/devices/system/cpu/cpu1/online
taskset 2 $work/spin
sleep 1
kill -INT \$recorder
wait \$recorder
SCRIPT
"$top/test/vm/boot.sh" "$kernel" "$KPROBE" "$work/script" "$work/vm" "$work/spin" || {
	cat "$work/vm/out/err" 2>/dev/null
	fail "the machine's script"
}
out=$work/vm/out
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
