/* SPDX-License-Identifier: MIT
 * How a report reads: one time base, evidence once, words for what has no object, small rows
 * summed.
 */
#include <ctype.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "analyze/report.h"
#include "stream.h"

#define S KP_TASK_INTERRUPTIBLE
#define D KP_TASK_UNINTERRUPTIBLE
#define A 100
#define B 200

static struct kp_model m;
static struct kp_report r;
static struct kp_buf text;

static void begin(void)
{
	cr_assert_eq(kp_model_init(&m), 0);
	sw(&m, 0, 0, 0, 0, A);
	sw(&m, 0, 1, 0, 0, 0);
}

/* The report of [t0, t1), in `text`. */
static void report(uint64_t t0, uint64_t t1)
{
	struct kp_walk w;

	cr_assert_eq(kp_model_finish(&m), 0);
	r = (struct kp_report){.id = "x",
			       .run = "r",
			       .host = "h",
			       .boot_id = "b",
			       .clock_note = "",
			       .t0_ns = t0 * US,
			       .t1_ns = t1 * US};
	w = walk_of(&m, A, t0, t1);
	r.task = kp_report_who(&r, &m, kp_model_task(&m, A, 0), t1 * US);
	cr_assert_eq(kp_report_build(&r, &w), 0);
	kp_walk_done(&w);
	kp_report_text(&r, false, &text);
	cr_assert_not(text.failed);
}

static void done(void)
{
	kp_buf_done(&text);
	kp_report_done(&r);
	kp_model_done(&m);
}

static unsigned count(const char *what)
{
	unsigned n = 0;

	for (const char *at = text.data; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void says(const char *what)
{
	cr_expect(count(what), "no '%s' in:\n%s", what, text.data);
}

static void says_not(const char *what)
{
	cr_expect_not(count(what), "'%s' in:\n%s", what, text.data);
}

/* Whether a number of seconds with nine digits stands anywhere, as the log has them. */
static bool has_log_time(void)
{
	for (const char *at = text.data; (at = strchr(at, '.')); at++)
		if (strspn(at + 1, "0123456789") == 9)
			return true;
	return false;
}

/* A waits for B in a pipe; B computes, is preempted, computes. */
static void pipe_story(uint64_t at)
{
	sw(&m, at, 1, 0, 0, B);
	sw(&m, at + 1000, 0, A, S, 0);
	sw(&m, at + 3000, 1, B, 0, 300);
	sw(&m, at + 4000, 1, 300, 0, B);
	wake(&m, at + 8000, 1, B, A, 0);
	sw(&m, at + 8000, 0, 0, 0, A);
	call(&m, at + 900, at + 8100, A, SYS_read, KP_OBJ_pipe, 1);
	sw(&m, at + 9000, 1, B, S, 0);
	sw(&m, at + 99000, 0, A, S, 0);
}

Test(text, one_time_base)
{
	begin();
	pipe_story(5000000);
	FEED(&m, lost, 5200000, KP_CPU_USER, 0, .from_ns = 4990000 * US, .to_ns = 5000500 * US,
	     .count = 3, .lost_group = KP_GROUP_syscall, .lost_cpu = 1);
	report(5000000, 5010000);
	says("(times below: since the begin)");
	says("+1.000000 ms");
	says("woken at +8.000000 ms (pipe)");
	says("waited in read from +0.900000 ms to +8.100000 ms");
	says("3 syscall events lost on cpu 1 from -10.000000 ms to +0.500000 ms");
	cr_expect_not(has_log_time(), "%s", text.data);
	done();
}

Test(text, evidence_once)
{
	begin();
	pipe_story(0);
	report(0, 10000);
	cr_expect_geq(count("via pipe"), 3, "%s", text.data);
	cr_expect_eq(count("woken at"), 1, "%s", text.data);
	cr_expect_eq(count("waited in read"), 1, "%s", text.data);
	done();
}

Test(text, a_wakeup_without_a_reason_in_words)
{
	begin();
	sw(&m, 0, 1, 0, 0, B);
	sw(&m, 1000, 0, A, S, 0);
	wake(&m, 8000, 1, B, A, 0);
	sw(&m, 8000, 0, 0, 0, A);
	sw(&m, 9000, 1, B, S, 0);
	report(0, 8500);
	says(", via a wakeup whose reason was not seen");
	says_not("via woke");
	done();
}

/* A writer held back, and an I/O interrupt without its request: the device is that of the file. */
Test(text, a_disk_with_its_device)
{
	begin();
	sw(&m, 1000, 0, A, D, 0);
	wake_irq(&m, 8000, 0, 0, A, KP_CTX_SOFTIRQ | KP_CTX_TIMER, 0);
	sw(&m, 8000, 0, 0, 0, A);
	FEED(&m, syscall, 8100, 0, A, .entry_ns = 900 * US, .nr = SYS_write, .obj = KP_OBJ_file,
	     .ret = 1, .dev = 254u << 20 | 3, .ino = 7);
	report(0, 8500);
	says("disk 254:3, request of");
	says("[device 254:3]");
	says_not("disk ,");
	kp_buf_done(&text);
	kp_report_done(&r);
	kp_model_done(&m);

	begin();
	sw(&m, 1000, 0, A, D, 0);
	wake_irq(&m, 8000, 0, 0, A, KP_CTX_HARDIRQ | KP_CTX_BLOCK, 0x1234);
	sw(&m, 8000, 0, 0, 0, A);
	report(0, 8500);
	says_not("disk ,");
	says("a disk");
	done();
}

Test(text, a_socket_without_a_peer)
{
	begin();
	sw(&m, 1000, 0, A, S, 0);
	FEED(&m, sched_waking, 8000, 0, 0, .target_pid = A, .target_tid = A, .target_cpu = 0,
	     .ctx = KP_CTX_SOFTIRQ, .softirq = 3);
	sw(&m, 8000, 0, 0, 0, A);
	FEED(&m, syscall, 8100, 0, A, .entry_ns = 900 * US, .nr = SYS_recvfrom, .obj = KP_OBJ_udp,
	     .ret = 1, .sock = tell_sock(&m, KP_OBJ_udp, (struct ends){0x0100007f, 0, 5353, 0}));
	report(0, 8500);
	says("network, peer any of 127.0.0.1:5353");
	says_not("0.0.0.0");
	done();
}

/* 20 tasks had the CPU for a millisecond each, out of 220, and one for the rest. */
Test(text, small_rows_are_one)
{
	begin();
	sw(&m, 1000, 0, A, 0, 1000);
	for (uint32_t i = 0; i < 19; i++)
		sw(&m, 2000 + 1000 * i, 0, 1000 + i, 0, 1001 + i);
	sw(&m, 21000, 0, 1019, 0, B);
	sw(&m, 220000, 0, B, 0, A);
	sw(&m, 230000, 0, A, S, 0);
	report(1000, 220000);
	says("behind task (pid 200) 199.0 ms");
	cr_expect_eq(count("behind task"), 1, "%s", text.data);
	says("   and 20 smaller ones, 20.0 ms together; they are in --format json");
	says("  and 20 shorter ones, 20.0 ms together; they are in --format json");
	cr_expect_eq(r.causes.cnt, 21);
	done();
}

/* Where the kernel did not tell of switches the report says so. */
Test(text, a_gap_is_told)
{
	begin();
	sw(&m, 5000, 0, B, S, 0);
	wake(&m, 9000, 1, 0, A, 0);
	sw(&m, 9000, 0, 0, 0, A);
	sw(&m, 10000, 0, A, S, 0);
	report(0, 10000);
	says("unexplained: events are missing there");
	says("incomplete: the kernel did not tell all switches of cpu 0 from +0.000000 ms to "
	     "+5.000000 ms");
	cr_expect_not(r.complete);
	done();
}

/* A name that looks like a time, and the numbers that bound one. */
Test(text, odd_times)
{
	begin();
	FEED(&m, task_rename, 1, 0, 1, .target_tid = B, .comm = "1.999999999");
	pipe_story(0);
	report(0, 10000);
	cr_expect_geq(count("by +1999.999999 ms") + count("by 1.999999999"), 1, "%s", text.data);
	done();
}
