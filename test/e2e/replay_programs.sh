#!/bin/bash
# SPDX-License-Identifier: MIT
# Each program of test/replay/programs is recorded and, its folder gone, replayed: the output must be
# the same byte for byte, or the replay refused by the name of a call that expected.txt lists, and
# that announced while it was recorded, unless it cannot be known then. What is exact was not said to
# be more than replay can serve.
# usage: replay_programs.sh [PROGRAM…]
. "$(dirname "$0")/lib.sh"
need_root
sources=$top/test/replay/programs
bin=$work/bin
mkdir "$bin"
expected=$top/test/replay/expected.txt

# reason_of NAME: the reason for which it is refused; nothing: it is exact. unforeseen NAME: whether
# that cannot be known while recording.
reason_of() {
	awk -F '\t+' -v "name=$1" '$1 == name {print $2}' "$expected"
}
unforeseen() {
	awk -F '\t+' -v "name=$1" '$1 == name && $3 == "unforeseen" {found = 1} END {exit !found}' \
		"$expected"
}

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
	local name=$1 dir=$work/$1 native recorded status verdict detail reason said wrongly more=()
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
	reason=$(reason_of "$name")
	case $reason in
	*--time*) ;; # what it refuses is the time that it takes
	*) more=(--time 60s) ;;
	esac
	REPLAY_TIMEOUT=300 replay "$dir/log" "$dir/replayed" "${more[@]}"
	status=$?
	mv "$bin/$name.gone" "$bin/$name"
	detail=$(tail -n 1 "$dir/replayed.err")
	said=$(dump "$dir/log" | grep -c '"kind":"replay_lint"')
	if [ $recorded -ne $native ]; then
		verdict=FAIL
		detail="ended with $native, under the recorder with $recorded: $(tail -n 2 "$dir/out.err")"
	elif [ -n "$reason" ]; then
		verdict=FAIL
		[ $status -eq 125 ] && grep -q "$reason" "$dir/replayed.err" && verdict=REFUSED
		if [ $verdict = REFUSED ] && [ "$said" = 0 ] && ! unforeseen "$name"; then
			verdict=FAIL
			detail="nothing was said of it while recording: $detail"
		fi
	elif [ $status -eq 0 ] && cmp -s "$dir/out" "$dir/replayed"; then
		verdict=EXACT
		wrongly=$(grep 'replay cannot serve' "$dir/out.err" | grep -v ' was forked ') &&
			verdict=FAIL detail="was said: $wrongly"
	else
		verdict=FAIL
		[ $status -eq 0 ] && detail="wrong output with exit 0: $(cmp "$dir/out" "$dir/replayed" 2>&1)"
	fi
	printf '%-14s %-8s %3d %4d %4d  %s\n' "$name" $verdict $recorded $status "$said" \
		"$(printf '%s' "$detail" | tr '\n' ' ' | cut -c 1-160)"
	rm -rf "$dir"
	[ $verdict != FAIL ]
}

build || fail "a program does not build"
printf '%-14s %-8s %3s %4s %4s\n' program verdict ran exit said
export -f one inputs reason_of unforeseen record replay dump
export work bin expected KPROBE
for name in ${*:-$(cd "$bin" && ls)}; do
	echo "$name"
done >"$work/names"
xargs -P "$(nproc)" -I {} bash -uc 'one {}' <"$work/names" | tee "$work/table"
failed=$(grep -c '^[^ ]* *FAIL' "$work/table")
echo "$(wc -l <"$work/names") programs, $failed failed"
[ "$failed" -eq 0 ] && [ "$(wc -l <"$work/table")" = "$(wc -l <"$work/names")" ]
