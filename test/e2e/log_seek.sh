#!/bin/bash
# SPDX-License-Identifier: MIT
# A second late in a log of 2 GB: what dump prints of it is right, and of the log's bytes it reads no
# more than 2 %. Bytes are counted, by strace, not time.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "needs strace"
[ "$(df --output=avail -k "$work" | tail -1)" -gt 4000000 ] || skip "needs 4 GB of disk"
"$top/build/test/long_log" "$work/log" 2000 || fail "no log was written"
size=$(cat "$work"/log/*/*.kpl | wc -c)
end=$("$KPROBE" dump -i "$work/log" --stats --format json | python3 -c '
import json, sys
stats = json.load(sys.stdin)
print(int(stats["last_ns"] - stats["first_ns"]) // 1000000000 * 9 // 10)')
strace -f -e trace=read,pread64,preadv -o "$work/trace" "$KPROBE" dump -i "$work/log" \
	--from "+$end" --to "+$((end + 1))" --format jsonl >"$work/dump" 2>"$work/err" ||
	fail "dump: $(cat "$work/err")"
events=$(grep -c '"kind":"payload"' "$work/dump")
[ "$events" -ge 990 ] && [ "$events" -le 1010 ] || fail "$events events in a second of 1000"
bytes=$(sed -n 's/.*) *= \([0-9]*\)$/\1/p' "$work/trace" | awk '{ n += $1 } END { print n }')
echo "$bytes of $size bytes were read for $events events"
[ "$bytes" -le $((size / 50)) ] || fail "$bytes of $size bytes were read"
[ "$bytes" -gt 1000000 ] || fail "strace has not seen the reads"
