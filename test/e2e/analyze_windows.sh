#!/bin/bash
# SPDX-License-Identifier: MIT
# A busy node recorded for BUSY_S seconds (20): thousands of random windows of all tasks are
# partitioned exactly; and what is told from as much of the log as a window needs is what all of it
# tells.
# Runs alone: what the machine does beside it delays what it measures.
. "$(dirname "$0")/lib.sh"
need_root
busy=${BUSY_S:-20}
walk=${WALK_WINDOWS:-$(dirname "$KPROBE")/test/walk_windows}
[ -x "$walk" ] || {
	mkdir "$work/build"
	BUILD=$work/build "$top/scripts/build.sh" -DKP_TESTS=ON >/dev/null &&
		walk=$work/build/test/walk_windows
}
[ -x "$walk" ] || fail "no walk_windows beside $KPROBE"
"$KPROBE" record -o "$work/log" --duration "${busy}s" >"$work/record.out" 2>&1 &
recorder=$!
kp_children="$kp_children $recorder"
end=$((SECONDS + busy))
while [ $SECONDS -lt $end ]; do
	find /usr/include -type f -exec cat {} + | gzip -1 >"$work/file.gz"
	sort -R /usr/share/dict/words /etc/services 2>/dev/null | md5sum >/dev/null
	dd if=/dev/zero of="$work/file" bs=64k count=200 oflag=dsync 2>/dev/null
	(echo hello; sleep 0.05) | cat >/dev/null
done
wait $recorder || fail "record: $(cat "$work/record.out")"
cat "$work/record.out"
"$walk" "$work/log" 5000 || fail "the walk"
"${walk%walk_windows}same_answers" "$work/log" 200 || fail "a part of the log has another answer than all of it"
