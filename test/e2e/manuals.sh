#!/bin/bash
# SPDX-License-Identifier: MIT
# The options are the same in --help, manuals and completions, and every example of the manuals and
# the README is taken as it is written.
. "$(dirname "$0")/lib.sh"
need_root
man=$top/build/man
python3 "$top/test/e2e/manuals.py" options "$KPROBE" "$man" || fail "the options differ"
python3 "$top/test/e2e/manuals.py" syscalls "$top/include/kprobe/syscalls.def" "$man" || fail "the system calls"
bash -n "$man/completion.bash" || fail "bash"
! command -v zsh >/dev/null || zsh -n "$man/completion.zsh" || fail "zsh"
! command -v fish >/dev/null || fish -n "$man/completion.fish" || fail "fish"

python3 "$top/test/e2e/manuals.py" examples "$top"/man/*.in "$top/README.md" >"$work/examples" ||
	fail "examples"
[ "$(wc -l <"$work/examples")" -ge 15 ] || fail "$(wc -l <"$work/examples") examples"

# What the examples speak of.
export XDG_STATE_HOME=$work/state PATH=$work/bin:$PATH
mkdir "$work/bin" "$work/here"
ln -s "$KPROBE" "$work/bin/kprobe"
printf '#!/bin/sh\necho "served $1"\n' >"$work/bin/ledger"
printf '#!/bin/sh\nexit 0\n' >"$work/bin/make"
chmod +x "$work/bin"/*
cd "$work/here" || exit 1
echo 'print("done")' >job.py
printf '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",%s}]}]}]}\n' \
	'"spanId":"b7ad6b7169203331","name":"pay","startTimeUnixNano":"1","endTimeUnixNano":"2"' >spans.jsonl
cp "$(command -v cat)" prog
kprobe record -o log -- ./prog job.py >out 2>err || fail "record: $(cat err)"

# Each in its turn; one that runs until Ctrl-C gets it. Not found, not judged and that a
# machine with much to do lost events are answers too.
while read -r line; do
	command=${line#git bisect run }
	command=${command//\/var\/lib\/kprobe/$work/default}
	timeout -s INT 3 sh -c "$command" >out 2>err </dev/null
	status=$?
	echo "exit $status: $line"
	case $status in
	0 | 3 | 6 | 124 | 125) ;;
	*) fail "$line: exit $status: $(cat err)" ;;
	esac
	grep -q "Try 'kprobe" err && fail "$line: $(cat err)"
	rm -rf log
	kprobe record -o log -- ./prog job.py >out 2>err || fail "record: $(cat err)"
done <"$work/examples"

# The configuration file's example, in each line of kprobe(1) that has one.
grep -o "^\.Ql [a-z]*\.[a-z-]* = [^ ]*" "$top/man/kprobe.1.in" | sed 's/^\.Ql //' >config
[ -s config ] || fail "no example of a configuration"
KPROBE_CONFIG=config kprobe record -o configured -- true 2>err || fail "$(cat config): $(cat err)"
