#!/bin/bash
# SPDX-License-Identifier: MIT
# With exactly the four capabilities everything works that root can do, with two of them it works
# with less names; what is not needed later is given up; the log is reached through no symbolic link;
# and what a container's seccomp profile refuses is said.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1
command -v setpriv >/dev/null || skip "no setpriv"
chmod 755 "$work"
install -m 755 "$KPROBE" kprobe
mkdir logs && chown 65534:65534 logs && chmod 700 logs
mkdir -p /sys/fs/bpf && { mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf; } 2>/dev/null
pins=/sys/fs/bpf/kprobe-test-$$
four=+bpf,+perfmon,+sys_ptrace,+dac_read_search
two=+bpf,+perfmon

# as CAPABILITIES COMMAND…: as nobody, with these alone.
as() {
	local caps=$1
	shift
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps="-all,$caps" \
		--ambient-caps="-all,$caps" --bounding-set="-all,$caps" --no-new-privs "$@"
}

# --- the whole machine ---

as $four ./kprobe record --check >check || fail "check: $(grep -v ^ok check)"
as $two ./kprobe record --check >check || fail "check: $(grep -v ^ok check)"
grep -q '^missing capability SYS_PTRACE' check || fail "check: $(cat check)"
as +perfmon ./kprobe record --check >check && fail "check without BPF: $(cat check)"
grep -q '^FAILED  capability BPF' check || fail "check: $(cat check)"
for caps in $four $two; do
	as $caps ./kprobe record -o "logs/node-$caps" --duration 1500ms 2>err || fail "$caps: $(cat err)"
	grep -q 'refused' err && fail "$caps: $(cat err)"
	"$KPROBE" dump -i "logs/node-$caps" --stats >stats || fail "$(cat stats)"
	grep -q '^gaps 0$' stats && grep -q '^events.sched_switch' stats || fail "$caps: $(cat stats)"
done
count() {
	"$KPROBE" dump -i "$1" --stats | sed -n "s/^events.$2 //p"
}
with=$(count "logs/node-$four" fd) without=$(count "logs/node-$two" fd)
[ "${with:-0}" -gt "${without:-0}" ] || fail "descriptors: ${with:-0} and ${without:-0}"
echo "the machine: ok"

# --- a command, for replay ---

for caps in $four $two; do
	as $caps ./kprobe record -o "logs/command-$caps" -- /bin/ls / >out 2>err || fail "$caps: $(cat err)"
	"$KPROBE" replay -q "logs/command-$caps" >replay 2>&1 || fail "$caps: $(cat replay err)"
	grep -q '^kprobe: EXACT' replay || fail "$caps: $(cat replay)"
done
echo "a command: ok"

# --- killed, and going on, as nobody ---

if mkdir "$pins" 2>/dev/null; then
	trap '"$KPROBE" record --unpin --pin "$pins" >/dev/null 2>&1; rmdir "$pins"; cleanup' EXIT
	chown 65534:65534 "$pins" && chmod 700 "$pins"
	as $four timeout -s KILL 2 ./kprobe record -o logs/pinned --pin "$pins" 2>err
	as $four ./kprobe record -o logs/pinned --pin "$pins" --duration 500ms 2>err || fail "$(cat err)"
	grep -q 'goes on where' err || fail "pinned: $(cat err)"
	echo "pins: ok"
fi

# --- what is given up ---

"$KPROBE" record -o own 2>own.err &
recorder=$!
kp_children="$kp_children $recorder"
wait_for 60 grep -q 'recording into' own.err || fail "$(cat own.err)"
sleep 0.3
for task in /proc/$recorder/task/*/status; do
	# BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH, SYS_NICE, NET_ADMIN at most
	caps=$((0x$(sed -n 's/^CapPrm:\t//p' "$task")))
	[ $((caps & ~((1 << 39) | (1 << 38) | (1 << 19) | 4 | (1 << 23) | (1 << 12)))) = 0 ] ||
		fail "$(grep -E 'Name|CapPrm' "$task")"
	grep -q '^Seccomp:.2$' "$task" || fail "no filter: $(cat "$task")"
	grep -q '^NoNewPrivs:.1$' "$task" || fail "may gain privileges"
done
kill -USR1 $recorder # a step down and up needs the kernel again
wait_for 60 grep -q 'tier switches' own.err || fail "$(cat own.err)"
kill -USR2 $recorder
wait_for 60 grep -q 'tier waits' own.err || fail "$(cat own.err)"
sleep 1.5
kill -INT $recorder
wait $recorder || fail "$(cat own.err)"
grep -q 'warning' own.err && fail "$(cat own.err)"
echo "given up: ok"

# --- links ---

mkdir real && ln -s real link
"$KPROBE" record -o link/log --duration 100ms 2>err && fail "through a link"
grep -q 'symbolic link' err || fail "$(cat err)"
[ -e real/log ] && fail "made something behind a link"
"$KPROBE" record -o link --duration 100ms 2>err && fail "into a link"
"$KPROBE" record -o real/log --duration 100ms 2>err || fail "$(cat err)"
echo "links: ok"

# --- a profile that refuses ---

cat >profile.c <<'C'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
/* profile NUMBER COMMAND…: the call with this number fails with EPERM. */
int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, atoi(argv[1]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};
	(void)argc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return 9;
	execv(argv[2], argv + 2);
	return 9;
}
C
gcc -o profile profile.c || fail "build"
for call in bpf:321 ptrace:101 seccomp:317 clock_adjtime:305 openat2:437; do
	./profile "${call#*:}" "$KPROBE" record --check >check
	status=$?
	grep -qE "^(missing|FAILED) +seccomp profile: ${call%:*}:" check || fail "$call: $(cat check)"
	[ "$call" != bpf:321 ] || [ $status = 5 ] || fail "bpf: exit $status"
	[ "$(grep -cE '^(missing|FAILED) +seccomp profile' check)" = 1 ] || fail "$call: $(cat check)"
done
./profile 437 "$KPROBE" record -o real/other --duration 100ms 2>err || fail "without openat2: $(cat err)"
echo "profiles: ok"
