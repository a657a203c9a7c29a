#!/bin/bash
# SPDX-License-Identifier: MIT
# Another build against the log: the same source is exact, one that writes one different byte
# diverges with exit 7 at that write, named.
. "$(dirname "$0")/lib.sh"
need_root
gcc -O1 -DGREETING='"hello world"' -o "$work/one" "$top/test/replay/greet.c" || fail "build"
gcc -O2 -DGREETING='"hello world"' -o "$work/same" "$top/test/replay/greet.c" || fail "build"
gcc -O1 -DGREETING='"hello World"' -o "$work/other" "$top/test/replay/greet.c" || fail "build"
cd "$work" || exit 1
record "$work/log" "$work/out" "$work/one" || fail "record: $(cat "$work/out.err")"
rm -f "$work/one" greetings

replay "$work/log" "$work/replayed" || fail "the recorded build: exit $?: $(cat "$work/replayed.err")"
cmp "$work/out" "$work/replayed" || fail "output"
replay "$work/log" "$work/replayed" --exe "$work/same"
status=$?
cat "$work/replayed.err"
[ $status -eq 0 ] || fail "an equivalent build: exit $status"
replay "$work/log" "$work/replayed" --exe "$work/other"
status=$?
cat "$work/replayed.err"
[ $status -eq 7 ] || fail "a different build: exit $status"
grep -q 'write' "$work/replayed.err" || fail "the call is not named"
[ ! -e greetings ] || fail "the replay wrote a file"
