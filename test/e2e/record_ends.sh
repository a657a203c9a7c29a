#!/bin/bash
# SPDX-License-Identifier: MIT
# However a recording is ended, it ends in order: the accounts are printed, the log is whole, nobody
# is left behind.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1

# recording OUT LOG [ARGUMENT…]: starts a recorder in the background, its pid is $recorder, and waits
# until it has begun. Signals must reach it as they reach a program in the foreground.
recording() {
	local out=$1 log=$2
	shift 2
	spawn python3 -c 'import os, signal, sys
os.setsid()
for s in (signal.SIGINT, signal.SIGQUIT): signal.signal(s, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$KPROBE" record -o "$log" "$@" >"$out" 2>"$out.err" </dev/null
	recorder=$!
	wait_for 60 has_segment "$log" || fail "$(cat "$out.err")"
}

has_segment() {
	[ -n "$(find "$1" -name '*.kpl' -size +64k 2>/dev/null)" ]
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# ended OUT LOG STATUS: the recorder has ended by itself, with this status, accounts and a log without gaps.
ended() {
	local status
	wait_for 60 gone "$recorder" || fail "$1: still there; $(cat "$1.err")"
	wait "$recorder"
	status=$?
	[ $status = "$3" ] || fail "$1: exit $status instead of $3; $(cat "$1.err")"
	grep -q '^kprobe: total ' "$1.err" || fail "$1: no accounts; $(cat "$1.err")"
	whole "$1" "$2"
}

whole() {
	"$KPROBE" dump -i "$2" --stats >"$1.stats" 2>&1 || fail "$1: dump: $(cat "$1.stats")"
	grep -q '^gaps 0$' "$1.stats" || fail "$1: $(cat "$1.stats")"
}

# --- the whole machine: each signal ends it, or does nothing to it ---

for sig in INT TERM QUIT XCPU PWR; do
	recording "end-$sig" "log-end-$sig"
	kill -$sig "$recorder"
	ended "end-$sig" "log-end-$sig" 0
done
recording ignored log-ignored
# Without a terminal a hangup is none; spawn has a session of its own.
for sig in HUP PIPE XFSZ USR1 USR2 ALRM VTALRM PROF IO STKFLT RTMIN RTMAX; do
	kill -$sig "$recorder"
done
sleep 0.3
gone "$recorder" && fail "ignored: ended; $(cat ignored.err)"
kill -INT "$recorder"
ended ignored log-ignored 0
echo "signals: ok"

# --- a command: has its signals, and all that it inherits is as it was ---

recording trap log-trap -- sh -c 'trap "echo cleaned up; exit 3" HUP; while :; do sleep 0.1; done'
sleep 0.5
kill -HUP "$recorder"
ended trap log-trap 3
grep -q 'cleaned up' trap || fail "trap: the command was not asked: $(cat trap.err)"
"$KPROBE" replay -q log-trap >trap.replay 2>&1 || fail "trap: $(cat trap.replay)"

recording deaf log-deaf -- sh -c 'trap "" TERM; while :; do sleep 0.1; done'
sleep 0.5
kill -TERM "$recorder"
wait_for 60 grep -q 'interrupt again' deaf.err || fail "deaf: $(cat deaf.err)"
gone "$recorder" && fail "deaf: ended at once"
kill -TERM "$recorder"
ended deaf log-deaf 137
grep -q 'killed' deaf.err || fail "deaf: does not say what became of the command"

# One signal is enough, whatever the command does: it is deaf, stopped, or gone and has left the deaf
# and the stopped.
once() { # NAME STATUS COMMAND…
	local name=$1 status=$2 begin
	shift 2
	recording "$name" "log-$name" -- "$@"
	sleep 0.5
	begin=$SECONDS
	kill -TERM "$recorder"
	ended "$name" "log-$name" "$status"
	[ $((SECONDS - begin)) -le 30 ] || fail "$name: ended after $((SECONDS - begin)) s"
}
once deaf-once 137 sh -c 'trap "" TERM; while :; do sleep 0.1; done' &
deaf=$!
once stopped-once 137 sh -c 'kill -STOP $$; sleep 1000'
once left-once 0 sh -c 'setsid sh -c "trap \"\" TERM HUP; sleep 1000" & setsid sh -c "kill -STOP \$\$" & sleep 0.2'
wait $deaf || exit 1
pgrep -f "sleep 1000" >/dev/null && fail "left-once: somebody is left"
echo "one signal: ok"

inherited='grep -E "^Sig(Blk|Ign|Cgt)|^Max open" /proc/self/status /proc/self/limits; ulimit -Sn'
(
	ulimit -Sn 64
	sh -c "$inherited" >as-it-is
	record log-inherited inherited sh -c "$inherited"
) || fail "inherited: $(cat inherited.err)"
cmp as-it-is inherited || fail "inherited: $(diff as-it-is inherited)"
(
	ulimit -Sn 64
	"$KPROBE" record --check >check
) || fail "check: $(grep -v ^ok check)"
(
	ulimit -n 20
	"$KPROBE" record -o log-few --duration 1s 2>few.err
) && fail "few: recorded with 20 open files"
grep -q 'ulimit -n' few.err || fail "few: no remedy: $(cat few.err)"
for n in 4 5 6 8 10 12 14 16 18 24 28 32 40; do
	(
		ulimit -n $n
		exec "$KPROBE" record -o "log-few-$n" --duration 100ms
	) 2>few.err
	case $? in 0 | 1 | 5) ;; *) fail "few: $n open files: $(cat few.err)" ;; esac
done
echo "a command's signals and limits: ok"

# --- a daemon outlives the command that started it ---

mkdir -p nginx/logs
cat >nginx/nginx.conf <<CONF
user root;
pid $work/nginx/pid;
error_log $work/nginx/logs/error;
worker_processes 2;
events { worker_connections 64; }
http { access_log off; server { listen unix:$work/nginx/socket; location / { return 200 "hello"; } } }
CONF
if command -v nginx >/dev/null; then
	for sig in TERM INT; do
		recording "nginx-$sig" "log-nginx-$sig" -- nginx -p "$work/nginx" -c "$work/nginx/nginx.conf"
		wait_for 60 grep -q 'waiting for 3 processes that it left: nginx (' \
			"nginx-$sig.err" || fail "nginx: $(cat "nginx-$sig.err")"
		kill -$sig "$recorder"
		ended "nginx-$sig" "log-nginx-$sig" 0
		[ -e nginx/pid ] && fail "nginx-$sig: nginx was not asked to end"
	done
	recording nginx-2 log-nginx-2 -- nginx -p "$work/nginx" -c "$work/nginx/nginx.conf"
	wait_for 60 grep -q 'waiting for 3' nginx-2.err || fail "nginx: $(cat nginx-2.err)"
	# The master is stopped, so that it cannot end by the first.
	kill -STOP "$(cat nginx/pid)"
	kill -TERM "$recorder"
	kill -TERM "$recorder"
	ended nginx-2 log-nginx-2 0
	grep -q 'killed.*nginx (' nginx-2.err || fail "nginx-2: $(cat nginx-2.err)"
	pgrep -f "nginx.*$work" && fail "nginx-2: nginx is still there"
	echo "a daemon: ok"
else
	fail "nginx is missing: scripts/deps.sh test"
fi

# --- the terminal goes away: a hangup, and no word can be written any more ---

cat >terminal.py <<'PY'
import os, pty, sys, time
log = sys.argv[2]
pid, master = pty.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:2] + ["record", "-o", log] + sys.argv[3:])
def begun():
    return any(f.endswith(".kpl") for _, _, fs in os.walk(log) for f in fs)
while not begun():
    time.sleep(0.05)
time.sleep(1)
os.close(master)
_, status = os.waitpid(pid, 0)
print("status", os.waitstatus_to_exitcode(status))
PY
timeout 60 python3 terminal.py "$KPROBE" log-terminal >terminal.out || fail "terminal: no end"
grep -q '^status 0$' terminal.out || fail "terminal: $(cat terminal.out)"
whole terminal log-terminal
timeout 60 python3 terminal.py "$KPROBE" log-terminal-c --stats -- sleep 1000 >terminal.out || fail "terminal: no end"
grep -q '^status 129$' terminal.out || fail "terminal, command: $(cat terminal.out)"
whole terminal log-terminal-c
echo "a closed terminal: ok"
