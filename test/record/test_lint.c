/* SPDX-License-Identifier: MIT
 * Warnings about processes that have no exec, whatever the order in which rings are read.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "record/lint.h"

#define MAKER 100
#define CHILD 101

static char warning[512];
static int warned, put;

static void on_warning(const char *text, void *arg)
{
	(void)arg;
	warned++;
	snprintf(warning, sizeof(warning), "%s", text);
}

static void on_put(void *arg, const struct kp_hdr *event)
{
	(void)arg;
	put += event->kind == KP_EV_replay_lint;
}

static const struct kp_sink sink = {.put = on_put};

static struct kp_lint *make(void)
{
	struct kp_lint_options options = {.sink = &sink, .warn = on_warning};
	struct kp_lint *lint;
	struct kp_err err;

	warned = put = 0;
	cr_assert_eq(kp_lint_new(&options, &lint, &err), 0);
	return lint;
}

static struct kp_hdr header(uint16_t kind, uint64_t time_ns, uint32_t pid)
{
	return (struct kp_hdr){.kind = kind, .time_ns = time_ns, .pid = pid, .tid = pid};
}

/* Calls that are served without a word: getpid. */
static void calls(struct kp_lint *lint, uint64_t time_ns, uint32_t pid)
{
	struct kp_ev_syscall call = {.hdr = header(KP_EV_syscall, time_ns, pid), .nr = 39};

	kp_lint_selected(lint, &call.hdr);
}

static void forks(struct kp_lint *lint, uint64_t time_ns, uint32_t shares_memory)
{
	struct kp_ev_task_fork fork = {.hdr = header(KP_EV_task_fork, time_ns, MAKER),
				       .child_pid = CHILD,
				       .child_tid = CHILD,
				       .shares_memory = shares_memory};

	kp_lint_life(lint, &fork.hdr);
}

static void execs(struct kp_lint *lint, uint64_t time_ns)
{
	struct kp_ev_task_exec exec = {.hdr = header(KP_EV_task_exec, time_ns, CHILD)};

	kp_lint_life(lint, &exec.hdr);
}

static void ends(struct kp_lint *lint, uint64_t time_ns)
{
	struct kp_ev_task_exit end = {.hdr = header(KP_EV_task_exit, time_ns, CHILD),
				      .group_dead = 1};

	kp_lint_life(lint, &end.hdr);
}

Test(lint, fork_that_is_read_before_its_makers_calls_is_told)
{
	struct kp_lint *lint = make();

	ends(lint, 30);
	forks(lint, 20, 0);
	kp_lint_turn(lint, 15);
	calls(lint, 10, MAKER);
	cr_expect_eq(warned, 0);
	kp_lint_turn(lint, 30);
	cr_expect_eq(warned, 1);
	cr_expect_eq(put, 1);
	cr_expect(strstr(warning, "process 101 was forked and ran no program"), "%s", warning);
	kp_lint_free(lint);
}

Test(lint, exec_that_is_read_after_the_end_counts)
{
	struct kp_lint *lint = make();

	calls(lint, 10, MAKER);
	ends(lint, 30);
	execs(lint, 25);
	forks(lint, 20, 0);
	kp_lint_turn(lint, UINT64_MAX);
	cr_expect_eq(warned, 0);
	kp_lint_free(lint);
}

Test(lint, neither_vforks_nor_strangers_are_told)
{
	struct kp_lint *lint = make();

	forks(lint, 20, 0);
	ends(lint, 30);
	kp_lint_turn(lint, 40); /* nobody selected the maker */
	calls(lint, 50, MAKER);
	forks(lint, 60, 1);
	ends(lint, 70);
	kp_lint_turn(lint, 80);
	cr_expect_eq(warned, 0);
	kp_lint_free(lint);
}
