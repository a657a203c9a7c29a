#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel does by itself, on the kernels that tell it each in its own way, in QEMU: requests of
# io_uring and work items. One host thread for both CPUs leaves no waits for locks to be told.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"
gcc -O1 -static -D_GNU_SOURCE -o "$work/uring" "$top/test/e2e/uring.c" || fail "build"

check() { # KIND PATTERN: an event of that kind that has it
	dump "$out/log" --kind "$1" >"$work/events" || fail "dump"
	grep -E -m 1 -- "$2" "$work/events" || {
		head -n 5 "$work/events"
		fail "$series: no $1 with $2"
	}
}

seen=0
for series in 5.15 6.1 6.8 6.12; do
	"$top/test/vm/kernel.sh" "$top/build/vm" "$series" >/dev/null || continue
	rm -rf "$work/vm"
	(vm_node "$series" "" "--work-threshold 0" "$work/uring || exit 1" "$work/uring") || exit $?
	out=$work/vm/out
	check io_uring '"submit_ns":[1-9][0-9]*,"worker_ns":[1-9].*"user_data":1234605616436508552,"by_pid":[1-9].*"opcode":22,"res":1,"ctx":0'
	check work '"queued_ns":[1-9].*"by_tid":[1-9].*"ctx":0'
	check kernel_function '"data":"[a-z_]+"'
	seen=$((seen + 1))
done
[ "$seen" -gt 0 ] || skip "no kernel to be had"
