#!/bin/bash
# SPDX-License-Identifier: MIT
# Pauses of reclaim and of a writer, a receiver that closes its window, an answer to a connection's begin that is sent
# again, on the kernels that tell each in their own way, in QEMU. Where a kernel has no loop device, its
# reclaim has no disk to wait for, nor has a writer: only that the programs load there is seen.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"
gcc -O1 -static -D_GNU_SOURCE -o "$work/deferred" "$top/test/e2e/deferred.c" || fail "build"

before='
mkdir /tmp/cg /tmp/disk
mount -t cgroup -o memory none /tmp/cg
mkdir /tmp/cg/small
stat -c %i /tmp/cg/small >/out/small
echo 8M >/tmp/cg/small/memory.limit_in_bytes
mknod /dev/loop0 b 7 0 2>/dev/null
echo 0 >/sys/kernel/mm/lru_gen/enabled 2>/dev/null # whose reclaim does not wait
dd if=/dev/zero of=/tmp/image bs=1M count=64 2>/dev/null
losetup /dev/loop0 /tmp/image && mke2fs /dev/loop0 >/dev/null && mount -t ext4 /dev/loop0 /tmp/disk &&
	echo yes >/out/disk
'
# Memory files cannot be freed without swap: to ask for it is to wait before 5.16.
while_recording="
sleep 8 | nc -l -p 7 | (sleep 3; cat >/dev/null) &
sleep 1
dd if=/dev/zero bs=64k count=200 2>/dev/null | nc 127.0.0.1 7
$work/deferred || exit 1
echo 262144 >/proc/sys/vm/dirty_bytes
[ -e /out/disk ] && dd if=/dev/zero of=/tmp/disk/much bs=64k count=200
echo 20 >/proc/sys/vm/dirty_ratio
[ -e /out/disk ] && sh -c 'echo \$\$ >/tmp/cg/small/cgroup.procs; exec dd if=/dev/zero of=/tmp/disk/big bs=64k count=500'
sh -c 'echo \$\$ >/tmp/cg/small/cgroup.procs; exec dd if=/dev/zero of=/tmp/file bs=64k count=32'
echo 0 >/tmp/cg/small/memory.force_empty
true
"

look() {
	check tcp_own_window '"window":0,"unread":[1-9]'
	check tcp_own_window '"window":[1-9]'
	check tcp_synack_retransmit '"lport":8,.*"before":0,"waiting":0,"waiting_max":5'
	[ ! -e "$out/disk" ] || check write_wait '"dev":7340032,"pause_us":[1-9]'
	case $series in
	5.15) check reclaim_wait '"cgroup":[1-9].*"reason":5,' ;;
	*) [ ! -e "$out/disk" ] || check reclaim_wait "\"cgroup\":$(cat "$out/small"),.*\"reason\":1," ;;
	esac
}

each_series look "$before" "-e packet" "$while_recording" "$work/deferred"
