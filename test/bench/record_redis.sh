#!/bin/bash
# SPDX-License-Identifier: MIT
# What recording costs a server at full load: redis-benchmark's GET from 20 clients, one request at a
# time (P1) and 16 (P16): alone, under `kprobe record`, and with a record for each system call, in
# turn. Medians of requests a second.
#
#   record_redis.sh [ROUNDS]         (default 5; $KPROBE or build/kprobe)
set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
KPROBE=${KPROBE:-$top/build/kprobe}
rounds=${1:-5}
for tool in redis-server redis-benchmark; do
	command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
work=$(mktemp -d /var/tmp/kprobe-redis.XXXXXX) || exit 1
redis-server --port 0 --unixsocket "" --bind 127.0.0.1 --port 17379 --save "" --appendonly no \
	--dir "$work" >"$work/redis.log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
sleep 1

# Requests a second with so many in one batch.
throughput() {
	redis-benchmark -p 17379 -t get -c 20 -P "$1" -n $((200000 * ($1 > 1 ? 5 : 1))) -q --csv |
		awk -F'"' '$2 == "GET" { print $4 }'
}

# measure NAME [OPTION…]: appends to $work/NAME.1 and .16 what is reached while a recorder with these
# options runs, if it is not `alone`.
measure() {
	local name=$1 recorder=
	shift
	if [ "$name" != alone ]; then
		"$KPROBE" record -o "$work/log" "$@" >"$work/words" 2>&1 &
		recorder=$!
		sleep 2
	fi
	throughput 1 >>"$work/$name.1"
	throughput 16 >>"$work/$name.16"
	if [ -n "$recorder" ]; then
		kill -INT $recorder
		wait $recorder || cat "$work/words"
		grep total "$work/words" >"$work/$name.total"
		rm -rf "$work/log"
	fi
}

median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'
}

for _ in $(seq "$rounds"); do
	measure alone
	measure waits
	measure calls -e syscall
done
printf '%-8s%12s%20s\n' "" P1 P16
for name in alone waits calls; do
	printf '%-8s' "$name"
	for batch in 1 16; do
		awk -v a="$(median "$work/alone.$batch")" -v b="$(median "$work/$name.$batch")" \
			'BEGIN { printf "%12.0f (%+5.1f %%)", b, (b / a - 1) * 100 }'
	done
	echo
done
cat "$work"/*.total
