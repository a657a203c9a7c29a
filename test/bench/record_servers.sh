#!/bin/bash
# SPDX-License-Identifier: MIT
# What recording costs servers at full load: redis-benchmark's GET from 20 clients, one request at a
# time (P1) and 16 (P16), and `pgbench -S` from 4 clients, the server on CPU 0 and its client on CPU 1
# (unpinned, its own speed has two modes): alone, under `kprobe record` (waits), with a record for each
# system call (calls), and under `perf record` with the scheduler's tracepoints and raw_syscalls, in
# turn, each right behind a turn alone. Medians of requests a second, and of the ratio to the turn
# before; of the turns alone too (to the one before, some seconds earlier): so much is noise.
#
#   record_servers.sh [ROUNDS]       (default 7; $KPROBE or build/kprobe)
set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
KPROBE=$(realpath -e "${KPROBE:-$top/build/kprobe}") || exit 1
rounds=${1:-7}
port=17379
work=$(mktemp -d /var/tmp/kprobe-servers.XXXXXX) || exit 1
servers=
loads=
trap 'kill -INT $servers 2>/dev/null; wait; rm -rf "$work"' EXIT
mkdir -m 711 "$work/pg"
chmod 711 "$work"

has() {
	command -v "$1" >/dev/null || { echo "$1 is not installed: left out" >&2; return 1; }
}

start_redis() {
	has redis-server && has redis-benchmark || return
	redis-server --port $port --bind 127.0.0.1 --save "" --appendonly no --dir "$work" \
		>"$work/redis.log" 2>&1 &
	servers="$servers $!"
	loads="$loads redis_p1 redis_p16"
}

# As nobody: postgres refuses to run as root.
start_postgres() {
	local bin
	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	[ -n "$bin" ] && has pgbench || { echo "postgres is not installed: left out" >&2; return; }
	chown nobody "$work/pg"
	(cd / && setpriv --reuid nobody --clear-groups "$bin/initdb" -N -A trust -D "$work/pg/data") \
		>"$work/pg.log" 2>&1 || { cat "$work/pg.log" >&2; return; }
	(cd / && exec taskset -c 0 setpriv --reuid nobody --clear-groups "$bin/postgres" \
		-D "$work/pg/data" -k "$work/pg" -c listen_addresses=) >>"$work/pg.log" 2>&1 &
	servers="$servers $!"
	sleep 3
	PGOPTIONS='--client-min-messages=warning' pgbench -h "$work/pg" -U nobody -i -s 5 -q postgres \
		>"$work/pgbench.log" 2>&1 || { cat "$work/pgbench.log" >&2; return; }
	loads="$loads pgbench_select"
}

# Requests a second with so many in one batch.
redis() {
	redis-benchmark -p $port -t get -c 20 -P "$1" -n "$2" -q --csv |
		awk -F'"' '$2 == "GET" { print $4 }'
}
redis_p1() { redis 1 150000; }
redis_p16() { redis 16 2000000; }

pgbench_select() {
	taskset -c 1 pgbench -h "$work/pg" -U nobody -S -n -c 4 -T 3 postgres |
		awk '$1 == "tps" { print $3 }'
}

start_recorder() {
	case $1 in
	waits) "$KPROBE" record --budget 0 -o "$work/log" >"$work/words" 2>&1 & ;;
	calls) "$KPROBE" record -o "$work/log" -e syscall >"$work/words" 2>&1 & ;;
	perf) perf record -a -e 'sched:*,raw_syscalls:*' -o "$work/perf.data" >"$work/words" 2>&1 & ;;
	esac
	recorder=$!
	sleep 2
}

end_recorder() {
	kill -INT "$recorder"
	wait "$recorder" || [ "$1" = perf ] || cat "$work/words"
	grep total "$work/words" >"$work/$1.total"
	rm -rf "$work/log" "$work/perf.data"
}

# measure LOAD NAME: appends what the load reaches alone and then recorded to $work/NAME.LOAD.
measure() {
	local alone recorded
	alone=$("$1")
	echo "${before:-$alone} $alone" >>"$work/alone.$1"
	before=$alone
	start_recorder "$2"
	recorded=$("$1")
	end_recorder "$2"
	echo "$alone $recorded" >>"$work/$2.$1"
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { printf "%.3f", (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'
}

start_redis
start_postgres
[ -n "$loads" ] || exit 77
names="waits calls"
has perf && names="$names perf"
for load in $loads; do
	before=
	for _ in $(seq "$rounds"); do
		for name in $names; do
			measure "$load" "$name"
		done
	done
done
printf '%-8s' ""
printf '%22s' $loads
echo
for name in alone $names; do
	printf '%-8s' "$name"
	for load in $loads; do
		awk -v rate="$(awk '{ print $2 }' "$work/$name.$load" | median)" \
			-v ratio="$(awk '{ print $2 / $1 }' "$work/$name.$load" | median)" \
			'BEGIN { printf "%11.0f (%+6.1f %%)", rate, (ratio - 1) * 100 }'
	done
	echo
done
cat "$work"/*.total
