/* SPDX-License-Identifier: MIT
 * Memory that is not to be had at once: each kind of event is provoked in a memory cgroup of its
 * own, and found with what it must say.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/sysmacros.h>

#include "cgroups.h"
#include "probes_run.h"

#define LIMIT "8388608"
#define MUCH (64u << 20)

TestSuite(memory, .init = need_probes, .timeout = 60);

static struct group group; /* made by the test, entered by its child */

static void need_limit(const char *name)
{
	if (!make_group("memory", name, &group))
		cr_skip_test("needs memory cgroups");
	cr_assert(write_file(group.path, group.is_v2 ? "memory.max" : "memory.limit_in_bytes",
			     LIMIT));
}

static void done_in_group(struct run *run)
{
	cr_expect_eq(rmdir(group.path), 0, "%s: %s", group.path, strerror(errno));
	done(run);
}

/* Writes a file larger than its memory cgroup may use. */
static void be_short_of_memory(struct told *told)
{
	static char bytes[65536];
	char path[] = "/var/tmp/kprobe-reclaim-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || !enter_group(&group))
		_exit(1);
	told->inos[0] = group_number(&group);
	told->inos[1] = group_hierarchy(&group, "memory");
	for (unsigned len = 0; len < MUCH; len += sizeof(bytes))
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
			_exit(1);
	unlink(path);
}

Test(memory, reclaim_of_a_memory_cgroup)
{
	struct run run = {0};
	const struct kp_ev_reclaim *reclaim;

	need_limit("kprobe-reclaim");
	record_child(&run, be_short_of_memory, (struct kp_recorder_options){0});
	while ((reclaim = next_of(&run, KP_EV_reclaim)) && reclaim->hdr.pid != run.told->tids[0])
		;
	cr_assert(reclaim, "no reclaim");
	cr_expect_eq(reclaim->memcg, 1);
	cr_expect_lt(reclaim->entry_ns, reclaim->hdr.time_ns);
	cr_expect_eq(reclaim->cgroup, run.told->inos[0]);
	cr_expect_eq(reclaim->hierarchy, run.told->inos[1]);
	while (reclaim && !(reclaim->hdr.pid == run.told->tids[0] && reclaim->nr_reclaimed))
		reclaim = next_of(&run, KP_EV_reclaim);
	cr_expect(reclaim, "nothing was ever freed");
	done_in_group(&run);
}

/* What a group of version 1 writes is not slowed down before its memory is full of it. */
Test(memory, a_wait_of_reclaim)
{
	struct run run = {0};
	const struct kp_ev_reclaim_wait *wait;

	need_limit("kprobe-reclaim-wait");
	if (group.is_v2 || !has_type("btf_trace_mm_vmscan_throttled")) {
		rmdir(group.path);
		cr_skip_test("needs Linux 5.16 with memory cgroups of version 1");
	}
	record_child(&run, be_short_of_memory, (struct kp_recorder_options){0});
	while ((wait = next_of(&run, KP_EV_reclaim_wait)) && wait->hdr.pid != run.told->tids[0])
		;
	cr_assert(wait, "it never waited");
	cr_expect_eq(wait->cgroup, run.told->inos[0]);
	cr_expect_eq(wait->hierarchy, run.told->inos[1]);
	cr_expect_eq(wait->reason, KP_RECLAIM_WAIT_WRITEBACK, "%u", wait->reason);
	cr_expect_gt(wait->timeout_us, 0);
	cr_expect_leq(wait->waited_us, wait->timeout_us);
	done_in_group(&run);
}

/* --- writers that are slowed down --- */

#define IMAGE "/var/tmp/kprobe-disk.image"

/* Writes more to a disk of its own than the kernel lets be dirty of it. */
static void write_much(struct told *told)
{
	static char bytes[65536];
	char path[64];
	struct stat st;
	int fd;

	if (unshare(CLONE_NEWNS) ||
	    system("mount --make-rprivate / && mount -o loop " IMAGE " /mnt") || stat("/mnt", &st))
		_exit(1);
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u", major(st.st_dev), minor(st.st_dev));
	if (!write_file(path, "strict_limit", "1") || !write_file(path, "max_bytes", "65536"))
		_exit(1);
	told->addr = major(st.st_dev) << 20 | minor(st.st_dev);
	fd = open("/mnt/much", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (unsigned len = 0; len < MUCH / 4; len += sizeof(bytes))
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
			_exit(1);
	close(fd);
}

static void need_disk(void)
{
	need_probes();
	if (system("ls /sys/class/bdi/*/strict_limit >/dev/null 2>&1"))
		cr_skip_test("needs Linux 6.2");
	if (system("losetup -f >/dev/null 2>&1 && truncate -s 64M " IMAGE " && mkfs.ext4 -q " IMAGE
		   " 2>/dev/null"))
		cr_skip_test("needs loop devices and mkfs.ext4");
}

Test(memory, a_writer_that_is_slowed_down, .init = need_disk)
{
	struct run run = {0};
	const struct kp_ev_write_wait *wait;
	const struct kp_ev_sched_switch *left;

	record_child(&run, write_much, (struct kp_recorder_options){0});
	unlink(IMAGE);
	while ((wait = next_of(&run, KP_EV_write_wait)) && wait->hdr.pid != run.told->tids[0])
		;
	cr_assert(wait, "it was never slowed down");
	cr_expect_eq(wait->dev, run.told->addr, "%x", wait->dev);
	cr_expect_gt(wait->pause_us, 0);
	left = next_of(&run, KP_EV_sched_switch);
	while (left && left->hdr.tid != run.told->tids[0])
		left = next_of(&run, KP_EV_sched_switch);
	cr_assert(left, "it went on");
	cr_expect_neq(left->prev_state, 0);
	cr_expect(left->flags & KP_SWITCH_IOWAIT);
	done(&run);
}

static void compact(struct told *told)
{
	told->inos[0] = group_number(&group);
	told->inos[1] = group_hierarchy(&group, "memory");
	if (!enter_group(&group) || !write_file("/proc/sys/vm", "compact_memory", "1"))
		_exit(1);
}

Test(memory, compaction)
{
	struct run run = {0};
	const struct kp_ev_compaction *compaction;

	if (access("/proc/sys/vm/compact_memory", W_OK))
		cr_skip_test("needs a kernel with compaction");
	need_limit("kprobe-compact");
	record_child(&run, compact, (struct kp_recorder_options){0});
	while ((compaction = next_of(&run, KP_EV_compaction)) &&
	       compaction->hdr.pid != run.told->tids[0])
		;
	cr_assert(compaction, "no compaction");
	cr_expect_lt(compaction->entry_ns, compaction->hdr.time_ns);
	cr_expect_eq(compaction->cgroup, run.told->inos[0]);
	cr_expect_eq(compaction->hierarchy, run.told->inos[1]);
	cr_expect(compaction->order == -1 || compaction->order == -2, "order %d",
		  compaction->order);
	cr_expect(compaction->result >= 3 && compaction->result <= 8, "result %u",
		  compaction->result);
	cr_expect_eq(compaction->flags & ~KP_COMPACT_DIRECT, KP_COMPACT_SYNC);
	done_in_group(&run);
}

/* A child of the child needs more memory than it may have, and is killed. */
static void run_out_of_memory(struct told *told)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (!enter_group(&group) || !write_file("/proc/self", "oom_score_adj", "300"))
			_exit(1);
		mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		     -1, 0);
		_exit(1);
	}
	told->tids[1] = (uint32_t)pid;
	told->inos[0] = group_number(&group);
	told->inos[1] = group_hierarchy(&group, "memory");
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		_exit(1);
}

Test(memory, oom_kill)
{
	struct run run = {0};
	const struct kp_ev_oom_kill *kill;

	need_limit("kprobe-oom");
	record_child(&run, run_out_of_memory, (struct kp_recorder_options){0});
	while ((kill = next_of(&run, KP_EV_oom_kill)) && kill->victim_tid != run.told->tids[1])
		;
	cr_assert(kill, "no kill");
	cr_expect_eq(kill->hdr.pid, run.told->tids[1], "it wanted the memory itself");
	cr_expect_eq(kill->victim_pid, run.told->tids[1]);
	cr_expect_eq(kill->cgroup, run.told->inos[0]);
	cr_expect_eq(kill->hierarchy, run.told->inos[1]);
	cr_expect_eq(kill->score_adj, 300);
	done_in_group(&run);
}
