#!/bin/bash
# SPDX-License-Identifier: MIT
# A log that has a limit stays below it over several recordings, keeps what a saved incident needs
# until its pin is removed, and is read meanwhile by all who read.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1

# Calls, as many as one process can make.
spawn sh -c 'while :; do dd if=/dev/urandom of=/dev/null bs=97 count=200000 2>/dev/null; done'
load=$!

length() { # of all segments
	find log -name '*.kpl' -printf '%s\n' 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'
}

# begin [OPTION…]: a recorder that writes some MB each second. $recorder.
begin() {
	spawn "$KPROBE" record -o log -e syscall -C 3M --pin-quota 1500K "$@" >recorder 2>recorder.err </dev/null
	recorder=$!
}

segments() {
	find log -name '*.kpl' | sort
}

finish() {
	kill -INT "$recorder"
	wait "$recorder" || fail "the recorder: exit $?; $(cat recorder.err)"
}

oldest_is_not() {
	[ "$(segments | head -n 1)" != "$1" ]
}

# --- below the limit, over two recordings; what is read meanwhile says what went ---
begin
wait_for 60 test -d log || fail "no log: $(cat recorder.err)"
most=0
statuses=
for round in 1 2; do
	first=
	wait_for 60 sh -c '[ -n "$(find log -name "*.kpl" | head -n 1)" ]'
	first=$(segments | head -n 1)
	until oldest_is_not "$first" && [ "$(segments | wc -l)" -gt 8 ]; do
		len=$(length)
		[ "$len" -gt "$most" ] && most=$len
		"$KPROBE" dump -i log -k clock >/dev/null 2>dump.err
		statuses="$statuses $?"
		[ -s recorder.err ] && ! kill -0 "$recorder" 2>/dev/null && fail "it ended: $(cat recorder.err)"
	done
	finish
	[ "$round" = 1 ] && begin
done
# What is written until it is looked at may come on top, on a busy machine more.
[ "$most" -le $((9 * 512 * 1024)) ] || fail "3 MiB were allowed, and it was $most bytes long"
for status in $statuses; do
	[ "$status" = 0 ] || fail "dump beside retention: exit $status; $(cat dump.err)"
done
"$KPROBE" dump -i log --stats >stats 2>&1 || fail "dump: $(cat stats)"
grep -q '^gaps 0$' stats || fail "the log has gaps: $(cat stats)"
[ "$(grep -c '^run ' stats)" -le 2 ] || fail "$(cat stats)"
grep -q '^absent_segments [1-9]' stats || fail "what went is not counted: $(cat stats)"
grep -q 'not there any more: [1-9]' stats || fail "what went is not said: $(cat stats)"
dump log -k retain | grep -q '"why":1' || fail "the log does not say what went"
echo "at most $most bytes"

# --- an incident's segments stay, until the pin goes ---
segment=$(segments | tail -n 3 | head -n 1) # few segments stand behind it within a second
at=$(dump "$segment" -k sched_switch -n 1 --time wall | sed 's/.*"time":"\([^"]*\)".*/\1/')
at=$(date -d "$at" +%s.%N)
to=$(python3 -c "print('%.9f' % ($at + 0.02))")
"$KPROBE" analyze 'an incident' -i log --db db --pid "$load" --from "$at" --to "$to" >report 2>&1 ||
	fail "analyze: $(cat report)"
pin=$(find log/pins -type f)
grep -q "^[0-9a-f-]*/$(basename "$segment")\$" "$pin" || fail "the pin lacks $segment: $(cat "$pin")"
newest=$(segments | tail -n 1)
begin
newer() {
	first=$(segments | tail -n 1)
	[ "$first" != "$newest" ]
}
wait_for 60 newer || fail "no segment: $(cat recorder.err)"
wait_for 60 test ! -e "$first" || fail "retention stands still"
finish
while read -r name; do
	[ -e "log/$name" ] || fail "$name is gone, though it is pinned"
done <"$pin"
"$KPROBE" analyze again -i log --db db --pid "$load" --from "$at" --to "$to" >again 2>&1 ||
	fail "what is left of the incident: $(cat again)"
rm log/pins/*
begin
wait_for 60 test ! -e "$segment" || fail "a segment stays that is pinned no more"
finish

# --- a floor that cannot be reached ---
rm -rf log
spawn "$KPROBE" record -o log -e syscall --min-free 99% --duration 4s >recorder 2>recorder.err </dev/null
wait $!
status=$?
[ $status = 1 ] || fail "floor: exit $status; $(cat recorder.err)"
grep -q 'than --min-free asks for' recorder.err || fail "floor: not said: $(cat recorder.err)"
[ "$(length)" -lt $((2 * 1024 * 1024)) ] || fail "floor: $(length) bytes were written"

# --- contradictions ---
for options in '-C 1M --segment-size 1M' '-C 8M --pin-quota 5M' '-C 1K' '--min-free 100%' '--min-free x' '-G 1ms'; do
	# shellcheck disable=SC2086 # they are several
	"$KPROBE" record -o log2 $options --duration 1ms >usage 2>&1
	status=$?
	[ $status = 2 ] || fail "$options: exit $status; $(cat usage)"
done
