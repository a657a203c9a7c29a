#!/bin/bash
# SPDX-License-Identifier: MIT
# A recorded command does what it does unrecorded: it traces and is traced, fails as it would, and
# outlives a recorder that is killed.
. "$(dirname "$0")/lib.sh"
need_root
cd "$work" || exit 1

# same NAME COMMAND…: recorded, it ends with the same status and prints the same; $filter takes out
# what differs from run to run.
filter=
same() {
	local name=$1 native recorded
	shift
	"$@" >native 2>&1 </dev/null
	native=$?
	record log out "$@"
	recorded=$?
	cat out out.err | grep -v '^kprobe: ' | sed "$filter" >recorded.txt
	sed "$filter" native >native.txt
	[ $native -eq $recorded ] || fail "$name: status $native, recorded $recorded: $(cat out.err)"
	cmp native.txt recorded.txt || fail "$name: $(diff native.txt recorded.txt)"
	echo "same: $name (status $native)"
	rm -rf log
}

cat >leak.c <<'END'
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	volatile int *nowhere = NULL;
	char *leaked = malloc(100);

	memset(leaked, argc, 100);
	leaked = NULL;
	if (argc > 1)
		*nowhere = 1;
	return leaked != NULL;
}
END
gcc -g -o plain leak.c || fail "build"

same "TracerPid" grep TracerPid /proc/self/status
same "no filter to be seen" python3 -c \
	'import ctypes; print(ctypes.CDLL(None).prctl(21, 0, 0, 0, 0))'
same "init of a pid namespace that faults" timeout 20 unshare -pf ./plain fault
if gcc -g -fsanitize=address -o leak leak.c 2>/dev/null; then
	filter='s/==[0-9]*==//; s/0x[0-9a-f]*/ADDR/g; s/ (BuildId.*//'
	same "leak check" ./leak
	grep -q 'LeakSanitizer: detected memory leaks' native || fail "no leak is found natively"
fi
filter='s/0x[0-9a-f]*/ADDR/g; s/[0-9]\{2,\}/N/g'
if command -v strace >/dev/null; then
	same "strace" strace -e trace=exit_group,dup2 true
	same "strace of children" strace -qq -f -e trace=chdir,exit_group sh -c 'cd /; (cd /tmp); true'
fi
if command -v gdb >/dev/null; then
	same "gdb --version" gdb --version
	same "gdb with a program" gdb -nx -batch -ex 'run fault' -ex bt ./plain
fi

# Killed with no chance to say anything, the recorder leaves the command as it was.
has_both() {
	pgrep -P "$recorder" -x sh >/dev/null && pgrep -P "$recorder" -x kprobe-keeper >/dev/null
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

spawn "$KPROBE" record -o log -- sh -c \
	'until [ -e go ]; do sleep 0.1; done; ls / >listing; echo $? >status' >/dev/null 2>&1
recorder=$!
wait_for 20 has_both || fail "no command, or no keeper"
keeper=$(pgrep -P "$recorder" -x kprobe-keeper)
kill -9 "$recorder"
touch go
wait_for 20 test -s status || fail "the command did not go on"
[ "$(cat status)" = 0 ] && [ -s listing ] || fail "ls failed: $(cat status)"
wait_for 20 gone "$keeper" || fail "the keeper stays"
echo "the command outlived the recorder, and nothing else did"
