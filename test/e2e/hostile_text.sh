#!/bin/bash
# SPDX-License-Identifier: MIT
# Names, paths, command lines, nodes, ids and spans that would retitle a terminal, clear it, begin a
# line or turn the order of the letters, through every command and format.
. "$(dirname "$0")/lib.sh"
need_root
evil=$'\033]0;\a\n\r\233\342\200\256\302\233' # 13 bytes: all of it fits a task's name
long="$evil"$'\nLINE\033[2J\033[31m\377'
prog=$work/prog$evil
gcc -O1 -o "$prog" "$top/test/e2e/hostile.c" || fail "build"
gcc -O2 -o "$prog.other" "$top/test/e2e/hostile.c" || fail "build"
cd "$work" || exit 1
mkdir "$long"

clean() { # KIND FILE…
	python3 "$top/test/e2e/hostile_text.py" "$@" || fail "it got through"
}

# says STATUS KIND OPTION…: what the command says on both streams is clean.
says() {
	local want=$1 kind=$2 status
	shift 2
	"$KPROBE" "$@" >out 2>err </dev/null
	status=$?
	[ $status = "$want" ] || fail "$(printf '%q ' "$@"): exit $status: $(cat -v err)"
	clean "$kind" out
	clean text err
}

"$KPROBE" record -o "$long/log" --node "$long" --stats -- "$prog" "$evil" "done" >out 2>err \
	</dev/null || fail "record: $(cat -v err)"
clean text out err
log=$long/log
pid=$(cat "$evil")

says 0 text dump "$log"
grep -q 'x1b' out || fail "no hostile name was recorded"
says 0 jsonl dump -f jsonl "$log"
python3 - out "$evil" <<'PY' || fail "the names did not survive"
import json, sys
evil = sys.argv[2].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
comms = {e.get("comm") for e in map(json.loads, open(sys.argv[1]))}
assert evil in comms, comms
PY
says 0 text dump --stats "$log"
says 0 json dump --stats -f jsonl "$log"

cat >spans.py <<'PY'
import json, sys, time
pid, node, text = int(sys.argv[1]), sys.argv[2], sys.argv[3]
text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
node = node.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
begin = int(float(sys.argv[4]) * 1e9)
attr = lambda k, v: {"key": k, "value": {"stringValue": v}}
span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": text,
        "startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + 60_000_000),
        "attributes": [attr("payment", text), attr(text, text)]}
bad = dict(span, traceId=text, spanId=text, parentSpanId=text)
resource = {"attributes": [attr("service.name", text),
                           {"key": "process.pid", "value": {"intValue": str(pid)}}]}
json.dump({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span, bad]}]}]},
          open("spans.json", "w"))
PY
begin=$("$KPROBE" dump -f jsonl -p "$pid" -k task_exec "$log" | head -n 1 |
	python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["time_ns"])')
wall=$(python3 -c 'import time; print(time.time() - time.clock_gettime(time.CLOCK_MONOTONIC))')
python3 spans.py "$pid" "$long" "$long" \
	"$(python3 -c "print(f'{$wall + $begin / 1e9:.6f}')")" || fail "spans"

# The database is here, not the user's own.
analyze() { # STATUS KIND OPTION…
	local want=$1 kind=$2
	shift 2
	says "$want" "$kind" analyze -i "$log" --db "$long/db" "$@"
}
analyze 0 text "$evil" --pid "$pid"
analyze 0 text "$evil" # recalled
for format in text json jsonl; do
	analyze 0 $format "$evil$format" --pid "$pid" -f $format
	analyze 0 $format "span$evil$format" --traces spans.json --trace \
		0af7651916cd43dd8448eb211c80319c -f $format
	analyze 0 text "file$evil" --pid "$pid" -f $format -O "report$evil"
	clean $format "report$evil"
done
analyze 0 color "$evil" --color=always
analyze 0 text --list
analyze 0 jsonl --list -f json
analyze 3 text "nothing$evil"
analyze 3 text "$evil" --traces spans.json --trace "$long"
analyze 2 text "$evil" --attribute "$long"
printf '{"resourceSpans":[{"%s' "$long" >bad.json
analyze 1 text "a$evil" --traces bad.json --trace "$long"
printf '{"resourceSpans":[{"\342\200\256 \302\233' >"bad$evil.json"
analyze 1 text "a$evil" --traces "bad$evil.json" --trace "$long"

says 0 text replay --trace --report report.json "$log"
clean json report.json
says 0 text replay --trace --until 20 "$log"
rm "$evil" # of the recording; another build of the program has another file name
"$KPROBE" replay --trace --report report.json --exe "$work/no$evil" "$log" >out 2>err
clean text out err
sed 's/usleep(50000)/usleep(50001); puts(argv[1])/' "$top/test/e2e/hostile.c" >other.c
gcc -O1 -o "$prog.other" other.c || fail "build"
"$KPROBE" replay --trace --report report.json --exe "$prog.other" "$log" >out 2>err
[ $? = 7 ] || fail "another program: $(cat -v err)"
clean text out err
clean json report.json

# Bits flipped within events whose checksums are right: whatever it says, it is clean.
segment=$(echo "$long"/log/*/*.kpl)
cp "$segment" good
for seed in 1 2 3 4 5 6 7 8; do
	python3 "$top/test/e2e/forge.py" good "$segment" $seed || fail "forge"
	"$KPROBE" dump "$log" >out 2>err
	clean text out err
	"$KPROBE" dump -f jsonl "$log" >out 2>err
	clean jsonl out
	"$KPROBE" analyze -i "$log" --db forged.db "forged$seed$evil" --pid "$pid" >out 2>err
	clean text out err
	timeout 20 "$KPROBE" replay --trace "$log" >out 2>err
	clean text out err
done
cp good "$segment"

# Damage and what is not there, with hostile paths.
truncate -s -100 "$segment"
says 0 text dump --stats "$log"
printf 'x%.0s' {1..4096} | dd of="$segment" bs=1 seek=4096 conv=notrunc status=none
says 4 text dump "$log"
"$KPROBE" replay "$log" >out 2>err
clean text err
for command in dump replay; do
	says 3 text $command "no$long"
	says 2 text $command "--$long"
	says 2 text $command one "$long"
done
says 3 text analyze -i "no$long" --pid 1 --db db "$evil"
says 2 text analyze "--format=$long" x
says 2 text "$long"
"$KPROBE" record -o other -- "$work/no$evil" >out 2>err
KPROBE_FORMAT=$long says 2 text dump "$log"
printf 'dump.%s = 1\ndump.format = %s\n' "$evil" "${long//$'\n'/}" >"config$evil"
KPROBE_CONFIG="config$evil" says 2 text dump "$log"
echo "clean"
