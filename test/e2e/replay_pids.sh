#!/bin/bash
# SPDX-License-Identifier: MIT
# Which process is replayed, and by which number: a log with several commands, processes of a pid
# namespace, forks and threads, processes that ran already. What replay will refuse is said while
# recording, and the last line says what the verdict does not cover.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
gcc -D_GNU_SOURCE -O1 -w -o pidns "$top/test/replay/pidns.c" || fail "build"
gcc -D_GNU_SOURCE -O1 -w -o threads "$top/test/replay/programs/threads.c" -lpthread || fail "build"

expect() { # STATUS TEXT FILE WHAT
	[ "$status" -eq "$1" ] && grep -q -- "$2" "$3" && return
	cat "$3"
	fail "$4: status $status, and not '$2'"
}

# pid_of LOG NAME: of the process that ran a program of that name last.
pid_of() {
	dump "$1" -k task_exec | sed -n "s/.*\"pid\":\([0-9]*\).*\"comm\":\"$2\".*/\1/p" | tail -n 1
}

record two first.out echo one && record two second.out echo two || fail "record"
replay two replayed
status=$?
expect 0 'holds 2 recorded commands.*the last one.*: [0-9]* (echo one), [0-9]* (echo two)' replayed.err \
	"two commands in a log"
for which in one two; do
	pid=$(sed -n "s/.* \([0-9]*\) (echo $which).*/\1/p" replayed.err.kept 2>/dev/null ||
		sed -n "s/.*[ :] *\([0-9]*\) (echo $which).*/\1/p" replayed.err)
	cp replayed.err replayed.err.kept
	replay two "$which.out" --pid "$pid" || fail "replay of $which: $(cat "$which.out.err")"
	[ "$(cat "$which.out")" = $which ] || fail "--pid $pid replayed $(cat "$which.out")"
done

# What cannot be executed never ran: it is none of the log's commands.
echo "no program" >unrunnable
chmod +x unrunnable
record two unrunnable.out ./unrunnable
status=$?
expect 126 'neither an executable nor a script' unrunnable.out.err "what cannot be executed"
replay two replayed
status=$?
expect 0 'holds 2 recorded commands.*the last one.*(echo one), [0-9]* (echo two)$' replayed.err \
	"two commands and an attempt"
[ "$(cat replayed)" = two ] || fail "the attempt hid the last command: $(cat replayed)"
record none none.out ./unrunnable
replay none replayed
status=$?
expect 125 'could not be executed' replayed.err "an attempt alone"

record inside inside.out unshare -pf "$work/pidns" || fail "record: $(cat inside.out.err)"
pid=$(pid_of inside pidns)
replay inside inside.replayed --pid "$pid"
status=$?
expect 0 'EXACT.*not covered: what its 3 child processes did' inside.replayed.err "a pid namespace"
cmp inside.out inside.replayed || fail "another output in the pid namespace"
replay inside outside.replayed
status=$?
expect 0 'EXACT.*not covered: what its 1 child process did' outside.replayed.err "its maker"

record threads.log threads.out "$work/threads" || fail "record"
grep -q 'warning: process [0-9]* started a thread and is multi-threaded, which replay cannot' \
	threads.out.err || fail "threads were not told: $(cat threads.out.err)"
replay threads.log threads.replayed
status=$?
expect 125 multi-threaded threads.replayed.err "threads"

record forks.log forks.out bash -c '(read -r word </etc/hostname; echo "$word"); exit 0' ||
	fail "record"
grep -q 'warning: process [0-9]* was forked and ran no program of its own' forks.out.err ||
	fail "a fork was not told: $(cat forks.out.err)"

spawn sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.2; done'
timeout 20 "$KPROBE" record -o running -p $! --duration 1s 2>running.err || fail "record -p"
grep -q 'replay cannot serve them' running.err || fail "--pid: $(cat running.err)"
replay running running.replayed --pid $!
status=$?
expect 125 'not recorded from its exec' running.replayed.err "a process that ran already"

record moved.log moved.out /usr/bin/python3 -c 'import os
fd = os.open("/etc/passwd", os.O_RDONLY); out = os.open("copy", os.O_WRONLY | os.O_CREAT, 0o600)
print(os.sendfile(out, fd, 0, 100))' || fail "record"
replay moved.log moved.replayed --report moved.json
status=$?
expect 0 'not covered: .*100 bytes that the kernel moved' moved.replayed.err "sendfile"
grep -q '"not_covered": \[.*"100 bytes' moved.json || fail "the report: $(cat moved.json)"
