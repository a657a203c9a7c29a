#!/bin/sh
# SPDX-License-Identifier: MIT
# What a recorder takes now, in one line: seconds since boot, pid, resident KiB and those of its own
# memory, KiB of its maps and programs in the kernel, descriptors, threads, KiB of its log, CPU time in
# ticks. For busybox, too.
# usage: sample.sh PID FOLDER
pid=$1 folder=$2
status=$(awk '$1 == "VmRSS:" { rss = $2 } $1 == "RssAnon:" { anon = $2 } $1 == "Threads:" { threads = $2 }
	END { print rss, anon, threads }' "/proc/$pid/status") || exit 1
set -- $status
[ $# = 3 ] || exit 1
rss=$1 anon=$2 threads=$3
# A map may have several descriptors.
kernel=$(cat "/proc/$pid/fdinfo"/* 2>/dev/null | awk '$1 == "memlock:" { len = $2 }
	$1 == "map_id:" || $1 == "prog_id:" { sum[$1 $2] = len }
	END { for (id in sum) all += sum[id]; print int(all / 1024) }')
fds=$(ls "/proc/$pid/fd" | wc -l)
length=$(du -sk "$folder" | cut -f 1)
ticks=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }')
echo "$(cut -d ' ' -f 1 /proc/uptime) $pid $rss $anon $kernel $fds $threads $length $ticks"
