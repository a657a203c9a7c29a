#!/bin/bash
# SPDX-License-Identifier: MIT
# Real programs: recorded, their inputs deleted, replayed; output identical and exit 0.
. "$(dirname "$0")/lib.sh"
need_root
failed=0

inputs() {
	rm -rf "$work/in"
	mkdir "$work/in"
	seq 1 2000 | awk '{ printf "%d %s key%03d\n", $1, "line", ($1 * 7919) % 997 }' >"$work/in/input.txt"
	cd "$work/in" || exit 1
}

# judge NAME STATUS: after the recording in $work/log with output $work/out.
judge() {
	local name=$1 recorded=$2 status
	cd "$work" || exit 1
	rm -rf "$work/in"
	replay "$work/log" "$work/replayed"
	status=$?
	if [ "$recorded" -eq 0 ] && [ $status -eq 0 ] && [ -s "$work/out" ] &&
		cmp "$work/out" "$work/replayed"; then
		echo "EXACT $name ($(stat -c %s "$work/out") bytes): $(tail -n 1 "$work/replayed.err")"
	else
		echo "FAIL  $name: recorded $recorded, replayed $status: $(tail -n 3 "$work/replayed.err")"
		[ "$recorded" -eq 0 ] || tail -n 3 "$work/out.err"
		failed=$((failed + 1))
	fi
	rm -rf "$work/log"
}

try() { # NAME COMMAND…
	local name=$1
	shift
	inputs
	record "$work/log" "$work/out" "$@"
	judge "$name" $?
}

gcc -D_GNU_SOURCE -O1 -w -o "$work/mixed" "$top/test/replay/programs/mixed.c" || fail "build"
gcc -O1 -o "$work/echo" "$top/test/replay/echo.c" || fail "build"

try mixed "$work/mixed"
try cat cat input.txt
try ls ls -lR /usr/include
try sort sort -k 3 input.txt
try awk awk '{ n[$3]++ } END { for (k in n) print k, n[k]; srand(); print rand() }' input.txt
if command -v sqlite3 >/dev/null; then
	try sqlite3 sqlite3 book.db "create table t (id integer primary key, v text, r blob);
		insert into t (v, r) values ('one', randomblob(8)), ('two', randomblob(8));
		insert into t (v, r) select v || id, randomblob(4) from t;
		select id, v, hex(r), datetime('now') from t order by id;"
fi
script='import json, os, random, tempfile, time, datetime, hashlib
print(random.random(), time.time(), time.perf_counter_ns(), os.getpid(), id(object()))
with tempfile.NamedTemporaryFile("w+") as f:
    f.write("x" * 100000); f.flush(); print(f.name, os.path.getsize(f.name))
print(json.dumps({"d": datetime.datetime.now().isoformat(), "cwd": os.getcwd()}))
print(hashlib.sha256(open("input.txt", "rb").read()).hexdigest(), sorted(os.listdir(".")))'
pythons=/usr/bin/python3
other=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
[ "$(realpath "$other")" = "$(realpath /usr/bin/python3)" ] || pythons="$pythons $other"
for python in $pythons; do
	[ -x "$python" ] && try "$python" "$python" -c "$script"
done
try bash bash -c 'shopt -s extglob; declare -A seen
	while read -r n word key; do seen[$key]=$((${seen[$key]:-0} + n)); done <input.txt
	echo "$$ $RANDOM $SECONDS $EPOCHREALTIME ${#seen[@]} ${seen[key001]}" *
	printf "%(%F %T)T\n" -1; type cd; pwd; trap "echo bye" EXIT'

inputs
spawn "$KPROBE" record -o "$work/log" -- "$work/echo" >"$work/out" 2>"$work/out.err" </dev/null
recorder=$!
if wait_for 20 grep -q port "$work/out"; then
	port=$(sed -n 's/^port //p' "$work/out")
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	for word in alpha beta gamma; do
		echo $word >&3
		read -r answer <&3
		[ "$answer" = $word ] || fail "the echo server answered '$answer'"
	done
	exec 3>&-
fi
wait $recorder
judge echo-server $?

[ $failed -eq 0 ]
