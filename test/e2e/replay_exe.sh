#!/bin/bash
# SPDX-License-Identifier: MIT
# Another build against the log: the same source is exact, one that writes one different byte
# diverges with exit 7 at that write, named.
. "$(dirname "$0")/lib.sh"
need_root
gcc -O1 -DGREETING='"hello world"' -o "$work/one" "$top/test/replay/greet.c" || fail "build"
gcc -O2 -DGREETING='"hello world"' -o "$work/same" "$top/test/replay/greet.c" || fail "build"
gcc -O1 -DGREETING='"hello World"' -o "$work/other" "$top/test/replay/greet.c" || fail "build"
cd "$work" || exit 1
record "$work/log" "$work/out" "$work/one" || fail "record: $(cat "$work/out.err")"
rm -f "$work/one" greetings

replay "$work/log" "$work/replayed" || fail "the recorded build: exit $?: $(cat "$work/replayed.err")"
cmp "$work/out" "$work/replayed" || fail "output"
replay "$work/log" "$work/replayed" --exe "$work/same"
status=$?
cat "$work/replayed.err"
[ $status -eq 0 ] || fail "an equivalent build: exit $status"
replay "$work/log" "$work/replayed" --exe "$work/other"
status=$?
cat "$work/replayed.err"
[ $status -eq 7 ] || fail "a different build: exit $status"
grep -q 'write' "$work/replayed.err" || fail "the call is not named"
[ ! -e greetings ] || fail "the replay wrote a file"

# A static build has no loader.
gcc -O1 -static -DGREETING='"hello world"' -o "$work/static" "$top/test/replay/greet.c" || fail "build"
record "$work/static-log" "$work/out" "$work/static" || fail "record: $(cat "$work/out.err")"
rm -f greetings
replay "$work/static-log" "$work/replayed" --exe "$work/static" ||
	fail "a static build: exit $?: $(cat "$work/replayed.err")"

# The log's environment does not choose what the user's own program loads.
cat >"$work/evil.c" <<'END'
#include <fcntl.h>
#include <stdlib.h>
__attribute__((constructor)) static void take_over(void)
{
	if (open(EVIL, O_WRONLY | O_CREAT, 0600) < 0)
		exit(99);
}
END
gcc -shared -fPIC -DEVIL="\"$work/taken\"" -o "$work/evil.so" "$work/evil.c" || fail "build"
LD_PRELOAD=$work/evil.so "$work/same" >/dev/null && [ -e "$work/taken" ] || fail "the attack itself"
rm -f "$work/taken" greetings
record "$work/evil" "$work/out" env LD_PRELOAD="$work/evil.so" "$work/same" ||
	fail "record: $(cat "$work/out.err")"
rm -f "$work/taken" greetings
replay "$work/evil" "$work/replayed" --exe "$work/same"
status=$?
cat "$work/replayed.err"
[ $status -ne 1 ] && [ $status -ne 5 ] || fail "another build of a hostile log: exit $status"
[ ! -e "$work/taken" ] && [ ! -e greetings ] || fail "the log's library ran"

# A script would run its interpreter with that environment.
printf '#!/bin/sh\nexec "%s"\n' "$work/same" >"$work/script"
chmod +x "$work/script"
replay "$work/log" "$work/replayed" --exe "$work/script"
[ $? -eq 1 ] && grep -q 'ELF' "$work/replayed.err" || fail "a script: $(cat "$work/replayed.err")"

# Shared memory is the build's own; a program that takes its place ends the comparison, by its name,
# arguments and environment. A script's are behind those of its interpreter.
hand="$top/test/replay/hands_over.c"
gcc -w -O1 -o "$work/hand" "$hand" && gcc -w -O2 -o "$work/hand-same" "$hand" &&
	gcc -w -O1 -DARGUMENT='"two"' -o "$work/hand-argument" "$hand" &&
	gcc -w -O1 -DVALUE='"V=two"' -o "$work/hand-value" "$hand" || fail "build"
printf '#!/bin/sh -e\necho script "$@"\n' >"$work/script"
for program in "" /bin/echo "$work/script"; do
	rm -rf "$work/hand-log"
	record "$work/hand-log" "$work/out" "$work/hand" $program || fail "record: $(cat "$work/out.err")"
	replay "$work/hand-log" "$work/replayed" --exe "$work/hand-same" ||
		fail "'$program': exit $?: $(cat "$work/replayed.err")"
	grep -q '^shared$' "$work/replayed" || fail "'$program': it wrote nothing"
	grep -q 'OUTPUT-EQUIVALENT' "$work/replayed.err" || fail "$(cat "$work/replayed.err")"
	[ -n "$program" ] || continue
	grep -q "it executes '$program'.*not covered: .*'$program'" "$work/replayed.err" ||
		fail "the verdict does not name '$program': $(cat "$work/replayed.err")"
	replay "$work/hand-log" "$work/replayed" --exe "$work/hand-argument"
	[ $? -eq 7 ] && grep -q "execve: argv\[[0-9]\] differs: 'two', recorded was 'one'" \
		"$work/replayed.err" || fail "another argument: $(cat "$work/replayed.err")"
	replay "$work/hand-log" "$work/replayed" --exe "$work/hand-value"
	[ $? -eq 7 ] && grep -q "execve: envp\[0\] differs: 'V=two', recorded was 'V=one'" \
		"$work/replayed.err" || fail "another environment: $(cat "$work/replayed.err")"
done

# A signal that is blocked but in the call that waits for it comes there, and is blocked again.
gcc -w -O2 -o "$work/suspends" "$top/test/replay/suspends.c" &&
	gcc -w -O0 -o "$work/suspends-same" "$top/test/replay/suspends.c" || fail "build"
record "$work/suspends-log" "$work/out" "$work/suspends" || fail "record: $(cat "$work/out.err")"
replay "$work/suspends-log" "$work/replayed" --exe "$work/suspends-same" ||
	fail "sigsuspend: exit $?: $(cat "$work/replayed.err")"
grep -q "OUTPUT-EQUIVALENT: .* 2 signals delivered" "$work/replayed.err" ||
	fail "sigsuspend: $(cat "$work/replayed.err")"
cmp "$work/out" "$work/replayed" || fail "sigsuspend: output"
