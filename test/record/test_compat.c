/* SPDX-License-Identifier: MIT
 * The programs for older kernels load and work too: a tracepoint's shorter form is valid on a
 * kernel whose tracepoint has more arguments, so they can be tried on any.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

/* The skeleton takes its types from here. */
#include "bpf/shared.h"

#include "bpf/kprobe.skel.h"
#include "probes_run.h"

static uint64_t produced(const struct kprobe_bpf *skel, enum kp_group group)
{
	const volatile struct kp_counts *counts = skel->bss->counts;
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < KP_CPU_MAX; cpu++)
		sum += counts[cpu * KP_RING_CNT + KP_RING_EVENTS].produced[group];
	return sum;
}

/* The programs of which one alone is loaded, as if somebody listened. */
static struct kprobe_bpf *load_alone(const char *name)
{
	struct kprobe_bpf *skel = kprobe_bpf__open();
	struct bpf_program *program;

	cr_assert(skel);
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	skel->rodata->unheard_ticks = UINT32_MAX;
	skel->rodata->told_groups = KP_GROUPS_ALL;
	cr_assert_eq(kprobe_bpf__load(skel), 0, "%s", name);
	skel->bss->heart.beat = 1;
	return skel;
}

/* A map's value can have no more there (KMALLOC_MAX_SIZE, kernel/bpf/arraymap.c). */
#define MEMORY_MAX_5_15 (4u << 20)

Test(compat, memory_of_5_15)
{
	struct kprobe_bpf *skel = kprobe_bpf__open();

	cr_assert(skel);
	cr_expect_leq(bpf_map__value_size(skel->maps.bss), MEMORY_MAX_5_15);
	kprobe_bpf__destroy(skel);
}

Test(compat, sched_switch_of_5_15, .init = need_probes)
{
	struct kprobe_bpf *skel = load_alone("kp_sched_switch_3");
	struct bpf_link *link = bpf_program__attach(skel->progs.kp_sched_switch_3);
	uint64_t before;

	cr_assert(link);
	skel->bss->telling = KP_TELL_SWITCHES;
	before = produced(skel, KP_GROUP_sched);
	for (int i = 0; i < 10; i++)
		sleep_ms(2);
	cr_assert_gt(produced(skel, KP_GROUP_sched), before + 10);
	bpf_link__destroy(link);
	kprobe_bpf__destroy(skel);
}

/* Programs of one tracepoint, one at a time; do_it makes it fire, which makes an event or not. */
static void try_program(const char *name, void (*do_it)(void), bool makes_event)
{
	struct kprobe_bpf *skel = load_alone(name);
	struct bpf_link *link =
		bpf_program__attach(bpf_object__find_program_by_name(skel->obj, name));
	uint64_t before;

	cr_assert(link, "%s", name);
	before = produced(skel, KP_GROUP_tcp);
	do_it();
	cr_expect(!makes_event || produced(skel, KP_GROUP_tcp) > before, "%s", name);
	bpf_link__destroy(link);
	kprobe_bpf__destroy(skel);
}

/* Nobody listens there: the segment is dropped and answered by a reset. */
static void be_refused(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(1),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_expect_lt(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd);
}

Test(compat, the_network_of_older_kernels, .init = need_probes)
{
	try_program("kp_drop_3", be_refused, true);
	try_program("kp_drop_4", be_refused, true);
	try_program("kp_reset_sent_3", be_refused, true);
	try_program("kp_tcp_retransmit_3", be_refused, false);
	try_program("kp_tcp_probe", be_refused, false);
	try_program("kp_next_packet", be_refused, false);
	try_program("kp_own_window", be_refused, false);
}
