#!/bin/bash
# SPDX-License-Identifier: MIT
# A file system that hangs stops neither the recorder nor its end. A FUSE server is stopped while
# processes have its files open; segments are small, so that many begin meanwhile.
. "$(dirname "$0")/lib.sh"
need_root
[ -c /dev/fuse ] || skip "no /dev/fuse"
cd "$work" || exit 1
mkdir fs
here=$top/test/e2e
spawn python3 "$here/fuse_server.py" "$work/fs"
server=$!
tidy_up() {
	kill -CONT "$server" 2>/dev/null
	kill "$server" 2>/dev/null
	umount -l "$work/fs" 2>/dev/null
	cleanup
}
trap tidy_up EXIT
wait_for 20 test -e fs/file || skip "FUSE cannot be mounted"
spawn fs/file 1000 7<fs/file
user=$!
wait_for 20 sh -c "grep -q '^State:.*sleeping' /proc/$user/status && readlink /proc/$user/exe | grep -q fs/file" ||
	fail "the program of the file system does not run"

ended() {
	! kill -0 "$recorder" 2>/dev/null
}

# busy_recording OUT LOG: records for some seconds with load, then interrupts.
busy_recording() {
	spawn sh -c 'while :; do dd if=/dev/zero of=/dev/null bs=1 count=2000 2>/dev/null; sleep 0.02; done'
	load=$!
	spawn python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$KPROBE" record -o "$2" --segment-size 64K --ring 32M >"$1" 2>"$1.err" </dev/null
	recorder=$!
	wait_for 60 sh -c "[ \$(ls $2/*/*.kpl 2>/dev/null | wc -l) -ge 5 ]" || fail "$1: no segments: $(cat "$1.err")"
	kill -INT "$recorder"
	kill "$load"
}

# accounts OUT LOG: printed, nothing lost, the log whole.
accounts() {
	wait_for 60 grep -q '^kprobe: total ' "$1.err" || fail "$1: no end; $(cat "$1.err")"
	grep -q '^kprobe: total *[0-9]* *0 ' "$1.err" || fail "$1: lost: $(cat "$1.err")"
	"$KPROBE" dump -i "$2" --stats >"$1.stats" 2>&1 || fail "$1: $(cat "$1.stats")"
	grep -q '^gaps 0$' "$1.stats" || fail "$1: $(cat "$1.stats")"
}

kill -STOP "$server"
busy_recording open log-open
accounts open log-open
wait_for 60 ended || fail "open: still there"
dump log-open >open.events || fail "dump"
grep '"kind":"fd"' open.events | grep "\"pid\":$user," | grep -q "fs/file" ||
	fail "the open file of the file system that hangs is missing"
grep '"kind":"executable"' open.events | grep "\"pid\":$user," | grep '"state":2' |
	grep -q '/fs/file' || fail "the program of the file system that hangs is missing, or was asked"
grep '"kind":"snapshot"' open.events | grep -q '"hung_pid":0' || fail "no snapshot is complete"
grep '"kind":"snapshot"' open.events | grep -qv '"guessed_cnt":0' || fail "nothing was guessed"
echo "a hanging file: $(grep -c '"kind":"snapshot"' open.events) snapshots, $(grep '^kprobe: total' open.err)"
kill -CONT "$server"

# --- a command maps a file of it: the recorder itself asks the file system, and ends all the same ---
cat >maps.py <<'PY'
import mmap, os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
print("open", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
mmap.mmap(fd, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ)
PY
wait_for 20 test -e fs/file || fail "the file system does not come back"
spawn python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$KPROBE" record -o log-maps -- python3 maps.py fs/file >maps 2>maps.err </dev/null
recorder=$!
wait_for 60 grep -q open maps || fail "maps: $(cat maps.err)"
kill -STOP "$server"
touch go
sleep 1
kill -INT "$recorder"
wait_for 60 grep -q 'interrupt again' maps.err || fail "maps: not said: $(cat maps.err)"
kill -INT "$recorder"
accounts maps log-maps
wait_for 60 ended || fail "maps: still there"
grep -q 'does not answer' maps.err || fail "maps: not said: $(cat maps.err)"
kill -CONT "$server"
echo "a hanging file that is mapped: $(grep '^kprobe: total' maps.err)"

# --- nobody reads its stderr any more ---
cat >deaf.py <<'PY'
import fcntl, os, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ
os.write(w, b"x" * 4096)
p = subprocess.Popen([sys.argv[1], "record", "-o", "log-deaf", "--stats", "--duration", "2s"], stderr=w)
os.close(w)
def ended():
    out = subprocess.run([sys.argv[1], "dump", "-i", "log-deaf", "--stats"], capture_output=True, text=True)
    return "end its time was over" in out.stdout
end = time.time() + 60
while not ended():
    if time.time() > end:
        p.kill()
        sys.exit("it does not end")
    time.sleep(0.1)
while os.read(r, 65536):
    pass
sys.exit(p.wait())
PY
timeout 100 python3 deaf.py "$KPROBE" || fail "deaf: stopped by its stderr"
echo "a stderr that nobody reads: ok"
