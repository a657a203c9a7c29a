/* SPDX-License-Identifier: MIT
 * Tasks that may not run: their cgroup's CPU quota is used up, or it is frozen.
 */
#include <errno.h>

#include "cgroups.h"
#include "probes_run.h"

#define BUSY_MS 400
#define PERIOD_NS 100000000ull
#define QUOTA_NS 5000000ull
#define FROZEN_MS 60
#define WAITS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))

TestSuite(limits, .init = need_probes, .timeout = 60);

static struct group group; /* made by the test, entered by its child */

static void done_in_group(struct run *run)
{
	cr_expect_eq(rmdir(group.path), 0, "%s: %s", group.path, strerror(errno));
	done(run);
}

static void burn(long ms)
{
	uint64_t end_ns = mono_ns() + (uint64_t)ms * 1000000;

	while (mono_ns() < end_ns)
		;
}

/* --- CPU quota --- */

static void use_up_quota(struct told *told)
{
	if (!enter_group(&group))
		_exit(1);
	told->inos[0] = group_number(&group);
	told->inos[1] = group_hierarchy(&group, "cpu");
	told->times[0] = mono_ns();
	burn(BUSY_MS);
}

Test(limits, a_quota_that_is_used_up)
{
	struct run run = {0};
	const struct kp_ev_sched_switch *left;
	const struct kp_ev_throttled *held;
	uint64_t left_ns, sum_ns = 0;

	if (!make_group("cpu", "kprobe-quota", &group))
		cr_skip_test("needs cgroups with CPU quotas");
	cr_assert(group.is_v2 ? write_file(group.path, "cpu.max", "5000 100000")
			      : write_file(group.path, "cpu.cfs_period_us", "100000") &&
					write_file(group.path, "cpu.cfs_quota_us", "5000"));
	record_child(&run, use_up_quota, (struct kp_recorder_options){.groups = WAITS});
	do
		left = next_of(&run, KP_EV_sched_switch);
	while (left && !(left->hdr.tid == run.told->tids[0] && left->flags & KP_SWITCH_THROTTLED));
	cr_assert(left, "it never left its CPU for its quota");
	cr_expect_eq(left->prev_state, 0);
	left_ns = left->hdr.time_ns;
	held = next_of(&run, KP_EV_throttled);
	cr_assert(held, "the end is missing");
	cr_expect_eq(held->hdr.tid, run.told->tids[0]);
	cr_expect(held->begin_ns >= left_ns && held->begin_ns < left_ns + QUOTA_NS,
		  "it begins %ld ns later", (long)(held->begin_ns - left_ns));
	for (; held; held = next_of(&run, KP_EV_throttled)) {
		cr_expect_eq(held->cgroup, run.told->inos[0]);
		cr_expect_eq(held->hierarchy, run.told->inos[1]);
		cr_expect_lt(held->throttled_ns, 2 * PERIOD_NS);
		sum_ns += held->throttled_ns;
	}
	/* Most of the time, but for the periods at the ends and what a busy machine takes. */
	cr_expect(sum_ns > BUSY_MS * 1000000ull / 4 && sum_ns < BUSY_MS * 1000000ull + PERIOD_NS,
		  "%lu ns", (unsigned long)sum_ns);
	done_in_group(&run);
}

/* --- freezing --- */

static void freeze(bool is_on)
{
	if (!write_file(group.path, group.is_v2 ? "cgroup.freeze" : "freezer.state",
			group.is_v2 ? (is_on ? "1" : "0") : (is_on ? "FROZEN" : "THAWED")))
		_exit(1);
}

/* One child computes and is frozen, and one that sleeps. */
static void freeze_children(struct told *told)
{
	pid_t pids[2];

	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			if (!enter_group(&group))
				_exit(1);
			if (i)
				sleep_ms(4 * FROZEN_MS);
			else
				burn(4 * FROZEN_MS);
			_exit(0);
		}
		told->tids[1 + i] = (uint32_t)pids[i];
	}
	told->inos[0] = group_number(&group);
	told->inos[1] = group_hierarchy(&group, "freezer");
	sleep_ms(FROZEN_MS);
	freeze(true);
	sleep_ms(FROZEN_MS);
	freeze(false);
	for (int i = 0; i < 2; i++)
		waitpid(pids[i], NULL, 0);
}

static void check_frozen_task(struct run *run, uint32_t tid)
{
	const struct kp_ev_sched_switch *left;

	rewind_run(run);
	do
		left = next_of(run, KP_EV_sched_switch);
	while (left && !(left->hdr.tid == tid && left->flags & KP_SWITCH_FROZEN));
	cr_assert(left, "task %u never waits frozen", tid);
	cr_expect_neq(left->prev_state, 0);
}

static void record_freezing(struct run *run, const char *controller)
{
	if (!make_group(controller, "kprobe-freeze", &group))
		cr_skip_test("needs cgroups that can be frozen");
	record_child(run, freeze_children, (struct kp_recorder_options){.groups = WAITS});
	check_frozen_task(run, run->told->tids[1]);
}

Test(limits, a_frozen_cgroup_of_version_1)
{
	struct run run = {0};

	record_freezing(&run, "freezer"); /* one that sleeps does so on, since Linux 6.1 */
	done_in_group(&run);
}

Test(limits, a_frozen_cgroup_of_version_2)
{
	uint32_t seen[KP_FREEZE_THAWED + 1] = {0};
	struct run run = {0};
	const struct kp_ev_cgroup_freeze *change;

	record_freezing(&run, "freeze");
	check_frozen_task(&run, run.told->tids[2]);
	rewind_run(&run);
	while ((change = next_of(&run, KP_EV_cgroup_freeze))) {
		if (change->cgroup != run.told->inos[0])
			continue;
		cr_expect_eq(change->hierarchy, 0);
		cr_assert(change->what >= KP_FREEZE_ASKED && change->what <= KP_FREEZE_THAWED);
		seen[change->what]++;
		if (change->what == KP_FREEZE_ASKED || change->what == KP_FREEZE_ENDED)
			cr_expect_eq(change->hdr.tid, run.told->tids[0]);
	}
	for (unsigned what = KP_FREEZE_ASKED; what <= KP_FREEZE_THAWED; what++)
		cr_expect_eq(seen[what], 1, "%u times %u", seen[what], what);
	done_in_group(&run);
}
