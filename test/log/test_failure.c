/* SPDX-License-Identifier: MIT
 * Writes that fail, writers that die, and two writers at once.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <signal.h>

#include "event/event.h"
#include "faults.h"
#include "fixture.h"

TestSuite(failure, .init = fixture_setup, .fini = fixture_teardown);

/* Calls of pwritev from now on that succeed; -1: all. Then one fails, or is short if `cut` is set.
 */
static long writes_left = -1;
static int write_errno;
static size_t write_cut;

/* Stands before the C library's. The kernel's form takes the offset in two halves. */
ssize_t pwritev64(int fd, const struct iovec *iov, int iov_cnt, off_t offset);
ssize_t pwritev64(int fd, const struct iovec *iov, int iov_cnt, off_t offset)
{
	struct iovec part;

	if (faults_on)
		return faults_pwritev(fd, iov, iov_cnt, offset);
	if (writes_left == 0) {
		writes_left = -1;
		if (!write_cut) {
			errno = write_errno;
			return -1;
		}
		part = iov[0];
		if (part.iov_len > write_cut)
			part.iov_len = write_cut;
		write_cut = 0;
		if (write_errno)
			writes_left = 0; /* the rest fails */
		return syscall(SYS_pwritev, fd, &part, 1L, offset, 0L);
	}
	if (writes_left > 0)
		writes_left--;
	return syscall(SYS_pwritev, fd, iov, (long)iov_cnt, offset, 0L);
}

static uint64_t file_len(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static int try_append(struct kp_log_writer *writer, uint64_t *time_ns, uint64_t *rnd,
		      struct kp_buf *all)
{
	struct kp_buf events = {0};
	struct kp_err err = {""};
	int r;

	for (int i = 0; i < 20; i++)
		synth_event(&events, 1 + (unsigned)(synth_random(rnd) % (KP_EV_END - 1)),
			    *time_ns += 10, 20, rnd);
	r = kp_log_append(writer, 0, events.data, (uint32_t)events.len, no_loss, &err);
	if (r == 0)
		kp_buf_append(all, events.data, events.len);
	else
		cr_assert_neq(err.text[0], '\0');
	kp_buf_done(&events);
	return r;
}

static void check_log(const struct kp_buf *all)
{
	struct kp_log_reader *reader = fixture_open(fixture_dir, NULL);
	struct kp_buf back = {0};

	fixture_read(reader, &back);
	cr_assert_eq(back.len, all->len);
	cr_assert_eq(memcmp(back.data, all->data, all->len), 0);
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
	kp_buf_done(&back);
}

/* The Nth write fails, at once or after a part: nothing of it remains, and writing goes on. */
static void fail_each_write(int error, size_t cut)
{
	struct kp_buf all = {0};
	uint64_t time_ns = 0, rnd = 21;
	struct kp_log_writer *writer;
	int failures = 0;

	writer = fixture_create(20000); /* so that some of the writes begin a segment */
	for (long n = 0; n < 40; n++) {
		uint64_t before = kp_log_written(writer);

		writes_left = n % 3;
		write_errno = error;
		write_cut = cut;
		for (int i = 0; i < 5; i++)
			if (try_append(writer, &time_ns, &rnd, &all) < 0)
				failures++;
		writes_left = -1;
		cr_assert_gt(kp_log_written(writer), before);
	}
	/* A seal that cannot be written is done without. */
	cr_assert(error ? failures > 20 && failures <= 40 : !failures, "%d", failures);
	fixture_close(writer);
	check_log(&all);
	kp_buf_done(&all);
}

Test(failure, nth_write_enospc)
{
	fail_each_write(ENOSPC, 0);
}

Test(failure, nth_write_enospc_after_a_part)
{
	fail_each_write(ENOSPC, 100);
}

Test(failure, nth_write_eio_after_one_byte)
{
	fail_each_write(EIO, 1);
}

Test(failure, short_writes_are_continued)
{
	fail_each_write(0, 100);
}

Test(failure, interrupted_writes_are_repeated)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 22;
	struct kp_buf all = {0};

	writes_left = 0;
	write_errno = EINTR;
	cr_assert_eq(try_append(writer, &time_ns, &rnd, &all), 0);
	fixture_close(writer);
	check_log(&all);
	kp_buf_done(&all);
}

Test(failure, the_first_write)
{
	struct kp_log_options options = {0};
	struct kp_log_writer *writer;
	struct kp_err err = {""};

	writes_left = 0;
	write_errno = ENOSPC;
	cr_assert_eq(kp_log_create(fixture_dir, &options, &writer, &err), -ENOSPC);
	cr_assert_eq(access(fixture_path(1), F_OK), -1); /* nothing is left behind */
	writer = fixture_create(0);
	fixture_close(writer);
}

/* The limit stops the write at any byte, by the kernel itself. */
Test(failure, file_size_limit_at_every_byte)
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 23, base;
	struct rlimit limit = {.rlim_max = RLIM_INFINITY};
	struct kp_buf all = {0};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(try_append(writer, &time_ns, &rnd, &all), 0);
	base = file_len(fixture_path(1));
	for (uint64_t room = 0; room < 400; room++) {
		limit.rlim_cur = base + room;
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		cr_assert_eq(try_append(writer, &time_ns, &rnd, &all), -EFBIG);
		cr_assert_eq(file_len(fixture_path(1)), base);
	}
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(try_append(writer, &time_ns, &rnd, &all), 0);
	fixture_close(writer);
	check_log(&all);
	kp_buf_done(&all);
}

Test(failure, full_disk)
{
	struct kp_buf all = {0};
	uint64_t time_ns = 0, rnd = 24;
	struct kp_log_writer *writer;
	int fd, r = 0, failures = 0;
	char ballast[96];

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("kprobe-test", fixture_dir, "tmpfs", 0, "mode=700,size=256k") < 0)
		cr_skip_test("needs the right to mount");
	writer = fixture_create(0);
	snprintf(ballast, sizeof(ballast), "%s/.ballast", fixture_dir);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(posix_fallocate(fd, 0, 100 * 1024), 0);
	for (int i = 0; i < 2000 && r == 0; i++)
		r = try_append(writer, &time_ns, &rnd, &all);
	cr_expect_eq(r, -ENOSPC);
	for (int i = 0; i < 20; i++) { /* a smaller block may find room behind it */
		r = try_append(writer, &time_ns, &rnd, &all);
		cr_expect(r == -ENOSPC || !r, "%d", r);
		failures += r == -ENOSPC;
	}
	cr_expect_gt(failures, 10);
	cr_expect_eq(file_len(fixture_path(1)), kp_log_written(writer));
	cr_assert_eq(unlink(ballast), 0);
	close(fd);
	cr_expect_eq(try_append(writer, &time_ns, &rnd, &all), 0);
	fixture_close(writer);
	check_log(&all);
	umount2(fixture_dir, MNT_DETACH);
	kp_buf_done(&all);
}

Test(failure, one_writer_at_a_time)
{
	struct kp_log_writer *writer = fixture_create(0), *second;
	struct kp_log_options options = {0};
	struct kp_err err = {""};

	cr_assert_eq(kp_log_create(fixture_dir, &options, &second, &err), -EBUSY);
	cr_assert_not_null(strstr(err.text, "another recorder"), "%s", err.text);
	fixture_close(writer);
	writer = fixture_create(0);
	fixture_close(writer);
}

/* Writes a log and cuts it at len (the first segment has cnt blocks), then opens it again. */
static void check_recovery(uint64_t cut_at, size_t whole_events, uint64_t kept_len)
{
	const struct kp_ev_recovery *recovery = NULL;
	struct kp_log_writer *writer;
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	size_t others = 0;

	cr_assert_eq(truncate(fixture_path(1), (off_t)cut_at), 0);
	writer = fixture_create(0);
	fixture_close(writer);
	if (kept_len)
		cr_assert_eq(file_len(fixture_path(1)), kept_len);
	reader = fixture_open(fixture_dir, NULL);
	while (kp_log_next(reader, &event, NULL) == 1) {
		if (event->cpu != KP_CPU_USER || event->kind != KP_EV_recovery) {
			others++;
			continue;
		}
		cr_assert_null(recovery);
		recovery = (const struct kp_ev_recovery *)event;
		cr_assert_eq(recovery->kept_len, kept_len);
		cr_assert_eq(recovery->kept_len + recovery->cut_len, cut_at);
		cr_assert_eq(recovery->data_len, strlen("00000001.kpl") + 37);
		cr_assert_eq(memcmp(KP_TAIL(recovery) + 37, "00000001.kpl", 12), 0);
	}
	cr_assert_not_null(recovery);
	cr_assert_eq(others, whole_events);
	/* What remains of the first run says that it has no end. */
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, kept_len ? 1 : 0);
	cr_assert(!kept_len || kp_log_get_info(reader)->gaps[0].no_end);
	kp_log_reader_free(reader);
}

static void write_three_blocks(uint64_t ends[4])
{
	struct kp_log_writer *writer = fixture_create(0);
	uint64_t time_ns = 0, rnd = 25;

	ends[0] = kp_log_written(writer);
	for (int i = 1; i < 4; i++) {
		struct kp_buf events = {0};

		for (int k = 0; k < 20; k++)
			synth_event(&events, KP_EV_syscall, time_ns += 10, 0, &rnd);
		cr_assert_eq(
			kp_log_append(writer, 0, events.data, (uint32_t)events.len, no_loss, NULL),
			0);
		kp_buf_done(&events);
		ends[i] = kp_log_written(writer);
	}
	fixture_close(writer);
}

Test(failure, recovery_cuts_a_torn_block)
{
	uint64_t ends[4];

	write_three_blocks(ends);
	check_recovery(ends[3] - 1, 40, ends[2]);
}

Test(failure, recovery_cuts_a_torn_block_header)
{
	uint64_t ends[4];

	write_three_blocks(ends);
	check_recovery(ends[2] + 1, 40, ends[2]);
}

Test(failure, recovery_cuts_zeros)
{
	uint64_t ends[4];

	write_three_blocks(ends);
	check_recovery(ends[3] + 5000, 60, ends[3]);
}

Test(failure, recovery_removes_a_segment_without_header)
{
	uint64_t ends[4];

	write_three_blocks(ends);
	check_recovery(ends[0] - 1, 0, 0);
}

Test(failure, whole_segments_are_left_alone)
{
	uint64_t ends[4], len;
	struct kp_log_reader *reader;
	struct kp_log_writer *writer;

	write_three_blocks(ends);
	len = file_len(fixture_path(1));
	cr_assert_gt(len, ends[3]);
	writer = fixture_create(0);
	fixture_close(writer);
	cr_assert_eq(file_len(fixture_path(1)), len);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 60); /* no recovery event either */
	cr_assert_eq(kp_log_get_info(reader)->gap_cnt, 0);
	kp_log_reader_free(reader);
}

/* Cuts the first of several segments by cut_len and reads them all; the number of its gaps. */
static size_t gaps_of_cut_segment(uint64_t cut_len)
{
	struct kp_log_writer *writer = fixture_create(20000);
	struct kp_log_reader *reader;
	struct kp_buf all = {0};
	uint64_t time_ns = 0, rnd = 5;
	size_t gap_cnt;

	while (access(fixture_path(3), F_OK))
		try_append(writer, &time_ns, &rnd, &all);
	fixture_close(writer);
	cr_assert_eq(truncate(fixture_path(1), (off_t)(file_len(fixture_path(1)) - cut_len)), 0);
	reader = fixture_open(fixture_dir, NULL);
	fixture_read(reader, NULL);
	gap_cnt = kp_log_get_info(reader)->gap_cnt;
	kp_log_reader_free(reader);
	kp_buf_done(&all);
	return gap_cnt;
}

/* Killed between two segments: the next one says that nothing but the index is missing. */
Test(failure, torn_index_of_a_segment_that_has_a_next_is_no_gap)
{
	cr_assert_eq(gaps_of_cut_segment(8), 0);
}

Test(failure, cut_block_of_a_segment_that_has_a_next_is_a_gap)
{
	cr_assert_eq(gaps_of_cut_segment(18000), 1);
}

/* A recorder killed at any moment leaves a log that reads, and the next one goes on. */
Test(failure, killed_while_writing)
{
	struct kp_log_reader *reader;
	struct kp_log_writer *writer;
	struct kp_buf all = {0};
	uint64_t time_ns, rnd;
	pid_t pid;

	for (int round = 0; round < 10; round++) {
		pid = fork();
		cr_assert_geq(pid, 0);
		if (pid == 0) {
			time_ns = 0;
			rnd = 26;
			writer = fixture_create(50000);
			for (;;)
				try_append(writer, &time_ns, &rnd, &all);
		}
		usleep(5000u + 3000u * (unsigned)round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	writer = fixture_create(0);
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	fixture_read(reader, NULL);
	cr_assert_leq(kp_log_get_info(reader)->gap_cnt, 10);
	for (size_t i = 0; i < kp_log_get_info(reader)->gap_cnt; i++)
		cr_assert(kp_log_get_info(reader)->gaps[i].no_end, "%s at %" PRIu64,
			  kp_log_get_info(reader)->gaps[i].why,
			  kp_log_get_info(reader)->gaps[i].offset);
	kp_log_reader_free(reader);
}
