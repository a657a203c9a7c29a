#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel does by itself, on the kernels that tell it each in its own way, in QEMU: requests of
# io_uring and work items. One host thread for both CPUs leaves no waits for locks to be told.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/node.sh"
gcc -O1 -static -D_GNU_SOURCE -o "$work/uring" "$top/test/e2e/uring.c" || fail "build"

look() {
	check io_uring '"submit_ns":[1-9][0-9]*,"worker_ns":[1-9].*"user_data":1234605616436508552,"by_pid":[1-9].*"opcode":22,"res":1,"ctx":0'
	check work '"queued_ns":[1-9].*"by_tid":[1-9].*"ctx":0'
	check kernel_function '"data":"[a-z_]+"'
}

each_series look "" "--work-threshold 0" "$work/uring || exit 1" "$work/uring"
