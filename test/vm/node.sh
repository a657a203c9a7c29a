# SPDX-License-Identifier: MIT
# Sourced by tests in test/e2e after lib.sh.
#
# vm_node SERIES BEFORE OPTIONS WHILE [FILE…]: boots that kernel in QEMU and records it as a node, with
# the OPTIONS of kprobe record: the commands BEFORE run before the recorder starts, those of WHILE while
# it records. FILEs of this machine are there under their paths. The log is $out/log, the recorder's
# words $out/err, and what the commands leave in /out is in $out.
vm_node() {
	local kernel
	command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"
	kernel=$("$top/test/vm/kernel.sh" "$top/build/vm" "$1") || skip "no $1 kernel to be had"
	cat >"$work/script" <<SCRIPT
$2
kprobe record -o /out/log --budget 0 $3 >/out/err 2>&1 &
recorder=\$!
until ls /out/log/*/*.kpl >/dev/null 2>&1; do kill -0 \$recorder || exit 1; sleep 1; done
sleep 5
$4
kill -INT \$recorder
wait \$recorder
SCRIPT
	out=$work/vm/out
	"$top/test/vm/boot.sh" "$kernel" "$KPROBE" "$work/script" "$work/vm" "${@:5}" || {
		cat "$out/err" 2>/dev/null
		fail "the machine's script"
	}
}

# check KIND PATTERN: the node's log has an event of that kind that has it.
check() {
	dump "$out/log" --kind "$1" >"$work/events" || fail "dump"
	grep -E -m 1 -- "$2" "$work/events" || {
		head -n 5 "$work/events"
		fail "$series: no $1 with $2"
	}
}

# each_series FUNCTION ARG…: vm_node with these arguments on each of the kernels that is to be had, and
# then the function, which looks at $out of $series.
each_series() {
	local seen=0 fn=$1
	shift
	for series in 5.15 6.1 6.8 6.12; do
		"$top/test/vm/kernel.sh" "$top/build/vm" "$series" >/dev/null || continue
		rm -rf "$work/vm"
		(vm_node "$series" "$@") || exit $?
		out=$work/vm/out
		"$fn"
		seen=$((seen + 1))
	done
	[ "$seen" -gt 0 ] || skip "no kernel to be had"
}
