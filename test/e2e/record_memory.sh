#!/bin/bash
# SPDX-License-Identifier: MIT
# The memory of a recorder stays below its ceiling when events come by the million and the disk takes
# none of them: its own, and what its rings, maps and programs take in the kernel. So it does with 64 CPUs,
# in which the recorder is made to believe: it makes a ring for each.
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
pid, until, cpus = sys.argv[1], time.time() + float(sys.argv[2]), int(sys.argv[3])
# BPF_MAP_TYPE_PERCPU_HASH, _PERCPU_ARRAY, _LRU_PERCPU_HASH: of these the kernel makes one for each CPU
# that there is, not for those that are only told.
PER_CPU = {5, 6, 10}

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
        if int(f.get("map_type", 0)) in PER_CPU:
            sizes["more", f["map_id"]] = int(f["value_size"]) * int(f["max_entries"]) * (cpus - os.cpu_count())
    return sum(sizes.values())

text = os.path.getsize(f"/proc/{pid}/exe")
peak = anon = 0
while time.time() < until:
    anon = int(fields(f"/proc/{pid}/status")["RssAnon"].split()[0]) * 1024
    peak = max(peak, anon + text + kernel())
    time.sleep(0.05)
print(peak >> 20, anon >> 20)
PY

# What a machine of 64 CPUs says of them.
mkdir cpus
for cpu in $(seq 0 63); do
	mkdir "cpus/cpu$cpu"
	echo 1 >"cpus/cpu$cpu/online"
done
echo 0-63 | tee cpus/possible cpus/present >cpus/online

# as CPUS COMMAND…: in place of this shell, on so many CPUs: 64, or those that there are.
as() {
	local cpus=$1
	shift
	[ "$cpus" = 64 ] || exec "$@"
	exec unshare -m sh -c 'mount --bind cpus /sys/devices/system/cpu && exec "$@"' sh "$@"
}

for what in "64 $(nproc)" "200 $(nproc)" "200 64"; do
	read -r memory cpus <<<"$what"
	as "$cpus" "$KPROBE" record -o "mnt/log-$memory" --memory "${memory}M" -e syscall,packet \
		2>"err-$memory" &
	recorder=$!
	kp_children="$kp_children $recorder"
	wait_for 60 grep -q 'recording into' "err-$memory" || fail "$(cat "err-$memory")"
	spawn ./flood
	floods=$!
	spawn ./flood
	floods="$floods $!"
	sleep 1
	fsfreeze -f mnt || skip "cannot freeze"
	rings=$(grep -l 'map_type:[[:space:]]*27$' /proc/$recorder/fdinfo/* 2>/dev/null | wc -l)
	read -r peak anon < <(python3 peak.py $recorder 6 "$cpus")
	fsfreeze -u mnt
	kill $floods
	sleep 1
	kill -INT $recorder
	wait $recorder || fail "exit $?: $(cat "err-$memory")"
	echo "--memory ${memory}M, $cpus CPUs, $rings rings of BPF's: at most $peak MiB, $anon of them the process's own"
	[ "$peak" -le "$memory" ] || fail "$peak MiB"
	[ "$rings" -ge $((cpus * 3 / 4)) ] || fail "$rings rings for $cpus CPUs"
	[ "$anon" -ge $((memory / 8)) ] || fail "the queue was never full: $anon MiB"
	grep -q '^kprobe: total' "err-$memory" || fail "$(cat "err-$memory")"
	"$KPROBE" dump -i "mnt/log-$memory" --stats >stats || fail "$(cat stats)"
	grep -q '^gaps 0$' stats || fail "$(cat stats)"
	rm -rf "mnt/log-$memory"
done
