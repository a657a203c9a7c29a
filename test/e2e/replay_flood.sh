#!/bin/bash
# SPDX-License-Identifier: MIT
# A command that moves more bytes than the log can take at once: the recorder holds it rather than
# losing any, and it replays exactly, its input gone.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
head -c 150000000 /dev/urandom >input
for command in "dd if=input bs=4M status=none" "dd if=input bs=100k status=none" "cat input"; do
	rm -rf log
	[ -e input ] || mv kept input
	# shellcheck disable=SC2086 # the words of the command
	record "$work/log" "$work/out" $command || fail "record: $(cat "$work/out.err")"
	grep -E 'class|payload|syscall' "$work/out.err"
	mv input kept
	replay "$work/log" "$work/replayed" || fail "$command: exit $?: $(cat "$work/replayed.err")"
	tail -n 1 "$work/replayed.err"
	cmp "$work/out" "$work/replayed" || fail "$command: output"
	cmp "$work/out" kept || fail "$command: the recorded run itself"
done
