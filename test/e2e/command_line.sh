#!/bin/bash
# SPDX-License-Identifier: MIT
# The command line as a new user meets it: help, wrong usage, what is not there, no permission, a
# log that is being written or is empty, an output that is closed or full.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
export XDG_STATE_HOME=$work/state # the database of incidents

# says STATUS TEXT WORD…: the exit status, and a part of what stderr has.
says() {
	local want=$1 text=$2 status
	shift 2
	timeout 60 "$KPROBE" "$@" >out 2>err </dev/null
	status=$?
	[ $status = "$want" ] || fail "$*: exit $status: $(cat err)"
	grep -qF -- "$text" err || fail "$*: $(cat err)"
	[ "$(wc -l <err)" -le 40 ] || fail "$*: $(wc -l <err) lines"
}

# prints TEXT WORD…: success, stdout has the text and stderr nothing.
prints() {
	local text=$1
	shift
	"$KPROBE" "$@" >out 2>err </dev/null || fail "$*: exit $?: $(cat err)"
	grep -qF -- "$text" out || fail "$*: $(cat out)"
	[ ! -s err ] || fail "$*: $(cat err)"
}

prints "commands:" help
prints "commands:" --help
prints "kprobe " --version
for command in record dump analyze replay; do
	prints "kprobe $command:" help $command
	prints "usage: kprobe $command" $command --help
	says 2 "unknown option '--nonsense'" $command --nonsense
	says 2 "Try 'kprobe $command --help'" $command -Z
	says 2 "option '--help' takes no value" $command --help=yes
done
says 2 "usage: kprobe COMMAND" # nothing at all
says 2 "one too many" dump one two
says 2 "one too many" dump -i one -i two
says 2 "did you mean 'record'?" recrod
says 2 "did you mean 'replay'?" help repaly
says 2 "'nothing' is not a command" help nothing
says 2 "did you mean '--output'?" record --outptu log
says 2 "option '--se' needs a value: --segment-size=SIZE" record --se
says 2 "nothing follows '--'" record --
says 2 "not between 64K and 1G" record --ring 1
says 2 "is not a group of events" record -e nonsense
says 2 "not one of text|json|jsonl" analyze -f xml x
says 2 "INCIDENT-ID is needed" analyze
says 2 "--from and --to need --pid" analyze --from +1 x
says 2 "neither RFC 3339" analyze --pid 1 --from tomorrow x
says 2 "one log at a time" dump a b
says 2 "no number is given" dump -p "" log
says 2 "no number is given" record -p ,
says 2 "no group is given" record -e ""
says 2 "did you mean 'block'" record -e '!sched,bolck'
says 2 "takes no command" record --check -- true
says 2 "one log at a time" replay a b

# What is not there is status 3, and says where.
says 3 "/no/such" dump /no/such
says 3 "/no/such" replay /no/such
says 3 "/no/such" analyze -i /no/such x
says 3 "there is no process 999999" record -o new -p 999999
[ ! -e new ] || fail "a log of nothing"

# What cannot be run: not found is 3, no executable 126, an interpreter that is missing 127; a log that
# has no place is none of them.
printf '#!/no/such/shell\n' >lost && chmod 755 lost
printf 'neither\n' >neither && chmod 755 neither
printf '#!/bin/sh\nPATH=/no/such:/etc exec "%s" "$@"\n' "$KPROBE" >in_etc && chmod 755 in_etc
for kprobe in "$KPROBE" ./in_etc; do
	KPROBE=$kprobe says 3 "cannot run '': command not found" record -o none -- ''
	KPROBE=$kprobe says 3 "cannot run 'no-such': command not found" record -o none -- no-such
done
says 3 "not found" record -o none -- ./no-such
says 3 "not found" record -o none -- /etc/passwd/x
says 126 "'/etc/passwd': it is no file that may be executed" record -o none -- /etc/passwd
says 126 "no file that may be executed" record -o none -- /etc
KPROBE=./in_etc says 126 "'passwd': it is no file that may be executed" record -o none -- passwd
says 126 "neither an executable nor a script" record -o none -- ./neither
says 127 "interpreter is not there" record -o none -- ./lost
says 1 "cannot make the log's folder /proc/x" record -o /proc/x -- true
rm -rf none
mkdir empty
says 3 "empty" dump empty
says 3 "empty" replay empty
: >file
says 4 "file" dump file

# It says when it is ready, and how to end it; a log can be read while it is written.
spawn "$KPROBE" record -o log --duration 60s 2>ready
recorder=$!
wait_for 20 grep -q "recording into log; Ctrl-C ends it" ready || fail "not ready: $(cat ready)"
sleep 1.5 # the log comes to disk each second
"$KPROBE" dump -n 5 log >out 2>err || fail "a log that is being written: $(cat err)"
[ "$(wc -l <out)" = 5 ] || fail "a log that is being written has nothing"
kill -INT $recorder
wait $recorder || fail "record: $(cat ready)"
grep -q "total .* in log" ready || fail "no account: $(cat ready)"
"$KPROBE" record -o command -- sh -c 'exit 3' 2>err
[ $? = 3 ] || fail "the command's status: $(cat err)"
grep -q "recording into command$" err || fail "not said: $(cat err)"

pid=$("$KPROBE" dump -k task_exec -c sh command | awk '{ split($4, ids, "/"); print ids[1]; exit }')
says 0 "without --from and --to this is the process's whole time" analyze -i command one --pid "$pid"
grep -q "INCIDENT one" out || fail "no report: $(cat out)"
says 3 "999999" analyze -i command two --pid 999999
says 3 "999999" replay --pid 999999 command
says 3 "is not known" analyze -i command three
"$KPROBE" analyze -i command four --pid "$pid" --from +0 --to +0.5 >out 2>err || fail "+SECONDS: $(cat err)"
grep -q "INCIDENT four .* 500.000 ms" out || fail "+SECONDS: $(cat out)"
[ ! -e command/incidents.db ] || fail "the database is in the log"

# A log that cannot be written to is read all the same.
chmod -R a-w command
"$KPROBE" analyze -i command five --pid "$pid" >out 2>err || fail "a read-only log: $(cat err)"
chmod -R u+w command

# Another user: no permission to read, to record; help and --check speak.
as_nobody() { # STATUS TEXT WORD…
	local want=$1 text=$2 status
	shift 2
	setpriv --reuid 65534 --regid 65534 --clear-groups "$work/bin/kprobe" "$@" >out 2>err </dev/null
	status=$?
	[ $status = "$want" ] || fail "nobody: $*: exit $status: $(cat err)"
	grep -qF -- "$text" err out || fail "nobody: $*: $(cat err)"
}
chmod 755 "$work"
mkdir -m 755 bin
cp "$KPROBE" bin/kprobe
as_nobody 5 "ermission denied" dump log
as_nobody 5 "ermission denied" replay command
as_nobody 5 "" record -o /tmp/kprobe-nobody
as_nobody 5 "missing" record --check
as_nobody 0 "usage" help record

# Outputs: full and closed is status 1 in words; a reader who has seen enough is none.
for words in "help" "help record" "--version" "record --check" "dump log" "dump --stats log" \
	"analyze -i command one" "analyze --list" "replay --report - command"; do
	# shellcheck disable=SC2086 # they are words
	"$KPROBE" $words >/dev/full 2>err </dev/null
	[ $? = 1 ] && grep -q "cannot write to standard output: No space" err ||
		fail "$words >/dev/full: $(cat err)"
	# shellcheck disable=SC2086
	"$KPROBE" $words >&- 2>err </dev/null
	[ $? = 1 ] && grep -q "cannot write to standard output" err || fail "$words >&-: $(cat err)"
	# shellcheck disable=SC2086
	"$KPROBE" $words 2>&- >out </dev/null
	[ $? = 0 ] || [ "$words" = "replay --report - command" ] || fail "$words 2>&-: exit $?"
done
"$KPROBE" record -o wordy -- seq 1 50000 >out 2>err || fail "record seq: $(cat err)"
"$KPROBE" replay wordy >/dev/full 2>err
[ $? = 1 ] && grep -q "EXACT" err && grep -q "could not be shown again: No space" err ||
	fail "replay >/dev/full: $(cat err)"
(
	"$KPROBE" replay wordy 2>err
	echo $? >status
) | head -n 1 >out
[ "$(cat status)" = 0 ] && [ "$(wc -l <err)" = 1 ] || fail "replay into a pipe: $(cat status err)"
"$KPROBE" replay --until +0 wordy >out 2>err || fail "replay --until +0: $(cat err)"
grep -q "stopped behind event" err || fail "replay --until +0: $(cat err)"
says 1 "cannot write to /no/such/file" analyze -i command one -O /no/such/file
(
	"$KPROBE" analyze -i command one -f json 2>err
	echo $? >status
) | head -c 1 >/dev/null
[ "$(cat status)" = 0 ] && [ ! -s err ] || fail "a pipe: $(cat status err)"

# Colour: only on a terminal, unless it is asked for; NO_COLOR and KPROBE_COLOR.
colored() {
	grep -q $'\033\\[1m' out
}
analyze() {
	env "$@" "$KPROBE" analyze -i command one >out 2>err || fail "$*: $(cat err)"
}
analyze && colored && fail "colour in a file"
analyze KPROBE_COLOR=always && colored || fail "no colour: KPROBE_COLOR"
"$KPROBE" analyze -i command one --color=always >out && colored || fail "no colour: --color"
"$KPROBE" analyze -i command one --color=always -O out && colored || fail "no colour: --color -O"
"$KPROBE" analyze -i command one -O out && colored && fail "colour with -O"
NO_COLOR=1 "$KPROBE" analyze -i command one --color=always >out && colored || fail "--color loses"
KPROBE_COLOR=always "$KPROBE" analyze -i command one --color=never >out && colored && fail "never"
script -qec "'$KPROBE' analyze -i command one" /dev/null >out && colored || fail "a terminal"
NO_COLOR=1 script -qec "'$KPROBE' analyze -i command one" /dev/null >out && colored && fail "NO_COLOR"
echo "all answered"
