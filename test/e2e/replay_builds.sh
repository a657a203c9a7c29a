#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds that differ from the recorded one in one call, see test/replay/builds.c: each is judged by
# what that call is.
. "$(dirname "$0")/lib.sh"
need_root

build() { # NAME
	gcc -D_GNU_SOURCE -O1 -w -DBUILD="$1" -o "$work/$1" "$top/test/replay/builds.c" -lrt ||
		fail "$1 does not build"
}

# judged NAME STATUS [TEXT]: with that build replay ends so, and says so.
judged() {
	build "$1"
	replay "$work/log" "$work/$1.out" --exe "$work/$1"
	local status=$?
	echo "$1: exit $status: $(tail -n 1 "$work/$1.out.err")"
	[ $status -eq "$2" ] || fail "$1: exit $status in place of $2"
	grep -q -- "${3:-}" "$work/$1.out.err" || fail "$1: $3 is not said"
}

build recorded
cd "$work" || exit 1
record "$work/log" "$work/out" "$work/recorded" || fail "record: $(cat "$work/out.err")"

# What goes to a queue is an output like what goes to a socket.
judged recorded 0
judged other_queue_message 7 'mq_timedsend'
judged short_queue_message 7 'mq_timedsend'
judged no_message 7 'msgsnd'
judged short_message 7 'msgsnd'

# What is asked again is answered again; by another question it is not.
judged other_offset 7 'pread64'
judged asks_again 0
judged asks_of_another 7 'sched_getaffinity'
judged sets_limit 7 'prlimit64'

# Memory is the build's own, whichever call it is.
judged protects 0
