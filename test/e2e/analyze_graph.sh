#!/bin/bash
# SPDX-License-Identifier: MIT
# A report's graph: the same bytes when the incident is analyzed again, and when it is printed from the
# database without the log; each event that proves an edge stands in the log; and the manual has the
# tables, columns and members as they are. Recorded are a pipe, a socket, a disk, a stop, a sleep and
# a fork, with a record of each call and without.
. "$(dirname "$0")/lib.sh"
need_root
py=$top/test/e2e/analyze_graph.py

cd "$work" || exit 1

# explained LOG ID OPTION…: the incident, twice and from the database alone.
explained() {
	local log=$1 id=$2
	shift 2
	timeout 60 "$KPROBE" analyze "$id" -i "$log" --db "$log.db" -f json "$@" >"$log.$id.json" 2>err </dev/null ||
		fail "analyze $id: $(cat err)"
	timeout 60 "$KPROBE" analyze "$id" -i "$log" --db "$log.other" -f json "$@" >again 2>err </dev/null ||
		fail "analyze $id again: $(cat err)"
	cmp "$log.$id.json" again || fail "$id: analyzed twice it differs"
	mv "$log" away
	timeout 60 "$KPROBE" analyze "$id" -i "$log" --db "$log.db" -f json >again 2>err </dev/null ||
		fail "$id from the database: $(cat err)"
	mv away "$log"
	cmp "$log.$id.json" again || fail "$id: from the database it differs"
}

for events in waits syscall; do
	groups=()
	[ $events = waits ] || groups=(-e syscall)
	timeout 60 "$KPROBE" record -o $events "${groups[@]}" -- python3 "$py" work >times 2>err </dev/null ||
		fail "record: $(cat err)"
	read -r pid from to <times
	explained $events window --pid "$pid" --from "$from" --to "$to"
	explained $events whole --pid "$pid"
	explained $events pay --traces spans.json --attribute payment.id=4003
	timeout 120 "$KPROBE" dump $events -f jsonl >events.jsonl 2>err || [ $? = 6 ] || fail "dump: $(cat err)"
	python3 "$py" proved events.jsonl $events.*.json || fail "an event is not in the log"
done
python3 "$py" manual waits.db "$top/build/man/kprobe-analyze.1" ./*.window.json ./*.pay.json || fail "the manual"
