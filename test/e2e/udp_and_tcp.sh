#!/bin/bash
# SPDX-License-Identifier: MIT
# Datagrams that come behind TCP segments in one softirq: their receiver waits for who sent them,
# never for who sent the segments.
. "$(dirname "$0")/lib.sh"
need_root
[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
ns=kp$$
ip netns add $ns 2>/dev/null || skip "no network namespaces"
trap 'ip netns del $ns; cleanup' EXIT
ip -n $ns link set lo up
ip netns exec $ns sh -c 'echo 1 >/sys/class/net/lo/queues/rx-0/rps_cpus' 2>/dev/null ||
	skip "no receive packet steering"
timeout 60 "$KPROBE" record -o "$work/log" --ring 32M >"$work/record.out" 2>&1 &
recorder=$!
kp_children="$kp_children $recorder"
sleep 2
ip netns exec $ns timeout 30 python3 "$top/test/e2e/udp_and_tcp.py" "$work/pids" || fail "the load"
kill -INT $recorder
wait $recorder || fail "record: $(cat "$work/record.out")"
read -r segments datagrams receiver port <"$work/pids"
# The waits that a wake with a segment's socket ended, and some others for comparison; the first ones
# begin before the sender does.
dump "$work/log" --kind sched_waking | python3 -c '
import json, sys
receiver, port, waits = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3])
inherited = sorted(e["time_ns"] for e in map(json.loads, sys.stdin)
                   if e["target_pid"] == receiver and e.get("lport") == port)
print(len(inherited), "wakes of the datagrams\x27 receiver carry a segment\x27s socket",
      file=sys.stderr)
for i, line in enumerate(waits):
    end, *wall = line.split()
    if i > 4 and (i % 20 == 0 or any(0 < int(end) - t < 2000000 for t in inherited)):
        print(*wall)' "$receiver" "$port" "$work/pids.waits" >"$work/waits" || fail "no waits"
right=0 n=0
while read -r begin end; do
	n=$((n + 1))
	"$KPROBE" analyze "w$n" -i "$work/log" --db "$work/db" --pid "$receiver" \
		--from "${begin%?????????}.${begin: -9}" --to "${end%?????????}.${end: -9}" \
		--format json >"$work/report" 2>"$work/err" || fail "analyze: $(cat "$work/err")"
	python3 - "$work/report" "$segments" "$datagrams" <<'PY'
import json, sys
segments, datagrams = map(int, sys.argv[2:])
causes = json.load(open(sys.argv[1]))["causes"]
wrong = [c for c in causes if (c["task"] or {}).get("pid") == segments and c["confidence"] < "C"]
if wrong:
    print("blamed on the segments' sender:", wrong[0]["text"], wrong[0]["confidence"])
    sys.exit(1)
sys.exit(0 if any((c["task"] or {}).get("pid") == datagrams for c in causes) else 2)
PY
	case $? in
	0) right=$((right + 1)) ;;
	1) fail "wait $n" ;;
	esac
done <"$work/waits"
echo "$right of $n waits lead to the datagrams' sender"
[ $right -gt $((n / 2)) ] || fail "too few: $(cat "$work/record.out")"
