/* SPDX-License-Identifier: MIT
 * The pipeline: what is put is in the log or counted, in order, also when the disk is full.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "event/kinds.h"
#include "log/reader.h"
#include "record/pipeline.h"

/* Stands before the C library's: a file of /proc that does not answer. */
static _Atomic bool hangs;
static _Atomic unsigned hung_pid;

ssize_t readlink(const char *path, char *target, size_t cap)
{
	unsigned pid;

	if (hangs && sscanf(path, "/proc/%u/fd/", &pid) == 1)
		hung_pid = pid;
	while (hangs)
		usleep(1000);
	return syscall(SYS_readlink, path, target, cap);
}

/* Likewise: a disk that does not answer. */
static _Atomic bool disk_hangs;
/* … or fails so, as long as this file is there if it has a name. */
static _Atomic int disk_error;
static char disk_error_while[512];

ssize_t pwritev(int fd, const struct iovec *iov, int cnt, off_t offset)
{
	while (disk_hangs)
		usleep(1000);
	if (disk_error && (!*disk_error_while || !access(disk_error_while, F_OK))) {
		errno = disk_error;
		return -1;
	}
	return syscall(SYS_pwritev, fd, iov, cnt, offset, 0);
}

static char dir[] = "/tmp/kprobe-pipeline-XXXXXX";

static void make_dir(void)
{
	cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(pipeline, .init = make_dir, .fini = remove_dir);

static struct kp_pipeline *start_limited(uint64_t queue_len, struct kp_retain_limits limits)
{
	struct kp_pipeline_options options = {
		.dir = dir,
		.log = {.codec = KP_CODEC_DELTA_ZSTD,
			.segment_len = kp_retain_is_wanted(&limits) ? 65536 : 0},
		.queue_len = queue_len,
		.sync_ns = 10000000,
		.retain = limits,
	};
	struct kp_pipeline *pipeline;
	struct kp_err err = {""};

	cr_assert_eq(kp_pipeline_start(&options, &pipeline, &err), 0, "%s", err.text);
	return pipeline;
}

static struct kp_pipeline *start(uint64_t queue_len)
{
	return start_limited(queue_len, (struct kp_retain_limits){0});
}

static int stop(struct kp_pipeline *pipeline)
{
	struct kp_pipeline_end end = {.reason = KP_END_TIME};

	return kp_pipeline_stop(pipeline, &end, NULL);
}

static struct kp_ev_task_exit event(uint32_t cpu, uint32_t i)
{
	return (struct kp_ev_task_exit){.hdr = {.time_ns = 1000 + i,
						.size = sizeof(struct kp_ev_task_exit),
						.kind = KP_EV_task_exit,
						.cpu = (uint16_t)cpu,
						.pid = 7,
						.tid = i}};
}

/* Counts the events of task_exit per CPU and checks their order. */
static void count_log(uint64_t cnt[2])
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_task_exit)};
	struct kp_log_reader *reader;
	const struct kp_hdr *hdr;
	struct kp_err err = {""};
	uint32_t last[2] = {0, 0};

	cnt[0] = cnt[1] = 0;
	cr_assert_eq(kp_log_open(dir, &filter, &reader, &err), 0, "%s", err.text);
	while (kp_log_next(reader, &hdr, &err) == 1) {
		cr_assert_lt(hdr->cpu, 2);
		cr_assert_geq(hdr->tid, last[hdr->cpu]);
		last[hdr->cpu] = hdr->tid;
		cnt[hdr->cpu]++;
	}
	kp_log_reader_free(reader);
}

Test(pipeline, everything_put_is_in_the_log_in_order)
{
	struct kp_pipeline *pipeline = start(0);
	struct kp_accounts accounts;
	struct kp_ev_task_exit ev;
	uint64_t cnt[2];

	for (uint32_t i = 0; i < 50000; i++) {
		ev = event(i & 1, i);
		kp_pipeline_put(pipeline, i & 1, &ev.hdr);
	}
	kp_pipeline_drain(pipeline);
	kp_pipeline_accounts(pipeline, 1, &accounts);
	cr_assert_eq(accounts.stored[KP_GROUP_life], 25000);
	cr_assert_eq(accounts.dropped[KP_GROUP_life], 0);
	cr_assert_eq(stop(pipeline), 0);
	count_log(cnt);
	cr_assert_eq(cnt[0], 25000);
	cr_assert_eq(cnt[1], 25000);
}

Test(pipeline, a_full_queue_drops_and_counts)
{
	struct kp_pipeline *pipeline = start(2 * KP_BLOCK_RAW_MAX);
	const uint32_t round = 2000000, most = 25 * round;
	struct kp_accounts accounts;
	struct kp_ev_task_exit ev;
	uint32_t total = 0;
	uint64_t cnt[2];

	/* On a busy machine the writing thread may keep up for a while. */
	do {
		for (uint32_t i = 0; i < round; i++) {
			ev = event(0, total++);
			kp_pipeline_put(pipeline, 0, &ev.hdr);
		}
		kp_pipeline_accounts(pipeline, 0, &accounts);
	} while (!accounts.dropped[KP_GROUP_life] && total < most);
	kp_pipeline_drain(pipeline);
	kp_pipeline_accounts(pipeline, 0, &accounts);
	cr_assert_eq(stop(pipeline), 0);
	count_log(cnt);
	cr_assert_gt(accounts.dropped[KP_GROUP_life], 0);
	cr_assert_eq(accounts.stored[KP_GROUP_life], cnt[0]);
	cr_assert_eq(accounts.stored[KP_GROUP_life] + accounts.dropped[KP_GROUP_life], total);
}

Test(pipeline, a_file_that_cannot_grow_loses_and_counts)
{
	struct kp_pipeline *pipeline = start(0);
	struct rlimit limit = {1 << 20, 1 << 20};
	struct kp_accounts accounts;
	struct kp_ev_task_exit ev;
	struct kp_err err = {""};
	uint64_t cnt[2];

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	srandom(1);
	for (uint32_t i = 0; i < 400000; i++) {
		ev = event(0, i);
		ev.exit_code = (uint32_t)random(); /* so that it does not compress */
		kp_pipeline_put(pipeline, 0, &ev.hdr);
	}
	kp_pipeline_drain(pipeline);
	cr_assert_lt(kp_pipeline_error(pipeline, &err), 0);
	cr_assert(err.text[0]);
	kp_pipeline_accounts(pipeline, 0, &accounts);
	stop(pipeline);
	count_log(cnt);
	cr_assert_gt(accounts.dropped[KP_GROUP_life], 0);
	cr_assert_eq(accounts.stored[KP_GROUP_life], cnt[0]);
	cr_assert_eq(accounts.stored[KP_GROUP_life] + accounts.dropped[KP_GROUP_life], 400000);
}

/* 64 CPUs with four streams each: what they fill slowly leaves the queue its room, and what they
 * fill fast while the disk hangs takes no more memory than is said. */
Test(pipeline, many_streams_stay_below_the_ceiling, .timeout = 60)
{
	static const uint32_t rings[] = {0, KP_STREAM_LIFE, KP_STREAM_SELECTED,
					 KP_STREAM_SELECTED | KP_STREAM_BULK};
	const uint32_t slow = 40, fast = 4000, cpus = 64;
	struct kp_pipeline *pipeline = start(32 * KP_BLOCK_RAW_MAX);
	uint64_t stored = 0, dropped = 0;
	struct kp_accounts accounts;
	struct kp_ev_task_exit ev;
	size_t max;

	for (uint32_t i = 0; i < slow + fast; i++) {
		disk_hangs = i >= slow;
		for (uint32_t stream = 0; stream < 4 * cpus; stream++) {
			ev = event(stream / 4, i);
			kp_pipeline_put(pipeline, stream / 4 | rings[stream % 4], &ev.hdr);
			kp_pipeline_accounts(pipeline, stream / 4 | rings[stream % 4], &accounts);
			cr_assert(i >= slow || !accounts.dropped[KP_GROUP_life]);
		}
		cr_assert_leq(kp_pipeline_memory(pipeline, &max), max);
	}
	cr_expect_leq(max, (32 + 20 + 32) * KP_BLOCK_RAW_MAX);
	disk_hangs = false;
	kp_pipeline_drain(pipeline);
	for (uint32_t stream = 0; stream < 4 * cpus; stream++) {
		kp_pipeline_accounts(pipeline, stream / 4 | rings[stream % 4], &accounts);
		stored += accounts.stored[KP_GROUP_life];
		dropped += accounts.dropped[KP_GROUP_life];
	}
	cr_expect_eq(stored + dropped, (uint64_t)(slow + fast) * 4 * cpus);
	cr_expect_gt(dropped, 0);
	cr_expect_eq(stop(pipeline), 0);
}

static void put_lost(const struct kp_sink *sink, uint64_t count)
{
	struct kp_ev_lost lost = {
		.count = count, .lost_group = KP_GROUP_life, .from_ns = 1, .to_ns = 2};

	kp_sink_put_fixed(sink, KP_EV_lost, &lost, sizeof(lost));
}

/* Whoever empties the rings goes on while the disk hangs: that it ends is the test. What it could
 * not say of losses is known when there is room. */
Test(pipeline, a_disk_that_hangs_does_not_stop_the_drain, .timeout = 60)
{
	struct kp_pipeline *pipeline = start(2 * KP_BLOCK_RAW_MAX);
	struct kp_accounts accounts;
	struct kp_unsaid unsaid;
	struct kp_ev_task_exit ev;
	const uint32_t cnt = 200000;

	disk_hangs = true;
	for (uint32_t i = 0; i < cnt; i++) {
		ev = event(0, i);
		kp_pipeline_put(pipeline, 0, &ev.hdr);
		put_lost(kp_pipeline_drain_sink(pipeline), 1);
	}
	disk_hangs = false;
	kp_pipeline_drain(pipeline);
	kp_pipeline_take_unsaid(pipeline, 0, &unsaid);
	kp_pipeline_accounts(pipeline, KP_CPU_USER, &accounts);
	cr_expect_gt(accounts.dropped[KP_GROUP_meta], 0);
	cr_expect_eq(unsaid.cnt[KP_GROUP_life], accounts.dropped[KP_GROUP_meta]);
	cr_expect_eq(unsaid.from_ns, 1);
	kp_pipeline_accounts(pipeline, 0, &accounts);
	cr_expect_gt(accounts.dropped[KP_GROUP_life], 0);
	cr_expect_eq(accounts.stored[KP_GROUP_life] + accounts.dropped[KP_GROUP_life], cnt);
	cr_expect_eq(stop(pipeline), 0);
}

/* Neither those who put events nor the end wait for a snapshot that does not come; the log says so.
 */
Test(pipeline, a_snapshot_that_hangs_is_given_up, .timeout = 60)
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_snapshot)};
	struct kp_log_reader *reader;
	struct kp_pipeline *pipeline;
	struct kp_ev_task_exit ev;
	struct kp_err err = {""};
	const struct kp_hdr *hdr;
	uint64_t cnt[2];
	uint32_t pid;

	hangs = true;
	pipeline = start(0);
	while (!hung_pid)
		usleep(1000);
	cr_assert(kp_pipeline_snapshot_hangs(pipeline, 0, &pid));
	cr_assert_eq(pid, hung_pid);
	for (uint32_t i = 0; i < 50000; i++) {
		ev = event(i & 1, i);
		kp_pipeline_put(pipeline, i & 1, &ev.hdr);
	}
	kp_pipeline_drain(pipeline);
	cr_assert_eq(stop(pipeline), 0);
	hangs = false;
	count_log(cnt);
	cr_assert_eq(cnt[0] + cnt[1], 50000);
	cr_assert_eq(kp_log_open(dir, &filter, &reader, &err), 0, "%s", err.text);
	cr_assert_eq(kp_log_next(reader, &hdr, &err), 1);
	cr_assert_eq(((const struct kp_ev_snapshot *)hdr)->hung_pid, hung_pid);
	cr_assert_eq(kp_log_next(reader, &hdr, &err), 0);
	kp_log_reader_free(reader);
}

/* Each segment has its snapshot, complete. */
Test(pipeline, a_snapshot_ends_with_its_counts)
{
	struct kp_log_filter filter = {0};
	struct kp_pipeline *pipeline = start(0);
	const struct kp_ev_snapshot *end = NULL;
	uint32_t tasks = 0, fds = 0;
	struct kp_log_reader *reader;
	struct kp_err err = {""};
	const struct kp_hdr *hdr;

	cr_assert_eq(stop(pipeline), 0);
	cr_assert_eq(kp_log_open(dir, &filter, &reader, &err), 0, "%s", err.text);
	while (kp_log_next(reader, &hdr, &err) == 1) {
		cr_assert_null(end);
		tasks += hdr->kind == KP_EV_task;
		fds += hdr->kind == KP_EV_fd;
		if (hdr->kind != KP_EV_snapshot)
			continue;
		end = (const void *)hdr;
		cr_assert_eq(end->hung_pid, 0);
		cr_assert_eq(end->segment, 1);
		cr_assert_eq(end->task_cnt, tasks);
		cr_assert_eq(end->fd_cnt, fds);
		cr_assert_gt(tasks, 1);
	}
	cr_assert_not_null(end);
	kp_log_reader_free(reader);
}

/* --- a disk that takes no more --- */

static void put_many(struct kp_pipeline *pipeline, uint32_t from, uint32_t cnt)
{
	struct kp_ev_task_exit ev;

	for (uint32_t i = from; i < from + cnt; i++) {
		ev = event(0, i);
		ev.exit_code = (uint32_t)random(); /* so that it does not compress */
		kp_pipeline_put(pipeline, 0, &ev.hdr);
	}
	kp_pipeline_flush(pipeline, 0);
}

static void wait_until_short(struct kp_pipeline *pipeline, bool is_short)
{
	struct kp_disk_look look;

	do {
		usleep(1000);
		kp_pipeline_disk(pipeline, &look);
	} while (look.is_short != is_short);
}

/* What stream 0 dropped; what it stored must be in the log, which this ends. */
static uint64_t dropped_in_log(struct kp_pipeline *pipeline, uint64_t put)
{
	struct kp_accounts accounts;
	uint64_t cnt[2];

	kp_pipeline_drain(pipeline);
	kp_pipeline_accounts(pipeline, 0, &accounts);
	cr_expect_eq(stop(pipeline), 0);
	count_log(cnt);
	cr_expect_eq(accounts.stored[KP_GROUP_life], cnt[0]);
	cr_expect_eq(accounts.stored[KP_GROUP_life] + accounts.dropped[KP_GROUP_life], put);
	return accounts.dropped[KP_GROUP_life];
}

static void expect_nothing_lost(int error)
{
	struct kp_pipeline *pipeline = start(0);
	struct kp_err err = {""};

	put_many(pipeline, 0, 5000);
	disk_error = error;
	put_many(pipeline, 5000, 5000);
	wait_until_short(pipeline, true);
	put_many(pipeline, 10000, 5000);
	usleep(50000);
	cr_expect_eq(kp_pipeline_load(pipeline), 0, "the command is held for a full disk");
	disk_error = 0;
	wait_until_short(pipeline, false);
	cr_expect_eq(kp_pipeline_error(pipeline, &err), 0);
	cr_expect_eq(dropped_in_log(pipeline, 15000), 0);
}

Test(pipeline, what_a_full_disk_does_not_take_waits, .timeout = 60)
{
	expect_nothing_lost(ENOSPC);
}

Test(pipeline, what_a_quota_does_not_allow_waits, .timeout = 60)
{
	expect_nothing_lost(EDQUOT);
}

Test(pipeline, what_a_failing_disk_does_not_take_waits, .timeout = 60)
{
	expect_nothing_lost(EIO);
}

/* The first and the last event of the log. */
static void look_at_ends(uint32_t *ret_first, uint32_t *ret_last)
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_task_exit)};
	struct kp_log_reader *reader;
	const struct kp_hdr *hdr;

	*ret_first = UINT32_MAX;
	cr_assert_eq(kp_log_open(dir, &filter, &reader, NULL), 0);
	while (kp_log_next(reader, &hdr, NULL) == 1) {
		*ret_first = *ret_first == UINT32_MAX ? hdr->tid : *ret_first;
		*ret_last = hdr->tid;
	}
	kp_log_reader_free(reader);
}

Test(pipeline, memory_keeps_the_newest_of_a_full_disk, .timeout = 60)
{
	struct kp_pipeline *pipeline = start(16 * KP_BLOCK_RAW_MAX);
	const uint32_t cnt = 400000, part = 10000; /* 16 MB, and less than a block */
	struct kp_disk_look look;
	uint32_t first, last;
	uint64_t dropped;

	disk_error = ENOSPC;
	for (uint32_t i = 0; i < cnt; i += part) {
		put_many(pipeline, i, part);
		usleep(20000);
	}
	wait_until_short(pipeline, true);
	kp_pipeline_disk(pipeline, &look);
	cr_expect_gt(look.lost, 0);
	cr_expect_eq(look.error, -ENOSPC);
	cr_expect_not_null(strstr(look.why.text, "No space left"), "%s", look.why.text);
	disk_error = 0;
	wait_until_short(pipeline, false);
	dropped = dropped_in_log(pipeline, cnt);
	look_at_ends(&first, &last);
	cr_expect_eq(first, dropped, "the oldest are lost: %u %" PRIu64, first, dropped);
	cr_expect_eq(last, cnt - 1);
	cr_expect(dropped > cnt / 3 && dropped < cnt - 2 * part, "%" PRIu64, dropped);
}

Test(pipeline, an_end_does_not_wait_for_a_full_disk, .timeout = 60)
{
	struct kp_pipeline *pipeline = start(0);
	struct kp_accounts accounts;
	struct kp_err err = {""};

	disk_error = ENOSPC;
	put_many(pipeline, 0, 5000);
	wait_until_short(pipeline, true);
	kp_pipeline_drain(pipeline);
	kp_pipeline_accounts(pipeline, 0, &accounts);
	cr_expect_eq(accounts.dropped[KP_GROUP_life], 5000);
	cr_expect_eq(kp_pipeline_error(pipeline, &err), -ENOSPC);
	cr_expect_lt(stop(pipeline), 0);
}

static void find_first_segment(char path[512])
{
	DIR *folder = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(folder)) && entry->d_name[0] == '.')
		;
	snprintf(path, 512, "%s/%s/00000001.kpl", dir, entry->d_name);
	closedir(folder);
}

/* How often the log says that a segment went for this reason. */
static unsigned count_retained(enum kp_retain_why why)
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_retain)};
	struct kp_log_reader *reader;
	const struct kp_hdr *hdr;
	unsigned cnt = 0;

	cr_assert_eq(kp_log_open(dir, &filter, &reader, NULL), 0);
	while (kp_log_next(reader, &hdr, NULL) == 1)
		cnt += ((const struct kp_ev_retain *)hdr)->why == why;
	kp_log_reader_free(reader);
	return cnt;
}

/* Retention comes first, and nothing is lost for it but what it removes. */
Test(pipeline, a_full_disk_takes_the_oldest_segment, .timeout = 60)
{
	struct kp_pipeline *pipeline = start_limited(0, (struct kp_retain_limits){.len = 1 << 30});
	struct kp_accounts accounts;
	struct kp_disk_look look;

	find_first_segment(disk_error_while);
	put_many(pipeline, 0, 50000);
	kp_pipeline_drain(pipeline);
	cr_assert_gt(kp_pipeline_segment(pipeline), 2);
	disk_error = ENOSPC;
	put_many(pipeline, 50000, 10000);
	kp_pipeline_drain(pipeline);
	kp_pipeline_disk(pipeline, &look);
	cr_expect_eq(look.full_cnt, 1);
	cr_expect_gt(look.full_len, 0);
	cr_expect_not(look.is_short);
	cr_expect_eq(access(disk_error_while, F_OK), -1);
	kp_pipeline_accounts(pipeline, 0, &accounts);
	cr_expect_eq(accounts.dropped[KP_GROUP_life], 0);
	cr_expect_eq(stop(pipeline), 0);
	cr_expect_eq(count_retained(KP_RETAIN_full), 1);
}

/* A recorder that begins on a full disk makes room too, and tells what is not there. */
Test(pipeline, a_full_disk_takes_the_oldest_segment_for_a_new_recorder, .timeout = 60)
{
	struct kp_pipeline *pipeline = start_limited(0, (struct kp_retain_limits){.len = 1 << 30});

	find_first_segment(disk_error_while);
	put_many(pipeline, 0, 50000);
	cr_assert_eq(stop(pipeline), 0);
	disk_error = ENOSPC;
	pipeline = start_limited(0, (struct kp_retain_limits){.len = 1 << 30});
	cr_expect_eq(access(disk_error_while, F_OK), -1);
	usleep(200000); /* some turns of the thread that looks */
	cr_expect_eq(stop(pipeline), 0);
	cr_expect_eq(count_retained(KP_RETAIN_found), 1);
}

/* Below the floor nothing is written but the recorder's own last words. */
Test(pipeline, a_floor_that_cannot_be_reached_stops_writing, .timeout = 60)
{
	struct kp_pipeline *pipeline =
		start_limited(0, (struct kp_retain_limits){.free_len = 1ull << 60});
	struct kp_disk_look look;

	wait_until_short(pipeline, true);
	put_many(pipeline, 0, 5000);
	usleep(50000);
	kp_pipeline_disk(pipeline, &look);
	cr_expect(look.is_short);
	cr_expect_eq(look.error, 0);
	cr_expect_not_null(strstr(look.why.text, "--min-free"), "%s", look.why.text);
	cr_expect_eq(dropped_in_log(pipeline, 5000), 5000);
}
