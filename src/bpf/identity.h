/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Who a task is besides its number: its control groups, and its numbers in the pid namespaces. And
 * the events of its life that have a text.
 */
#ifndef KP_BPF_IDENTITY_H
#define KP_BPF_IDENTITY_H

#include "bpf/cgroup.h"
#include "bpf/emit.h"

#define KP_PIDNS_MAX 32 /* MAX_PID_NS_LEVEL */

/* --- numbers in pid namespaces --- */

/* Of its numbers in the namespaces the one of that level. */
static __always_inline char *kp_upid_at(struct pid *pid, __u32 level)
{
	return (char *)pid + bpf_core_field_offset(struct pid, numbers) +
	       (__u64)level * bpf_core_type_size(struct upid);
}

static __always_inline __u32 kp_number_at(struct pid *pid, __u32 level)
{
	int nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      kp_upid_at(pid, level) + bpf_core_field_offset(struct upid, nr));
	return nr;
}

/* All but the header. */
static __always_inline void kp_fill_pid(struct kp_ev_task_pid *ev, struct pid *pid, __u32 level)
{
	struct pid_namespace *ns = NULL;

	bpf_probe_read_kernel(&ns, sizeof(ns),
			      kp_upid_at(pid, level) + bpf_core_field_offset(struct upid, ns));
	ev->pidns = BPF_CORE_READ(ns, ns.inum);
	ev->level = level;
	ev->number = kp_number_at(pid, level);
	ev->pad = 0;
}

/* --- control groups --- */

struct kp_chosen_cgroup_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KP_CHOSEN_CGROUP_MAX);
	__type(key, struct kp_cgroup_key);
	__type(value, __u32);
};

/* Defined in identity.bpf.c. */
extern struct kp_chosen_cgroup_map chosen_cgroups SEC(".maps");
extern __u32 choosing_cgroups;
extern const volatile __u32 named_hierarchy;

static __always_inline void kp_cgroup_key(struct cgroup *cgroup, struct kp_cgroup_key *ret)
{
	KP_PUT_CGROUP(ret, cgroup);
	ret->pad = 0;
}

#define KP_HIERARCHIES_MAX 16 /* that are looked through */

/* The group of a set of tasks in the hierarchy that has a name and no controller. */
static __always_inline void kp_named_cgroup(struct css_set *set, struct kp_cgroup_key *ret)
{
	char *first = (char *)set + bpf_core_field_offset(struct css_set, cgrp_links);
	struct list_head *at = BPF_CORE_READ(set, cgrp_links.next);
	struct cgrp_cset_link *link;
	struct kp_cgroup_key key;

	for (int i = 0; i < KP_HIERARCHIES_MAX && (char *)at != first; i++) {
		link = (void *)((char *)at -
				bpf_core_field_offset(struct cgrp_cset_link, cgrp_link));
		kp_cgroup_key(BPF_CORE_READ(link, cgrp), &key);
		if (key.hierarchy == named_hierarchy) {
			*ret = key;
			return;
		}
		at = BPF_CORE_READ(link, cgrp_link.next);
	}
}

struct kp_cgroup_keys {
	struct kp_cgroup_key v2, cpu, memory, named; /* zero: the kernel has none */
};

static __always_inline void kp_task_cgroups(struct task_struct *task, struct kp_cgroup_keys *ret)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	__builtin_memset(ret, 0, sizeof(*ret));
	kp_cgroup_key(BPF_CORE_READ(set, dfl_cgrp), &ret->v2);
	if (KP_HAS_SUBSYS(cpu_cgrp_id))
		kp_cgroup_key(KP_SUBSYS_CGROUP(set, cpu_cgrp_id), &ret->cpu);
	if (KP_HAS_SUBSYS(memory_cgrp_id))
		kp_cgroup_key(KP_SUBSYS_CGROUP(set, memory_cgrp_id), &ret->memory);
	if (named_hierarchy)
		kp_named_cgroup(set, &ret->named);
}

/* All but the header. */
static __always_inline void kp_fill_cgroups(struct kp_ev_task_cgroup *ev, struct task_struct *task)
{
	struct kp_cgroup_keys keys;

	kp_task_cgroups(task, &keys);
	ev->cgroup = keys.v2.cgroup;
	ev->cpu_cgroup = keys.cpu.cgroup;
	ev->memory_cgroup = keys.memory.cgroup;
	ev->named_cgroup = keys.named.cgroup;
	ev->named_hierarchy = keys.named.hierarchy;
	ev->cpu_hierarchy = keys.cpu.hierarchy;
	ev->memory_hierarchy = keys.memory.hierarchy;
	ev->pad = 0;
}

/* The recorder's own: what it writes must not make it write. */
static __always_inline bool kp_is_ours(struct task_struct *task)
{
	return (__u32)task->tgid == self_pid;
}

/* Whether what runs in one of its groups is to be recorded for replay. */
static __always_inline bool kp_in_chosen_cgroup(struct task_struct *task)
{
	struct kp_cgroup_keys keys;

	if (!choosing_cgroups || kp_is_ours(task))
		return false;
	kp_task_cgroups(task, &keys);
	return bpf_map_lookup_elem(&chosen_cgroups, &keys.v2) ||
	       bpf_map_lookup_elem(&chosen_cgroups, &keys.cpu) ||
	       bpf_map_lookup_elem(&chosen_cgroups, &keys.memory) ||
	       bpf_map_lookup_elem(&chosen_cgroups, &keys.named);
}

/* --- events with a text --- */

#define KP_PATH_MAX 4096
#define KP_TEXT_STRUCT_MAX 128

/* One size class: the ring wants a constant, but takes a part of a memory. */
struct kp_text_room {
	__u64 bytes[(KP_TEXT_STRUCT_MAX + KP_PATH_MAX + 8) / 8];
};
struct kp_text_room_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kp_text_room);
};

/* Defined in identity.bpf.c. */
extern struct kp_text_room_map text_rooms SEC(".maps");

/* Where an event of the current task's life that has a text is put together; NULL: it is lost. */
static __always_inline void *kp_text_room(void)
{
	__u32 zero = 0;
	void *room = bpf_map_lookup_elem(&text_rooms, &zero);

	if (!room)
		kp_count_lost(KP_RING_LIFE, KP_GROUP_life);
	return room;
}

/* Completes the event in such a room and puts it: its header, its text, which a NUL ends, and the
 * text's length, which is its last field. */
static __always_inline int kp_put_text(struct kp_hdr *hdr, __u16 kind, const __u32 struct_len,
				       const char *text)
{
	__u32 cpu = bpf_get_smp_processor_id(), len, size;
	void *ring = bpf_map_lookup_elem(&life_rings, &cpu);
	struct kp_counts *c = kp_this_counts(cpu, KP_RING_LIFE);
	__u64 who = bpf_get_current_pid_tgid();
	char *at = (char *)hdr + struct_len;
	long n = bpf_probe_read_kernel_str(at, KP_PATH_MAX, text);

	len = n > 0 ? n - 1 : 0;
	len &= KP_PATH_MAX - 1;
	*(__u64 *)(at + (len & ~7u)) &= len & 7 ? (1ULL << (len & 7) * 8) - 1 : 0;
	((__u32 *)at)[-1] = len;
	kp_fill_hdr(hdr, kind, bpf_ktime_get_ns(), cpu, who >> 32, who);
	size = (struct_len + len + 7) & ~7u;
	hdr->size = size;
	kp_count(&c->produced[KP_GROUP_life], KP_GROUP_life);
	if (!ring || bpf_ringbuf_output(ring, hdr, size & 8191, KP_FLAG_RB_QUIET))
		kp_lose(c, KP_GROUP_life, hdr->time_ns);
	return 0;
}

#endif
