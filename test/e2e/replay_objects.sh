#!/bin/bash
# SPDX-License-Identifier: MIT
# The contents of mapped files beside a log: kept once for all its recordings, whole or not there
# when the recorder is killed, told when the disk is full, and never replayed when they are missing,
# changed or another's.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1

# refused WHAT WORDS: replay and dump say so, and nothing is replayed.
refused() {
	local status
	replay log out
	status=$?
	[ $status = 125 ] || fail "$1: exit $status; $(cat out.err)"
	grep -q "REFUSED.*$2" out.err || fail "$1: $(cat out.err)"
	"$KPROBE" dump --stats log >stats 2>stats.err
	status=$?
	[ $status = 4 ] || fail "$1: dump: exit $status; $(cat stats.err)"
	echo "$1: $(tail -n 1 out.err | cut -c 1-160)"
}

exact() {
	replay log out
	status=$?
	[ $status = 0 ] || fail "$1: exit $status; $(cat out.err)"
	grep -q EXACT out.err || fail "$1: $(cat out.err)"
}

objects() {
	find "$1/objects" -type f -printf '%i %P\n' | sort
}

# --- two recordings share one libc ---
record log first /bin/ls / || fail "record: $(cat first.err)"
grep -q 'of it files that were mapped' first.err || fail "the closing words: $(cat first.err)"
objects log >before
record log second /bin/ls / || fail "record: $(cat second.err)"
objects log >after
cmp before after || fail "the second recording wrote objects"
! grep -q 'of it files' second.err || fail "the closing words: $(cat second.err)"
[ "$(find log/objects -type f ! -perm 0600 -o -type d ! -perm 0700)" = "" ] || fail "modes: $(ls -lR log/objects)"
exact "after two recordings"
"$KPROBE" dump --stats log >stats || fail "dump --stats"
grep -qx "objects $(wc -l <before)" stats || fail "objects: $(cat stats)"
grep -qx "object_bytes $(find log/objects -type f -printf '%s\n' | paste -sd+ | bc)" stats || fail "bytes: $(cat stats)"
if command -v zstd >/dev/null && command -v b2sum >/dev/null; then
	for path in $(find log/objects -type f); do
		name=$(zstd -dcq <"$path" | b2sum -l 256 | cut -d ' ' -f 1)
		[ "log/objects/${name:0:2}/${name:2}" = "$path" ] || fail "$path is named $name"
	done
fi

# --- what is not as it was ---
libc=$("$KPROBE" dump -k file_info,file_object --format jsonl log | python3 -c '
import base64, json, sys
paths = {}
for line in sys.stdin:
    e = json.loads(line)
    if e["kind"] == "file_info":
        paths[e["file_id"]] = e["data"]
    elif "libc.so" in paths[e["file_id"]]:
        name = base64.b64decode(e["data"]).hex()
print("log/objects/%s/%s" % (name[:2], name[2:]))')
[ -f "$libc" ] || fail "libc is not there: $libc"
cp "$libc" good
python3 - "$libc" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[1], "wb").write(data)
PY
refused changed "libc.so.*is damaged: objects/"
truncate -s -1 "$libc"
refused cut "libc.so.*is damaged: objects/"
cp "$(find log/objects -type f ! -path "$libc" | head -n 1)" "$libc"
refused swapped "libc.so.*is damaged: objects/"
rm "$libc"
refused missing "libc.so.*is missing"
cp good elsewhere
ln -s "$work/elsewhere" "$libc"
refused link "libc.so.*is damaged.*regular file"
rm "$libc"
cp good "$libc"
exact "whole again"
mv log/objects kept
refused "no folder" "objects.*copy it with the log"
ln -s "$work/kept" log/objects
refused "a link" "objects.*copy it with the log"
rm log/objects
mv kept log/objects

# A recording finds the damage, and mends it.
printf x >"$libc"
record log third /bin/ls / || fail "record: $(cat third.err)"
exact "mended"

# --- a recorder that is killed leaves objects that are whole ---
for delay in 0.05 0.1 0.2 0.3 0.5; do
	spawn "$KPROBE" record -o killed -- python3 -c 'import json, ssl, sqlite3' >/dev/null 2>&1
	recorder=$!
	wait_for 30 test -e killed/objects || fail "nothing is kept"
	sleep $delay
	kill -KILL $recorder 2>/dev/null
	wait $recorder 2>/dev/null
	for path in $(find killed/objects -mindepth 2 -type f); do
		name=$(zstd -dcq <"$path" 2>/dev/null | b2sum -l 256 | cut -d ' ' -f 1)
		[ "killed/objects/${name:0:2}/${name:2}" = "$path" ] || fail "killed after $delay s: $path"
	done
done
record killed after /bin/true || fail "after being killed: $(cat after.err)"
[ ! -e killed/objects/new ] || fail "what was killed is still there"
echo "killed: $(find killed/objects -type f | wc -l) objects are whole"

# --- the disk is full ---
mkdir disk
mount -t tmpfs -o mode=700,size=16m kprobe-test disk 2>/dev/null || exit 0
tidy_up() {
	umount -l "$work/disk" 2>/dev/null
	cleanup
}
trap tidy_up EXIT
head -c 30000000 /dev/urandom >large
record disk/log full python3 -c 'import mmap; f = open("large", "rb"); mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)'
status=$?
[ $status = 1 ] || fail "full: exit $status; $(cat full.err)"
grep -q 'cannot keep a mapped file in disk/log/objects: No space left' full.err || fail "full: $(cat full.err)"
[ ! -e disk/log/objects/new ] || fail "full: what had no room takes room"
replay disk/log out
status=$?
[ $status = 125 ] || fail "full: replay: exit $status; $(cat out.err)"
grep -q "large', which was mapped, is not in the log: the recorder could not write it" out.err ||
	fail "full: $(cat out.err)"
echo "full: $(tail -n 1 out.err | cut -c 1-160)"
