#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a kernel in QEMU (software emulation) with nothing but busybox, the static kprobe and a
# script, and brings out what the script leaves.
#
#   boot.sh VMLINUZ KPROBE SCRIPT FOLDER [FILE…]
#
# FILEs of this machine are there under their paths.
# SCRIPT runs as /script in the machine, its words come over the first serial port to
# FOLDER/console; what it leaves in /out comes as a tar over the second and is unpacked into
# FOLDER/out; its exit status is in FOLDER/status. /proc, /sys, /dev and /tmp are there. No network,
# no disk. LIMIT seconds (default 240) end it.
set -u
kernel=$1 kprobe=$2 script=$3 folder=$4
shift 4
limit=${LIMIT:-240}
mkdir -p "$folder" || exit 1
folder=$(realpath "$folder")
root=$folder/root
mkdir -p "$root"/bin "$root"/proc "$root"/sys "$root"/dev "$root"/tmp "$root"/out "$root"/etc
cp "$(command -v busybox)" "$root/bin/busybox" || exit 1
cp "$kprobe" "$root/bin/kprobe" || exit 1
cp "$script" "$root/script" || exit 1
chmod +x "$root/script"
[ $# -eq 0 ] || cp --parents -L "$@" "$root" || exit 1
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
ip link set lo up 2>/dev/null || ifconfig lo 127.0.0.1 up
stty -F /dev/ttyS1 raw -echo 115200
sh /script
echo $? >/out/.status
tar -C /out -cf - . | gzip -1 >/dev/ttyS1
# The port's buffer must be empty before the machine goes away.
sleep 1
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$folder/initrd" || exit 1
rm -rf "$root"
# One host thread for both CPUs: with a thread each, QEMU 7.2 can go on executing the breakpoint that
# the kernel put where it switches a tracepoint on, after the kernel took it away; then both CPUs
# trap there for ever. Switching sched_switch on and off by tracefs for seconds is enough for that.
timeout -k 5 "$limit" qemu-system-x86_64 -accel tcg,thread=single -m 512 -smp 2 \
	-nodefaults -display none -no-reboot -kernel "$kernel" -initrd "$folder/initrd" \
	-append "console=ttyS0 quiet panic=1" \
	-chardev file,id=console,path="$folder/console" -serial chardev:console \
	-chardev file,id=out,path="$folder/out.tgz" -serial chardev:out </dev/null || {
	echo "the machine did not power off by itself; its console:" >&2
	tail -n 40 "$folder/console" >&2
	exit 1
}
mkdir -p "$folder/out" && tar -C "$folder/out" -xzf "$folder/out.tgz" || {
	tail -n 40 "$folder/console" >&2
	exit 1
}
mv "$folder/out/.status" "$folder/status"
[ "$(cat "$folder/status")" = 0 ]
