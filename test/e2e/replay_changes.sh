#!/bin/bash
# SPDX-License-Identifier: MIT
# What another build changes outside its process must be what the recorded one changed: each call of
# test/replay/changes.c made otherwise, or left out, is DIVERGED by its name; what concerns the process
# alone is told in the last line, and what nobody looks at is not. So is what a call stands on, and the
# way in which the process ends.
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
		open | fcntl | lseek | read) ! grep -q "which differs" "$work/replayed.err" ;;
		*) grep -q "not covered: .*$name\('s [a-z_0-9]*\)\?\( (call [0-9]*)\)\?, which" "$work/replayed.err" ;;
		esac ;;
	esac || fail "$name (variant $variant): $(cat "$work/replayed.err")"
	cases=$((cases + 1))
done < <("$work/list")
[ $cases -ge 49 ] || fail "$cases cases"

# How it ends: recorded way, the other build's (test/replay/ends.c), verdict, what is said.
source="$top/test/replay/ends.c"
while read -r way other expected text; do
	for n in "$way" "$other"; do build "way$n" -DWAY="$n"; done
	rm -rf "$work/ends"
	record "$work/ends" "$work/out" "$work/way$way"
	replay "$work/ends" "$work/replayed" --exe "$work/way$other"
	status=$?
	echo "end $way $other: $status: $(head -1 "$work/replayed.err")"
	[ $status -eq "$expected" ] || fail "end $way against $other is $status, not $expected"
	grep -q "$text" "$work/replayed.err" || fail "end $way against $other does not say '$text'"
done <<-'EOF'
	0 1 7 exits with status 1
	2 3 7 SIGUSR1 ends the process
	3 2 7 SIGUSR1 has a handler
	3 3 0 ended by signal 10
	4 5 7 ends by SIGSEGV
	5 4 7 exits with status 10
	5 5 0 ends by SIGSEGV as recorded
	5 0 0 recorded end by SIGSEGV does not happen
	5 6 7 does not end by SIGSEGV
	6 5 7 takes SIGSEGV
	7 8 0 not covered: descriptor [0-9]*, which execve
	9 7 7 leaves out dup2
EOF
