/* SPDX-License-Identifier: MIT
 * The kernel's own work that tasks wait for: work items, by whom they were queued, its locks, and
 * requests of io_uring.
 */
#include <fcntl.h>
#include <linux/version.h>
#include <pthread.h>
#include <sys/utsname.h>

#include "probes_run.h"
#include "uring.h"

#define SLEEP_MS 30
#define WAITS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))

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

/* Waits for what another writes to the terminal. */
static void read_from_terminal(struct told *told)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY), far;
	char bytes[8];
	pid_t pid;

	if (fd < 0 || grantpt(fd) || unlockpt(fd))
		_exit(1);
	far = open(ptsname(fd), O_RDWR | O_NOCTTY);
	pid = fork();
	if (!pid) {
		sleep_ms(SLEEP_MS);
		_exit(write(fd, "x\n", 2) != 2);
	}
	told->tids[1] = (uint32_t)pid;
	told->times[0] = mono_ns();
	if (far < 0 || read(far, bytes, sizeof(bytes)) != 2)
		_exit(1);
	told->times[1] = mono_ns();
	waitpid(pid, NULL, 0);
}

Test(kernel, a_worker_that_wakes_stands_for_who_queued_its_item)
{
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;
	const struct kp_ev_work *work;
	uint64_t woken_ns, function;
	uint32_t worker;

	record_child(&run, read_from_terminal, (struct kp_recorder_options){.groups = WAITS});
	function = find_function(&run, "flush_to_ldisc");
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       !(waking->target_tid == run.told->tids[0] &&
		 waking->hdr.time_ns > run.told->times[0]))
		;
	cr_assert(waking, "no wakeup");
	cr_expect_eq(waking->ctx, 0, "ctx %x", waking->ctx);
	cr_expect_neq(waking->hdr.tid, run.told->tids[1], "a worker wakes it");
	worker = waking->hdr.tid;
	woken_ns = waking->hdr.time_ns;
	rewind_run(&run);
	while ((work = next_of(&run, KP_EV_work)) &&
	       !(work->hdr.tid == worker && work->begin_ns <= woken_ns &&
		 woken_ns <= work->hdr.time_ns))
		;
	cr_assert(work, "the waker had no work item");
	cr_expect_eq(work->function, function);
	cr_expect_eq(work->by_tid, run.told->tids[1]);
	done(&run);
}

/* --- locks --- */

#define LOCKS_MS 300
#define LOCK_NS 100000
#define LCB_F_WRITE 4
#define MUCH (32u << 20)

static void *map_much(void *arg)
{
	const uint64_t *end_ns = arg;

	while (mono_ns() < *end_ns)
		munmap(mmap(NULL, MUCH, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
		       MUCH);
	return NULL;
}

static void *map_little(void *arg)
{
	const uint64_t *end_ns = arg;

	while (mono_ns() < *end_ns)
		munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
	return NULL;
}

static unsigned kernel_version(void)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	return KERNEL_VERSION(major, minor, 0);
}

/* Two threads want the lock of their process' memory map. */
static void contend(struct told *told)
{
	uint64_t end_ns = mono_ns() + LOCKS_MS * 1000000ull;
	pthread_t thread;

	(void)told;
	if (pthread_create(&thread, NULL, map_much, &end_ns))
		_exit(1);
	map_little(&end_ns);
	pthread_join(thread, NULL);
}

Test(kernel, a_lock_that_is_waited_for)
{
	struct run run = {0};
	const struct kp_ev_lock_wait *wait;
	unsigned cnt = 0;

	if (kernel_version() < KERNEL_VERSION(5, 19, 0))
		cr_skip_test("needs Linux 5.19, which tells of its locks");
	record_child(&run, contend,
		     (struct kp_recorder_options){.groups = WAITS, .work_threshold_ns = LOCK_NS});
	while ((wait = next_of(&run, KP_EV_lock_wait))) {
		cr_expect_geq(wait->hdr.time_ns - wait->begin_ns, LOCK_NS);
		cr_expect_neq(wait->lock, 0);
		cnt += wait->hdr.pid == run.told->tids[0] && wait->flags == LCB_F_WRITE &&
		       !wait->ret && !wait->ctx;
	}
	cr_expect(cnt, "nobody waited for the memory map");
	done(&run);
}

/* --- io_uring --- */

/* A worker reads a pipe into which something comes after a while. */
static void read_by_ring(struct told *told)
{
	struct ring ring;
	static char byte;
	int fds[2];

	if (!open_ring(&ring) || pipe(fds))
		_exit(1);
	prepare_read(&ring, fds[0], &byte);
	told->times[0] = mono_ns();
	if (!submit(&ring))
		_exit(1);
	sleep_ms(SLEEP_MS);
	told->times[1] = mono_ns();
	if (write(fds[1], "x", 1) != 1 || !await(&ring))
		_exit(1);
	told->times[2] = mono_ns();
}

Test(kernel, a_request_of_io_uring)
{
	struct run run = {0};
	const struct kp_ev_io_uring *request;
	struct ring ring;

	if (!open_ring(&ring))
		cr_skip_test("needs io_uring");
	close(ring.fd);
	record_child(&run, read_by_ring, (struct kp_recorder_options){.groups = WAITS});
	do
		request = next_of(&run, KP_EV_io_uring);
	while (request && request->user_data != USER_DATA);
	cr_assert(request, "no request");
	cr_expect_eq(request->by_pid, run.told->tids[0]);
	cr_expect_eq(request->by_tid, run.told->tids[0]);
	cr_expect_eq(request->hdr.pid, run.told->tids[0], "its worker is a thread of the process");
	cr_expect_eq(request->opcode, IORING_OP_READ);
	cr_expect_eq(request->res, 1);
	cr_expect_neq(request->ring, 0);
	cr_expect(request->submit_ns >= run.told->times[0] &&
			  request->submit_ns <= request->worker_ns &&
			  request->worker_ns < run.told->times[1] &&
			  request->hdr.time_ns >= run.told->times[1] &&
			  request->hdr.time_ns <= run.told->times[2],
		  "submitted %lu given %lu completed %lu", (unsigned long)request->submit_ns,
		  (unsigned long)request->worker_ns, (unsigned long)request->hdr.time_ns);
	done(&run);
}
