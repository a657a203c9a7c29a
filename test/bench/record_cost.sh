#!/bin/bash
# SPDX-License-Identifier: MIT
# What `record -- COMMAND` costs the command: `git log` in a repository with a pack of 70 MB, `node -e
# 0`, `java -version`, `openssl dgst` of 30 MB that do not compress and of 30 MB that do, each natively
# and in a recording of its own, in turn.
# Times are the command's, from its fork to its end; `end` is from there to the recorder's end (the
# copies of mapped files, and the log). Medians. What is not installed is left out.
#
#   record_cost.sh [ROUNDS]         (default 9; $KPROBE or build/kprobe)
set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
KPROBE=$(realpath -e "${KPROBE:-$top/build/kprobe}") || exit 1
rounds=${1:-9}
work=$(mktemp -d /var/tmp/kprobe-cost.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT

# Prints begin and end of a command, in microseconds, into $work/times.
cat >"$work/timed" <<'END'
#!/bin/bash
begin=$EPOCHREALTIME
"${@:2}" >/dev/null 2>&1
echo "${begin/./} ${EPOCHREALTIME/./} $?" >"$1"
END
chmod +x "$work/timed"

# A repository whose one pack has 70 MB that do not compress, and 2,000 commits.
make_repository() {
	local i
	git init -q "$work/repo" && cd "$work/repo" || return 1
	head -c 70000000 /dev/urandom >big
	git -c core.bigFileThreshold=1 add big
	git -c user.name=n -c user.email=e commit -q -m big
	{
		for i in $(seq 2000); do
			printf 'commit refs/heads/log\ncommitter n <e> %d +0000\ndata 8\nmessage\n\n' "$i"
			printf 'M 100644 inline file\ndata %d\n%d\n' $((${#i} + 1)) "$i"
		done
	} | git fast-import --quiet
	git checkout -q -f log && git repack -a -d -q
	cd "$work" || return 1
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2000 }'
}

# row NAME COMMAND…
row() {
	local name=$1 i begin end status now
	shift
	command -v "$1" >/dev/null || { echo "$name: not installed"; return; }
	: >"$work/native" >"$work/recorded" >"$work/tail"
	for i in $(seq "$rounds"); do
		"$work/timed" "$work/times" "$@"
		read -r begin end status <"$work/times"
		echo $((end - begin)) >>"$work/native"
		"$KPROBE" record -o "$work/log" -- "$work/timed" "$work/times" "$@" \
			>"$work/words" 2>&1 || cat "$work/words"
		now=${EPOCHREALTIME/./}
		read -r begin end status <"$work/times"
		[ "$status" = 0 ] || echo "$name: exit $status"
		echo $((end - begin)) >>"$work/recorded"
		echo $((now - end)) >>"$work/tail"
		rm -rf "$work/log"
	done
	printf '%-24s%10s%10s  x%-6s%10s\n' "$name" "$(median <"$work/native")" \
		"$(median <"$work/recorded")" \
		"$(echo "$(median <"$work/native") $(median <"$work/recorded")" |
			awk '{ printf "%.1f", $2 / $1 }')" "$(median <"$work/tail")"
}

make_repository || exit 1
head -c 30000000 /dev/urandom >"$work/random"
cat /usr/lib/x86_64-linux-gnu/*.so* 2>/dev/null | head -c 30000000 >"$work/code"
printf '%-24s%10s%10s  %-7s%10s\n' "ms (median of $rounds)" native recorded "" end
row "git log, 70 MB pack" git -C "$work/repo" log
row "node -e 0" node -e 0
row "java -version" java -version
row "openssl, 30 MB random" openssl dgst "$work/random"
row "openssl, 30 MB of code" openssl dgst "$work/code"
