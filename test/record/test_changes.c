/* SPDX-License-Identifier: MIT
 * The tier changes while it is recorded: what was begun in one and ends in another.
 */
#include <sys/syscall.h>

#include "accounts.h"
#include "probes_run.h"

#define STEP_MS 1500 /* both tiers are recorded for a second */
#define WAITS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))

TestSuite(changes, .init = need_probes, .timeout = 120);

static void step(int sig)
{
	kill(getppid(), sig);
	sleep_ms(STEP_MS);
}

static void call_often(unsigned cnt)
{
	while (cnt--)
		syscall(SYS_getppid);
}

static void call_in_each_tier(struct told *told)
{
	static const int steps[] = {SIGUSR1, SIGUSR1, SIGUSR1, SIGUSR2, SIGUSR2, SIGUSR2};

	(void)told;
	call_often(20000);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		kill(getppid(), steps[i]);
		for (int ms = 0; ms < STEP_MS; ms += 10) {
			call_often(1000);
			sleep_ms(10);
		}
	}
}

static void expect_tiers(struct run *run, const uint32_t *tiers, size_t cnt)
{
	const struct kp_ev_tier *tier;
	size_t i = 0;

	while ((tier = next_of(run, KP_EV_tier))) {
		if (i && tier->why == KP_TIER_WHY_same)
			continue;
		cr_assert_lt(i, cnt);
		cr_expect_eq(tier->tier, tiers[i]);
		cr_expect_eq(tier->why, i ? KP_TIER_WHY_asked : KP_TIER_WHY_same);
		cr_expect_eq(tier->before, i ? tiers[i - 1] : 0);
		i++;
	}
	cr_expect_eq(i, cnt);
}

Test(changes, accounts_are_exact_across_them)
{
	static const uint32_t tiers[] = {KP_TIER_calls, KP_TIER_waits,    KP_TIER_switches,
					 KP_TIER_none,  KP_TIER_switches, KP_TIER_waits,
					 KP_TIER_calls};
	struct run run = {0};

	record_child(&run, call_in_each_tier, (struct kp_recorder_options){0});
	expect_accounts(&run, false);
	rewind_run(&run);
	expect_tiers(&run, tiers, sizeof(tiers) / sizeof(*tiers));
	done(&run);
}

Test(changes, accounts_are_exact_in_a_flood)
{
	struct run run = {0};

	record_child(&run, call_in_each_tier, (struct kp_recorder_options){.ring_len = 16384});
	expect_accounts(&run, true);
	done(&run);
}

/* A child waits in one call until the calls tier is left, and in another one until it is back. */
static void wait_across(struct told *told)
{
	int first[2], second[2];
	pid_t pid;
	char byte;

	if (pipe(first) || pipe(second))
		_exit(1);
	pid = fork();
	if (!pid) {
		if (read(first[0], &byte, 1) != 1 || readlink("/proc/self/exe", &byte, 1) != 1)
			_exit(1);
		syscall(SYS_readv, second[0], &(struct {
				void *at;
				size_t len;
			}){&byte, 1},
			1);
		_exit(0);
	}
	told->tids[1] = (uint32_t)pid;
	sleep_ms(50);
	step(SIGUSR1);
	if (write(first[1], "x", 1) != 1)
		_exit(1);
	sleep_ms(50);
	step(SIGUSR2);
	if (write(second[1], "x", 1) != 1)
		_exit(1);
	waitpid(pid, NULL, 0);
}

Test(changes, a_call_whose_begin_was_not_seen_says_so)
{
	struct run run = {0};
	const struct kp_ev_syscall *call;
	const struct kp_ev_wait *wait;
	bool found = false;

	record_child(&run, wait_across, (struct kp_recorder_options){0});
	while ((call = next_of(&run, KP_EV_syscall))) {
		if (call->hdr.tid != run.told->tids[1])
			continue;
		cr_expect_neq(call->nr, SYS_readlink, "made where calls have no records");
		if (call->nr != SYS_readv)
			continue;
		cr_expect_eq(call->flags, KP_SYSF_NOENTRY);
		cr_expect_eq(call->entry_ns, call->hdr.time_ns, "not the older call's");
		cr_expect_eq(call->ret, 1);
		found = true;
	}
	cr_expect(found);
	rewind_run(&run);
	do
		wait = next_of(&run, KP_EV_wait);
	while (wait && wait->hdr.tid != run.told->tids[1]);
	cr_assert(wait);
	cr_expect_eq(wait->nr, SYS_readv);
	done(&run);
}

static void move_bytes(struct told *told)
{
	int fds[2];
	char bytes[4];

	(void)told;
	if (pipe(fds))
		_exit(1);
	for (int i = 0; i < 4; i++) {
		if (write(fds[1], "data", 4) != 4 || read(fds[0], bytes, 4) != 4)
			_exit(1);
		if (i < 3)
			step(SIGUSR1);
	}
}

/* What is selected for replay is as complete in the lowest tier as in any. */
Test(changes, the_selected_keep_their_bytes)
{
	struct run run = {0};
	const struct kp_ev_syscall *call;
	const struct kp_ev_payload *payload;
	uint32_t seq = 0;
	int bytes = 0;

	record_child(&run, move_bytes, (struct kp_recorder_options){.groups = WAITS, .pid_cnt = 1});
	while ((call = next_of(&run, KP_EV_syscall))) {
		if (call->hdr.tid != run.told->tids[0] || !call->seq)
			continue;
		cr_expect(!seq || call->seq == seq + 1, "hole after call %u", seq);
		cr_expect_eq(call->flags & KP_SYSF_PAYLOAD, KP_SYSF_PAYLOAD);
		cr_expect(!(call->flags & KP_SYSF_NOENTRY) || !seq, "call %u", call->seq);
		seq = call->seq;
	}
	rewind_run(&run);
	while ((payload = next_of(&run, KP_EV_payload)))
		bytes += payload->hdr.tid == run.told->tids[0] && payload->data_len == 4 &&
			 !memcmp(KP_TAIL(payload), "data", 4);
	cr_expect_eq(bytes, 8);
	done(&run);
}
