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

# judge NAME STATUS [REASON]: after the recording in $work/log with output $work/out. With a reason
# the replay may also be refused for it, if the recorder said so.
judge() {
	local name=$1 recorded=$2 reason=${3:-} status
	cd "$work" || exit 1
	rm -rf "$work/in"
	replay "$work/log" "$work/replayed"
	status=$?
	if [ "$recorded" -eq 0 ] && [ $status -eq 125 ] && [ -n "$reason" ] &&
		grep -q "warning: .*$reason" "$work/out.err" &&
		grep -q "REFUSED: .*$reason" "$work/replayed.err"; then
		echo "REFUSED $name: $(tail -n 1 "$work/replayed.err")"
	elif [ "$recorded" -eq 0 ] && [ $status -eq 0 ] &&
		{ [ -s "$work/out" ] || [ "$name" = gcc ]; } &&
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
	# It maps the database that it writes, and the index of its log.
	try sqlite3-mapped sqlite3 book.db "pragma journal_mode = wal; pragma mmap_size = 100000000;
		create table t (id integer primary key, v text);
		insert into t (v) values ('one'), ('two'); insert into t (v) select v || id from t;
		pragma wal_checkpoint; select * from t; delete from t where id > 2; vacuum;
		insert into t (v) values (hex(randomblob(20000))); pragma wal_checkpoint(truncate);
		select id, length(v) from t;"
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
try python-mmap /usr/bin/python3 -c 'import mmap, os
f = open("data", "w+b"); f.write(b"hello world" * 1000); f.flush()
m = mmap.mmap(f.fileno(), 0); m[0:5] = b"HELLO"; f.seek(0); print(f.read(11))
f.seek(100); f.write(b"xyz"); f.flush(); print(m[98:105])
m.resize(20000); print(len(m), m[19999]); m.flush(); m.close(); print(os.path.getsize("data"))
c = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY); c[0] = 65; print(c[:5])
f.seek(0); f.write(b"J"); f.flush(); print(f.tell(), c[:5]); a = mmap.mmap(-1, 8192)
a.write(b"anonymous"); print(a[:4])'
if /usr/bin/python3 -c 'import lmdb' 2>/dev/null; then
	try lmdb /usr/bin/python3 -c 'import lmdb
for options in {}, {"writemap": True}:
    env = lmdb.open("book", map_size=1 << 26, **options)
    for i in range(20):
        with env.begin(write=True) as t:
            for k in range(50): t.put(b"%d" % (i * 50 + k), b"v" * (k * 10))
            t.delete(b"%d" % (i * 7))
    with env.begin() as t: print(sum(len(v) for k, v in t.cursor()), t.stat())
    env.close()'
fi
try bash bash -c 'shopt -s extglob; declare -A seen
	while read -r n word key; do seen[$key]=$((${seen[$key]:-0} + n)); done <input.txt
	echo "$$ $RANDOM $SECONDS $EPOCHREALTIME ${#seen[@]} ${seen[key001]}" *
	printf "%(%F %T)T\n" -1; type cd; pwd; trap "echo bye" EXIT'

# have COMMAND…: whether all are there; else a row says so.
have() {
	local command
	for command in "$@"; do
		command -v "$command" >/dev/null && continue
		echo "SKIP  $command is not installed"
		return 1
	done
}

# A repository with a pack of 30 MB.
make_repository() {
	git init -q repo && cd repo || exit 1
	git config user.email nobody@example.org
	git config user.name nobody
	head -c 30000000 /dev/urandom >blob
	for i in 1 2 3; do
		seq $i 5000 >text
		git add . && git commit -qm "change $i"
	done
	git gc -q
}

if have git; then
	(cd "$work" && make_repository) || fail "a repository"
	inputs
	cp -r "$work/repo" .
	record "$work/log" "$work/out" git -C repo log -p --stat
	judge git-log $?
	inputs
	cp -r "$work/repo" .
	echo more >repo/more
	git -C repo add more
	record "$work/log" "$work/out" git -C repo commit -m recorded
	judge git-commit $?
	rm -rf "$work/repo"
fi
if have gcc make; then
	inputs
	printf '#include <stdio.h>\nint main(void) { return puts("hi") < 0; }\n' >a.c
	record "$work/log" "$work/out" gcc -O2 -o a.out a.c
	judge gcc $?
	inputs
	printf '#include <stdio.h>\nint main(void) { return puts("hi") < 0; }\n' >a.c
	printf 'a.out: a.c\n\tgcc -O2 -o a.out a.c\n\t./a.out >/dev/null\n' >Makefile
	record "$work/log" "$work/out" make
	judge make $?
	inputs
	printf '#include <stdlib.h>\nint main(void) { free(malloc(7)); return system("echo asan"); }\n' >a.c
	gcc -fsanitize=address -g -o "$work/asan" a.c || fail "build"
	record "$work/log" "$work/out" "$work/asan"
	judge asan $? 'a child that shares its memory'
fi
inputs
head -c 9000000 /dev/urandom >large
record "$work/log" "$work/out" /usr/bin/python3 -c 'import hashlib
print(hashlib.sha256(open("large", "rb").read()).hexdigest())'
judge python-9-MB $?
if have openssl; then
	inputs
	head -c 30000000 /dev/urandom >large
	record "$work/log" "$work/out" openssl dgst -sha256 large
	judge openssl-dgst $?
fi
have ip && try ip ip -s addr && try ip-route ip route show table all
have ss && try ss ss -tlnp
have ps && try ps ps aux
have vim && try vim vim -es -u NONE -c 'g/5/d' -c 'w! out.txt' -c 'echo line("$")' -c '%print' \
	-c 'q!' input.txt
if have tmux; then
	inputs
	record "$work/log" "$work/out" tmux -L "kptest$$" -f /dev/null start-server ';' list-commands
	judge tmux $?
fi
postgres=$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1)
if [ -n "$postgres" ] && id nobody >/dev/null 2>&1; then
	inputs
	chmod 755 "$work" .
	mkdir data && chown nobody data && chmod 700 data
	(cd / && setpriv --reuid nobody --clear-groups "${postgres%/*}/initdb" -N -A trust -D "$work/in/data") \
		>"$work/initdb" 2>&1 || fail "initdb: $(tail -n 3 "$work/initdb")"
	printf 'create table t (i int)\ninsert into t values (1), (2)\nselect sum(i) from t\n' >sql
	timeout -k 5 120 "$KPROBE" record -o "$work/log" -- setpriv --reuid nobody --clear-groups \
		"$postgres" --single -D data template1 <sql >"$work/out" 2>"$work/out.err"
	judge postgres-single $? shmat
else
	echo "SKIP  postgres is not installed"
fi
# Threads: refused by name, and told while recording.
if have gdb; then
	inputs
	record "$work/log" "$work/out" gdb --version
	judge gdb $? multi-threaded
fi

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
