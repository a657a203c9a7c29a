/* SPDX-License-Identifier: MIT
 *
 * What the programs must know before they are loaded: constants by the options and the machine, and
 * tables of system calls, commands and functions of the kernel; see probes_in.h.
 */
#include "record/probes_in.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "bpf/kprobe.skel.h"
#include "event/command.h"
#include "event/syscall.h"
#include "record/cgroups.h"

static uint8_t fd_rule(const struct kp_syscall *call)
{
	int object = kp_syscall_object(call);
	uint8_t rule;

	if (object == KP_ARG_MAX)
		return KP_FD_RET | (call->traits & KP_TRAIT_OPENS ? KP_FD_OPENED : 0);
	if (object < 0)
		return 0;
	rule = (uint8_t)(object + 1);
	for (uint8_t i = KP_ARG_MAX; i-- > 0;)
		if (call->rule.args[i].type == KP_ARG_FD && call->rule.args[i].dir)
			rule = (uint8_t)((rule & KP_FD_ARG) | (i + 1) << 4);
	return rule;
}

/* Whether the call's result is how many bytes it brings; what the kernel moves by itself is not in
 * the log. */
static bool moves_bytes(const struct kp_syscall *call)
{
	return call->result == KP_RESULT_BYTES && !(call->traits & KP_TRAIT_KERNEL_COPIES);
}

/* A tick of the kernel's, which its coarse clocks resolve; 0: not known. */
static uint64_t tick_ns(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec || tick.tv_nsec <= 0)
		return 0;
	return (uint64_t)tick.tv_nsec;
}

void kp_probes_set_constants(struct kprobe_bpf *skel, const struct kp_probes_options *options,
			     const struct kp_rings *rings)
{
	struct kprobe_bpf__rodata *rodata = skel->rodata;
	uint64_t tick = tick_ns();

	rodata->unheard_ticks = tick ? (uint32_t)(KP_UNHEARD_NS / tick) : UINT32_MAX;
	rodata->tick_us = (uint32_t)(tick / 1000);
	rodata->told_groups = options->groups;
	rodata->named_hierarchy = kp_cgroups_named();
	rodata->irq_threshold_ns = options->irq_threshold_ns;
	rodata->work_threshold_ns = options->work_threshold_ns;
	rodata->event_ring_len = (uint32_t)rings->plan.event_len;
	rodata->payload_ring_len = (uint32_t)rings->plan.payload_len;
	memcpy(rodata->ring_of, rings->of, sizeof(rings->of));
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		int native = kp_syscall_from_i386(nr);

		if (kp_syscall_get(nr)) {
			rodata->fd_rules[nr] = fd_rule(kp_syscall_get(nr));
			rodata->moves_bytes[nr] = moves_bytes(kp_syscall_get(nr));
		}
		rodata->spare_args[nr] = (uint8_t)(KP_ARG_MAX - kp_syscall_arg_cnt(nr));
		rodata->i386_natives[nr] = native < 0 ? 0 : (uint16_t)(native + 1);
	}
}

static int fill_rules(struct kprobe_bpf *skel)
{
	struct kp_rule_row row = {0};
	int r;

	for (uint32_t nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *call = kp_syscall_get(nr);

		if (!call)
			continue;
		memcpy(row.args, call->rule.args, sizeof(call->rule.args));
		r = bpf_map_update_elem(bpf_map__fd(skel->maps.rules), &nr, &row, BPF_ANY);
		if (r < 0)
			return -errno;
	}
	return 0;
}

static int fill_commands(struct kprobe_bpf *skel)
{
	for (size_t i = 0; i < kp_command_cnt(); i++) {
		const struct kp_command *command = kp_command_at(i);
		uint64_t key = KP_COMMAND_KEY(command->nr, command->number);

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.commands), &key, &command->rule,
					BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

/* Functions of the kernel in which a task in a page fault waits, for what; the one that was called
 * last counts. What a kernel does not have, or names otherwise, is left unknown there. */
static const struct {
	struct kp_function function;
	enum kp_fault fault;
} fault_functions[] = {
	{{"filemap_fault"}, KP_FAULT_file},
	{{"do_page_mkwrite"}, KP_FAULT_file},
	{{"ext4_page_mkwrite"}, KP_FAULT_file},
	{{"iomap_page_mkwrite"}, KP_FAULT_file},
	{{"do_swap_page"}, KP_FAULT_swap},
	{{"shmem_swapin_folio"}, KP_FAULT_swap},
	{{"shmem_swapin_page"}, KP_FAULT_swap}, /* until 5.16 */
	{{"down_read"}, KP_FAULT_lock},
	{{"down_read_killable"}, KP_FAULT_lock},
	{{"try_to_free_pages"}, KP_FAULT_reclaim},
	{{"try_to_free_mem_cgroup_pages"}, KP_FAULT_reclaim},
	{{"try_to_compact_pages"}, KP_FAULT_reclaim},
	{{"mem_cgroup_handle_over_high"}, KP_FAULT_high},
	{{"__mem_cgroup_handle_over_high"}, KP_FAULT_high}, /* since 6.6 */
	{{"mem_cgroup_oom_synchronize"}, KP_FAULT_oom},
	{{"handle_userfault"}, KP_FAULT_user},
	{{"migration_entry_wait"}, KP_FAULT_page},
};

static int fill_fault_functions(struct kprobe_bpf *skel)
{
	int fd = bpf_map__fd(skel->maps.fault_functions);
	uint32_t fault;

	for (size_t i = 0; i < sizeof(fault_functions) / sizeof(*fault_functions); i++) {
		fault = fault_functions[i].fault;
		if (bpf_map_update_elem(fd, &fault_functions[i].function, &fault, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

int kp_probes_fill_tables(struct kprobe_bpf *skel)
{
	int r = fill_rules(skel);

	if (r >= 0)
		r = fill_commands(skel);
	return r < 0 ? r : fill_fault_functions(skel);
}
