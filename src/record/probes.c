/* SPDX-License-Identifier: MIT
 * Loading and attaching the BPF programs; see probes.h.
 */
#include "record/probes_in.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bpf/kprobe.skel.h"

#define G(group) (1u << KP_GROUP_##group)
/* Wakeups name the interrupt behind them, so these serve scheduling too. */
#define TIMER_CONTEXT (G(sched) | G(signal) | G(kernel))
#define CONTEXT (G(irq) | TIMER_CONTEXT)
#define SELECT (1u << 31)
#define ALWAYS UINT32_MAX

/* One row per program: its tracepoint, the groups that need it, and for which kernels it is;
 * src/bpf/compat.h says why some have several forms. */
static const struct probe {
	const char *program;
	const char *tracepoint;
	uint32_t groups;
	unsigned params;     /* the tracepoint's, with the context; 0: any number */
	const char *with;    /* a name in the kernel's BTF that is there … */
	const char *without; /* … or is not */
	bool waits;          /* only in the tiers of waits and of calls */
#define ANY 0, NULL, NULL, false
#define PARAMS(n) n, NULL, NULL, false
#define WITH(name) 0, name, NULL, false
#define WITHOUT(name) 0, NULL, name, false
#define PARAMS_WITH(n, name) n, name, NULL, false
#define PARAMS_WITHOUT(n, name) n, NULL, name, false
#define WAITS_WITH(name) 0, name, NULL, true
#define WAITS_WITHOUT(name) 0, NULL, name, true
} table[] = {
	{"kp_sched_switch_typed", "sched_switch", G(sched) | G(syscall) | SELECT,
	 PARAMS_WITH(5, "bpf_rdonly_cast")},
	{"kp_sched_switch", "sched_switch", G(sched) | G(syscall) | SELECT,
	 PARAMS_WITHOUT(5, "bpf_rdonly_cast")},
	{"kp_sched_switch_3", "sched_switch", G(sched) | G(syscall) | SELECT, PARAMS(4)},
	{"kp_sched_waking_typed", "sched_waking", G(sched), WITH("bpf_rdonly_cast")},
	{"kp_sched_waking", "sched_waking", G(sched), WITHOUT("bpf_rdonly_cast")},
	{"kp_sched_wakeup_new", "sched_wakeup_new", G(sched), ANY},
	{"kp_sched_migrate_task", "sched_migrate_task", G(sched), ANY},
	{"kp_cgroup_freeze", "cgroup_freeze", G(sched), ANY},
	{"kp_cgroup_unfreeze", "cgroup_unfreeze", G(sched), ANY},
	{"kp_cgroup_frozen", "cgroup_notify_frozen", G(sched), ANY},
	{"kp_fork", "sched_process_fork", ALWAYS, ANY},
	{"kp_exec", "sched_process_exec", G(life), ANY},
	{"kp_exit", "sched_process_exit", G(life), ANY},
	{"kp_rename", "task_rename", G(life), ANY},
	{"kp_cgroup_mkdir", "cgroup_mkdir", G(life) | SELECT, ANY},
	{"kp_cgroup_rmdir", "cgroup_rmdir", G(life) | SELECT, ANY},
	{"kp_cgroup_rename", "cgroup_rename", G(life), ANY},
	{"kp_cgroup_attach", "cgroup_attach_task", G(life) | SELECT, ANY},
	{"kp_vsyscall", "emulate_vsyscall", SELECT, ANY},
	{"kp_sys_enter", "sys_enter", G(syscall) | SELECT, ANY},
	{"kp_sys_exit_typed", "sys_exit", G(syscall) | SELECT, WITH("bpf_rdonly_cast")},
	{"kp_sys_exit", "sys_exit", G(syscall) | SELECT, WITHOUT("bpf_rdonly_cast")},
	{"kp_signal_generate", "signal_generate", G(signal), ANY},
	{"kp_signal_deliver", "signal_deliver", G(signal) | SELECT, ANY},
	{"kp_irq_entry", "irq_handler_entry", CONTEXT, ANY},
	{"kp_irq_exit", "irq_handler_exit", CONTEXT, ANY},
	{"kp_softirq_entry", "softirq_entry", CONTEXT, ANY},
	{"kp_softirq_exit", "softirq_exit", CONTEXT, ANY},
	{"kp_hrtimer_entry", "hrtimer_expire_entry", TIMER_CONTEXT, ANY},
	{"kp_hrtimer_exit", "hrtimer_expire_exit", TIMER_CONTEXT, ANY},
	{"kp_block_insert", "block_rq_insert", G(block), ANY},
	{"kp_block_issue", "block_rq_issue", G(block), ANY},
	{"kp_block_complete", "block_rq_complete", G(block) | G(sched), ANY},
	{"kp_sync_enter", "ext4_sync_file_enter", G(sync), ANY},
	{"kp_sync_exit", "ext4_sync_file_exit", G(sync), ANY},
	{"kp_commit_begin", "jbd2_start_commit", G(sync), ANY},
	{"kp_commit_end", "jbd2_end_commit", G(sync), ANY},
	{"kp_write_wait", "balance_dirty_pages", G(sync), PARAMS(9)},
	{"kp_write_wait_12", "balance_dirty_pages", G(sync), PARAMS(13)},
	{"kp_tcp_probe_typed", "tcp_probe", G(sched) | G(tcp), WITH("bpf_rdonly_cast")},
	{"kp_tcp_probe", "tcp_probe", G(sched) | G(tcp), WITHOUT("bpf_rdonly_cast")},
	{"kp_data_ready", "sk_data_ready", G(sched), ANY},
	{"kp_next_packet", "netif_receive_skb", G(sched), WITHOUT("btf_trace_sk_data_ready")},
	{"kp_tcp_state", "inet_sock_set_state", G(tcp) | G(sched), ANY},
	{"kp_tcp_retransmit", "tcp_retransmit_skb", G(tcp), PARAMS(4)},
	{"kp_tcp_retransmit_3", "tcp_retransmit_skb", G(tcp), PARAMS(3)},
	{"kp_synack_retransmit", "tcp_retransmit_synack", G(tcp), ANY},
	{"kp_own_window_typed", "net_dev_start_xmit", G(packet), WITH("bpf_rdonly_cast")},
	{"kp_own_window", "net_dev_start_xmit", G(packet), WITHOUT("bpf_rdonly_cast")},
	{"kp_reset_sent", "tcp_send_reset", G(tcp), PARAMS(4)},
	{"kp_reset_sent_3", "tcp_send_reset", G(tcp), PARAMS(3)},
	{"kp_reset_received", "tcp_receive_reset", G(tcp), ANY},
	{"kp_drop", "kfree_skb", G(tcp), PARAMS(5)},
	{"kp_drop_4", "kfree_skb", G(tcp), PARAMS(4)},
	{"kp_drop_3", "kfree_skb", G(tcp), PARAMS(3)},
	{"kp_packet_out", "net_dev_start_xmit", G(packet), ANY},
	{"kp_packet_in", "netif_receive_skb", G(packet), ANY},
	{"kp_sock_send", "sock_send_length", G(tcp), WAITS_WITH("btf_trace_sock_send_length")},
	{"kp_sock_recv", "sock_recv_length", G(tcp), WAITS_WITH("btf_trace_sock_recv_length")},
	{"kp_tcp_recv", "tcp_rcv_space_adjust", G(tcp),
	 WAITS_WITHOUT("btf_trace_sock_recv_length")},
	{"kp_xmit", "net_dev_start_xmit", G(tcp), WAITS_WITHOUT("btf_trace_sock_send_length")},
	{"kp_reclaim_begin", "mm_vmscan_direct_reclaim_begin", G(memory), ANY},
	{"kp_reclaim_end", "mm_vmscan_direct_reclaim_end", G(memory), ANY},
	{"kp_memcg_reclaim_begin", "mm_vmscan_memcg_reclaim_begin", G(memory), ANY},
	{"kp_memcg_reclaim_end", "mm_vmscan_memcg_reclaim_end", G(memory), ANY},
	{"kp_reclaim_wait", "mm_vmscan_throttled", G(memory),
	 WITH("btf_trace_mm_vmscan_throttled")},
	{"kp_congestion_wait", "writeback_congestion_wait", G(memory),
	 WITHOUT("btf_trace_mm_vmscan_throttled")},
	{"kp_wait_iff_congested", "writeback_wait_iff_congested", G(memory),
	 WITHOUT("btf_trace_mm_vmscan_throttled")},
	{"kp_compaction_begin", "mm_compaction_begin", G(memory), ANY},
	{"kp_compaction_end", "mm_compaction_end", G(memory), PARAMS(6)},
	{"kp_compaction_end_6", "mm_compaction_end", G(memory), PARAMS(7)},
	{"kp_oom_kill", "mark_victim", G(memory), PARAMS(3)},
	{"kp_oom_kill_tid", "mark_victim", G(memory), PARAMS(2)},
	{"kp_lock_begin", "contention_begin", G(kernel), ANY},
	{"kp_lock_end", "contention_end", G(kernel), ANY},
	{"kp_uring_submit", "io_uring_submit_req", G(kernel),
	 WITH("btf_trace_io_uring_submit_req")},
	{"kp_uring_submit_sqe", "io_uring_submit_sqe", G(kernel),
	 PARAMS_WITHOUT(3, "btf_trace_io_uring_submit_req")},
	{"kp_uring_submit_8", "io_uring_submit_sqe", G(kernel),
	 PARAMS_WITHOUT(8, "btf_trace_io_uring_submit_req")},
	{"kp_uring_worker", "io_uring_queue_async_work", G(kernel), PARAMS(3)},
	{"kp_uring_worker_6", "io_uring_queue_async_work", G(kernel), PARAMS(6)},
	{"kp_uring_worker_8", "io_uring_queue_async_work", G(kernel), PARAMS(8)},
	{"kp_uring_complete", "io_uring_complete", G(kernel), PARAMS(4)},
	{"kp_uring_complete_5", "io_uring_complete", G(kernel), PARAMS(5)},
	{"kp_uring_complete_6", "io_uring_complete", G(kernel), PARAMS(6)},
	{"kp_uring_complete_8", "io_uring_complete", G(kernel), PARAMS(8)},
	{"kp_work_queued", "workqueue_queue_work", G(kernel), ANY},
	{"kp_work_begins", "workqueue_execute_start", G(kernel), ANY},
	{"kp_work_ended", "workqueue_execute_end", G(kernel), ANY},
};
#define PROBE_CNT (sizeof(table) / sizeof(*table))

_Static_assert(PROBE_CNT <= KP_PROBE_MAX, "more programs than the ledger has room for");

/* --- what libbpf has to say, for the error's text --- */

static __thread char last_warning[256];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !last_warning[0])
		vsnprintf(last_warning, sizeof(last_warning), format, args);
	last_warning[strcspn(last_warning, "\n")] = '\0';
	return 0;
}

static int explain(struct kp_err *err, int code, const char *what)
{
	if (code == -EPERM)
		return kp_err_set(err, -EPERM,
				  "%s: not permitted (%s); run as root, or with the capabilities "
				  "BPF, PERFMON, SYS_PTRACE and DAC_READ_SEARCH, and check "
				  "/sys/kernel/security/lockdown",
				  what, last_warning);
	if (code == -EMFILE || code == -ENFILE)
		return kp_err_sys(err, code, "%s", what);
	if (code == -ENOMEM)
		return kp_err_sys(err, code,
				  "%s (a smaller --ring needs less; MemoryMax= of a service and "
				  "memory.max of its group are limits too)",
				  what);
	return kp_err_set(err, -EOPNOTSUPP,
			  "%s: %s (%s); 'kprobe record --check' says what this kernel lacks", what,
			  code == -EACCES ? "the kernel's verifier refuses a program"
					  : strerror(-code),
			  last_warning);
}

/* --- choice of programs --- */

/* Parameters of a tracepoint with the context, by the kernel's BTF; 0: no such tracepoint. */
static unsigned tracepoint_params(const struct btf *btf, const char *name)
{
	char type_name[128];
	const struct btf_type *type;
	int id;

	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type_name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return 0;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type); /* a pointer … */
	type = btf__type_by_id(btf, type->type); /* … to a function */
	return btf_vlen(type);
}

/* Whether the form is for kernels with what this one has; another one's tracepoint is not missed.
 */
static bool is_for(const struct btf *btf, const struct probe *form)
{
	if (form->with && btf__find_by_name(btf, form->with) < 0)
		return false;
	return !form->without || btf__find_by_name(btf, form->without) < 0;
}

static enum kp_probe_state state_of(const struct btf *btf, const struct probe *form)
{
	unsigned params;

	if (!is_for(btf, form))
		return KP_PROBE_UNWANTED;
	params = tracepoint_params(btf, form->tracepoint);
	if (!params)
		return KP_PROBE_ABSENT;
	return form->params && form->params != params ? KP_PROBE_UNWANTED : KP_PROBE_ON;
}

/* Of the groups those that are recorded in a tier. */
static uint32_t groups_in(uint32_t groups, enum kp_tier tier)
{
	if (tier < KP_TIER_calls)
		groups &= ~G(syscall);
	return tier < KP_TIER_switches ? groups & ~G(sched) : groups;
}

/* In any of the tiers. */
static bool is_wanted(const struct kp_probes *probes, const struct probe *form, uint32_t tiers)
{
	if (form->groups & probes->select)
		return true;
	for (unsigned tier = 0; tier < KP_TIER_CNT; tier++)
		if (tiers & 1u << tier && form->groups & groups_in(probes->groups, tier) &&
		    !(form->waits && tier < KP_TIER_waits))
			return true;
	return false;
}

static int choose(struct kp_probes *probes, struct kp_err *err)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint32_t tiers = kp_probes_tiers(probes->groups);

	if (!btf)
		return kp_err_set(
			err, -EOPNOTSUPP,
			"the kernel has no type information (/sys/kernel/btf/vmlinux); it "
			"must be built with CONFIG_DEBUG_INFO_BTF=y");
	for (size_t i = 0; i < PROBE_CNT; i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(probes->skel->obj, table[i].program);

		probes->states[i] = is_wanted(probes, &table[i], tiers) ? state_of(btf, &table[i])
									: KP_PROBE_UNWANTED;
		bpf_program__set_autoload(program, probes->states[i] == KP_PROBE_ON);
	}
	btf__free(btf);
	return 0;
}

/* --- rings --- */

/* The map that holds the rings of a kind, by CPU. */
static struct bpf_map *ring_map(const struct kp_probes *probes, enum kp_ring kind)
{
	switch (kind) {
	case KP_RING_PAYLOAD:
		return probes->skel->maps.payload_rings;
	case KP_RING_LIFE:
		return probes->skel->maps.life_rings;
	case KP_RING_BULK:
		return probes->skel->maps.bulk_rings;
	default:
		return probes->skel->maps.event_pieces;
	}
}

static int open_rings(struct kp_probes *probes, bool select, struct kp_err *err)
{
	struct kp_rings_kept kept = {probes->life_fds, &probes->ledger};
	int maps[KP_RING_CNT], r;

	for (int kind = 0; kind < KP_RING_CNT; kind++)
		maps[kind] = bpf_map__fd(ring_map(probes, (enum kp_ring)kind));
	if (probes->pieces_fd >= 0)
		maps[KP_RING_EVENTS] = probes->pieces_fd;
	r = kp_rings_open(&probes->rings, probes->cpu_cnt, select, maps, probes->bss->ring_ends,
			  &kept, err);
	free(probes->life_fds); /* the rings have them */
	probes->life_fds = NULL;
	if (r >= 0 && kp_probes_origin(probes) == KP_PROBES_TAKEN_OVER)
		kp_rings_settle(&probes->rings);
	return r;
}

static int count_cpus(struct kp_probes *probes, struct kp_err *err)
{
	int cnt = libbpf_num_possible_cpus();

	if (cnt < 0)
		return kp_err_sys(err, cnt, "cannot count the CPUs");
	if (cnt > KP_CPU_MAX)
		return kp_err_set(err, -EOPNOTSUPP,
				  "this machine can have %d CPUs; kprobe is built for %d "
				  "(KP_CPU_MAX in src/bpf/shared.h)",
				  cnt, KP_CPU_MAX);
	probes->cpu_cnt = (unsigned)cnt;
	return 0;
}

/* --- the interface --- */

enum kp_tier kp_probes_tier(uint32_t groups)
{
	return groups & G(syscall) ? KP_TIER_calls
	       : groups & G(sched) ? KP_TIER_waits
				   : KP_TIER_none;
}

uint32_t kp_probes_tiers(uint32_t groups)
{
	return 1u << KP_TIER_none |
	       (groups & G(sched) ? 1u << KP_TIER_switches | 1u << KP_TIER_waits : 0) |
	       (groups & G(syscall) ? 1u << KP_TIER_calls : 0);
}

/* Opens the programs and says how they are to be loaded. */
static int prepare(struct kp_probes *probes, const struct kp_probes_options *options,
		   struct kp_err *err)
{
	struct kprobe_bpf *skel = probes->skel = kprobe_bpf__open();
	int r;

	if (!skel)
		return explain(err, -errno, "cannot open the BPF programs");
	probes->groups = options->groups;
	probes->select = options->select ? SELECT : 0;
	r = choose(probes, err);
	if (r < 0)
		return r;
	kp_probes_set_constants(skel, options, &probes->rings);
	bpf_map__set_max_entries(skel->maps.event_pieces, kp_rings_piece_cnt(&probes->rings));
	for (int kind = KP_RING_EVENTS + 1; kind < KP_RING_CNT; kind++)
		bpf_map__set_max_entries(ring_map(probes, (enum kp_ring)kind), probes->cpu_cnt);
	bpf_map__set_max_entries(skel->maps.scratch, options->select ? probes->cpu_cnt : 1);
	return 0;
}

/* A descriptor of our own, which does not end with the skeleton. */
static int program_fd(const struct bpf_program *program)
{
	return fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 0);
}

static int load_programs(struct kp_probes *probes, struct kp_err *err)
{
	struct kprobe_bpf *skel = probes->skel;
	int r = kprobe_bpf__load(skel);

	if (r < 0)
		return explain(err, r, "cannot load the BPF programs");
	probes->bss = skel->bss;
	probes->iterators[KP_ITER_PREPARE] = program_fd(skel->progs.kp_prepare_tasks);
	probes->iterators[KP_ITER_TELL] = program_fd(skel->progs.kp_tell_tasks);
	for (int i = 0; i < KP_ITER_CNT; i++)
		if (probes->iterators[i] < 0)
			return explain(err, -errno, "cannot load the BPF programs");
	for (size_t i = 0; i < PROBE_CNT; i++) {
		if (probes->states[i] != KP_PROBE_ON)
			continue;
		probes->programs[i] =
			program_fd(bpf_object__find_program_by_name(skel->obj, table[i].program));
		if (probes->programs[i] < 0)
			return explain(err, -errno, "cannot load the BPF programs");
	}
	r = kp_probes_fill_tables(skel);
	if (r < 0)
		return explain(err, r, "cannot fill the tables of the BPF programs");
	return probes->pins_fd < 0 ? 0 : kp_probes_make_ledger(probes, err);
}

static void use_misses(struct kp_probes *probes)
{
	struct kp_ledger_memory *memory = probes->ledger.memory;

	probes->misses = memory ? memory->misses : probes->own_misses;
	probes->seen_misses = memory ? memory->seen_misses : probes->own_seen_misses;
}

static int load(struct kp_probes *probes, const struct kp_probes_options *options,
		struct kp_err *err)
{
	int r = count_cpus(probes, err);

	if (r >= 0)
		r = kp_rings_init(&probes->rings, probes->cpu_cnt, options->ring_len,
				  &options->memory, err);
	if (r >= 0)
		r = prepare(probes, options, err);
	if (r >= 0 && (probes->pins_fd < 0 || !kp_probes_take_over(probes, options->run)))
		r = load_programs(probes, err);
	if (r < 0)
		return r;
	use_misses(probes);
	probes->left_ns = probes->ledger.memory ? probes->ledger.memory->beat_ns : 0;
	probes->beat_ns = probes->left_ns;
	r = open_rings(probes, options->select, err);
	probes->bss->self_pid = (uint32_t)getpid();
	return r;
}

static void init_fds(struct kp_probes *probes, int pins_fd)
{
	for (size_t i = 0; i < PROBE_CNT; i++)
		probes->programs[i] = probes->links[i] = -1;
	for (int i = 0; i < KP_ITER_CNT; i++)
		probes->iterators[i] = -1;
	probes->ledger_fd = probes->bss_fd = probes->pieces_fd = -1;
	probes->pins_fd = pins_fd;
}

int kp_probes_load(const struct kp_probes_options *options, struct kp_probes **ret_probes,
		   struct kp_err *err)
{
	struct kp_probes *probes = calloc(1, sizeof(*probes));
	int r;

	if (!probes)
		return kp_err_sys(err, -ENOMEM, "cannot load the BPF programs");
	last_warning[0] = '\0';
	libbpf_set_print(keep_warning);
	init_fds(probes, options->pins_fd);
	r = load(probes, options, err);
	if (r < 0)
		kp_probes_free(probes);
	else
		*ret_probes = probes;
	return r;
}

/* A descriptor that runs an iterator over the tasks when it is read, or a negative errno. */
static int open_iterator(int program, struct kp_err *err)
{
	int link = program < 0 ? -EBADF : bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	int fd = link < 0 ? link : bpf_iter_create(link), error = fd < 0 ? -errno : 0;

	if (link >= 0)
		close(link);
	return error < 0 ? explain(err, error, "cannot visit the tasks") : fd;
}

/* Runs the iterator that makes task storage and selects. */
static int visit_tasks(struct kp_probes *probes, struct kp_err *err)
{
	int fd = open_iterator(probes->iterators[KP_ITER_PREPARE], err), r;
	char byte;

	if (fd < 0)
		return fd;
	while ((r = (int)read(fd, &byte, 1)) > 0)
		;
	r = r < 0 ? explain(err, -errno, "cannot visit the tasks") : 0;
	close(fd);
	if (r >= 0)
		probes->bss->prepared = 1;
	return r;
}

int kp_probes_open_tasks(const struct kp_probes *probes, struct kp_err *err)
{
	return open_iterator(probes->iterators[KP_ITER_TELL], err);
}

/* A program that gets its tracepoint's arguments with their types knows it; NULL. */
static const char *attach_name(const struct kp_probes *probes, size_t i)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(probes->skel->obj, table[i].program);

	return bpf_program__type(program) == BPF_PROG_TYPE_RAW_TRACEPOINT ? table[i].tracepoint
									  : NULL;
}

static int attach(struct kp_probes *probes, size_t i, struct kp_err *err)
{
	char what[96];
	int r;

	probes->links[i] = bpf_raw_tracepoint_open(attach_name(probes, i), probes->programs[i]);
	r = probes->links[i] < 0 ? -errno : kp_probes_pin_link(probes, i);
	if (r >= 0)
		return 0;
	snprintf(what, sizeof(what), "cannot attach to %s", table[i].tracepoint);
	return explain(err, r, what);
}

static void detach(struct kp_probes *probes, size_t i)
{
	if (probes->links[i] < 0)
		return;
	kp_probes_unpin_link(probes, i);
	close(probes->links[i]);
	probes->links[i] = -1;
}

/* What the programs tell from now on. */
static void tell(struct kp_probes *probes, uint32_t tiers)
{
	uint32_t telling = (tiers >> KP_TIER_switches ? KP_TELL_SWITCHES : 0) |
			   (tiers & 1u << KP_TIER_waits ? KP_TELL_WAITS : 0) |
			   (tiers & 1u << KP_TIER_calls ? KP_TELL_CALLS : 0);
	uint32_t groups = 0;

	for (unsigned tier = 0; tier < KP_TIER_CNT; tier++)
		if (tiers & 1u << tier)
			groups |= groups_in(probes->groups, tier);
	probes->active_groups = groups;
	if (telling & ~probes->bss->telling & KP_TELL_CALLS)
		__atomic_store_n(&probes->bss->calls_since_ns, kp_clock_ns(CLOCK_MONOTONIC),
				 __ATOMIC_SEQ_CST);
	__atomic_store_n(&probes->bss->telling, telling, __ATOMIC_SEQ_CST);
}

int kp_probes_set_tiers(struct kp_probes *probes, uint32_t tiers, struct kp_err *err)
{
	int r = 0;

	for (size_t i = 0; i < PROBE_CNT && r >= 0; i++)
		if (probes->states[i] == KP_PROBE_ON && probes->links[i] < 0 &&
		    is_wanted(probes, &table[i], tiers))
			r = attach(probes, i, err);
	if (r < 0)
		return r;
	tell(probes, tiers);
	for (size_t i = 0; i < PROBE_CNT; i++)
		if (!is_wanted(probes, &table[i], tiers))
			detach(probes, i);
	return 0;
}

/* Programs may have passed over the ends of what they saw begin. */
static void forget_states(struct kp_probes *probes, uint64_t now_ns)
{
	struct kp_cpu *cpu;

	probes->bss->calls_since_ns = now_ns;
	for (unsigned i = 0; i < probes->cpu_cnt; i++) {
		cpu = &probes->bss->cpus[i];
		cpu->entry_ns = cpu->irq_ns = cpu->softirq_ns = 0;
		cpu->hrtimer = cpu->softirq_tid = 0;
		memset(cpu->why, 0, sizeof(cpu->why));
	}
}

void kp_probes_beat(struct kp_probes *probes)
{
	uint64_t now_ns = kp_clock_ns(CLOCK_MONOTONIC);

	if (now_ns - probes->beat_ns > KP_UNHEARD_NS / 2)
		forget_states(probes, now_ns);
	probes->beat_ns = now_ns;
	if (probes->ledger.memory)
		probes->ledger.memory->beat_ns = now_ns;
	__atomic_add_fetch(&probes->bss->heart.beat, 1, __ATOMIC_SEQ_CST);
}

int kp_probes_attach(struct kp_probes *probes, struct kp_err *err)
{
	int r;

	kp_probes_beat(probes); /* before the first program runs */
	r = kp_probes_set_tiers(probes, 1u << kp_probes_tier(probes->groups), err);
	kp_probes_beat(probes);
	return r < 0 ? r : visit_tasks(probes, err);
}

void kp_probes_detach(struct kp_probes *probes)
{
	for (size_t i = 0; i < PROBE_CNT; i++)
		detach(probes, i);
	kp_probes_unpin(probes);
	/* A program that another CPU runs at this moment is not waited for by the kernel. */
	usleep(20000);
}

void kp_probes_each(const struct kp_probes *probes,
		    void (*fn)(const char *tracepoint, enum kp_probe_state state, void *arg),
		    void *arg)
{
	for (size_t i = 0; i < PROBE_CNT; i++)
		fn(table[i].tracepoint, probes->states[i], arg);
}

int kp_probes_select(struct kp_probes *probes, const pid_t *pids, size_t cnt, struct kp_err *err)
{
	int map = bpf_map__fd(probes->skel->maps.chosen), r = 0;
	uint32_t one = 1;
	size_t i;

	probes->bss->selecting = 1;
	for (i = 0; i < cnt && r >= 0; i++) {
		uint32_t pid = (uint32_t)pids[i];

		if (bpf_map_update_elem(map, &pid, &one, BPF_ANY) < 0)
			r = kp_err_sys(err, -errno, "cannot select process %u", pid);
	}
	if (r >= 0)
		r = visit_tasks(probes, err);
	while (i-- > 0) /* whoever has its number later is not chosen */
		bpf_map_delete_elem(map, &pids[i]);
	return r;
}

int kp_probes_choose_cgroup(struct kp_probes *probes, const struct kp_cgroup_key *key,
			    struct kp_err *err)
{
	uint32_t one = 1;

	probes->bss->selecting = 1;
	probes->bss->choosing_cgroups = 1;
	if (bpf_map_update_elem(bpf_map__fd(probes->skel->maps.chosen_cgroups), key, &one,
				BPF_ANY) < 0)
		return kp_err_sys(err, -errno, "cannot select a control group (at most %d)",
				  KP_CHOSEN_CGROUP_MAX);
	return 0;
}

bool kp_probes_has_chosen(const struct kp_probes *probes, const struct kp_cgroup_key *key)
{
	uint32_t one;

	return !bpf_map_lookup_elem(bpf_map__fd(probes->skel->maps.chosen_cgroups), key, &one);
}

const char *kp_probes_program(size_t i)
{
	return i < PROBE_CNT ? table[i].program : NULL;
}

enum kp_probes_origin kp_probes_origin(const struct kp_probes *probes)
{
	return probes->origin;
}

uint64_t kp_probes_left_ns(const struct kp_probes *probes)
{
	return probes->left_ns;
}

struct kp_ledger *kp_probes_ledger(struct kp_probes *probes)
{
	return &probes->ledger;
}

unsigned kp_probes_cpu_cnt(const struct kp_probes *probes)
{
	return probes->cpu_cnt;
}

unsigned kp_probes_ring_cnt(const struct kp_probes *probes)
{
	return probes->rings.plan.cnt;
}

struct kp_ring_reader *kp_probes_ring(struct kp_probes *probes, unsigned index, enum kp_ring kind)
{
	return kp_rings_get(&probes->rings, index, kind);
}

struct kp_event_ring *kp_probes_event_ring(struct kp_probes *probes, unsigned index)
{
	return &probes->rings.events[index];
}

int kp_probes_wake_fd(const struct kp_probes *probes)
{
	return probes->rings.wake_fd;
}

void kp_probes_take_wakes(const struct kp_probes *probes)
{
	kp_rings_take_wakes(&probes->rings);
}

const volatile struct kp_counts *kp_probes_counts(const struct kp_probes *probes, unsigned cpu,
						  enum kp_ring kind)
{
	return &probes->bss->counts[cpu * KP_RING_CNT + kind];
}

const volatile struct kp_irq_sum *kp_probes_irq_sums(const struct kp_probes *probes, unsigned cpu)
{
	return probes->bss->cpus[cpu].irq_sums;
}

uint32_t kp_probes_round(const struct kp_probes *probes)
{
	return probes->bss->loss_round;
}

uint32_t kp_probes_new_round(struct kp_probes *probes)
{
	return __atomic_add_fetch(&probes->bss->loss_round, 1, __ATOMIC_SEQ_CST);
}

void kp_probes_misses(struct kp_probes *probes, uint64_t ret_misses[KP_GROUP_CNT])
{
	uint32_t len, active = probes->active_groups, groups = active | probes->looked_groups;
	struct bpf_prog_info info;

	for (size_t i = 0; i < PROBE_CNT; i++) {
		if (probes->states[i] != KP_PROBE_ON)
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		if (bpf_obj_get_info_by_fd(probes->programs[i], &info, &len) < 0)
			continue;
		for (unsigned g = 0; g < KP_GROUP_CNT; g++)
			if (table[i].groups & groups & 1u << g)
				probes->misses[g] += info.recursion_misses - probes->seen_misses[i];
		probes->seen_misses[i] = info.recursion_misses;
	}
	probes->looked_groups = active;
	memcpy(ret_misses, probes->misses, KP_GROUP_CNT * sizeof(*ret_misses));
}

void kp_probes_free(struct kp_probes *probes)
{
	if (!probes)
		return;
	kp_probes_unpin(probes); /* one that failed leaves nothing */
	kp_rings_close(&probes->rings);
	kp_probes_release_pins(probes);
	kprobe_bpf__destroy(probes->skel);
	free(probes);
}
