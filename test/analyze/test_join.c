/* SPDX-License-Identifier: MIT
 * From a span to a thread: by whose request it is, and never by a pid that is another's.
 */
#include <string.h>
#include <sys/syscall.h>

#include "analyze/join.h"
#include "stream.h"

#define P 100

static struct kp_model m;
static const struct kp_clock no_clock;
static struct kp_resource by = {.service = "",
				.host = "",
				.sdk = "",
				.programs = {"", "", ""},
				.container = "",
				.container_id = "",
				.pid = P};
static struct kp_span span = {.name = "",
			      .by = &by,
			      .kind = KP_SPAN_SERVER,
			      .start_ns = 10000 * US + 1,
			      .end_ns = 50000 * US + 1};
static struct kp_join_place place = {.host = "n1"};
static struct kp_joined j;

static void thread(uint32_t pid, uint32_t tid, const char *comm, bool kthread)
{
	struct kp_ev_task e = {.state = 'S', .kthread = kthread};

	strncpy(e.comm, comm, sizeof(e.comm) - 1);
	e.hdr = (struct kp_hdr){0, sizeof(e), KP_EV_task, KP_CPU_USER, pid, tid};
	cr_assert_eq(kp_model_add(&m, &e.hdr), 0);
}

/* A call on the connection `ino`, by a thread of P. */
static void io(uint32_t tid, uint64_t entry, uint64_t exit, uint16_t nr, uint64_t ino)
{
	struct kp_ev_syscall e = {
		.entry_ns = entry * US, .nr = nr, .obj = KP_OBJ_unix, .ret = 10, .ino = ino};

	e.hdr = (struct kp_hdr){exit * US, sizeof(e), KP_EV_syscall, 0, P, tid};
	cr_assert_eq(kp_model_add(&m, &e.hdr), 0);
}

/* A thread is on CPU 2 from one moment to another. */
static void run(uint32_t tid, uint64_t from, uint64_t to)
{
	sw(&m, from, 2, 0, 0, tid);
	sw(&m, to, 2, tid, 1, 0);
}

/* Two workers of ledger: 102 is busy all the time, 101 has the request and sleeps. */
static void begin(void)
{
	cr_assert_eq(kp_model_init(&m), 0);
	thread(P, P, "ledger", false);
	thread(P, 101, "ledger-w0", false);
	thread(P, 102, "ledger-w1", false);
	sw(&m, 0, 1, 0, 0, 102);
}

static void join(void)
{
	sw(&m, 100000, 1, 102, 0, 0);
	cr_assert_eq(kp_model_finish(&m), 0);
	j = kp_join(&m, &no_clock, &place, &span);
	kp_model_done(&m);
}

static uint32_t joined_tid(void)
{
	begin();
	run(101, 9900, 10100);
	io(101, 1000, 9950, SYS_recvfrom, 1);
	io(102, 1000, 14000, SYS_recvfrom, 2);
	io(102, 45000, 45010, SYS_sendto, 2);
	run(101, 49990, 50100);
	io(101, 50030, 50040, SYS_sendto, 1);
	join();
	return j.task == KP_NONE ? 0 : j.task == 1 ? P : j.task == 2 ? 101 : 102;
}

Test(join, whose_request_fits_before_who_was_busy)
{
	cr_expect_eq(joined_tid(), 101);
	cr_expect_eq(j.confidence, 'B', "%s", j.why);
	cr_expect_eq(j.t0_ns, 10000 * US + 1);
	/* Ends in milliseconds tell nothing of who ran, and calls alone do not decide. */
	span.start_ns = 10000 * US;
	cr_expect_eq(joined_tid(), 101);
	cr_expect_eq(j.confidence, 'C', "%s", j.why);
}

Test(join, who_ran_at_both_ends)
{
	begin();
	run(101, 9900, 10100);
	run(101, 40000, 50100);
	sw(&m, 30000, 1, 102, 1, 0);
	sw(&m, 60000, 1, 0, 0, 102);
	join();
	cr_expect_eq(j.task, 2);
	cr_expect_eq(j.confidence, 'B', "%s", j.why);
	cr_expect(strstr(j.why, "only thread that ran at both ends"), "%s", j.why);
}

Test(join, a_clients_span_sends_first)
{
	span.kind = KP_SPAN_CLIENT;
	begin();
	io(101, 1000, 9990, SYS_recvfrom, 1); /* a server's request, begun with it */
	io(102, 10010, 10020, SYS_sendto, 2);
	io(102, 10100, 49990, SYS_recvfrom, 2);
	io(101, 50005, 50040, SYS_sendto, 1);
	join();
	cr_expect_eq(j.task, 3);
	cr_expect_eq(j.confidence, 'B', "%s", j.why);
}

Test(join, requests_that_fit_alike_are_doubtful)
{
	begin();
	run(101, 9900, 10100);
	io(101, 1000, 9950, SYS_recvfrom, 1);
	io(102, 1000, 9960, SYS_recvfrom, 2);
	run(101, 49990, 50100);
	io(102, 50020, 50025, SYS_sendto, 2);
	io(101, 50030, 50040, SYS_sendto, 1);
	join();
	cr_expect_neq(j.task, KP_NONE);
	cr_expect_eq(j.confidence, 'C', "%s", j.why);
}

/* Another connection's calls are nearer, but the two of one connection belong together. */
Test(join, one_connection_before_two)
{
	begin();
	run(101, 9900, 10100);
	io(102, 1000, 9999, SYS_recvfrom, 2);
	io(101, 1000, 9500, SYS_recvfrom, 1);
	run(101, 49990, 50100);
	io(102, 50001, 50002, SYS_sendto, 3);
	io(101, 50300, 50340, SYS_sendto, 1);
	join();
	cr_expect_eq(j.task, 2, "%s", j.why);
}

Test(join, without_calls_the_busiest_is_a_guess)
{
	span.start_ns = 10000 * US; /* too coarse to tell who ran */
	begin();
	join();
	cr_expect_eq(j.task, 3);
	cr_expect_eq(j.confidence, 'D', "%s", j.why);
}

Test(join, a_container_has_pids_of_its_own)
{
	by.container = "k8s.pod.uid";
	joined_tid();
	cr_expect_eq(j.confidence, 'D', "nothing speaks for the process: %s", j.why);
	cr_expect(strstr(j.why, "k8s.pod.uid"), "%s", j.why);
	cr_expect(strstr(j.why, "--tid"), "%s", j.why);
	by.programs[0] = "ledger";
	joined_tid();
	cr_expect_eq(j.confidence, 'C', "name and request do: %s", j.why);
	by.programs[0] = "python3.11";
	cr_expect_eq(joined_tid(), 0, "here it is another program");
	cr_expect(strstr(j.why, "here process 100 is ledger, not python3.11"), "%s", j.why);
	cr_expect(strstr(j.why, "--tid"), "%s", j.why);
}

Test(join, another_program_without_a_container)
{
	by.programs[1] = "python3.11";
	joined_tid();
	cr_expect_eq(j.confidence, 'C', "its request fits: %s", j.why);
	cr_expect(strstr(j.why, "that is ledger here, not python3.11"), "%s", j.why);
	span.start_ns = 10000 * US;
	begin();
	join();
	cr_expect_eq(j.confidence, 'D', "%s", j.why);
}

Test(join, programs_go_by_more_than_one_name)
{
	static const char *const names[] = {"ledger", "LEDGER", "ledgerd", "ledger-2.1",
					    "ledger-w0"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		by.programs[0] = names[i];
		joined_tid();
		cr_expect_eq(j.confidence, 'B', "%s: %s", names[i], j.why);
	}
	by.programs[0] = "led";
	joined_tid();
	cr_expect_eq(j.confidence, 'C', "too short to be a part");
}

Test(join, pid_1_and_kernel_threads)
{
	begin();
	thread(1, 1, "systemd", false);
	thread(2, 2, "kthreadd", true);
	by.pid = 1;
	join();
	cr_expect_eq(j.confidence, 'D', "%s", j.why);
	begin();
	thread(2, 2, "kthreadd", true);
	by.pid = 2;
	join();
	cr_expect_eq(j.task, KP_NONE);
	cr_expect(strstr(j.why, "thread of the kernel"), "%s", j.why);
}

Test(join, a_process_that_began_later)
{
	begin();
	FEED(&m, task_fork, 30000, 0, 102, .child_pid = 300, .child_tid = 300, .comm = "ledger");
	by.pid = 300;
	join();
	cr_expect_eq(j.task, KP_NONE);
	cr_expect(strstr(j.why, "began after the span"), "%s", j.why);
}

Test(join, the_thread_can_be_named)
{
	by.container = "container.id";
	by.host = "5f967102e6cb";
	by.pid = 7;
	place.tid = 101;
	cr_expect_eq(joined_tid(), 101, "%s", j.why);
	cr_expect_eq(j.confidence, 'B');
	by.container = "";
	cr_expect_eq(joined_tid(), 101);
	cr_expect_eq(j.confidence, 'C', "nothing says why it is another's: %s", j.why);
	cr_expect(strstr(j.why, "of process 100, and the span's process.pid is 7"), "%s", j.why);
	by.container = "container.id";
	place.tid = 4711;
	cr_expect_eq(joined_tid(), 0);
	cr_expect(strstr(j.why, "no task 4711"), "%s", j.why);
	place.tid = 0;
	place.pid = P;
	cr_expect_eq(joined_tid(), 101, "and so can the process");
	cr_expect_eq(j.confidence, 'B', "%s", j.why);
}

Test(join, what_is_missing_is_said)
{
	by.host = "other";
	cr_expect_eq(joined_tid(), 0);
	cr_expect(strstr(j.why, "its host.name is other, the log's node is n1"), "%s", j.why);
	by.host = "";
	by.pid = 4711;
	cr_expect_eq(joined_tid(), 0);
	cr_expect(strstr(j.why, "process.pid 4711) is not in the log"), "%s", j.why);
	by.pid = 0;
	cr_expect_eq(joined_tid(), 0);
	cr_expect(strstr(j.why, "OTEL_RESOURCE_ATTRIBUTES=process.pid"), "%s", j.why);
	by.sdk = "python";
	joined_tid();
	cr_expect(strstr(j.why, "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=process"), "%s", j.why);
	by.pid = P;
	span.end_ns = 9000 * US;
	cr_expect_eq(joined_tid(), 0);
	cr_expect(strstr(j.why, "ends before it begins"), "%s", j.why);
	span.start_ns = span.end_ns = 900000 * US;
	cr_expect_eq(joined_tid(), 0);
	cr_expect(strstr(j.why, "outside the log's time"), "%s", j.why);
	cr_expect(strstr(j.why, "its time, 1970-01-01T00:00:00.900000Z to 1970-01-01T00:00:00.9"),
		  "%s", j.why);
	cr_expect(strstr(j.why, "log's time, 1970-01-01T00:00:00.0"), "%s", j.why);
}

Test(join, names_of_hosts)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"vm", "VM", true},
		{"vm", "vm.example.internal", true},
		{"vm.example.com.", "VM", true},
		{"vm.a.example", "vm.b.example", false},
		{"vm.a.example", "vm.A.example.", true},
		{"vm", "vm2", false},
		{"vm", "v", false},
		{"vm.a", "vm2", false},
		{"", "vm", false},
		{"10.0.0.1", "10.0.0.2", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cr_expect_eq(kp_host_same(cases[i].a, cases[i].b), cases[i].same, "%s %s",
			     cases[i].a, cases[i].b);
		cr_expect_eq(kp_host_same(cases[i].b, cases[i].a), cases[i].same, "%s %s",
			     cases[i].b, cases[i].a);
	}
}
