// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Cgroups of version 2 are frozen and thawed. Tasks that wait for that say so in sched_switch.
 */
#include "bpf/cgroup.h"
#include "bpf/emit.h"

static __always_inline int tell_freeze(struct cgroup *group, __u32 what)
{
	struct kp_ev_cgroup_freeze *ev = KP_EVENT(cgroup_freeze, sched, bpf_ktime_get_ns());

	if (!ev)
		return 0;
	KP_PUT_CGROUP(ev, group);
	ev->what = what;
	KP_COMMIT(ev);
	return 0;
}

SEC("tp_btf/cgroup_freeze")
int KP_PROG(sched, kp_cgroup_freeze, struct cgroup *group)
{
	return tell_freeze(group, KP_FREEZE_ASKED);
}

SEC("tp_btf/cgroup_unfreeze")
int KP_PROG(sched, kp_cgroup_unfreeze, struct cgroup *group)
{
	return tell_freeze(group, KP_FREEZE_ENDED);
}

SEC("tp_btf/cgroup_notify_frozen")
int KP_PROG(sched, kp_cgroup_frozen, struct cgroup *group, const char *path, int frozen)
{
	return tell_freeze(group, frozen ? KP_FREEZE_FROZEN : KP_FREEZE_THAWED);
}
