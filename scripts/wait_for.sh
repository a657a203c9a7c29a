# SPDX-License-Identifier: MIT
# Sourced by scripts that start something.

# wait_for SECONDS COMMAND…: until the command succeeds; 1 if it does not in this time.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
