#!/bin/bash
# SPDX-License-Identifier: MIT
# Everything that must hold: builds, unit tests, sanitizers, style, documents, end-to-end tests.
# usage: scripts/test.sh [PATTERN]      only the checks whose name matches the glob PATTERN
#
# FUZZ_S=600 scripts/test.sh '*fuzz*' is the campaign: ten minutes for each parser, not 30 s.
#
# Each check prints PASS, FAIL or SKIP; a failed one's output is shown and kept in build/test-logs.
# The last line counts them; a Criterion executable counts each of its tests.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
pattern=${1:-*}
build=$top/build
asan=$top/build-asan
fuzz=$top/build-fuzz
logs=$build/test-logs
passed=0 failed=0 skipped=0
export LC_ALL=C

report() { # STATUS NAME TEXT
	printf '%-4s %s%s\n' "$1" "$2" "${3:+ ($3)}"
	case $1 in
	PASS) passed=$((passed + 1)) ;;
	FAIL) failed=$((failed + 1)) ;;
	SKIP) skipped=$((skipped + 1)) ;;
	esac
}

wanted() { # NAME
	# shellcheck disable=SC2254 # it is a pattern
	case $1 in
	$pattern) return 0 ;;
	*) return 1 ;;
	esac
}

log_of() { # NAME
	echo "$logs/${1//\//_}.log"
}

# conclude NAME STATUS SECONDS: reports a check that ended: 0 passes, 77 skips, all else fails.
conclude() {
	local log said="$3 s"
	log=$(log_of "$1")
	case $1 in
	fuzz/*) said="$(sed -n 's/stat::number_of_executed_units: *//p' "$log") executions" ;;
	esac
	case $2 in
	0) report PASS "$1" "$said" ;;
	77)
		report SKIP "$1" "$(tail -n 1 "$log")"
		;;
	*)
		report FAIL "$1" "exit $2; $log"
		grep -v '^#[0-9]' "$log" | tail -n 40 | sed 's/^/    /'
		;;
	esac
}

# check NAME TIMEOUT COMMAND…
check() {
	local name=$1 limit=$2 begin=$SECONDS
	shift 2
	wanted "$name" || return 0
	timeout -k 10 "$limit" "$@" >"$(log_of "$name")" 2>&1 </dev/null
	conclude "$name" $? "$((SECONDS - begin))"
}

# One of those that run beside each other; prints what conclude takes.
one_of_many() { # NAME
	local command
	case $1 in
	tidy) command=(bash -c tidy) ;;
	fuzz/*) command=(bash -c "fuzz_one ${1#fuzz/}") ;;
	e2e/*) command=("test/$1.sh") ;;
	esac
	timeout -k 10 900 "${command[@]}" >"$(log_of "$1")" 2>&1 </dev/null
	echo "$1 $? $SECONDS"
}

# many NAME…: as many at a time as there are CPUs, since most of them wait or use one.
many() {
	local name status seconds
	while read -r name status seconds; do
		conclude "$name" "$status" "$seconds"
	done < <(for name in "$@"; do
		wanted "$name" && echo "$name"
	done | xargs -I {} -P "$(nproc)" bash -c 'one_of_many {}')
}

# criterion NAME EXECUTABLE: each test of the executable counts.
criterion() {
	local name=$1 tap=$logs/$1.tap log=$logs/$1.log status line test before=$failed
	wanted "$name" || return 0
	rm -f "$tap"
	timeout -k 10 600 "$2" --tap="$tap" >"$log" 2>&1 </dev/null
	status=$?
	[ -e "$tap" ] || : >"$tap"
	while read -r line; do
		test=${line#not ok - }
		test=${test#ok - }
		case $line in
		"ok - "*"# SKIP"*) report SKIP "$name/${test%%  # *}" "${line##*# SKIP }" ;;
		"ok - "*) report PASS "$name/${test%%  (*}" ;;
		"not ok - "*) report FAIL "$name/$test" "$tap" ;;
		esac
	done < <(grep -E '^(not )?ok - ' "$tap")
	if [ $status -ne 0 ] && [ $failed -eq $before ]; then
		report FAIL "$name" "exit $status; $log"
	fi
	if [ $failed -ne $before ]; then
		{
			grep -A 8 -E '^not ok' "$tap"
			tail -n 20 "$log"
		} | sed 's/^/    /'
	fi
}

static() {
	ldd "$1" 2>&1 | grep -E 'statically linked|not a dynamic' || {
		ldd "$1"
		return 1
	}
}

small() {
	local size
	size=$(stat -c %s "$1")
	echo "$size bytes"
	[ "$size" -lt $((8 * 1024 * 1024)) ]
}

empty_root() {
	local root status
	root=$(mktemp -d) || return 1
	cp "$1" "$root/kprobe"
	chroot "$root" /kprobe --version && chroot "$root" /kprobe analyze --help
	status=$?
	rm -rf "$root"
	return $status
}

# The same bytes by scripts/build.sh from a copy of the tree in another folder.
reproducible() {
	local copy status
	copy=$(mktemp -d) || return 1
	mkdir "$copy/tree"
	{
		git ls-files -co --exclude-standard -z 2>/dev/null || return 1
		printf 'third_party/cjson/cJSON.c\0third_party/cjson/cJSON.h\0'
	} | tar --null -T - -cf - | tar -C "$copy/tree" -xf -
	BUILD=$copy/out "$copy/tree/scripts/build.sh" >"$copy/path" &&
		[ "$(cat "$copy/path")" = "$copy/out/kprobe" ] &&
		cmp "$build/kprobe" "$copy/out/kprobe"
	status=$?
	rm -rf "$copy"
	return $status
}

c_sources() {
	find src include test man -name '*.[ch]' -not -path 'test/replay/programs/*'
}

format() {
	c_sources | xargs -n 32 -P "$(nproc)" clang-format-14 --dry-run --Werror
}

tidy() {
	find src man -name '*.c' -not -name '*.bpf.c' -print0 |
		xargs -0 -n 4 -P "$(nproc)" clang-tidy-14 --quiet -p "$build" \
			--header-filter="^$PWD/(src|include)/"
}

manuals() {
	mandoc -T lint -W warning "$build"/man/*.[1-9]
}

installs() {
	local root status
	root=$(mktemp -d) || return 1
	DESTDIR=$root cmake --install "$build" >/dev/null &&
		test -x "$root/usr/local/bin/kprobe" -a -e "$root/usr/local/share/man/man1/kprobe.1" \
			-a -e "$root/usr/local/share/man/man5/kprobe-log.5" \
			-a -e "$root/usr/local/share/bash-completion/completions/kprobe" \
			-a -e "$root/usr/local/share/zsh/site-functions/_kprobe" \
			-a -e "$root/usr/local/share/fish/vendor_completions.d/kprobe.fish" &&
		bash -n "$root/usr/local/share/bash-completion/completions/kprobe"
	status=$?
	find "$root" -type f
	rm -rf "$root"
	return $status
}

build_all() {
	cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DKP_WERROR=ON -DKP_TESTS=ON \
		>/dev/null && ninja -C "$build" --quiet
}

build_fuzz() {
	CC=clang cmake -G Ninja -S . -B "$fuzz" -DCMAKE_BUILD_TYPE=Release -DKP_FUZZ=ON \
		>/dev/null && ninja -C "$fuzz" --quiet fuzzers
}

# fuzz_one NAME: FUZZ_S seconds (30; at most 800) of the target, from what seed_NAME writes or the
# folder fuzz/NAME has. An input that breaks it, takes more than 20 s or, sanitizers' part included,
# 512 MiB is kept beside the log.
fuzz_one() {
	local corpus status
	corpus=$(mktemp -d) || return 1
	[ -x "$fuzz/test/seed_$1" ] && "$fuzz/test/seed_$1" "$corpus"
	[ -d "test/fuzz/$1" ] && cp "test/fuzz/$1"/* "$corpus"
	ASAN_OPTIONS=quarantine_size_mb=8:detect_leaks=1 "$fuzz/test/fuzz_$1" -max_total_time="$FUZZ_S" \
		-max_len=65536 -timeout=20 -rss_limit_mb=512 -malloc_limit_mb=256 -print_final_stats=1 \
		-artifact_prefix="$logs/fuzz-$1-" "$corpus"
	status=$?
	rm -rf "$corpus"
	return $status
}

build_asan() {
	cmake -G Ninja -S . -B "$asan" -DCMAKE_BUILD_TYPE=Release -DKP_WERROR=ON \
		-DKP_SANITIZE=ON >/dev/null && ninja -C "$asan" --quiet && ninja -C "$asan" --quiet kprobe
}

scripts/deps.sh test || exit 1
mkdir -p "$logs"
echo "building"
if ! build_all; then
	report FAIL build
	echo "$passed passed, $failed failed, $skipped skipped"
	exit 1
fi
report PASS build
export KPROBE=$build/kprobe

for exe in "$build"/test/test_*; do
	[ -x "$exe" ] && [ -f "$exe" ] && criterion "$(basename "$exe")" "$exe"
done

check layers 120 scripts/check-layers.sh "$build"
export -f c_sources format tidy manuals static small empty_root reproducible installs
export -f build_asan build_fuzz fuzz_one one_of_many log_of
export FUZZ_S=${FUZZ_S:-30}
export build asan fuzz logs
check format 120 bash -c format
check manuals 60 bash -c manuals
check installs 60 bash -c installs
check truth-score 60 env PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -s test/truth
check static 10 bash -c "static $KPROBE"
check small 10 bash -c "small $KPROBE"
check empty-root 30 bash -c "empty_root $KPROBE"
check reproducible 600 bash -c reproducible
check build-asan 600 bash -c build_asan
if [ -x "$asan/kprobe" ]; then
	export ASAN_KPROBE=$asan/kprobe
	export LSAN_OPTIONS=suppressions=$top/test/lsan.supp:print_suppressions=0
	export ASAN_OPTIONS=abort_on_error=0:exitcode=99:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
	for exe in "$asan"/test/test_*; do
		[ -x "$exe" ] && [ -f "$exe" ] && criterion "asan_$(basename "$exe")" "$exe"
	done
fi
check build-fuzz 600 bash -c build_fuzz
names=()
alone=()
for script in test/e2e/*.sh; do
	case $script in */lib.sh) continue ;; esac
	if grep -q '^# Runs alone:' "$script"; then
		alone+=("e2e/$(basename "$script" .sh)")
	else
		names+=("e2e/$(basename "$script" .sh)")
	fi
done
for source in test/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	[ -x "$fuzz/test/$name" ] && names+=("fuzz/${name#fuzz_}")
done
many tidy "${names[@]}"
for name in "${alone[@]}"; do
	many "$name"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
