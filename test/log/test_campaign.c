/* SPDX-License-Identifier: MIT
 *
 * A campaign over the writer: the same recording again and again, in which each call to the disk in
 * turn fails, is cut short, or is the last that a recorder makes. Whatever happens, what was
 * acknowledged is there: of a call that returned, what it appended; of a machine that lost its
 * power, what was synced. Nothing else is there but what was on its way; every reader gets through,
 * and the next recorder goes on.
 *
 * FAULTS=10 does a tenth of the points.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "faults.h"
#include "fixture.h"
#include "log/verify.h"

TestSuite(campaign, .timeout = 280);

#define BLOCKS 16u
#define EVENTS 12
#define SYNC_EVERY 3u
/* Room for some blocks behind the header's text, so that there are several segments. */
#define SEGMENT_ROOM 8192u
#define FILES_MAX 16

enum fault {
	FAULT_NONE,
	FAULT_FAIL,       /* with an error, nothing done */
	FAULT_SHORT,      /* a write takes a part, and says so */
	FAULT_SHORT_FAIL, /* likewise, and the next call fails */
	FAULT_KILL,       /* a write takes a part, and nobody is there any more */
};

/* What is planned, and what happened; shared with the process that is killed. */
static struct state {
	enum fault fault;
	long at;   /* number of the call, … */
	long next; /* … and of another that fails, or -1 */
	int error;
	size_t part; /* bytes of a write that are taken */

	long calls;
	uint64_t acked, synced; /* by block */
	struct {
		ino_t ino;
		off_t len; /* that is on disk for certain */
	} files[FILES_MAX];
	unsigned file_cnt;
} * state;

bool faults_on;

/* --- the calls --- */

/* What becomes of this one. */
static enum fault next_call(void)
{
	long call = state->calls++;

	if (call == state->next)
		return FAULT_FAIL;
	return call == state->at ? state->fault : FAULT_NONE;
}

static int fail(void)
{
	errno = state->error;
	return -1;
}

static ssize_t write_part(int fd, const struct iovec *iov, int iov_cnt, off_t offset)
{
	struct iovec part[2];
	size_t left = state->part;
	int cnt = 0;

	for (; cnt < iov_cnt && cnt < 2 && left; cnt++) {
		part[cnt] = iov[cnt];
		part[cnt].iov_len = left < iov[cnt].iov_len ? left : iov[cnt].iov_len;
		left -= part[cnt].iov_len;
	}
	return cnt ? syscall(SYS_pwritev, fd, part, (long)cnt, offset, 0L) : 0;
}

ssize_t faults_pwritev(int fd, const struct iovec *iov, int iov_cnt, off_t offset)
{
	ssize_t n;

	switch (next_call()) {
	case FAULT_FAIL:
		return fail();
	case FAULT_SHORT_FAIL:
		state->next = state->calls;
		/* fall through */
	case FAULT_SHORT:
		n = write_part(fd, iov, iov_cnt, offset);
		return n > 0 ? n : fail();
	case FAULT_KILL:
		write_part(fd, iov, iov_cnt, offset);
		_exit(0);
	default:
		return syscall(SYS_pwritev, fd, iov, (long)iov_cnt, offset, 0L);
	}
}

/* What a sync has brought to disk. */
static void note_synced(int fd)
{
	struct stat st;
	unsigned i = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	while (i < state->file_cnt && state->files[i].ino != st.st_ino)
		i++;
	if (i == FILES_MAX)
		abort();
	state->files[i].ino = st.st_ino;
	state->files[i].len = st.st_size;
	state->file_cnt += i == state->file_cnt;
}

/* Nothing is brought to the disk in truth: what a lost power does is done by hand. */
static int sync_call(int fd)
{
	switch (next_call()) {
	case FAULT_NONE:
		note_synced(fd);
		return 0;
	case FAULT_KILL:
		_exit(0);
	default:
		return fail();
	}
}

int faults_fdatasync(int fd)
{
	return sync_call(fd);
}

/* These stand before the C library's. */
int fsync(int fd)
{
	return faults_on ? sync_call(fd) : (int)syscall(SYS_fsync, fd);
}

int ftruncate64(int fd, off_t len);
int ftruncate64(int fd, off_t len)
{
	if (faults_on)
		switch (next_call()) {
		case FAULT_NONE:
			break;
		case FAULT_KILL:
			_exit(0);
		default:
			return fail();
		}
	return (int)syscall(SYS_ftruncate, fd, len);
}

/* --- the recording --- */

static struct kp_buf blocks[BLOCKS];
static uint64_t segment_len;

static void make_blocks(void)
{
	uint64_t rnd = 71, time_ns = 1000;

	for (unsigned i = 0; i < BLOCKS; i++)
		for (int k = 0; k < EVENTS; k++)
			synth_event(&blocks[i], 1 + (unsigned)(synth_random(&rnd) % 8),
				    time_ns += 10, 300, &rnd);
}

/* Which block an event is of, by its time. */
static unsigned block_of(const struct kp_hdr *event)
{
	return (unsigned)((event->time_ns - 1010) / 10 / EVENTS);
}

static void record(void)
{
	struct kp_log_options options = {
		.node = "n", .segment_len = segment_len, .codec = KP_CODEC_DELTA_ZSTD};
	struct kp_log_writer *writer;
	uint64_t acked;

	if (kp_log_create(fixture_dir, &options, &writer, NULL) < 0)
		return;
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (kp_log_append(writer, i % 3, blocks[i].data, (uint32_t)blocks[i].len, no_loss,
				  NULL) == 0)
			state->acked |= 1ull << i;
		acked = state->acked;
		if (i % SYNC_EVERY == 0 && kp_log_sync(writer, NULL) == 0)
			state->synced |= acked;
	}
	kp_log_close(writer, NULL);
}

/* --- what is left --- */

/* What the log has: of which blocks all events, unchanged; anything else that it has is a lie. */
static uint64_t read_back(void)
{
	size_t at[BLOCKS] = {0};
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	struct kp_err err = {""};
	uint64_t whole = 0;
	unsigned block;
	int r = kp_log_open(fixture_dir, NULL, &reader, &err);

	if (r == -ENOENT || r == -EBADMSG)
		return 0;
	cr_assert_eq(r, 0, "%s", err.text);
	while ((r = kp_log_next(reader, &event, &err)) > 0) {
		if (event->kind == KP_EV_recovery)
			continue;
		block = block_of(event);
		cr_assert(block < BLOCKS && at[block] + event->size <= blocks[block].len &&
			  !memcmp(blocks[block].data + at[block], event, event->size));
		at[block] += event->size;
	}
	cr_assert_eq(r, 0, "%s", err.text);
	for (unsigned i = 0; i < BLOCKS; i++) {
		cr_assert(!at[i] || at[i] == blocks[i].len, "a part of block %u", i);
		whole |= (uint64_t)(at[i] > 0) << i;
	}
	kp_log_reader_free(reader);
	return whole;
}

static void tell(void *arg, enum kp_verify_grade grade, const char *where, const char *what)
{
	(void)arg;
	(void)grade;
	cr_assert(*where && *what);
}

/* The verification gets through too, and the next recorder loses nothing of what is there. */
static void go_on(uint64_t has)
{
	struct kp_verify_options options = {.tell = tell};
	struct kp_log_options log = {.node = "n", .codec = KP_CODEC_DELTA_ZSTD};
	struct kp_verified verified;
	struct kp_log_writer *writer;
	struct kp_err err = {""};
	int r = kp_verify(fixture_dir, &options, &verified, &err);

	cr_assert(r == 0 || r == -ENOENT, "%s", err.text);
	cr_assert_eq(kp_log_create(fixture_dir, &log, &writer, &err), 0, "%s", err.text);
	cr_assert_eq(kp_log_close(writer, &err), 0, "%s", err.text);
	cr_assert_eq(read_back(), has, "the next recorder changed what is there");
}

static const char *describe(void)
{
	static char text[128];

	snprintf(text, sizeof(text), "fault %d at call %ld, part %zu, error %d, next %ld",
		 state->fault, state->at, state->part, state->error, state->next);
	return text;
}

/* must: what was acknowledged; may: what was on its way. */
static void check(uint64_t must, uint64_t may, bool all)
{
	uint64_t has = read_back();

	cr_assert_eq(must & ~has, 0, "acknowledged blocks %" PRIx64 " are lost: %s", must & ~has,
		     describe());
	cr_assert_eq(has & ~(must | may), 0, "blocks %" PRIx64 " should not be there: %s",
		     has & ~(must | may), describe());
	if (all)
		go_on(has);
}

/* --- one point --- */

static void begin_point(struct state plan)
{
	fixture_setup();
	*state = plan;
	faults_on = true;
}

static void end_point(void)
{
	faults_on = false;
	fixture_teardown();
}

/* In this process, which goes on. */
static void run_point(struct state plan, bool all)
{
	begin_point(plan);
	record();
	faults_on = false;
	check(state->acked, 0, all);
	end_point();
}

/* In one that is killed. The block that it was at may be there. */
static void run_killed(struct state plan)
{
	pid_t pid;

	begin_point(plan);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		record();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	faults_on = false;
}

static uint64_t in_flight(void)
{
	return state->acked + 1;
}

/* How many calls the recording makes if nothing fails. */
static long prepare(void)
{
	struct kp_log_writer *writer;

	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	cr_assert_neq(state, MAP_FAILED);
	make_blocks();
	fixture_setup();
	writer = fixture_create(0);
	segment_len = kp_log_written(writer) + SEGMENT_ROOM;
	fixture_close(writer);
	fixture_teardown();
	run_point((struct state){.at = -1, .next = -1}, true);
	cr_assert_eq(state->acked, (1ull << BLOCKS) - 1);
	return state->calls;
}

/* Points of a campaign: ten thousand in all, and three for each call. */
static unsigned points(unsigned cnt)
{
#ifdef __SANITIZE_ADDRESS__ /* which takes its time */
	return cnt / 16;
#else
	return cnt;
#endif
}

static const int errors[] = {ENOSPC, EIO, EDQUOT};

/* --- the campaigns --- */

Test(campaign, each_call_fails)
{
	const long calls = prepare();

	for (long at = 0; at < calls; at++)
		for (size_t e = 0; e < sizeof(errors) / sizeof(*errors); e++)
			run_point((struct state){.fault = FAULT_FAIL,
						 .at = at,
						 .next = -1,
						 .error = errors[e]},
				  true);
}

Test(campaign, two_calls_fail)
{
	const long calls = prepare();
	const unsigned wanted = points(2500);
	uint64_t rnd = 81;

	for (unsigned i = 0; i < wanted; i++) {
		long at = (long)(synth_random(&rnd) % (uint64_t)calls);
		long next = at + 1 + (long)(synth_random(&rnd) % 8);

		run_point((struct state){.fault = FAULT_FAIL,
					 .at = at,
					 .next = next,
					 .error = errors[synth_random(&rnd) % 3]},
			  i % 8 == 0);
	}
}

/* A part of a write is taken: the rest is written behind it, or what was taken is cut off. */
Test(campaign, writes_are_short)
{
	const long calls = prepare();
	const unsigned wanted = points(3000);
	uint64_t rnd = 82;

	for (unsigned i = 0; i < wanted; i++)
		run_point((struct state){.fault = i % 2 ? FAULT_SHORT : FAULT_SHORT_FAIL,
					 .at = i % calls,
					 .next = -1,
					 .error = errors[synth_random(&rnd) % 3],
					 .part = synth_random(&rnd) % (i % 3 ? 400 : 4000)},
			  i % 8 == 0);
}

Test(campaign, a_recorder_is_killed_at_each_call)
{
	const long calls = prepare();
	const unsigned wanted = points(2500);
	uint64_t rnd = 83;

	for (unsigned i = 0; i < wanted; i++) {
		run_killed((struct state){.fault = FAULT_KILL,
					  .at = i % calls,
					  .next = -1,
					  .part = i < (unsigned)calls ? 0
						  : i < 2 * (unsigned)calls
							  ? SIZE_MAX
							  : synth_random(&rnd) % 4000});
		check(state->acked, in_flight(), i % 4 == 0);
		end_point();
	}
}

/* --- the power goes --- */

/* Of what was not synced each sector is there, or not, or the file ends before it. */
static int lose_sectors(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static const char zeros[512];
	static uint64_t rnd = 84;
	off_t from = 0, len = st->st_size, end;
	int fd;

	(void)ftw;
	if (type != FTW_F)
		return 0;
	for (unsigned i = 0; i < state->file_cnt; i++)
		if (state->files[i].ino == st->st_ino)
			from = state->files[i].len;
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (off_t at = from; at < len; at = end) {
		end = (at / 512 + 1) * 512;
		end = end < len ? end : len;
		if (synth_random(&rnd) % 3 == 0)
			cr_assert_eq(pwrite(fd, zeros, (size_t)(end - at), at), end - at);
	}
	if (len > from && synth_random(&rnd) % 3 == 0)
		cr_assert_eq(syscall(SYS_ftruncate, fd,
				     from + (off_t)(synth_random(&rnd) % (uint64_t)(len - from))),
			     0);
	close(fd);
	return 0;
}

Test(campaign, the_power_goes_at_each_call)
{
	const long calls = prepare();
	const unsigned wanted = points(2500);
	uint64_t rnd = 85;

	for (unsigned i = 0; i < wanted; i++) {
		run_killed((struct state){.fault = FAULT_KILL,
					  .at = i % calls,
					  .next = -1,
					  .part = synth_random(&rnd) % 4000});
		cr_assert_eq(nftw(fixture_dir, lose_sectors, 8, FTW_PHYS), 0);
		check(state->synced, state->acked | in_flight(), i % 4 == 0);
		end_point();
	}
}
