#!/bin/bash
# SPDX-License-Identifier: MIT
# Names outlive what they name: a process in a pod's control group and in a pid namespace of its own
# is gone with its pod, and the log still says whose it was, to dump and to analyze.
. "$(dirname "$0")/lib.sh"
need_root
command -v python3 >/dev/null || skip "needs python3"
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$root" ] || skip "needs a hierarchy of control groups of version 2"
unshare -pf true 2>/dev/null || skip "needs pid namespaces"
cd "$work" || exit 1

id=3f4d29c1e5b86a70f2c9d4e8b1a6573c0d9e2f8a7b4c5d6e1f0a9b8c7d6e5f40
uid=$(cat /proc/sys/kernel/random/uuid)
slice=kubepods-burstable-pod${uid//-/_}.slice
above=$root/kubepods-kprobe-$$.slice
group=$above/$slice/cri-containerd-$id.scope
leave() {
	echo 0 >"$root/cgroup.procs"
	rmdir "$group" "$above/$slice" "$above" 2>/dev/null
	cleanup
}
trap leave EXIT

# As kubelet and a runtime do, and undo.
mkdir -p "logs/pods/shop_web-0_$uid/nginx" logs/containers "$above/$slice" "$group"
ln -s "../pods/shop_web-0_$uid/nginx/0.log" "logs/containers/web-0_shop_nginx-$id.log"
cp "$(command -v sleep)" podsleep
cat >pod.sh <<'SH'
echo 0 >"$1/cgroup.procs"
exec unshare -pf ./podsleep 1.5
SH
spawn "$KPROBE" record -o log --pod-logs "$work/logs" >out 2>&1
recorder=$!
wait_for 30 grep -q 'recording into' out || fail "no recording: $(cat out)"
sh pod.sh "$group"
rm -r logs
rmdir "$group" "$above/$slice" "$above" || fail "the group is still in use"
kill -INT $recorder
wait $recorder
grep -q '^kprobe: total' out || fail "no end: $(cat out)"

pid=$("$KPROBE" dump log -f jsonl -k task_exec | python3 -c '
import json, sys
print([e["pid"] for e in map(json.loads, sys.stdin) if e["comm"] == "podsleep"][0])')
[ -n "$pid" ] || fail "the process is not in the log"
"$KPROBE" dump log -k sched_switch -p "$pid" | grep -q '"podsleep" in "shop/web-0/nginx"' ||
	fail "dump does not say whose it was: $("$KPROBE" dump log -k sched_switch -p "$pid" | tail -2)"
"$KPROBE" dump log -f jsonl -k sched_switch,task_pid -p "$pid" >events || fail "dump"
python3 - <<'PY' || exit 1
import json, os
events = list(map(json.loads, open("events")))
last = [e for e in events if e["kind"] == "sched_switch"][-1]
assert last["origin"] == "shop/web-0/nginx", last
assert last["exe"] == os.path.realpath("podsleep"), last
inner = [e for e in events if e["kind"] == "task_pid"]
assert [(e["level"], e["number"]) for e in inner] == [(1, 1)], inner
PY
"$KPROBE" analyze --db db -i log --pid "$pid" -f json names >report || fail "analyze: $(cat report)"
"$KPROBE" analyze --db db -i log -f json names >again || fail "analyze a saved incident"
python3 - <<'PY' || exit 1
import json
for name in "report", "again":
    report = json.load(open(name))
    assert report["comm"] == "podsleep" and report["origin"] == "shop/web-0/nginx", report
    assert report["exe"].endswith("/podsleep"), report
PY
"$KPROBE" analyze --db db -i log names >text
grep -q "podsleep (pid $pid) in shop/web-0/nginx" text || fail "the report does not say: $(head -3 text)"
