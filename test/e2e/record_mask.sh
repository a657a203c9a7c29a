#!/bin/bash
# SPDX-License-Identifier: MIT
# Card numbers: with record --mask they are in nothing of a log, without it in what is recorded for
# replay alone; and what replay says of a log that was made so. The numbers are public test numbers.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"
command -v zstd >/dev/null || skip "needs zstd"
cd "$work" || exit 1
whole=4111111111111111 grouped=5555555555554444 split=378282246310005 bytewise=6011000990139424
mapped=4012888888881881 argument=30569309025904 variable=3530111333300000 signalled=5105105105105100
wide=2223003122003222 named=6200000000000005 vector=4242424242424242
stored=6759649826438453
all="$whole $grouped $split $bytewise $mapped $stored $argument $variable $signalled $wide $vector"

cat >pay.py <<'PY'
import mmap, os, signal, socket, sys
here, there = socket.socketpair()
for line in open("requests", "rb", buffering=0).read().splitlines():
    if line.startswith(b"split "):      # over two writes and two reads
        for part in line[6:14], line[14:]:
            here.send(b"id 17 " + part if part == line[6:14] else part + b"\n")
            print(len(there.recv(100)))
    elif line.startswith(b"bytes "):    # one by one, with other calls between
        for i in range(len(line)):
            here.send(line[i:i + 1])
            os.fstat(0)
            there.recv(1)
    elif line.startswith(b"vector "):
        os.writev(here.fileno(), [line[7:12], line[12:16], line[16:]])
        parts = [bytearray(9), bytearray(1), bytearray(40)]
        os.readv(there.fileno(), parts)
        here.sendmsg([line[7:17]])
        here.sendmsg([line[17:]])
        there.recvmsg(10)
        there.recvmsg(100)
    else:
        here.send(line)
        os.write(1, there.recv(100) + b"\n")
f = open("mapped", "rb")
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
g = open("stored", "r+b")
s = mmap.mmap(g.fileno(), 0)      # stores change the file
print(len(m), m[:4], len(s), s[:4])
card = open("signalled", "rb").read()
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.001)
n = 0
for i in range(100000):
    n += card.count(b"5") + (card[:9] + card[9:]).find(b"x")
print(n, len(os.environ["CARD"]), len(sys.argv[1]))
PY
python3 - "$wide" <<PY
import sys
requests = open("requests", "wb")
requests.write(b'{"pan":"$whole"}\nto ${grouped:0:4} ${grouped:4:4} ${grouped:8:4} ${grouped:12}\n'
               b"split $split\nbytes $bytewise\nvector $vector\nutf " + sys.argv[1].encode("utf-16-le") + b"\n")
open("mapped", "wb").write(b"x" * 65530 + b"$mapped" + b"\0" * 100000)
PY
echo "$signalled" >signalled
echo "card $stored" >stored

# Somebody else, whose names and files have numbers.
mkdir others
cp "$(command -v sleep)" "others/$named"
spawn "./others/$named" 600 0.00001 </dev/null 3>"others/spool-$named.txt"

find_numbers() { # LOG NUMBER…
	python3 "$top/test/e2e/record_mask.py" "$KPROBE" "$@" | sort | uniq -c
}

# record_pay LOG [OPTION…]
record_pay() {
	local log=$1
	shift
	CARD=$variable timeout -k 5 120 "$KPROBE" record -o "$log" "$@" -- \
		/usr/bin/python3 pay.py "$argument" >out 2>out.err </dev/null ||
		fail "record $*: $(cat out.err)"
}

record_pay plain
find_numbers plain $all >found || fail "cannot look"
for where in "payload $whole" "payload $grouped" "stream $split" "stream $bytewise" "stream $vector" \
	"payload $wide" "object $mapped" "object $stored" "command $argument" "memory $argument" "memory $variable" \
	"payload $signalled"; do
	grep -q " $where\$" found || fail "without --mask there is no $where: $(cat found)"
done
find_numbers plain "$named" >found || fail "cannot look"
[ ! -s found ] || fail "a number of who was not selected: $(cat found)"
masked=${named:0:6}******${named:12}
for kind in task fd executable; do
	"$KPROBE" dump -k "$kind" plain | grep -qF "$masked" || fail "no masked name in $kind"
done
"$KPROBE" dump --stats plain | grep -q '^masked' && fail "it is not masked"
replay plain replayed || fail "replay: $(tail -n 3 replayed.err)"
cmp out replayed || fail "another output"
echo "plain: $(tail -n 1 replayed.err)"

record_pay masked --mask
grep -q '^kprobe: card numbers are masked also' out.err || fail "it does not say so: $(cat out.err)"
find_numbers masked $all "$named" >found || fail "cannot look"
[ ! -s found ] || fail "with --mask: $(cat found)"
"$KPROBE" dump -k payload masked | grep -q ' masked=6 ' || fail "no event says so"
"$KPROBE" dump --stats masked | grep -q '^masked [0-9a-f]' || fail "dump --stats does not say so"
"$KPROBE" dump --stats -f json masked | grep -q '"masked_runs":\["' || fail "nor in JSON"
cut -c 1-16 masked/*/*.kpl >/dev/null
grep -aq '"mask":true' masked/*/*.kpl || fail "the header does not say so"
replay masked replayed --report report
status=$?
echo "masked: exit $status: $(cat replayed.err)"
[ $status = 125 ] || fail "exit $status"
grep -q '^kprobe: note: recorded with --mask: [1-9][0-9]* bytes' replayed.err || fail "no note"
grep -q 'MASKED\|REFUSED' replayed.err || fail "no verdict"
grep -q 'bytes_masked": [1-9]' report || fail "report: $(cat report)"
grep -q 'EXACT' replayed.err && fail "it is not exact"

# What only passes numbers on is replayed to its end, as something that is not exact.
CARD=$variable "$KPROBE" record --mask -o passed -- cat requests >out 2>err || fail "record: $(cat err)"
replay passed replayed
[ $? = 125 ] || fail "cat: $(cat replayed.err)"
grep -q 'MASKED: .* all identical but for what is masked; exit status 0; not exact' replayed.err ||
	fail "cat: $(cat replayed.err)"
grep -q "411111\*\*\*\*\*\*1111" replayed || fail "what was served is not masked: $(cat replayed)"

# A difference that a masked number makes is none that is proven.
cat >check.py <<'PY'
import os
digits = [int(c) for c in open("number").read().strip()]
print(sum(digits))
PY
echo "$whole" >number
"$KPROBE" record --mask -o checked -- /usr/bin/python3 check.py >out 2>err || fail "record: $(cat err)"
replay checked replayed
[ $? = 125 ] || fail "check: $(cat replayed.err)"
grep -q 'REFUSED: .*card numbers' replayed.err || fail "check: $(cat replayed.err)"

# Where nothing was masked, it is exact.
"$KPROBE" record --mask -o nothing -- echo hello >out 2>err || fail "record: $(cat err)"
replay nothing replayed || fail "echo: $(cat replayed.err)"
grep -q 'note: recorded with --mask; nothing' replayed.err || fail "echo: $(cat replayed.err)"
grep -q 'EXACT: ' replayed.err || fail "echo: $(cat replayed.err)"

# A server with threads.
if command -v redis-server >/dev/null; then
	spawn "$KPROBE" record --mask -o redis -- redis-server --port 0 --save "" \
		--unixsocket "$work/redis.sock" >out 2>&1
	recorder=$!
	wait_for 30 test -S redis.sock || fail "no redis: $(cat out)"
	python3 - "$whole" "$split" <<'PY' || fail "redis"
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect("redis.sock")
for number in sys.argv[1:]:
    request = b"*3\r\n$3\r\nSET\r\n$3\r\npan\r\n$%d\r\n%s\r\n" % (len(number), number.encode())
    at = request.index(number.encode()) + 9
    s.send(request[:at])
    time.sleep(0.05)
    s.send(request[at:])
    assert s.recv(100) == b"+OK\r\n"
    s.send(b"GET pan\r\n")
    assert number.encode() in s.recv(100)
PY
	kill -INT $recorder
	wait $recorder
	find_numbers redis "$whole" "$split" >found || fail "cannot look"
	[ ! -s found ] || fail "redis with --mask: $(cat found)"
	"$KPROBE" dump -k payload redis | grep -q ' masked=[1-9]' || fail "redis: nothing was masked"
else
	echo "without redis-server: not tried with it"
fi
