#!/bin/bash
# SPDX-License-Identifier: MIT
# A command that moves more bytes than the log can take at once: the recorder holds it rather than
# losing any, and it replays exactly, its input gone. On a machine whose CPUs are taken away for
# milliseconds the hold can come too late; then replay must refuse, and the test tries again.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
head -c 150000000 /dev/urandom >input

# attempt COMMAND…: 0 exact, 125 refused for what was lost.
attempt() {
	local status
	rm -rf log
	record "$work/log" "$work/out" "$@" || fail "record: $(cat "$work/out.err")"
	grep -E 'class|payload|syscall' "$work/out.err"
	cmp "$work/out" input || fail "$*: the recorded run itself"
	mv input kept
	replay "$work/log" "$work/replayed"
	status=$?
	mv kept input
	tail -n 1 "$work/replayed.err"
	[ $status -eq 125 ] && grep -q 'lost' "$work/replayed.err" && return 125
	[ $status -eq 0 ] || fail "$*: exit $status: $(cat "$work/replayed.err")"
	cmp "$work/out" "$work/replayed" || fail "$*: output"
}

for command in "dd if=input bs=4M status=none" "dd if=input bs=100k status=none" "cat input"; do
	for try in 1 2 3 4 5; do
		# shellcheck disable=SC2086 # the words of the command
		attempt $command && break
		[ $try -lt 5 ] || fail "$command: lost events each time"
	done
done
