#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches cJSON.c and cJSON.h from the distribution's source package into third_party/cjson.
# Uses a list of sources of its own: the machine's are left alone. Signatures are checked by apt.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dest=$here/cjson
[ -e "$dest/cJSON.c" ] && [ -e "$dest/cJSON.h" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/src"
chmod 755 "$work" "$work/src"
# Every binary source of the machine, asked for its sources instead.
{
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n 's/^deb \(.*\)/deb-src \1/p'
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] || continue
		awk -v RS= '
			{ uris = suites = comps = signed = ""
			  n = split($0, line, "\n")
			  for (i = 1; i <= n; i++) {
				v = line[i]; sub(/^[^:]*:[ \t]*/, "", v)
				if (line[i] ~ /^URIs:/) uris = v
				if (line[i] ~ /^Suites:/) suites = v
				if (line[i] ~ /^Components:/) comps = v
				if (line[i] ~ /^Signed-By:/) signed = v
			  }
			  nu = split(uris, u, " "); ns = split(suites, s, " ")
			  for (i = 1; i <= nu; i++) for (j = 1; j <= ns; j++)
				printf "deb-src %s%s %s %s\n", signed ? "[signed-by=" signed "] " : "", u[i], s[j], comps
			}' "$f"
	done
} | sort -u >"$work/sources.list"

opts="-o Dir::Etc::sourcelist=$work/sources.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$work/lists -o APT::Sandbox::User=root"
# shellcheck disable=SC2086 # the options are words
apt-get $opts -qq update
# shellcheck disable=SC2086
(cd "$work/src" && apt-get $opts -qq source --download-only cjson)
tar -C "$work/src" -xf "$work"/src/cjson_*.orig.tar.*
mkdir -p "$dest"
cp "$work"/src/*/cJSON.c "$work"/src/*/cJSON.h "$dest/"
