// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Maps and global memory that several subsystems use, and the program that gives the tasks that
 * live already their storage.
 */
#include "bpf/emit.h"
#include "bpf/identity.h"
#include "bpf/object.h"
#include "bpf/work.h"

struct kp_piece_map event_pieces SEC(".maps");
struct kp_ring_map payload_rings SEC(".maps");
struct kp_ring_map life_rings SEC(".maps");
struct kp_ring_map bulk_rings SEC(".maps");
struct kp_task_map tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} chosen SEC(".maps"); /* thread groups to select when the iterator runs */

struct kp_counts counts[KP_CPU_MAX * KP_RING_CNT];
struct kp_ring_ends ring_ends[KP_CPU_MAX];
struct kp_cpu cpus[KP_CPU_MAX];
struct kp_told told[KP_TOLD_CNT];
__u32 loss_round; /* see kp_counts */
__u32 prepared;   /* 1: every task has had its chance of storage */
__u32 selecting;  /* 1: tasks may be selected for replay */
__u32 telling;    /* KP_TELL_ */
/* Of other tasks than the selected, entries before it are of an earlier time in which calls were
 * recorded: their ends nobody saw. */
__u64 calls_since_ns;
struct kp_heart heart;
__u32 self_pid;                         /* of the recorder, whose own doing is not told */
const volatile __u32 unheard_ticks = 0; /* KP_UNHEARD_NS */
const volatile __u32 told_groups = 0;   /* that are wanted: bit 1 << KP_GROUP_ */
const volatile __u32 event_ring_len = KP_PIECE_LEN; /* a power of two */
const volatile __u16 ring_of[KP_CPU_MAX] = {0};     /* ring of events, by CPU */
const volatile __u64 work_threshold_ns = 50000;     /* see work.h */
const volatile __u16 i386_natives[KP_SYSCALL_MAX] = {0};
const volatile __u8 fd_rules[KP_SYSCALL_MAX] = {0};
const volatile __u8 spare_args[KP_SYSCALL_MAX] = {0};
const volatile bool moves_bytes[KP_SYSCALL_MAX] = {0};

/*
 * Run by user space after it attached the other programs, and again for each selection. Storage is
 * made here and at fork only: sched_switch, which needs it, runs under locks that forbid to
 * allocate.
 */
SEC("iter/task")
int kp_prepare_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct kp_task *t;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	t = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t && t->selected)
		return 0;
	if (bpf_map_lookup_elem(&chosen, &tgid) || kp_in_chosen_cgroup(task)) {
		if (t)
			t->selected = 1;
		else /* no room: what it does cannot be recorded for replay */
			kp_count_lost(KP_RING_PAYLOAD, KP_GROUP_syscall);
	}
	return 0;
}

char kp_license[] SEC("license") = "GPL";
