#!/bin/bash
# SPDX-License-Identifier: MIT
# Every name of include/kprobe/flags.def that this machine's headers have is the same number there.
. "$(dirname "$0")/lib.sh"
python3 "$top/test/e2e/flags_table.py" "$top/include/kprobe/flags.def" \
	"$top/include/kprobe/commands.def" >"$work/names.c" ||
	fail "flags.def"
gcc -w -o "$work/names" "$work/names.c" || fail "build"
"$work/names" || fail "names differ"
