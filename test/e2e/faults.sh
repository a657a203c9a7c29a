#!/bin/bash
# SPDX-License-Identifier: MIT
# The nth call of a kind fails, and the nth allocation, for each n until the program makes no such call
# any more (of many, a sample): no command crashes or hangs, each ends with a status of the manual and
# a word, says nothing else than without the fault unless it says that too, and the log that was there
# before stays readable. FAULTS=10 tries ten times as many.
. "$(dirname "$0")/lib.sh"
need_root
tools=$top/build/test
[ -x "$tools/fail_nth" ] && [ -x "$tools/kprobe_failing" ] || skip "not built: scripts/test.sh build"
cd "$work" || exit 1

# fault NAME STATUSES AFTER: what one run with a fault came to: $status, out, err. AFTER is a command.
fault() {
	case " $2 " in *" $status "*) ;; *)
		tail -n 20 err
		fail "$1: exit $status"
		;;
	esac
	[ "$status" = 0 ] || [ -s err ] || [ -s out ] || fail "$1: exit $status without a word"
	$3 "$1"
	tally="$tally $status"
}

# sample FIRST TOTAL MAX: the numbers to try. FIRST calls are made by the C library before main, which
# may do as it likes when they fail.
sample() {
	python3 -c '
import sys
first, total, most, times = (int(word) for word in sys.argv[1:])
most *= times
few = first + most // 3
print(*(range(first + 1, total + 1) if total - first <= most else
        sorted({*range(first + 1, few + 1),
                *(few + (total - few) * i // (most - most // 3) for i in range(1, most - most // 3 + 1))})))' "$@" "${FAULTS:-1}"
}

# each_call CALLS ERRNO MAX STATUSES AFTER COMMAND…: the nth of the calls fails.
each_call() {
	local calls=$1 errno=$2 most=$3 statuses=$4 after=$5 first total n
	shift 5
	tally=
	"$tools/fail_nth" "$calls" "$errno" 0 count "$KPROBE" --version >out || fail "$calls: --version"
	first=$(cat count)
	case $calls in write*) first=0 ;; esac # that one is main's
	timeout 60 "$tools/fail_nth" "$calls" "$errno" 0 count "$@" >out 2>err </dev/null || fail "$calls: without a fault: $(cat err)"
	total=$(cat count)
	cp out reference
	for n in $(sample "$first" "$total" "$most"); do
		timeout 60 "$tools/fail_nth" "$calls" "$errno" "$n" count "$@" >out 2>err </dev/null
		status=$?
		fault "$calls $errno, the ${n}th of $total" "$statuses" "$after"
	done
	echo "$calls $errno, $total calls: $([ -z "$tally" ] || exits $tally | tr '\n' ' ')"
}

# each_alloc MAX STATUSES AFTER ARGUMENT…: the nth allocation of a kprobe fails.
each_alloc() {
	local most=$1 statuses=$2 after=$3 first total n
	shift 3
	tally=
	KP_FAIL_COUNT=count "$tools/kprobe_failing" --version >out || fail "alloc: --version"
	first=$(cat count)
	KP_FAIL_COUNT=count timeout 60 "$tools/kprobe_failing" "$@" >out 2>err </dev/null || fail "alloc: without a fault: $(cat err)"
	total=$(cat count)
	cp out reference
	for n in $(sample "$first" "$total" "$most"); do
		KP_FAIL_ALLOC=$n timeout 60 "$tools/kprobe_failing" "$@" >out 2>err </dev/null
		status=$?
		fault "the ${n}th allocation of $total" "$statuses" "$after"
	done
	echo "allocations, $total: $(exits $tally | tr '\n' ' ')"
}

# The same answer, or one that says what it lacks.
same() {
	[ "$status" != 0 ] || cmp -s out reference || grep -qiE 'gap|damage|cannot|incomplete|warning' out err ||
		fail "$1: exit 0, another answer, no word: $(diff reference out | head -n 10)"
}

# What was recorded is readable; a log that was never begun is none.
readable() {
	"$KPROBE" dump -i "$log" --stats >stats 2>stats.err
	case $? in
	0) ;;
	3) [ "$status" != 0 ] || fail "$1: exit 0 without a log" ;;
	*) fail "$1: $(cat stats.err)" ;;
	esac
	# The last write is the log's end: without it there is a gap, which says so.
	grep -q '^gaps 0$' stats || [ ! -s stats ] || { [ "$status" = 1 ] && grep -q 'no end' stats.err; } ||
		fail "$1: $(cat stats stats.err)"
	rm -rf "$log"
}

none() {
	:
}

# --- record ---
log=$work/faulty
# A command has a seccomp listener of the recorder's, beside which fail_nth's cannot be.
node=("$KPROBE" record -o "$log" --duration 300ms)
each_call pwritev,pwritev2 EIO 4 "0 1" readable "${node[@]}"
each_call pwritev,pwritev2 ENOSPC 4 "0 1" readable "${node[@]}"
each_call fdatasync,fsync EIO 4 "0 1" readable "${node[@]}"
each_call openat,mkdirat EIO 5 "0 1 5" readable "${node[@]}"
each_call openat EMFILE 5 "0 1 5" readable "${node[@]}"
each_call clone,clone3,fork,vfork EAGAIN 6 "0 1 5" readable "${node[@]}"
each_call mmap ENOMEM 6 "0 1 5" readable "${node[@]}"
each_call bpf ENOMEM 4 "0 1 5" readable "${node[@]}"
each_call eventfd2,epoll_create1 EMFILE 6 "0 1 5" readable "${node[@]}"
each_alloc 6 "0 1 5" readable record -o "$log" --duration 300ms
each_alloc 4 "0 1 5" readable record -o "$log" -- /bin/true

# --- the readers ---
from=$(date +%s.%N)
record log recorded sh -c 'for i in 1 2 3; do echo "$i"; done; sleep 0.1; cat /etc/hostname' || fail "record: $(cat recorded.err)"
to=$(date +%s.%N)
pid=$(dump log 2>/dev/null | sed -n 's/.*"kind":"command".*"pid":\([0-9]*\).*/\1/p' | head -n 1)
cp -r log before
log=$work/log
untouched() {
	diff -r -x pins log before || fail "$1: a reader changed the log"
	same "$1"
}
analyze=("$KPROBE" analyze faults -i log --db db --pid "$pid" --from "$from" --to "$to" --format json)
fresh() {
	rm -f db db-*
	untouched "$1"
}
replayed() {
	untouched "$1"
}
for call in "openat EIO" "openat EMFILE" "pread64 EIO" "mmap ENOMEM" "read EIO" "write EIO" "newfstatat,fstat EIO"; do
	# shellcheck disable=SC2086 # two words
	each_call $call 12 "0 1 3 4 5" untouched "$KPROBE" dump -i log --stats
done
rm -f db db-*
for call in "openat EIO" "pread64 EIO" "mmap ENOMEM" "read EIO" "write ENOSPC" "pwrite64 ENOSPC" "fsync,fdatasync EIO"; do
	# shellcheck disable=SC2086
	each_call $call 12 "0 1 3 4 5" fresh "${analyze[@]}"
done
for call in "openat EIO" "mmap ENOMEM" "read EIO" "clone,clone3,fork,vfork EAGAIN" "ptrace EPERM" "memfd_create EMFILE"; do
	# shellcheck disable=SC2086
	each_call $call 12 "0 1 4 5 125" replayed "$KPROBE" replay log
done
each_call pread64,process_vm_readv EIO 12 "0 1 4 5 125" replayed "$KPROBE" replay log
# Memory of the process that cannot be read from some call on is no difference of the program.
tally=
"$tools/fail_nth" pread64,process_vm_readv EIO 0 count "$KPROBE" replay log >reference 2>err </dev/null
total=$(cat count)
for n in $(sample 0 "$total" 12) "$total"; do
	"$tools/fail_nth" pread64,process_vm_readv EIO "$n+" count "$KPROBE" replay log >out 2>err </dev/null
	status=$?
	fault "all reads of memory from the ${n}th of $total" "0 1 4 5 125" replayed
	[ "$n" != "$total" ] || grep -q 'cannot be read' err || fail "the last read of memory: $(cat err)"
done
echo "pread64,process_vm_readv EIO for good: $(exits $tally | tr '\n' ' ')"
each_alloc 20 "0 1 3 4 5" untouched dump -i log --stats
each_alloc 20 "0 1 3 4 5" fresh analyze faults -i log --db db --pid "$pid" --from "$from" --to "$to" --format json
each_alloc 20 "0 1 4 5 125" replayed replay log
