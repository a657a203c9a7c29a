#!/bin/bash
# SPDX-License-Identifier: MIT
# What another build changes outside its process must be what the recorded one changed: each call of
# test/replay/changes.c made otherwise, or left out, is DIVERGED by its name; what concerns the process
# alone is told in the last line, and what nobody looks at is not.
. "$(dirname "$0")/lib.sh"
need_root
source="$top/test/replay/changes.c"
build() { # NAME OPTION…
	gcc -w -O1 -D_FORTIFY_SOURCE=0 "${@:2}" -o "$work/$1" "$source" -lrt || fail "build $1"
}
build recorded
build equal -O2 -DVARIANT=1000
build list -DLIST
mkdir "$work/in" && cd "$work/in" || exit 1
record "$work/log" "$work/out" "$work/recorded" || fail "record: $(cat "$work/out.err")"
replay "$work/log" "$work/replayed" || fail "the recorded build: $(cat "$work/replayed.err")"
for same in recorded equal; do
	replay "$work/log" "$work/replayed" --exe "$work/$same" ||
		fail "$same: exit $?: $(cat "$work/replayed.err")"
	! grep -q "which differs" "$work/replayed.err" || fail "$same: $(cat "$work/replayed.err")"
done
cases=0
while read -r variant expected name; do
	build other -DVARIANT="$variant"
	replay "$work/log" "$work/replayed" --exe "$work/other"
	status=$?
	echo "$variant $name: $status: $(head -1 "$work/replayed.err")"
	[ $status -eq "$expected" ] || fail "$name (variant $variant) is $status, not $expected"
	case $expected in
	7) grep -q "DIVERGED at event [0-9]*: .*$name" "$work/replayed.err" ;;
	0) case $name in
		open | fcntl) ! grep -q "which differs" "$work/replayed.err" ;;
		*) grep -q "not covered: .*$name's [a-z_0-9]* (call [0-9]*), which" "$work/replayed.err" ;;
		esac ;;
	esac || fail "$name (variant $variant): $(cat "$work/replayed.err")"
	cases=$((cases + 1))
done < <("$work/list")
[ $cases -ge 35 ] || fail "$cases cases"
