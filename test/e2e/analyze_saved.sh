#!/bin/bash
# SPDX-License-Identifier: MIT
# What is kept of an incident: in the reader's own database, and in the log's folder but a pin, if it
# is the reader's own; printed again
# only when the same is asked for; and never instead of the report.
. "$(dirname "$0")/lib.sh"
need_root
export XDG_STATE_HOME=$work/state
unset KPROBE_DB KPROBE_INPUT
own=$work/state/kprobe/incidents.db

# recorded LOG: a second of this machine, in which a process sleeps 50 ms; pid, from and to.
recorded() {
	timeout 60 "$KPROBE" record -o "$1" -- python3 -c '
import os, time
time.sleep(.3); a = time.time(); time.sleep(.05); b = time.time(); time.sleep(.3)
print(os.getpid(), f"{a:.6f}", f"{b:.6f}")' >"$work/times" 2>"$work/err" </dev/null ||
		fail "record: $(cat "$work/err")"
	read -r pid from to <"$work/times"
}

# analyze STATUS OPTION…: into out and err.
analyze() {
	local want=$1
	shift
	timeout 60 "$KPROBE" analyze "$@" >"$work/out" 2>"$work/err" </dev/null
	local got=$?
	[ $got = "$want" ] || fail "analyze $*: exit $got: $(cat "$work/out" "$work/err")"
}
says() { # FILE PATTERN
	grep -q -- "$2" "$work/$1" || fail "no '$2' in: $(cat "$work/$1")"
}
silent() {
	[ ! -s "$work/err" ] || fail "it says: $(cat "$work/err")"
}

recorded "$work/log"
window=(--pid "$pid" --from "$from" --to "$to")

echo "the log's folder stays as it is"
chmod -R a-w "$work/log"
find "$work/log" | sort >"$work/before"
analyze 0 x -i "$work/log" "${window[@]}"
silent
find "$work/log" | sort | diff "$work/before" - || fail "something was written"
[ "$(stat -c '%a %U' "$own" "$work/state/kprobe")" = "600 $(id -un)
700 $(id -un)" ] || fail "$(stat -c '%a %U' "$own" "$work/state/kprobe")"
cp "$work/out" "$work/first"
analyze 0 x -i "$work/log"
silent
cmp "$work/first" "$work/out" || fail "it is not printed again"

echo "a database that comes with a log is not looked at"
chmod -R u+w "$work/log"
mkdir "$work/bundle"
cp -r "$work/log/." "$work/bundle"
sqlite3 "$work/bundle/incidents.db" "CREATE VIEW incident AS WITH RECURSIVE n(i) AS (SELECT 1 UNION
	ALL SELECT i + 1 FROM n) SELECT i AS id FROM n" 2>/dev/null || echo garbage >"$work/bundle/incidents.db"
cp "$work/bundle/incidents.db" "$work/incidents.before"
analyze 3 foreign -i "$work/bundle"
says err "not known"
analyze 0 x -i "$work/bundle" # the same run
cmp "$work/bundle/incidents.db" "$work/incidents.before" || fail "it was changed"
analyze 1 x -i "$work/bundle" --db "$work/bundle/incidents.db" "${window[@]}"
says err "$work/bundle/incidents.db is not a database of incidents"
cmp "$work/first" "$work/out" || fail "the report is not printed for all that"
cmp "$work/bundle/incidents.db" "$work/incidents.before" || fail "it was changed"
analyze 1 --list --db "$work/bundle/incidents.db"
says err "is not a database of incidents"

echo "what is asked for otherwise is made anew"
analyze 0 x -i "$work/log" --deadline "$from"
says err "it was saved with another --deadline, and is made anew"
says out "deadline .*: missed"
ls "$work/log/pins"/x.* >/dev/null || fail "its part of the log is not pinned"
analyze 0 x -i "$work/log"
silent
says out "deadline .*: missed"
analyze 0 x -i "$work/log" --deadline "$from" # the same as was saved
silent
printf '{"resourceSpans":[]}\n' >"$work/traces.json"
analyze 0 x -i "$work/log" --traces "$work/traces.json"
says err "it was saved with another --traces"
says out "deadline .*: missed"
analyze 0 x -i "$work/log" --traces "$work/traces.json"
silent
printf '{"resourceSpans":[ ]}\n' >"$work/traces.json" # the same name, not the same traces
analyze 0 x -i "$work/log" --traces "$work/traces.json"
says err "it was saved with another --traces"

echo "two recordings in one folder, and two logs, do not share ids"
cp "$work/out" "$work/first"
recorded "$work/log"
analyze 0 x -i "$work/log"
says err "of an earlier recording"
cmp "$work/first" "$work/out" || fail "it is not the one that was saved"
analyze 0 x -i "$work/log" --pid "$pid" --from "$from" --to "$to"
analyze 0 x -i "$work/log"
silent
says out "(pid $pid)"
recorded "$work/other"
analyze 3 x -i "$work/other"
analyze 0 x -i "$work/other" --pid "$pid" --from "$from" --to "$to"
analyze 0 --list
[ "$(grep -c "  x  " "$work/out")" = 3 ] || fail "$(cat "$work/out")"
analyze 0 --list -i "$work/log"
[ "$(grep -c "  x  " "$work/out")" = 2 ] || fail "$(cat "$work/out")"
analyze 3 x -i /no/such/log
says err "there is no log at /no/such/log"
rm -r "$work/other"

echo "a report is printed though it cannot be saved, and saved though the log is gone"
analyze 0 gone -i "$work/log" "${window[@]}"
cp "$work/out" "$work/first"
analyze 1 gone -i "$work/log" --db "$work/no/such/folder/db" "${window[@]}"
says err "the report is not saved: .*$work/no/such/folder/db"
cmp "$work/first" "$work/out" || fail "it is not printed"
ln -s "$own" "$work/link"
analyze 1 gone -i "$work/log" --db "$work/link" "${window[@]}"
says err "symbolic link"
mv "$work/log" "$work/moved"
analyze 0 gone -i "$work/log"
says err "the log itself is not there"
cmp "$work/first" "$work/out" || fail "it is not printed"
mv "$work/moved" "$work/log"

echo "a file is not emptied for a report that does not come"
echo precious >"$work/file"
analyze 3 unknown -i "$work/log" -O "$work/file"
[ "$(cat "$work/file")" = precious ] || fail "-O emptied the file"

echo "a later version's database is refused; an earlier one's is brought to this one, by one of many"
cp "$own" "$work/later"
sqlite3 "$work/later" "PRAGMA user_version = 99"
cp "$work/later" "$work/later.before"
analyze 1 --list --db "$work/later"
says err "a later version of kprobe (edition 99"
analyze 1 x -i "$work/log" --db "$work/later" "${window[@]}"
says err "the report is not saved: .* a later version"
cmp "$work/later" "$work/later.before" || fail "it was changed"
for edition in 2 3 4; do
	cp "$top/test/analyze/golden/edition$edition.db" "$work/earlier"
	readers=()
	for reader in 1 2 3 4; do
		timeout 60 "$KPROBE" analyze 4007 -i "$work/none" --db "$work/earlier" >"$work/read.$reader" 2>"$work/err.$reader" &
		readers+=($!)
	done
	for reader in 1 2 3 4; do
		wait "${readers[reader - 1]}" || fail "edition $edition: $(cat "$work/err.$reader")"
		cmp "$work/read.1" "$work/read.$reader" || fail "edition $edition: they differ"
	done
	grep -q "^INCIDENT 4007  span pay" "$work/read.1" || fail "edition $edition: $(cat "$work/read.1")"
	[ "$(sqlite3 "$work/earlier" "PRAGMA integrity_check; PRAGMA user_version")" = "ok
5" ] || fail "edition $edition"
done
