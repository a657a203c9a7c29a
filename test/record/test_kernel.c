/* SPDX-License-Identifier: MIT
 * The kernel's own work that tasks wait for: work items, by whom they were queued.
 */
#include <fcntl.h>

#include "probes_run.h"

#define SLEEP_MS 30
#define WAITS (ALL_GROUPS & ~(1u << KP_GROUP_syscall))

TestSuite(kernel, .init = need_probes, .timeout = 60);

/* What is written to a terminal, a worker brings to its reader. */
static void write_to_terminal(struct told *told)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	if (fd < 0 || grantpt(fd) || unlockpt(fd))
		_exit(1);
	sleep_ms(SLEEP_MS);
	told->times[0] = mono_ns();
	if (write(fd, "x", 1) != 1)
		_exit(1);
	sleep_ms(SLEEP_MS);
	told->times[1] = mono_ns();
}

/* The function that the kernel's terminals use for it; 0: none has been told. */
static uint64_t find_function(struct run *run, const char *name)
{
	const struct kp_ev_kernel_function *function;
	uint64_t address = 0;

	rewind_run(run);
	while ((function = next_of(run, KP_EV_kernel_function)))
		if (function->data_len == strlen(name) &&
		    !memcmp(KP_TAIL(function), name, function->data_len))
			address = function->function;
	rewind_run(run);
	return address;
}

static const struct kp_ev_work *next_work(struct run *run, uint64_t function)
{
	const struct kp_ev_work *work;

	do
		work = next_of(run, KP_EV_work);
	while (work && !(work->function == function && work->by_tid == run->told->tids[0]));
	return work;
}

Test(kernel, a_work_item_by_who_queued_it)
{
	struct run run = {0};
	const struct kp_ev_work *work;
	uint64_t function;

	record_child(&run, write_to_terminal, (struct kp_recorder_options){.groups = WAITS});
	function = find_function(&run, "flush_to_ldisc");
	cr_assert(function, "the function has no name");
	work = next_work(&run, function);
	cr_assert(work, "no work item of the child");
	cr_expect_neq(work->work, 0);
	cr_expect_neq(work->hdr.tid, run.told->tids[0], "a worker does it");
	cr_expect_eq(work->by_pid, run.told->tids[0]);
	cr_expect_eq(work->ctx, 0, "ctx %x", work->ctx);
	cr_expect(work->queued_ns >= run.told->times[0] && work->queued_ns <= work->begin_ns &&
			  work->begin_ns <= work->hdr.time_ns &&
			  work->hdr.time_ns <= run.told->times[1],
		  "queued %lu begun %lu ended %lu", (unsigned long)work->queued_ns,
		  (unsigned long)work->begin_ns, (unsigned long)work->hdr.time_ns);
	done(&run);
}

Test(kernel, a_short_work_item_is_left_out)
{
	struct run run = {0};

	record_child(
		&run, write_to_terminal,
		(struct kp_recorder_options){.groups = WAITS, .work_threshold_ns = 1000000000});
	cr_expect_null(next_work(&run, find_function(&run, "flush_to_ldisc")));
	done(&run);
}
