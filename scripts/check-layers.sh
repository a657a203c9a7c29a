#!/bin/bash
# SPDX-License-Identifier: MIT
# Proves the direction of includes: cli → record | analyze | replay → log → event → base; the three
# commands never include each other; BPF programs see only include/kprobe and their own folder;
# each header compiles alone; nothing is printed but by src/cli/out.c.
# usage: scripts/check-layers.sh [BUILD]
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
bad=0

# What each layer may include besides itself and kprobe/.
declare -A below=(
	[base]="" [event]="base" [log]="event base" [bpf]=""
	[record]="log event base bpf" [analyze]="log event base" [replay]="log event base"
	[cli]="record analyze replay log event base"
)

for file in $(find src -mindepth 2 -name '*.[ch]'); do
	layer=${file#src/}
	layer=${layer%%/*}
	allowed=" $layer kprobe ${below[$layer]-NONE} "
	if [ "${below[$layer]-NONE}" = NONE ]; then
		echo "$file: src/$layer is no known layer"
		bad=1
		continue
	fi
	while read -r include; do
		room=${include%%/*}
		# Includes without a folder are of the same folder; only known rooms are judged.
		[ "$room" = "$include" ] && continue
		[ -d "src/$room" ] || [ -d "include/$room" ] || continue
		case $allowed in
		*" $room "*) ;;
		*)
			echo "$file: $layer must not include \"$include\""
			bad=1
			;;
		esac
	done < <(sed -n 's/^[ \t]*#[ \t]*include[ \t]*[<"]\([^">]*\)[">].*/\1/p' "$file")
done

# Foreign text reaches a terminal through one printer. What the child of a fork says before it runs
# its program cannot go through it, as that allocates; what a replayed program wrote is its own.
while read -r place; do
	echo "$place: only src/cli/out.c prints"
	bad=1
done < <(grep -rnE '\b(printf|v?fprintf|vprintf|dprintf|puts|fputs|putc|fputc|putchar|perror|fwrite)\(' \
	src --include='*.c' | grep -vE '^src/(bpf/|cli/out\.c:|record/command\.c:[0-9]+:[[:space:]]+dprintf)' |
	grep -vE '^[^:]+:[0-9]+: \*' | cut -d: -f1,2)

flags="-std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DKP_VERSION=\"0\" -Iinclude -Isrc
	-Ithird_party/cjson -I$build/src/bpf/skeleton -Wall -Wextra -Werror -Wno-unused-function"
for header in $(find include src -name '*.h'); do
	case $header in
	src/bpf/*)
		# Kernel types come from kernel.h, which each BPF program includes first.
		compile="clang -target bpf -D__TARGET_ARCH_x86 -g -O2 -Wno-unused-function
			-Iinclude -Isrc -I/usr/include/$(gcc -print-multiarch) -include src/bpf/kernel.h"
		;;
	*) compile="gcc $flags" ;;
	esac
	# shellcheck disable=SC2086 # the flags are words
	if ! echo "#include \"$PWD/$header\"" | $compile -fsyntax-only -x c -; then
		echo "$header: does not compile alone"
		bad=1
	fi
done
exit $bad
