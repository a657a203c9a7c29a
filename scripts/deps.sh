#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing to build (default) or also to test kprobe, on Debian 12 or Ubuntu 24.04.
# usage: scripts/deps.sh [build|test]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
set_name=${1:-build}
id=$(. /etc/os-release && echo "$ID")

build="gcc libc6-dev cmake ninja-build clang libbpf-dev libelf-dev zlib1g-dev libzstd-dev libsqlite3-dev
	libuv1-dev linux-libc-dev dpkg-dev ca-certificates python3 procps util-linux mount"
test="libcriterion-dev clang-format-14 clang-tidy-14 mandoc sqlite3 strace
	qemu-system-x86 busybox-static cpio git iptables iproute2 debian-archive-keyring nginx-light
	make openssl zstd vim tmux gdb postgresql python3-lmdb"
case $id in
debian) build="$build bpftool" test="$test linux-perf libclang-rt-14-dev" ;;
ubuntu)
	build="$build linux-tools-common linux-tools-generic"
	test="$test libclang-rt-18-dev"
	;;
*)
	echo "deps.sh: only Debian and Ubuntu are known here; install by hand: $build" >&2
	exit 1
	;;
esac
case $set_name in
build) wanted=$build ;;
test) wanted="$build $test" ;;
*)
	echo "usage: scripts/deps.sh [build|test]" >&2
	exit 2
	;;
esac

missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || :)
	[ "$status" = "ii " ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
	echo "installing:$missing" >&2
	[ "$(id -u)" = 0 ] || {
		echo "deps.sh: needs root; run: apt-get install --no-install-recommends$missing" >&2
		exit 1
	}
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	# shellcheck disable=SC2086 # the packages are words
	if ! { apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing; } \
		>"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		exit 1
	fi
	rm -f "$log"
fi
"$here/third_party/fetch-cjson.sh" </dev/null
