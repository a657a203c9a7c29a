#!/bin/bash
# SPDX-License-Identifier: MIT
# Logs made to attack whoever replays them: whatever they try, no file is made, changed or deleted,
# no process is left, and the verdict is DIVERGED or REFUSED: as root, as an ordinary user, and where
# the machine refuses namespaces.
. "$(dirname "$0")/lib.sh"
need_root
attack=$top/build/test/attack
[ -x "$attack" ] || fail "no $attack: scripts/test.sh builds it"
chmod 0755 "$work"
cp "$KPROBE" "$work/kprobe"
KPROBE=$work/kprobe
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"

as_root() { "$@"; }
as_user() { $nobody "$@"; }
# A user namespace in which no other can be made, and no capability is left that could do without.
as_locked_up() {
	$nobody unshare --user --map-root-user sh -c '
		echo 0 >/proc/sys/user/max_user_namespaces || exit 99
		exec setpriv --inh-caps=-all --bounding-set=-all --no-new-privs "$@"' sh "$@"
}

# What a try may not have changed: the folder of the victim's files.
victims() {
	(cd "$1" && find . -exec stat -c '%n %a %s %U' {} + | sort && cat ./* 2>/dev/null)
}

# Whether the sandbox's first process lives on, or a replayed one that nobody waits for.
left() {
	pgrep -f "$work/$name" || pgrep -P 1 '^memfd:kprobe'
}

# try HOW NAME [OPTION…]: replays the attack and looks at what it did.
try() {
	local how=$1 name=$2 before status
	shift 2
	before=$(victims "$work/victim")
	"as_$how" timeout -k 5 60 "$KPROBE" replay "$@" "$work/$name" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	case $status in
	7 | 125) ;;
	*) fail "$name as $how $*: exit $status: $(cat "$work/err")" ;;
	esac
	[ "$before" = "$(victims "$work/victim")" ] ||
		fail "$name as $how $*: the files are not what they were: $(victims "$work/victim")"
	left && fail "$name as $how $*: a process is left"
	printf '%-10s %-10s %-10s exit %-4s %s\n' "$name" "$how" "$*" $status \
		"$(grep -m 1 -E 'DIVERGED|REFUSED' "$work/err")"
	tried=$((tried + 1))
}

mkdir -m 0777 "$work/victim"
tried=0
for name in $("$attack" --list); do
	case $name in
	delete | chmod | exec)
		target=$work/victim/file
		printf '#!/bin/sh\necho >%s/victim/run\n' "$work" >"$target"
		chmod 0755 "$target"
		chown 65534 "$target"
		;;
	*) target=$work/victim/new ;;
	esac
	"$attack" "$name" "$work/$name" "$target" || fail "$name cannot be written"
	chmod -R a+rX "$work/$name"
	for how in root user; do
		try $how "$name"
		try $how "$name" --unsafe
	done
	try locked_up "$name"
	grep -q -e '--unsafe' "$work/err" || fail "$name: the remedy is not named: $(cat "$work/err")"
	try locked_up "$name" --unsafe
	grep -q 'without pid, network' "$work/err" || fail "$name: the missing walls are not named"
done
[ $tried -ge 60 ] || fail "only $tried tries"
