#!/bin/bash
# SPDX-License-Identifier: MIT
# Connections whose addresses iptables rewrites, in a network namespace: one by IPv4 that there is
# before the recording begins, one by IPv6 that comes later. The log tells both sides' ends, and
# analyze finds the server's thread with confidence A.
. "$(dirname "$0")/lib.sh"
need_root
if [ "${1:-}" != inside ]; then
	unshare -n true 2>/dev/null || skip "no network namespaces"
	# The kernel may not trace a CPU when it matters (analyze_causes.py, holes): then once more.
	for try in 1 2 3; do
		unshare -n "$0" inside
		status=$?
		[ $status = 75 ] || exit $status
		echo "try $try: the log is not complete"
	done
	exit $status
fi
ip link set lo up
iptables -t nat -A OUTPUT -p tcp --dport 8080 -j DNAT --to-destination 127.0.0.1:9090 2>/dev/null ||
	skip "iptables does not translate here"

# connect NAME ADDRESS: a client and its server, which wait until they may ask.
connect() {
	spawn python3 "$top/test/e2e/translation.py" "$2" 8080 9090 "$work/$1.go" >"$work/$1"
	wait_for 20 grep -q connected "$work/$1" || fail "$1: no connection"
}

ask() { # NAME
	: >"$work/$1.go"
	wait_for 20 grep -q '^[0-9]' "$work/$1" || fail "$1: no answer"
}

# check NAME ADDRESS
check() {
	local pid begin end server
	read -r pid begin end server <<<"$(grep '^[0-9]' "$work/$1")"
	"$KPROBE" dump "$work/log" -k translation --format jsonl >"$work/translations" || fail "dump"
	grep "\"client_laddr\":\"$2\"" "$work/translations" | grep '"client_rport":8080' |
		grep -q '"server_lport":9090' || fail "$1 is not told: $(cat "$work/translations")"
	"$KPROBE" analyze "$1" -i "$work/log" --db "$work/db" --pid "$pid" --format json \
		--from "$begin" --to "$end" >"$work/report" || fail "$1: analyze"
	python3 - "$work/report" "$server" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
ns = sum(b["ns"] for b in report["buckets"] if "socket" in b["via"] and b["confidence"] == "A"
         and (b["cause"] or {}).get("tid") == int(sys.argv[2]))
print(ns, "of", report["duration_ns"])
sys.exit(0 if ns >= 45e6 else 1 if report["complete"] else 75)
END
	case $? in
	0) ;;
	75) exit 75 ;;
	*) fail "$1: $(cat "$work/report")" ;;
	esac
}

connect early 127.0.0.1
spawn timeout 60 "$KPROBE" record -o "$work/log" >"$work/words" 2>&1
recorder=$!
wait_for 30 grep -q "recording into" "$work/words" || fail "$(cat "$work/words")"
sleep 1
ask early
sixth=
if ip6tables -t nat -A OUTPUT -p tcp --dport 8080 -j DNAT --to-destination '[::1]:9090' 2>/dev/null; then
	sixth=1
	connect late ::1
	ask late
fi
sleep 1
kill -INT $recorder
wait $recorder || fail "record: $(cat "$work/words")"
check early 127.0.0.1
[ -z "$sixth" ] || check late ::1
