#!/bin/bash
# SPDX-License-Identifier: MIT
# A recorder under load whose second CPU goes off and on again and again for a minute (in QEMU): it takes
# no more at the end than at the begin, its log is whole, and what ran on that CPU is in it.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"
export LIMIT=600 # a minute of the machine's, which is slower than this one

sample=$top/test/soak/sample.sh
max_kib=1024
while_recording="
: >/tmp/going
load() {
	while [ -e /tmp/going ]; do
		sh -c 'true | cat'
		dd if=/dev/zero of=/tmp/file.\$1 bs=4k count=20 2>/dev/null
	done
}
load 1 &
load 2 &
i=0
while [ \$i -lt 25 ]; do
	echo 0 >/sys/devices/system/cpu/cpu1/online || exit 1
	sleep 1
	echo 1 >/sys/devices/system/cpu/cpu1/online || exit 1
	taskset 2 true
	sleep 1
	sh $sample \$recorder /out/log >>/out/samples
	i=\$((i + 1))
done
rm /tmp/going
sleep 1
"
vm_node 6.12 "" "-C ${max_kib}K --segment-size 64K" "$while_recording" "$sample"
# Seen once, beside much other work: what was looked at in the machine is then to be seen here.
[ "$(awk 'NF == 9' "$out/samples" | wc -l)" -ge 4 ] || skip "too few samples: $(cat "$out/samples" "$out/err")"
python3 "$top/test/soak/judge.py" "$out/samples" $max_kib || fail "$(cat "$out/samples" "$out/err")"
"$KPROBE" dump --verify "$out/log" >"$work/verified" 2>&1
status=$?
tail -n 2 "$work/verified"
[ $status = 0 ] || [ $status = 6 ] || fail "verify: exit $status: $(cat "$work/verified")"
"$KPROBE" dump --stats "$out/log" >"$work/stats" || fail "dump"
grep -q '^gaps 0$' "$work/stats" || fail "$(cat "$work/stats")"
dump "$out/log" -k task_exec >"$work/events" || fail "dump"
grep -q '"cpu":1,' "$work/events" || fail "nothing ran on CPU 1"
