#!/bin/bash
# SPDX-License-Identifier: MIT
# The memory of a recorder stays below its ceiling when events come by the million and the disk takes
# none of them: its own, and what its rings, maps and programs take in the kernel.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
command -v fsfreeze >/dev/null || skip "no fsfreeze"
truncate -s 300M disk && mkfs.ext4 -q disk || skip "no mkfs.ext4"
mkdir mnt
mount -o loop disk mnt 2>mount.err || skip "no loop device: $(cat mount.err)"
trap 'fsfreeze -u mnt 2>/dev/null; kill $kp_children 2>/dev/null; wait; umount mnt; cleanup' EXIT

cat >flood.c <<'C'
#include <unistd.h>
#include <sys/syscall.h>
int main(void)
{
	for (;;)
		syscall(SYS_getppid);
}
C
gcc -O1 -o flood flood.c || fail "build"

# What the recorder takes at most in the time: its own, its program's text, and the kernel's part. What
# is mapped of that is in the process's figures too.
cat >peak.py <<'PY'
import os, sys, time
pid, until = sys.argv[1], time.time() + float(sys.argv[2])

def fields(path):
    with open(path) as f:
        return dict(line.rstrip().split(":", 1) for line in f if ":" in line)

def kernel():
    sizes = {}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            f = fields(f"/proc/{pid}/fdinfo/{fd}")
        except FileNotFoundError:
            continue
        if "memlock" in f:
            sizes[f.get("map_id") or "p" + f["prog_id"]] = int(f["memlock"])
    return sum(sizes.values())

text = os.path.getsize(f"/proc/{pid}/exe")
peak = anon = 0
while time.time() < until:
    anon = int(fields(f"/proc/{pid}/status")["RssAnon"].split()[0]) * 1024
    peak = max(peak, anon + text + kernel())
    time.sleep(0.05)
print(peak >> 20, anon >> 20)
PY

for memory in 64 200; do
	"$KPROBE" record -o "mnt/log-$memory" --memory "${memory}M" -e syscall 2>"err-$memory" &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 60 grep -q 'recording into' "err-$memory" || fail "$(cat "err-$memory")"
	spawn ./flood
	floods=$!
	spawn ./flood
	floods="$floods $!"
	sleep 1
	fsfreeze -f mnt || skip "cannot freeze"
	read -r peak anon < <(python3 peak.py $recorder 6)
	fsfreeze -u mnt
	kill $floods
	sleep 1
	kill -INT $recorder
	wait $recorder || fail "exit $?: $(cat "err-$memory")"
	echo "--memory ${memory}M: at most $peak MiB, $anon of them the process's own"
	[ "$peak" -le "$memory" ] || fail "$peak MiB"
	[ "$anon" -ge $((memory / 8)) ] || fail "the queue was never full: $anon MiB"
	grep -q '^kprobe: total' "err-$memory" || fail "$(cat "err-$memory")"
	"$KPROBE" dump -i "mnt/log-$memory" --stats >stats || fail "$(cat stats)"
	grep -q '^gaps 0$' stats || fail "$(cat stats)"
	rm -rf "mnt/log-$memory"
done
