// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Control groups come and go and get tasks; what runs in a chosen one is selected for replay. And
 * who the tasks are that live already.
 */
#include "bpf/identity.h"
#include "bpf/emit.h"

struct kp_text_room_map text_rooms SEC(".maps");
struct kp_chosen_cgroup_map chosen_cgroups SEC(".maps");
__u32 choosing_cgroups;                   /* 1: there are such */
const volatile __u32 named_hierarchy = 0; /* of version 1, without a controller; 0: none */

static __always_inline int tell_cgroup(struct cgroup *cgroup, const char *path, __u32 what)
{
	struct kp_ev_cgroup *ev = KP_TELLS(life) ? kp_text_room() : NULL;
	struct kp_cgroup_key key;

	if (!ev)
		return 0;
	kp_cgroup_key(cgroup, &key);
	ev->cgroup = key.cgroup;
	ev->hierarchy = key.hierarchy;
	ev->what = what;
	ev->pad = 0;
	return kp_put_text(&ev->hdr, KP_EV_cgroup, sizeof(*ev), path);
}

/* What is made in a chosen group is chosen, before anything can run in it. */
SEC("tp_btf/cgroup_mkdir")
int KP_PROG(life, kp_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	struct kp_cgroup_key key, above;
	__u32 one = 1;

	if (choosing_cgroups) {
		kp_cgroup_key(BPF_CORE_READ(cgroup, self.parent, cgroup), &above);
		kp_cgroup_key(cgroup, &key);
		if (bpf_map_lookup_elem(&chosen_cgroups, &above) &&
		    bpf_map_update_elem(&chosen_cgroups, &key, &one, BPF_ANY))
			kp_count_lost(KP_RING_PAYLOAD, KP_GROUP_syscall);
	}
	return tell_cgroup(cgroup, path, KP_CGROUP_MADE);
}

SEC("tp_btf/cgroup_rmdir")
int KP_PROG(life, kp_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	struct kp_cgroup_key key;

	if (choosing_cgroups) {
		kp_cgroup_key(cgroup, &key);
		bpf_map_delete_elem(&chosen_cgroups, &key);
	}
	return tell_cgroup(cgroup, path, KP_CGROUP_REMOVED);
}

SEC("tp_btf/cgroup_rename")
int KP_PROG(life, kp_cgroup_rename, struct cgroup *cgroup, const char *path)
{
	return tell_cgroup(cgroup, path, KP_CGROUP_RENAMED);
}

/* Only the leader of a process whose threads are all moved is told of: user space visits the
 * others. */
static __always_inline void select_attached(const struct kp_cgroup_key *key,
					    struct task_struct *task)
{
	struct kp_task *t;

	if (!choosing_cgroups || kp_is_ours(task) || !bpf_map_lookup_elem(&chosen_cgroups, key))
		return;
	t = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t)
		t->selected = 1;
	else
		kp_count_lost(KP_RING_PAYLOAD, KP_GROUP_syscall);
}

SEC("tp_btf/cgroup_attach_task")
int KP_PROG(life, kp_cgroup_attach, struct cgroup *cgroup, const char *path,
	    struct task_struct *task, bool whole)
{
	struct kp_ev_cgroup_attach *ev;
	struct kp_cgroup_key key;

	kp_cgroup_key(cgroup, &key);
	select_attached(&key, task);
	if (!KP_TELLS(life))
		return 0;
	ev = KP_LIFE_EVENT(cgroup_attach, bpf_ktime_get_ns());
	if (!ev)
		return 0;
	ev->target_pid = task->tgid;
	ev->target_tid = task->pid;
	ev->cgroup = key.cgroup;
	ev->hierarchy = key.hierarchy;
	ev->whole = whole;
	KP_SUBMIT(ev);
	return 0;
}

static __always_inline void head(struct kp_hdr *hdr, __u16 kind, __u32 size, __u64 now,
				 struct task_struct *task)
{
	kp_fill_hdr(hdr, kind, now, KP_CPU_USER, task->tgid, task->pid);
	hdr->size = size;
}

/* Writes for user space, which puts them into the log, the events that say who each task is. */
SEC("iter/task")
int kp_tell_tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	__u64 now = bpf_ktime_get_ns();
	struct kp_ev_task_cgroup groups;
	struct kp_ev_task_pid number;
	struct pid *pid;
	__u32 level;

	if (!task)
		return 0;
	head(&groups.hdr, KP_EV_task_cgroup, sizeof(groups), now, task);
	kp_fill_cgroups(&groups, task);
	bpf_seq_write(seq, &groups, sizeof(groups));
	pid = BPF_CORE_READ(task, thread_pid);
	level = BPF_CORE_READ(pid, level);
	head(&number.hdr, KP_EV_task_pid, sizeof(number), now, task);
	for (__u32 i = 1; i <= KP_PIDNS_MAX && i <= level; i++) {
		kp_fill_pid(&number, pid, i);
		bpf_seq_write(seq, &number, sizeof(number));
	}
	return 0;
}
