/* SPDX-License-Identifier: MIT
 * The programs for older kernels load and work too: a tracepoint's shorter form is valid on a
 * kernel whose tracepoint has more arguments, so they can be tried on any.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* The skeleton takes its types from here. */
#include "bpf/shared.h"

#include "bpf/kprobe.skel.h"
#include "probes_run.h"

static uint64_t produced(const struct kprobe_bpf *skel)
{
	const volatile struct kp_counts *counts = skel->bss->counts;
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < KP_CPU_MAX; cpu++)
		sum += counts[cpu * KP_RING_CNT + KP_RING_EVENTS].produced[KP_GROUP_sched];
	return sum;
}

Test(compat, sched_switch_of_5_15, .init = need_probes)
{
	struct kprobe_bpf *skel = kprobe_bpf__open();
	struct bpf_program *program;
	struct bpf_link *link;
	uint64_t before;

	cr_assert(skel);
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, program == skel->progs.kp_sched_switch_3);
	skel->rodata->unheard_ticks = UINT32_MAX;
	cr_assert_eq(kprobe_bpf__load(skel), 0);
	skel->bss->heart.beat = 1;
	link = bpf_program__attach(skel->progs.kp_sched_switch_3);
	cr_assert(link);
	skel->bss->telling = KP_TELL_SWITCHES;
	before = produced(skel);
	for (int i = 0; i < 10; i++)
		sleep_ms(2);
	cr_assert_gt(produced(skel), before + 10);
	bpf_link__destroy(link);
	kprobe_bpf__destroy(skel);
}
