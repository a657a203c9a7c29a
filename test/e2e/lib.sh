# SPDX-License-Identifier: MIT
# For the end-to-end tests: sourced, not run. Gives $KPROBE, $top, a folder $work that goes away (on
# a disk: /tmp may be memory), and words for the steps. A test exits 0, or 77 when the machine lacks
# what it needs.
set -u
export LC_ALL=C
# What a busy machine makes a recorder take is not what the tests are about.
export KPROBE_BUDGET=0
# What is pinned is the machine's: tests beside each other would take it from each other.
export KPROBE_PIN=none
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/scripts/wait_for.sh"
KPROBE=${KPROBE:-$top/build/kprobe}
[ -x "$KPROBE" ] || {
	echo "no executable $KPROBE: run scripts/build.sh"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/kprobe-e2e.XXXXXX") || exit 1
kp_children=
cleanup() {
	local pid
	for pid in $kp_children; do
		kill "$pid" 2>/dev/null
	done
	[ -n "${KEEP:-}" ] && echo "kept: $work" || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
	echo "FAILED: $*"
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# Runs in the background and is ended by the end of the test at the latest; its pid is $!.
spawn() {
	"$@" &
	kp_children="$kp_children $!"
}

# record LOG OUT COMMAND…: records COMMAND; what it wrote is in OUT and OUT.err (where the
# recorder's own words are too). Returns the command's status.
record() {
	local log=$1 out=$2
	shift 2
	timeout -k 5 "${RECORD_TIMEOUT:-120}" "$KPROBE" record -o "$log" -- "$@" >"$out" 2>"$out.err" \
		</dev/null
}

# replay LOG OUT [OPTION…]
replay() {
	local log=$1 out=$2
	shift 2
	timeout -k 5 "${REPLAY_TIMEOUT:-120}" "$KPROBE" replay "$@" "$log" >"$out" 2>"$out.err" \
		</dev/null
}

# dump LOG [OPTION…]: the events as JSON lines.
dump() {
	local log=$1
	shift
	"$KPROBE" dump -i "$log" --format jsonl "$@"
}

# record_mixed: records the program that makes calls of all families, in $work. Its output is in
# $work/out; the log's one segment is $segment, with a copy in $work/good for tests that damage it.
record_mixed() {
	gcc -D_GNU_SOURCE -O1 -w -o "$work/mixed" "$top/test/replay/programs/mixed.c" || fail "build"
	cd "$work" || exit 1
	seq -f 'input line %05g' 1 600 >input.txt
	record "$work/log" "$work/out" "$work/mixed" || fail "record: $(cat "$work/out.err")"
	segment=$(find "$work/log" -name '*.kpl' | head -n 1)
	cp "$segment" "$work/good"
}

# judge WHAT STATUS ERR: a damaged log may be refused, in words; it must not crash a command, nor
# make it hang.
judge() {
	case $2 in
	0) return ;;
	1 | 3 | 4 | 7 | 125) [ -s "$3" ] && return ;;
	esac
	tail -n 40 "$3"
	cp "$segment" /var/tmp/kprobe-damaged.kpl
	fail "$1: exit $2; the log is kept as /var/tmp/kprobe-damaged.kpl"
}

# exits STATUS…: how often each status came.
exits() {
	printf '%s\n' "$@" | sort -n | uniq -c | sed 's/ *\([0-9]*\) \(.*\)/exit \2: \1 times/'
}
