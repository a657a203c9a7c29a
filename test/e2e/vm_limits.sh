#!/bin/bash
# SPDX-License-Identifier: MIT
# What cgroups of version 2 do to tasks, on the kernels that tell it each in its own way, in QEMU: a
# CPU quota that is used up, a freezer, a memory limit that first makes a task reclaim and then kills
# it; and compaction.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"

before='
mkdir /tmp/cg
mount -t cgroup2 none /tmp/cg
echo +cpu +memory >/tmp/cg/cgroup.subtree_control
mkdir /tmp/cg/busy /tmp/cg/small /tmp/cg/ice
for group in busy small ice; do stat -c %i /tmp/cg/$group >/out/$group; done
echo 10000 100000 >/tmp/cg/busy/cpu.max
echo 16M >/tmp/cg/small/memory.max
'
# Of zeros dd first has a file of the memory file system, which the group pays for.
while_recording='
sh -c "echo \$\$ >/tmp/cg/busy/cgroup.procs; i=0; while [ \$i -lt 20000 ]; do i=\$((i + 1)); done"
sh -c "echo \$\$ >/tmp/cg/ice/cgroup.procs; exec sleep 2" &
sleep 1
echo 1 >/tmp/cg/ice/cgroup.freeze
sleep 1
echo 0 >/tmp/cg/ice/cgroup.freeze
sh -c "echo \$\$ >/tmp/cg/small/cgroup.procs; exec dd if=/dev/zero of=/tmp/big bs=64M count=1"
rm -f /tmp/big
echo 1 >/proc/sys/vm/compact_memory
wait %2
true
'

look() {
	check throttled "\"begin_ns\":[1-9].*\"cgroup\":$(cat "$out/busy"),\"hierarchy\":0"
	check sched_switch '"prev_state":0,.*"flags":[4-7],'
	for what in 1 2 3 4; do
		check cgroup_freeze "\"cgroup\":$(cat "$out/ice"),\"hierarchy\":0,\"what\":$what"
	done
	check sched_switch '"flags":8,'
	check reclaim "\"memcg\":1,\"cgroup\":$(cat "$out/small"),"
	check oom_kill "\"cgroup\":$(cat "$out/small"),\"victim_pid\":[1-9]"
	check compaction '"result":[3-8],"flags":[23]'
}

each_series look "$before" "" "$while_recording"
