/* SPDX-License-Identifier: MIT
 * The kernel's accounts: their texts, and what the recorder makes of real ones.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "cgroups.h"
#include "probes_run.h"
#include "record/pressure.h"
#include "record/quotas.h"

#define BUSY_MS 1500
#define WAITS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))

Test(pressure, its_text)
{
	struct kp_ev_pressure ev = {0};

	cr_assert(kp_pressure_parse("some avg10=0.12 avg60=0.00 avg300=0.00 total=66999\n"
				    "full avg10=0.00 avg60=0.00 avg300=0.00 total=56559\n",
				    &ev));
	cr_expect_eq(ev.some_ns, 66999000u);
	cr_expect_eq(ev.full_ns, 56559000u);
	cr_assert(kp_pressure_parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", &ev));
	cr_expect_eq(ev.some_ns, 7000u);
	cr_expect_eq(ev.full_ns, 0u);
	cr_expect_not(kp_pressure_parse("", &ev));
	cr_expect_not(kp_pressure_parse("total=1\n", &ev));
	cr_expect_not(kp_pressure_parse("some avg10=0.00\n", &ev));
}

Test(pressure, text_of_a_quota)
{
	struct kp_ev_cpu_stat ev = {0};

	cr_assert(kp_quota_parse("usage_usec 5\nuser_usec 3\nnr_periods 12\nnr_throttled 4\n"
				 "throttled_usec 250\nnr_bursts 0\n",
				 &ev));
	cr_expect_eq(ev.period_cnt, 12u);
	cr_expect_eq(ev.throttled_cnt, 4u);
	cr_expect_eq(ev.throttled_ns, 250000u);
	cr_assert(kp_quota_parse("nr_periods 1\nnr_throttled 1\nthrottled_time 99\n", &ev));
	cr_expect_eq(ev.throttled_ns, 99u);
	cr_expect_not(kp_quota_parse("", &ev));
	cr_expect_not(kp_quota_parse("usage_usec 5\nuser_usec 3\n", &ev));
	cr_expect_not(kp_quota_parse("nr_periods\nnr_throttled 1\nthrottled_time 9\n", &ev));
	cr_expect_not(kp_quota_parse("xnr_periods 1\nnr_throttled 1\nthrottled_time 9\n", &ev));
}

/* --- real ones --- */

static struct group outer, inner;

static void burn_in_group(struct told *told)
{
	uint64_t end_ns = mono_ns() + BUSY_MS * 1000000ull;

	if (!enter_group(&inner))
		_exit(1);
	told->inos[0] = group_number(&inner);
	told->inos[1] = group_hierarchy(&inner, "cpu");
	while (mono_ns() < end_ns)
		;
}

/* A group in a group: it has to be found. */
static void need_quota(void)
{
	if (!make_group("cpu", "kprobe-stat", &outer))
		cr_skip_test("needs cgroups with CPU quotas");
	inner = outer;
	strcat(inner.path, "/inner");
	if (outer.is_v2)
		cr_assert(write_file(outer.path, "cgroup.subtree_control", "+cpu"));
	cr_assert_eq(mkdir(inner.path, 0755), 0);
	cr_assert(inner.is_v2 ? write_file(inner.path, "cpu.max", "5000 100000")
			      : write_file(inner.path, "cpu.cfs_quota_us", "5000"));
}

Test(pressure, accounts_of_a_quota, .init = need_probes, .timeout = 60)
{
	struct run run = {0};
	const struct kp_ev_cpu_stat *stat;
	uint64_t throttled_ns = 0;
	unsigned cnt = 0;

	need_quota();
	record_child(&run, burn_in_group, (struct kp_recorder_options){.groups = WAITS});
	while ((stat = next_of(&run, KP_EV_cpu_stat))) {
		if (stat->cgroup != run.told->inos[0])
			continue;
		cr_expect_eq(stat->hierarchy, run.told->inos[1]);
		cr_expect_geq(stat->throttled_ns, throttled_ns);
		cr_expect_geq(stat->period_cnt, stat->throttled_cnt);
		throttled_ns = stat->throttled_ns;
		cnt++;
	}
	cr_expect(cnt, "the group was not found");
	cr_expect_gt(throttled_ns, BUSY_MS * 1000000ull / 4); /* on a busy machine too */
	cr_expect_eq(rmdir(inner.path), 0, "%s", strerror(errno));
	cr_expect_eq(rmdir(outer.path), 0, "%s", strerror(errno));
	done(&run);
}

static void do_nothing(struct told *told)
{
	(void)told;
}

Test(pressure, of_the_machine, .init = need_probes, .timeout = 60)
{
	struct run run = {0};
	const struct kp_ev_pressure *pressure;
	unsigned seen = 0;

	if (access("/proc/pressure/cpu", R_OK))
		cr_skip_test("needs a kernel that accounts pressure");
	record_child(&run, do_nothing, (struct kp_recorder_options){.groups = WAITS});
	while ((pressure = next_of(&run, KP_EV_pressure))) {
		cr_assert_lt(pressure->resource, KP_PRESSURE_CNT);
		cr_expect_geq(pressure->some_ns, pressure->full_ns);
		seen |= 1u << pressure->resource;
	}
	cr_expect(seen & 1u << KP_PRESSURE_cpu, "resources %x", seen);
	done(&run);
}
