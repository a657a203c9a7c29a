/* SPDX-License-Identifier: MIT
 * How a log ended: by its writer, not yet, or never; what may not be on disk; the room for the last
 * words.
 */
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <sched.h>
#include <signal.h>

#include "faults.h"
#include "fixture.h"

TestSuite(end, .init = fixture_setup, .fini = fixture_teardown);

/* Calls of fdatasync that fail from now on. Stands before the C library's. */
static int failing_syncs;

int fdatasync(int fd)
{
	if (faults_on)
		return faults_fdatasync(fd);
	if (!failing_syncs)
		return (int)syscall(SYS_fdatasync, fd);
	failing_syncs--;
	errno = EIO;
	return -1;
}

static void expect_end(const char *path, enum kp_log_end end, const char *text, size_t gap_cnt)
{
	struct kp_log_reader *reader = fixture_open(path, NULL);
	const struct kp_log_info *info = kp_log_get_info(reader);

	fixture_read(reader, NULL);
	cr_expect_eq(info->end, end, "%d", info->end);
	cr_expect_not_null(strstr(info->end_text, text), "%s", info->end_text);
	cr_expect_eq(info->gap_cnt, gap_cnt, "%zu", info->gap_cnt);
	kp_log_reader_free(reader);
}

static uint64_t length_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* Three blocks of ten events. */
static struct kp_log_writer *write_some(uint64_t segment_len, uint64_t *time_ns)
{
	struct kp_log_writer *writer = fixture_create(segment_len);
	uint64_t rnd = 31;

	for (int i = 0; i < 3; i++)
		fixture_append(writer, 0, 10, time_ns, &rnd, NULL);
	return writer;
}

Test(end, by_its_writer_and_why)
{
	uint64_t time_ns = 0;
	struct kp_log_writer *writer = write_some(0, &time_ns);

	cr_assert_eq(kp_log_end(writer, KP_END_SIGNAL, SIGINT, NULL), 0);
	fixture_close(writer);
	expect_end(fixture_dir, KP_LOG_ENDED, "interrupted", 0);
	writer = write_some(20000, &time_ns);
	fixture_close(writer);
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 0);
	expect_end(fixture_path(1), KP_LOG_ENDED, "interrupted", 0);
}

Test(end, not_yet)
{
	uint64_t time_ns = 0;
	struct kp_log_writer *writer = write_some(1, &time_ns);

	expect_end(fixture_dir, KP_LOG_OPEN, "still being recorded", 0);
	expect_end(fixture_path(1), KP_LOG_UNKNOWN, "one segment", 0);
	fixture_close(writer);
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 0);
}

static void be_killed(void)
{
	uint64_t time_ns = 0;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		write_some(0, &time_ns);
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
}

Test(end, never)
{
	const struct kp_log_gap *gap;
	struct kp_log_reader *reader;
	uint64_t time_ns = 1000, begin_ns;

	be_killed();
	expect_end(fixture_dir, KP_LOG_CUT, "killed", 1);
	fixture_close(write_some(0, &time_ns));
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 1);
	/* It is over when the next begins. */
	reader = fixture_open(fixture_dir, NULL);
	gap = kp_log_get_info(reader)->gaps;
	begin_ns = kp_log_get_info(reader)->start_time_ns;
	cr_assert(gap->no_end && gap->torn);
	cr_assert_eq(gap->from_ns, 210);
	cr_assert_gt(gap->to_ns, begin_ns);
	kp_log_reader_free(reader);
	be_killed();
	expect_end(fixture_dir, KP_LOG_CUT, "killed", 2);
}

Test(end, its_segment_is_gone)
{
	uint64_t time_ns = 0;

	fixture_close(write_some(1, &time_ns));
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 0);
	cr_assert_eq(unlink(fixture_path(3)), 0);
	expect_end(fixture_dir, KP_LOG_CUT, "gone", 1);
}

Test(end, cut_at_every_byte)
{
	uint64_t time_ns = 0, len;
	char path[512];

	fixture_close(write_some(0, &time_ns));
	strcpy(path, fixture_path(1));
	len = length_of(path);
	for (uint64_t cut = 1; cut <= sizeof(struct kp_seg_seal); cut++) {
		cr_assert_eq(truncate(path, (off_t)(len - cut)), 0);
		expect_end(fixture_dir, KP_LOG_CUT, "killed", 1);
	}
}

Test(end, each_bit_counts)
{
	uint64_t time_ns = 0, at;
	char path[512];
	uint8_t byte;
	int fd;

	fixture_close(write_some(0, &time_ns));
	strcpy(path, fixture_path(1));
	at = length_of(path) - sizeof(struct kp_seg_seal);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (unsigned bit = 0; bit < 8 * sizeof(struct kp_seg_seal); bit++) {
		off_t place = (off_t)(at + bit / 8);

		cr_assert_eq(pread(fd, &byte, 1, place), 1);
		byte ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(pwrite(fd, &byte, 1, place), 1);
		expect_end(fixture_dir, KP_LOG_CUT, "killed", 1);
		byte ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(pwrite(fd, &byte, 1, place), 1);
	}
	close(fd);
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 0);
}

/* The last block is taken out of the file; index and seal behind it stand. */
Test(end, a_block_is_missing_before_it)
{
	uint64_t time_ns = 0, rnd = 5, before, len;
	struct kp_log_writer *writer = write_some(0, &time_ns);
	char tail[4096];
	uint64_t after;
	int fd;

	before = kp_log_written(writer);
	fixture_append(writer, 0, 10, &time_ns, &rnd, NULL);
	after = kp_log_written(writer);
	fixture_close(writer);
	len = length_of(fixture_path(1)) - after;
	cr_assert_leq(len, sizeof(tail));
	fd = open(fixture_path(1), O_RDWR | O_CLOEXEC);
	cr_assert_eq(pread(fd, tail, len, (off_t)after), (ssize_t)len);
	cr_assert_eq(pwrite(fd, tail, len, (off_t)before), (ssize_t)len);
	cr_assert_eq(ftruncate(fd, (off_t)(before + len)), 0);
	close(fd);
	/* Its index and its count say so. */
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 2);
}

Test(end, what_a_sync_did_not_bring_to_disk_is_counted)
{
	uint64_t time_ns = 0, rnd = 32;
	struct kp_log_writer *writer = write_some(0, &time_ns);
	struct kp_log_reader *reader;

	cr_assert_eq(kp_log_sync(writer, NULL), 0);
	cr_assert_eq(kp_log_doubtful(writer), 0);
	fixture_append(writer, 0, 7, &time_ns, &rnd, NULL);
	failing_syncs = 1;
	cr_assert_eq(kp_log_sync(writer, NULL), -EIO);
	cr_assert_eq(kp_log_doubtful(writer), 7);
	/* The kernel has forgotten it; we have not. */
	cr_assert_eq(kp_log_sync(writer, NULL), 0);
	fixture_append(writer, 0, 5, &time_ns, &rnd, NULL);
	fixture_close(writer);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(kp_log_get_info(reader)->doubtful_cnt, 7);
	kp_log_reader_free(reader);
}

Test(end, a_removed_segment_is_noticed_and_another_begun)
{
	uint64_t time_ns = 0, rnd = 33;
	struct kp_log_writer *writer = write_some(0, &time_ns);
	struct kp_err err = {""};

	cr_assert_eq(unlink(fixture_path(1)), 0);
	cr_assert_eq(kp_log_sync(writer, &err), -ENOENT);
	cr_assert_not_null(strstr(err.text, "removed"), "%s", err.text);
	cr_assert_eq(kp_log_doubtful(writer), 30);
	fixture_append(writer, 0, 5, &time_ns, &rnd, NULL);
	cr_assert_eq(kp_log_sync(writer, &err), 0);
	fixture_close(writer);
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 0);
}

/* On a disk that is full to the last byte the last words are written all the same. */
Test(end, there_is_room_for_the_last_words)
{
	uint64_t time_ns = 0, rnd = 34;
	struct kp_log_writer *writer;
	struct kp_log_reader *reader;
	struct kp_buf events = {0}, all = {0};
	char ballast[96], page[4096] = "";
	struct kp_err err = {""};
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("kprobe-test", fixture_dir, "tmpfs", 0, "mode=700,size=4m") < 0)
		cr_skip_test("needs the right to mount");
	writer = fixture_create(0);
	fixture_append(writer, 0, 10, &time_ns, &rnd, NULL);
	snprintf(ballast, sizeof(ballast), "%s/.ballast", fixture_dir);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	while (write(fd, page, sizeof(page)) > 0)
		;
	cr_assert_eq(errno, ENOSPC);
	for (int i = 0; i < 1000; i++)
		synth_event(&events, KP_EV_syscall, time_ns += 10, 0, &rnd);
	cr_assert_leq(events.len, KP_BLOCK_RAW_MAX);
	cr_assert_eq(kp_log_append(writer, 0, events.data, (uint32_t)events.len, no_loss, &err),
		     -ENOSPC);
	kp_log_begin_end(writer);
	fixture_append(writer, 0, 200, &time_ns, &rnd, &all);
	fixture_close(writer);
	expect_end(fixture_dir, KP_LOG_ENDED, "closed", 0);
	reader = fixture_open(fixture_dir, NULL);
	cr_assert_eq(fixture_read(reader, NULL), 210);
	kp_log_reader_free(reader);
	close(fd);
	umount2(fixture_dir, MNT_DETACH);
	kp_buf_done(&events);
	kp_buf_done(&all);
}
