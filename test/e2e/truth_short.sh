#!/bin/bash
# SPDX-License-Identifier: MIT
# A few incidents of the truth benchmark (test/truth/run), each alone and with neighbours: the same
# code, the same thresholds but for their number. The whole of it is run by hand.
# Runs alone: what the machine does beside it delays what it measures.
. "$(dirname "$0")/lib.sh"
need_root
for needed in python3 ip iptables taskset losetup mkfs.ext4 gcc; do
	command -v $needed >/dev/null || skip "needs $needed"
done

selection=rt_hog,futex_held,sigstop,frozen_v2,drop_2,slow_downstream,dns_wait
for try in 1 2; do
	"$top/test/truth/run" --only $selection --rounds 1 --out "$work/$try"
	status=$?
	[ $status -eq 1 ] || break
	echo "try $try: not all thresholds are met"
done
exit $status
