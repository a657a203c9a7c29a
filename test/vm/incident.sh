# SPDX-License-Identifier: MIT
# Sourced by test/e2e/vm_*.sh after lib.sh.
#
# vm_incident SERIES: boots that kernel in QEMU. The static binary checks itself there, records a
# workload in which one process waits for another, and records and replays a program that takes
# signals and one that is linked dynamically, whose loader asks the CPU where to look for libraries;
# between them a recorder is killed, and the next one goes on.
# This machine analyzes the first log and replays the others, on another kernel and CPU.

vm_script() {
	cat <<'SCRIPT'
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
mkdir /sys/fs/cgroup/workload
(echo 0 >/sys/fs/cgroup/workload/cgroup.procs; busybox unshare -f -p true)
rmdir /sys/fs/cgroup/workload
nc 127.0.0.1 9 </dev/null # nobody is there
nc -l -p 7 </dev/null >/tmp/got &
sleep 1
echo x | nc -w 2 127.0.0.1 7
kill $! 2>/dev/null
EOF
mount -t cgroup2 none /sys/fs/cgroup
kprobe record -o /out/log -- /bin/sh -c 'date +%s >/out/from; . /tmp/workload' \
	>/out/stdout 2>/out/stderr
cat >/tmp/signals <<'EOF'
trap 'echo a signal' USR1
(kill -USR1 $$) &
wait $!
read -r word </tmp/file
echo "$word $$" /proc/s*
EOF
kprobe record -o /out/signals -- /bin/sh /tmp/signals >/out/signals.out 2>/out/signals.err
echo $? >/out/record-status
rm /tmp/file
kprobe replay /out/signals >/out/replay.out 2>/out/replay.err
echo $? >/out/replay-status
kprobe record -o /out/killed 2>/out/killed.err &
while ! grep -q 'recording into' /out/killed.err; do sleep 0.1; done
sleep 1
kill -KILL $!
wait $!
kprobe record -o /out/killed --duration 2s 2>/out/goes-on.err
kprobe record -o /out/dynamic -- /usr/bin/cat /script >/out/dynamic.out 2>/out/dynamic.err
SCRIPT
}

vm_check_recording() {
	local kind object n
	[ "$(cat "$out/check-status")" = 0 ] || fail "record --check says no"
	[ "$(cat "$out/stdout")" = "late 199" ] || fail "the workload printed $(cat "$out/stdout")"
	dump "$out/log" >"$work/events" || fail "dump"
	for kind in sched_switch sched_waking wait tier syscall task_fork task_exec task_exit clock \
		executable cgroup cgroup_attach task_cgroup task_pid tcp_reset packet_drop; do
		n=$(grep -c "\"kind\":\"$kind\"" "$work/events")
		echo "$kind: $n"
		[ "$n" -gt 0 ] || fail "no $kind was recorded"
	done
	n=$("$KPROBE" dump -i "$out/log" --kind sched_waking | grep -c 'lport=7 .* ctx=softirq|net ')
	echo "wakes of the server by the network: $n"
	[ "$n" -gt 0 ] || fail "no wake of the server by the network was recorded"
	# Descriptors are resolved there by the form of the program that is for kernels before 6.2.
	"$KPROBE" dump -i "$out/log" --kind syscall >"$work/events" || fail "dump"
	for object in file pipe chr; do
		n=$(grep -c " obj=$object" "$work/events")
		echo "$object: $n"
		[ "$n" -gt 0 ] || fail "no call on a descriptor of kind $object was recorded"
	done
}

# Three seconds after the workload's first: the wait for the pipe, whose writer sleeps, the loop,
# and most of the wait for a sleeping child.
vm_check_analysis() {
	local from
	from=$(cat "$out/from")
	"$KPROBE" analyze vm -i "$out/log" --db "$work/db" --pid "$(cat "$out/pid")" \
		--from "$((from + 1))" --to "$((from + 4))" --format json >"$work/report" ||
		fail "analyze"
	python3 - "$work/report" <<'PY' || fail "the report"
import json, sys
report = json.load(open(sys.argv[1]))
total = sum(b["ns"] for b in report["buckets"])
print("duration", report["duration_ns"], "causes", [(c["kind"], c["ns"]) for c in report["causes"]][:3])
assert total == report["duration_ns"] and abs(total - 3_000_000_000) < 1_000_000
timer = sum(c["ns"] for c in report["causes"] if c["kind"] == "timer")
# Where the emulated machine had no time for the recorder something is unknown, which is not wrong.
unsure = sum(c["ns"] for c in report["causes"] if c["confidence"] > "B")
assert report["causes"][0]["kind"] == "timer" and timer > 1_000_000_000, timer
assert timer + unsure > 2_000_000_000, (timer, unsure)
PY
}

vm_check_replay() {
	[ "$(cat "$out/record-status")" = 0 ] || fail "record: $(cat "$out/signals.err")"
	grep -q "a signal" "$out/signals.out" || fail "no signal came: $(cat "$out/signals.out")"
	tail -n 1 "$out/replay.err"
	[ "$(cat "$out/replay-status")" = 0 ] || fail "replay there: $(cat "$out/replay.err")"
	cmp "$out/signals.out" "$out/replay.out" || fail "the output of the replay there"
	replay "$out/signals" "$work/replayed" || fail "replay here: $(cat "$work/replayed.err")"
	tail -n 1 "$work/replayed.err"
	cmp "$out/signals.out" "$work/replayed" || fail "the output of the replay here"
	cmp "$work/script" "$out/dynamic.out" || fail "cat there: $(cat "$out/dynamic.err")"
	replay "$out/dynamic" "$work/replayed" || fail "cat here: $(cat "$work/replayed.err")"
	tail -n 1 "$work/replayed.err"
	cmp "$work/script" "$work/replayed" || fail "the output of cat here"
}

vm_check_killed() {
	grep 'goes on where' "$out/goes-on.err" || fail "killed: $(cat "$out/killed.err" "$out/goes-on.err")"
	"$KPROBE" dump -i "$out/killed" --stats >"$work/stats" || fail "dump"
	grep -q '^gaps 0$' "$work/stats" || fail "$(cat "$work/stats")"
	dump "$out/killed" | python3 -c '
import json, sys
events = [json.loads(line) for line in sys.stdin]
stats = [e for e in events if e["kind"] == "record_stats" and e["of_group"] == 0]
produced, stored, lost = (sum(e[f] for e in stats) for f in ("produced", "stored", "lost"))
print("sched produced", produced, "stored", stored, "lost", lost)
assert produced == stored + lost and stored == int(sys.argv[1]) > 0
assert lost == sum(e["count"] for e in events if e["kind"] == "lost" and e["lost_group"] == 0)
' "$(dump "$out/killed" --kind sched | wc -l)" || fail "killed: the accounts"
}

vm_incident() {
	local kernel
	command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
	kernel=$("$top/test/vm/kernel.sh" "$top/build/vm" "$1") || skip "no $1 kernel to be had"
	vm_script >"$work/script"
	"$top/test/vm/boot.sh" "$kernel" "$KPROBE" "$work/script" "$work/vm" \
		/usr/bin/cat /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 || {
		cat "$work/vm/out/check" "$work/vm/out/stderr" 2>/dev/null
		fail "the machine's script"
	}
	out=$work/vm/out
	echo "kernel $(cat "$out/release")"
	cat "$out/check" "$out/stderr"
	vm_check_recording
	vm_check_analysis
	vm_check_replay
	vm_check_killed
}
