/* SPDX-License-Identifier: MIT
 * Waits in page faults: for a page of a file, one that was swapped out, and another task.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <sys/syscall.h>

#include "cgroups.h"
#include "probes_run.h"

#define SLEEP_MS 30
#define WAITS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))
#define FILE_LEN (4u << 20)
#define SWAP_LEN (64u << 20)
#define LIMIT "8388608"
#define MUCH (24u << 20)
#define PAGE_LEN 4096

TestSuite(faults, .init = need_probes, .timeout = 60);

/* Reads a byte of each page, in a function of its own, so that the instruction is one of it. */
static __attribute__((noinline)) unsigned touch(const volatile char *at, unsigned len)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < len; i += PAGE_LEN)
		sum += (unsigned)at[i];
	return sum;
}
#define TOUCH_LEN 256 /* its code is shorter */

/* The next wait in a fault of that kind by the task; NULL: none. */
static const struct kp_ev_fault_wait *next_wait(struct run *run, uint32_t tid, enum kp_fault fault)
{
	const struct kp_ev_fault_wait *wait;

	do
		wait = next_of(run, KP_EV_fault_wait);
	while (wait && !(wait->hdr.tid == tid && wait->fault == fault));
	return wait;
}

static void check_touch(const struct kp_ev_fault_wait *wait)
{
	cr_expect(wait->ip >= (uintptr_t)touch && wait->ip < (uintptr_t)touch + TOUCH_LEN,
		  "it was at %lx, touch is at %p", (unsigned long)wait->ip, (void *)touch);
}

static void read_mapped_file(struct told *told)
{
	char path[] = "/var/tmp/kprobe-fault-XXXXXX";
	int fd = mkstemp(path);
	char *at;

	(void)told;
	if (fd < 0 || posix_fallocate(fd, 0, FILE_LEN) || write(fd, path, sizeof(path)) < 0)
		_exit(1);
	for (unsigned i = 0; i < FILE_LEN; i += PAGE_LEN)
		if (pwrite(fd, path, sizeof(path), i) < 0)
			_exit(1);
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		_exit(1);
	at = mmap(NULL, FILE_LEN, PROT_READ, MAP_PRIVATE, fd, 0);
	madvise(at, FILE_LEN, MADV_RANDOM);
	touch(at, FILE_LEN);
	unlink(path);
}

Test(faults, a_page_of_a_file)
{
	struct run run = {0};
	const struct kp_ev_fault_wait *wait;
	const struct kp_ev_sched_switch *left, *again;
	uint32_t maj_flt;

	record_child(&run, read_mapped_file, (struct kp_recorder_options){.groups = WAITS});
	wait = next_wait(&run, run.told->tids[0], KP_FAULT_file);
	cr_assert(wait, "no wait for a file");
	check_touch(wait);
	do
		left = next_of(&run, KP_EV_sched_switch);
	while (left && left->hdr.tid != run.told->tids[0]);
	cr_assert(left);
	cr_expect(left->flags & KP_SWITCH_IOWAIT);
	cr_expect(left->prev_state & KP_TASK_UNINTERRUPTIBLE);
	maj_flt = left->prev_maj_flt;
	do
		again = next_of(&run, KP_EV_sched_switch);
	while (again && !(again->hdr.tid == run.told->tids[0] && again->prev_maj_flt != maj_flt));
	cr_expect(again, "the fault was no major one");
	done(&run);
}

/* --- swap --- */

static struct group group;
static char swap_path[] = "/var/tmp/kprobe-swap-XXXXXX";

/* Swap for the test alone; false: it cannot be had here. */
static bool add_swap(void)
{
	static char zeros[1u << 16];
	char command[128];
	int fd = mkstemp(swap_path);

	if (fd < 0)
		return false;
	for (unsigned len = 0; len < SWAP_LEN; len += sizeof(zeros))
		if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros))
			return false;
	fsync(fd);
	close(fd);
	snprintf(command, sizeof(command), "mkswap %s >/dev/null 2>&1", swap_path);
	return system(command) == 0 && swapon(swap_path, 0) == 0;
}

static void use_swapped_memory(struct told *told)
{
	char *at;

	(void)told;
	if (!enter_group(&group))
		_exit(1);
	at = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(at, MUCH, MADV_NOHUGEPAGE);
	memset(at, 1, MUCH);
	if (touch(at, MUCH) != MUCH / PAGE_LEN)
		_exit(1);
}

Test(faults, a_page_that_was_swapped_out)
{
	struct run run = {0};
	const struct kp_ev_fault_wait *wait;
	bool has_swap;

	if (!make_group("memory", "kprobe-swap", &group))
		cr_skip_test("needs memory cgroups");
	has_swap = add_swap();
	if (!has_swap) {
		unlink(swap_path);
		rmdir(group.path);
		cr_skip_test("needs a file system that can have a swap file at /var/tmp");
	}
	cr_assert(write_file(group.path, group.is_v2 ? "memory.max" : "memory.limit_in_bytes",
			     LIMIT));
	record_child(&run, use_swapped_memory, (struct kp_recorder_options){.groups = WAITS});
	cr_expect_eq(swapoff(swap_path), 0);
	unlink(swap_path);
	do
		wait = next_wait(&run, run.told->tids[0], KP_FAULT_swap);
	while (wait && (wait->ip < (uintptr_t)touch || wait->ip >= (uintptr_t)touch + TOUCH_LEN));
	cr_expect(wait, "no wait for swap while it reads");
	cr_expect_eq(rmdir(group.path), 0, "%s: %s", group.path, strerror(errno));
	done(&run);
}

/* --- another task --- */

struct served {
	int fd;
	char *at;
};

static void *serve(void *arg)
{
	const struct served *s = arg;
	struct uffdio_zeropage page = {.range = {.start = (uintptr_t)s->at, .len = PAGE_LEN}};
	struct uffd_msg msg;

	if (read(s->fd, &msg, sizeof(msg)) != sizeof(msg))
		_exit(1);
	sleep_ms(SLEEP_MS);
	if (ioctl(s->fd, UFFDIO_ZEROPAGE, &page))
		_exit(1);
	return NULL;
}

static void be_served(struct told *told)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register all = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	struct served s;
	pthread_t thread;

	(void)told;
	s.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	s.at = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	all.range.start = (uintptr_t)s.at;
	all.range.len = PAGE_LEN;
	if (s.fd < 0 || ioctl(s.fd, UFFDIO_API, &api) || ioctl(s.fd, UFFDIO_REGISTER, &all) ||
	    pthread_create(&thread, NULL, serve, &s))
		_exit(1);
	touch(s.at, PAGE_LEN);
	pthread_join(thread, NULL);
}

Test(faults, a_page_that_another_task_brings)
{
	struct run run = {0};
	const struct kp_ev_fault_wait *wait;
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		cr_skip_test("needs userfaultfd");
	close((int)fd);
	record_child(&run, be_served, (struct kp_recorder_options){.groups = WAITS});
	wait = next_wait(&run, run.told->tids[0], KP_FAULT_user);
	cr_assert(wait, "no wait for the other task");
	check_touch(wait);
	done(&run);
}
