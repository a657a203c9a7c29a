#!/bin/bash
# SPDX-License-Identifier: MIT
# Each program of test/replay/programs is recorded and, its folder gone, replayed: the output must be
# the same byte for byte, or the replay refused by the name of a call that expected.txt lists.
# usage: replay_programs.sh [PROGRAM…]
. "$(dirname "$0")/lib.sh"
need_root
sources=$top/test/replay/programs
bin=$work/bin
mkdir "$bin"
declare -A refused
while read -r program call; do
	[ -n "$program" ] && [ "$program" != '#' ] && refused[$program]=$call
done <"$top/test/replay/expected.txt"

build() {
	local source
	for source in "$sources"/*.c; do
		echo "$source"
	done | xargs -P "$(nproc)" -I {} sh -c 'gcc -D_GNU_SOURCE -O1 -w -o \
		"$1/$(basename "$2" .c)" "$2" -lpthread -lrt -ldl -lm || exit 255' sh "$bin" {}
}

# What a program finds in its folder.
inputs() { # FOLDER
	mkdir -p "$1"
	seq -f 'input line %05g' 1 600 >"$1/input.txt"
}

# one PROGRAM: prints its row; non-zero when it is neither exact nor refused as expected.
one() {
	local name=$1 dir=$work/$1 native recorded status verdict detail
	inputs "$dir/native"
	(cd "$dir/native" && timeout 20 "$bin/$name") >/dev/null 2>&1 </dev/null
	native=$?
	inputs "$dir/run"
	cd "$dir/run" || return 1
	RECORD_TIMEOUT=60 record "$dir/log" "$dir/out" "$bin/$name"
	recorded=$?
	cd "$work" || return 1
	rm -rf "$dir/run" "$dir/native"
	mv "$bin/$name" "$bin/$name.gone"
	REPLAY_TIMEOUT=60 replay "$dir/log" "$dir/replayed"
	status=$?
	mv "$bin/$name.gone" "$bin/$name"
	detail=$(tail -n 1 "$dir/replayed.err")
	if [ $recorded -ne $native ]; then
		verdict=FAIL
		detail="ended with $native, under the recorder with $recorded: $(tail -n 2 "$dir/out.err")"
	elif [ -n "${refused[$name]:-}" ]; then
		verdict=FAIL
		[ $status -eq 125 ] && grep -q "${refused[$name]}" "$dir/replayed.err" && verdict=REFUSED
	elif [ $status -eq 0 ] && cmp -s "$dir/out" "$dir/replayed"; then
		verdict=EXACT
	else
		verdict=FAIL
		[ $status -eq 0 ] && detail="wrong output with exit 0: $(cmp "$dir/out" "$dir/replayed" 2>&1)"
	fi
	printf '%-14s %-8s %3d %4d  %s\n' "$name" $verdict $recorded $status \
		"$(printf '%s' "$detail" | tr '\n' ' ' | cut -c 1-160)"
	rm -rf "$dir"
	[ $verdict != FAIL ]
}

build || fail "a program does not build"
printf '%-14s %-8s %3s %4s\n' program verdict ran exit
failed=0 total=0
names=${*:-$(cd "$bin" && ls)}
for name in $names; do
	total=$((total + 1))
	one "$name" || failed=$((failed + 1))
done
echo "$total programs, $failed failed"
[ $failed -eq 0 ]
