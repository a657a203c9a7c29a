/* SPDX-License-Identifier: MIT
 * A process that computes on is killed after its budget of CPU time, and not before.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/filter.h"
#include "replay/tracee.h"
#include "replay/watchdog.h"

static const struct kp_watch_limits none;

static pid_t start_spinning(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			__asm__ volatile("pause");
	return pid;
}

Test(watchdog, kills_what_does_not_stop, .timeout = 30)
{
	struct kp_watchdog *dog = NULL;
	struct kp_err err = {""};
	pid_t pid = start_spinning();
	int status;

	cr_assert_eq(kp_watchdog_new(pid, &none, &dog, &err), 0, "%s", err.text);
	usleep(700000); /* not armed: nothing happens */
	cr_expect_eq(kp_watchdog_fired(dog), KP_WATCH_RUNS);
	kp_watchdog_arm(dog, 100000000);
	waitpid(pid, &status, 0);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cr_expect_eq(kp_watchdog_fired(dog), KP_WATCH_STUCK);
	kp_watchdog_free(dog);
}

static pid_t start_filling(void)
{
	const size_t len = 1 << 20;
	pid_t pid = fork();
	char *at;

	if (pid == 0)
		for (;;) {
			at = malloc(len);
			if (!at)
				_exit(1);
			memset(at, 1, len);
		}
	return pid;
}

/* Starts it, watches it within these limits, and waits for its end. */
static void expect_end(pid_t pid, struct kp_watch_limits limits, enum kp_watch_end end)
{
	struct kp_watchdog *dog = NULL;
	struct kp_err err = {""};
	struct rusage usage;
	int status;

	cr_assert_eq(kp_watchdog_new(pid, &limits, &dog, &err), 0, "%s", err.text);
	wait4(pid, &status, 0, &usage);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cr_expect_eq(kp_watchdog_fired(dog), end);
	cr_expect_lt(usage.ru_maxrss, 300 * 1024);
	kp_watchdog_free(dog);
}

Test(watchdog, limits_hold_also_while_it_is_not_armed, .timeout = 60)
{
	expect_end(start_filling(), (struct kp_watch_limits){.memory = 100 << 20}, KP_WATCH_MEMORY);
	expect_end(start_spinning(), (struct kp_watch_limits){.cpu_ns = 200000000}, KP_WATCH_TIME);
}

Test(watchdog, watches_the_sandboxed_process, .timeout = 30)
{
	struct kp_tracee tracee;
	struct kp_err err = {""};
	struct kp_stop stop;
	int stub = kp_stub_create(0x10000);
	struct kp_filter filter;
	struct kp_spawn spawn = {.exe_fd = stub, .filter = &filter};
	static const unsigned char loop[] = {0xeb, 0xfe}; /* jmp to itself */

	kp_filter_build(KP_FILTER_REPLAY, &filter);
	cr_assert_eq(kp_tracee_spawn(&tracee, &spawn, &err), 0, "%s", err.text);
	cr_assert_eq(kp_tracee_poke(&tracee, 0x10000 + KP_STUB_CODE, loop, sizeof loop), 0);
	cr_assert_eq(kp_tracee_run(&tracee, PTRACE_SYSEMU, 0, 100000000, &stop, &err), 0);
	cr_expect_eq(stop.kind, KP_STOP_STUCK);
	kp_tracee_done(&tracee);
	close(stub);
}
