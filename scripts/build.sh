#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds build/kprobe, a static executable; installs what is missing to do so.
# usage: scripts/build.sh [cmake option…]        BUILD=FOLDER builds elsewhere
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$here/build}
"$here/scripts/deps.sh" build
cmake -G Ninja -S "$here" -B "$build" -DCMAKE_BUILD_TYPE=Release -DKP_TESTS=OFF "$@" >/dev/null
ninja -C "$build" --quiet >&2
echo "$build/kprobe"
