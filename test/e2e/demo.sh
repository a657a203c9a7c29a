#!/bin/bash
# SPDX-License-Identifier: MIT
# The built-in incident, told apart and replayed: scripts/demo.sh in less than 90 s.
. "$(dirname "$0")/lib.sh"
need_root
begin=$SECONDS
KPROBE=$KPROBE "$top/scripts/demo.sh" || fail "the demo's proofs"
[ $((SECONDS - begin)) -le 90 ] || fail "the demo took $((SECONDS - begin)) s"
