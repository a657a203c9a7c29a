#!/bin/bash
# SPDX-License-Identifier: MIT
# Every event that names a socket prints with its ends: also late in a log, and of a segment alone,
# though the connections were made long before.
. "$(dirname "$0")/lib.sh"
need_root
seconds=12
spawn python3 "$top/test/e2e/sockets.py" $((seconds + 8)) >"$work/told"
while [ ! -s "$work/told" ]; do sleep 0.1; done
spawn timeout 60 "$KPROBE" record -o "$work/log" --segment-size 256K --duration ${seconds}s \
	-e '!irq' >"$work/record.out" 2>&1
recorder=$!
# Makes segments: events of no socket.
spawn timeout $seconds sh -c 'while :; do /bin/true; done'
wait $recorder || fail "record: $(cat "$work/record.out")"
mapfile -t segments < <(find "$work/log" -name '*.kpl' | sort)
[ ${#segments[@]} -gt 2 ] || fail "${#segments[@]} segments: $(cat "$work/record.out")"

# check WHAT LEAST [DUMP OPTION…]: of the process' sends and receives at least so many, and all of
# them named.
check() {
	local what=$1 least=$2
	shift 2
	"$KPROBE" dump --format jsonl --pid "$(cut -d' ' -f1 "$work/told")" \
		-k sock_send,sock_recv "$@" >"$work/events" 2>"$work/err"
	python3 - "$what" "$least" "$work/told" "$work/events" <<'PY' || fail "$(cat "$work/err")"
import json, sys
what, least, told, events = sys.argv[1:]
_, v4, v4_peer, v6, v6_peer, ino, peer_ino = map(int, open(told).read().split())
seen = {}
for e in map(json.loads, open(events)):
    if "laddr" not in e:
        sys.exit(f"{what}: not told: {e}")
    if e["obj"] == 6:
        seen[e["ino"], e["peer_ino"]] = seen.get((e["ino"], e["peer_ino"]), 0) + 1
    else:
        ends = e["laddr"], e["lport"], e["raddr"], e["rport"]
        seen[ends] = seen.get(ends, 0) + 1
for ends in ((ino, peer_ino), (peer_ino, ino),
             ("127.0.0.1", v4, "127.0.0.1", v4_peer), ("127.0.0.1", v4_peer, "127.0.0.1", v4),
             ("::1", v6, "::1", v6_peer), ("::1", v6_peer, "::1", v6)):
    if seen.get(ends, 0) < int(least):
        sys.exit(f"{what}: {seen.get(ends, 0)} events of {ends}: {seen}")
PY
}

"$KPROBE" dump "$work/log" -k sock_send -n 1 >"$work/text" 2>&1
[ -s "$work/text" ] || skip "sends are not told apart on this kernel"
if ! "$KPROBE" dump "$work/log" -k sock_send --format jsonl | grep -q '"obj":6'; then
	skip "unix sockets have no such events on this kernel"
fi
check "all" 100 "$work/log"
check "late" 10 --from +$((seconds - 3)) "$work/log"
for segment in "${segments[@]}"; do
	check "${segment##*/}" 0 "$segment"
done
echo "${#segments[@]} segments, each tells its sockets"
