#!/bin/bash
# SPDX-License-Identifier: MIT
# dump: filters by kind, group, call, process, name and time, the three clocks, JSON, names of tasks
# and texts of arguments; what is not there, and an end of the output.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
before=$(date +%s.%N)
record log out sh -c 'cat /etc/hostname; sleep 0.3; ls /nonexistent-path' </dev/null
after=$(date +%s.%N)
dump() {
	"$KPROBE" dump "$@" log 2>err
}
count() {
	dump "$@" | wc -l
}

# A call by its name, with its task's name and its argument's text.
dump -k openat -c ls >calls || fail "dump: $(cat err)"
grep -q ' syscall [0-9]*/[0-9]* "ls" openat(dirfd AT_FDCWD, path "/etc/ld.so.cache", ' calls ||
	fail "no name or text: $(head -n 3 calls)"
grep -v ' openat(' calls && fail "other calls"
grep -v '"ls"' calls && fail "other tasks"
[ "$(count -k openat -c ls,cat)" = 0 ] || fail "a glob is no list"
[ "$(count -k openat -c '[lc]*')" -gt "$(count -k openat -c ls)" ] || fail "a glob"
[ "$(count -k close,openat -c ls)" = \
	$(($(count -k close -c ls) + $(count -k openat -c ls))) ] || fail "two calls"
[ "$(count -k close -k task_exec -c ls)" = \
	$(($(count -k close -c ls) + $(count -k task_exec -c ls))) ] || fail "a call and a kind"
[ "$(count -k syscall,close -c ls)" = "$(count -k syscall -c ls)" ] || fail "the group has it"
[ "$(count -k syscall:openat -c ls)" = "$(count -k openat -c ls)" ] || fail "syscall:"
dump -k execve | grep -q ' = 0 ' || fail "no execve"

# Names: also of tasks that neither fork nor exec while we look.
nameless=$(dump --from +0.2 | awk '$4 != "0/0" && $5 !~ /^"/' | wc -l)
all=$(count --from +0.2)
echo "$all events, $nameless of them without a name"
[ $((nameless * 50)) -lt "$all" ] || fail "names: $(dump --from +0.2 | awk '$5 !~ /^"/' | head)"
rest=$(dump --from +0.2 -k openat | grep -c '"ls" openat')
[ "$rest" = "$(wc -l <calls)" ] || fail "names with --from: $rest"

# Times.
pid=$(dump -k task_exec -c cat -f jsonl | tail -n 1 |
	python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["pid"])')
dump -p "$pid" -k openat -n 1 --time wall >wall
python3 - wall "$before" "$after" <<'PY' || fail "wall: $(cat wall)"
import datetime, sys
text = open(sys.argv[1]).readline().split()[0]
assert text.endswith("Z") and len(text) == 30, text
at = datetime.datetime.fromisoformat(text[:26] + "+00:00").timestamp()
assert float(sys.argv[2]) - 0.01 < at < float(sys.argv[3]) + 0.01, (at, sys.argv)
PY
at=$(cut -d' ' -f1 wall)
[ "$(dump -p "$pid" -k openat --from "$at" --to "$at" | wc -l)" -le 1 ] || fail "a moment"
[ "$(dump -p "$pid" -k openat --to "$before" | wc -l)" = 0 ] || fail "before the log"
[ "$(count --from +0.1 --to +0.2)" -lt "$(count --from +0.1)" ] || fail "--to"
mono=$(dump -n 1 -k syscall -c ls --time monotonic | cut -d' ' -f1)
[ "$mono" = "$(dump -n 1 -k syscall -c ls -f jsonl | python3 -c \
	'import json, sys; n = json.loads(sys.stdin.readline())["time_ns"]
print("%d.%09d" % (n // 10**9, n % 10**9))')" ] || fail "monotonic: $mono"

# JSON.
dump -f json -k openat,close -c ls >array || fail "json: $(cat err)"
dump -f jsonl -k openat,close -c ls --time wall >lines
python3 - array lines calls <<'PY' || fail "the JSON"
import json, sys
array = json.load(open(sys.argv[1]))
lines = [json.loads(line) for line in open(sys.argv[2])]
assert len(array) == len(lines) > 0
for a, b in zip(array, lines):
    assert b.pop("time").endswith("Z") and a == b
    assert a["task"] == "ls"
    assert ("arg3" in a) == (a["call"] == "openat"), a
    assert "arg4" not in a and "arg5" not in a, a
opened = [e for e in array if e["call"] == "openat"]
assert all(e["arg1_text"].startswith("/") for e in opened), opened
assert len(opened) == len(open(sys.argv[3]).readlines())
PY
[ "$(dump -f json -k openat -c nobody)" = "[]" ] || fail "an empty array"
dump --stats -f json -c ls | python3 -c 'import json, sys; assert json.load(sys.stdin)["kinds"]["syscall"]' ||
	fail "stats by name"

# What is not there.
says() { # STATUS TEXT OPTION…
	local want=$1 text=$2 status
	shift 2
	"$KPROBE" dump "$@" >out 2>err
	status=$?
	[ $status = "$want" ] || fail "$*: exit $status: $(cat err)"
	grep -q -- "$text" err || fail "$*: $(cat err)"
}
says 3 "no event of the process" -p 999999 log
says 3 "no event of the process" -t 999999 log
says 0 "no event fits" -c nobody log
says 3 "there is no log" /no/such
says 2 "did you mean 'openat'" -k opneat log
says 2 "no kind is given" -k , log
says 2 "--to lies before --from" --from +5 --to +4 log
says 2 "not a whole number" -p 1,sh log
says 2 "neither RFC 3339" --from yesterday log
says 2 "not between 1 and" -n 0 log

# An end of the output: a full disk is an error, a reader who has seen enough is none.
"$KPROBE" dump log >/dev/full 2>err
[ $? = 1 ] || fail "a full disk"
grep -q "cannot write to standard output: No space left on device" err || fail "full: $(cat err)"
"$KPROBE" dump log >&- 2>err
[ $? = 1 ] || fail "no standard output: $(cat err)"
(
	"$KPROBE" dump log 2>err
	echo $? >status
) | head -n 1 >first
[ -s first ] && [ "$(cat status)" = 0 ] && [ ! -s err ] || fail "a pipe: $(cat status err)"
