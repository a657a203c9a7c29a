/* SPDX-License-Identifier: MIT
 * The recorder as a whole: accounts, selection for replay, payloads, choice of groups, checks.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "accounts.h"
#include "probes_run.h"
#include "record/check.h"

TestSuite(recorder, .init = need_probes, .timeout = 60);

/* --- accounts --- */

static void call_often(struct told *told)
{
	(void)told;
	for (int i = 0; i < 2000000; i++)
		syscall(SYS_getppid);
}

static void call_sometimes(struct told *told)
{
	(void)told;
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getppid);
}

Test(recorder, accounts_are_exact)
{
	struct run run = {0};

	record_child(&run, call_sometimes, (struct kp_recorder_options){0});
	expect_accounts(&run, false);
	cr_expect_geq(run.result.totals.stored[KP_GROUP_syscall], 20000);
	done(&run);
}

Test(recorder, accounts_are_exact_under_overload)
{
	struct run run = {0};

	record_child(&run, call_often, (struct kp_recorder_options){.ring_len = 16384});
	expect_accounts(&run, true);
	done(&run);
}

#define FLOOD_CALLS 500000
#define FLOOD_BYTES 50000

/* The same on each CPU, side by side; fn's children are told->tids. */
static void on_each_cpu(struct told *told, void (*fn)(void))
{
	long cnt = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	pid_t pid;

	for (long cpu = 0; cpu < cnt && cpu < 2; cpu++) {
		pid = fork();
		if (pid) {
			told->tids[1 + cpu] = (uint32_t)pid;
			continue;
		}
		CPU_ZERO(&set);
		CPU_SET((size_t)cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			_exit(1);
		fn();
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

static void flood_calls(void)
{
	for (int i = 0; i < FLOOD_CALLS; i++)
		syscall(SYS_getppid);
}

static void flood_calls_everywhere(struct told *told)
{
	on_each_cpu(told, flood_calls);
}

/* Each byte is a send, a receive, two waits and two wakes. */
static void flood_bytes(void)
{
	int fds[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		_exit(1);
	if (!fork()) {
		while (recv(fds[0], &byte, 1, 0) == 1 && send(fds[0], &byte, 1, 0) == 1)
			;
		_exit(0);
	}
	for (int i = 0; i < FLOOD_BYTES; i++)
		if (send(fds[1], "x", 1, 0) != 1 || recv(fds[1], &byte, 1, 0) != 1)
			_exit(1);
	shutdown(fds[1], SHUT_RDWR);
	wait(NULL);
}

static void flood_bytes_everywhere(struct told *told)
{
	on_each_cpu(told, flood_bytes);
}

/* How many calls there were is known: those that are not in the log are told as lost. */
Test(recorder, a_flood_of_calls_on_each_cpu)
{
	struct run run = {0};
	const struct kp_ev_syscall *call;
	uint64_t made, stored = 0, lost;

	record_child(&run, flood_calls_everywhere, (struct kp_recorder_options){.ring_len = 16384});
	expect_accounts(&run, true);
	lost = run.result.totals.lost[KP_GROUP_syscall];
	made = FLOOD_CALLS * (run.told->tids[2] ? 2ull : 1ull);
	rewind_run(&run);
	while ((call = next_of(&run, KP_EV_syscall)))
		stored += call->nr == SYS_getppid && (call->hdr.tid == run.told->tids[1] ||
						      call->hdr.tid == run.told->tids[2]);
	cr_expect_leq(stored, made);
	cr_expect_geq(stored + lost, made, "%lu stored, %lu lost, of %lu", stored, lost, made);
	cr_expect_geq(run.result.totals.produced[KP_GROUP_syscall], made);
	done(&run);
}

Test(recorder, a_flood_of_waits_on_each_cpu)
{
	struct run run = {0};
	uint64_t made;

	record_child(
		&run, flood_bytes_everywhere,
		(struct kp_recorder_options){.groups = KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall),
					     .ring_len = 16384});
	expect_accounts(&run, true);
	made = FLOOD_BYTES * (run.told->tids[2] ? 2ull : 1ull);
	cr_expect_geq(run.result.totals.produced[KP_GROUP_tcp], 4 * made, "sends and receives");
	cr_expect_eq(run.result.totals.produced[KP_GROUP_syscall], 0);
	done(&run);
}

#define FLOODED_FORKS 200

static void fork_in_a_flood(struct told *told)
{
	(void)told;
	for (int i = 0; i < FLOODED_FORKS; i++) {
		pid_t pid = fork();

		for (int call = 0; call < 5000; call++)
			syscall(SYS_getppid);
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

Test(recorder, life_is_not_lost_in_a_flood)
{
	struct run run = {0};
	const struct kp_ev_task_fork *fork_event;
	int forks = 0;

	record_child(&run, fork_in_a_flood, (struct kp_recorder_options){.ring_len = 16384});
	expect_accounts(&run, true);
	cr_expect_eq(run.result.totals.lost[KP_GROUP_life], 0);
	rewind_run(&run);
	while ((fork_event = next_of(&run, KP_EV_task_fork)))
		forks += fork_event->hdr.pid == run.told->tids[0];
	cr_expect_eq(forks, FLOODED_FORKS);
	done(&run);
}

/* --- payloads --- */

#define TOO_LARGE (65u << 20) /* over the capture's cap */
#define LARGE (5u << 20)      /* goes through a ring of its own */

static void move_bytes(struct told *told)
{
	char *large = calloc(1, TOO_LARGE), a[3], b[5];
	struct iovec iov[2] = {{a, sizeof(a)}, {b, sizeof(b)}};
	int fds[2], zero = open("/dev/zero", O_RDONLY);

	if (pipe(fds) || write(fds[1], "payload", 7) != 7 || readv(fds[0], iov, 2) != 7)
		_exit(1);
	told->addr = (uint64_t)(uintptr_t)b;
	if (read(zero, large, TOO_LARGE) != TOO_LARGE || read(zero, large, LARGE) != LARGE ||
	    read(zero, large, 150000) != 150000)
		_exit(1);
	free(large);
	_exit(access("/nowhere", F_OK) != -1);
}

/* The record of the next call of number nr, and in *ret_len the payload bytes before it. */
static const struct kp_ev_syscall *next_call(struct run *run, unsigned nr, uint64_t *ret_len,
					     char *ret_text, size_t cap)
{
	const struct kp_hdr *event;
	const struct kp_ev_payload *payload;
	const struct kp_ev_syscall *call;
	uint64_t len = 0;

	while (kp_log_next(run->reader, &event, NULL) > 0) {
		if (event->tid != run->told->tids[0])
			continue;
		payload = (const void *)event;
		call = (const void *)event;
		if (event->kind == KP_EV_payload) {
			if (len < cap)
				memcpy(ret_text + len, KP_TAIL(payload),
				       payload->data_len < cap - len ? payload->data_len
								     : cap - len);
			len += payload->data_len;
		}
		if (event->kind == KP_EV_syscall && call->nr == nr) {
			*ret_len = len;
			return call;
		}
		if (event->kind == KP_EV_syscall)
			len = 0;
	}
	return NULL;
}

Test(recorder, payloads_of_selected_processes)
{
	struct run run = {0};
	const struct kp_ev_syscall *call;
	char text[64] = "";
	uint64_t len;
	uint32_t seq = 0;

	record_child(&run, move_bytes, (struct kp_recorder_options){.pid_cnt = 1});
	call = next_call(&run, SYS_write, &len, text, sizeof(text));
	cr_assert(call && call->flags & KP_SYSF_PAYLOAD);
	cr_expect_eq(len, 7);
	cr_expect(!memcmp(text, "payload", 7));
	call = next_call(&run, SYS_readv, &len, text, sizeof(text));
	cr_assert(call);
	cr_expect_eq(len, 7);
	cr_expect(!memcmp(text, "payload", 7), "vectors come in order");
	call = next_call(&run, SYS_read, &len, text, sizeof(text));
	cr_assert(call && call->ret == TOO_LARGE);
	cr_expect_eq(call->flags & KP_SYSF_INCOMPLETE, KP_SYSF_INCOMPLETE);
	cr_expect_eq(len, 0, "none of it, rather than a part that is of no use");
	call = next_call(&run, SYS_read, &len, text, sizeof(text));
	cr_assert(call && call->ret == LARGE);
	cr_expect_eq(call->flags, KP_SYSF_PAYLOAD);
	cr_expect_eq(len, LARGE);
	call = next_call(&run, SYS_read, &len, text, sizeof(text));
	cr_assert(call);
	cr_expect_eq(call->flags, KP_SYSF_PAYLOAD);
	cr_expect_eq(len, 150000);
	call = next_call(&run, SYS_access, &len, text, sizeof(text));
	cr_assert(call && call->ret == -ENOENT);
	cr_expect_str_eq(text, "/nowhere", "strings are there even if the call failed");
	rewind_run(&run);
	while ((call = next_of(&run, KP_EV_syscall)))
		if (call->hdr.tid == run.told->tids[0] && (call->seq || seq)) {
			cr_expect_eq(call->seq, seq + 1, "hole after call %u", seq);
			seq = call->seq;
		}
	done(&run);
}

static void handle_empty_file(struct told *told)
{
	char path[] = "/tmp/kprobe-empty-XXXXXX";
	int fd = mkstemp(path);
	struct stat st;

	if (fstat(fd, &st))
		_exit(1);
	told->inos[0] = st.st_ino;
	close(open(path, O_RDWR | O_TRUNC));
	dup(fd);
	syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, getpid(), 0), fd, 0);
	unlink(path);
	_exit(write(fd, "x", 1) != 1);
}

/* Only an open may have cut the file off; another descriptor of it changes nothing. */
Test(recorder, states_of_files_that_calls_may_change)
{
	static const uint32_t expected[] = {KP_NR_openat, KP_NR_openat, KP_NR_write};
	struct run run = {0};
	const struct kp_ev_file_state *state;
	size_t cnt = 0;

	record_child(&run, handle_empty_file, (struct kp_recorder_options){.pid_cnt = 1});
	while ((state = next_of(&run, KP_EV_file_state)))
		if (state->hdr.tid == run.told->tids[0] && state->ino == run.told->inos[0]) {
			cr_assert_lt(cnt, 3, "call %u", state->nr);
			cr_expect_eq(state->nr, expected[cnt], "call %u", state->nr);
			cnt++;
		}
	cr_expect_eq(cnt, 3);
	done(&run);
}

static void ignore(int sig)
{
	(void)sig;
}

static void fork_and_signal(struct told *told)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGUSR1, ignore);
		_exit(raise(SIGUSR1));
	}
	told->tids[1] = (uint32_t)pid;
	waitpid(pid, NULL, 0);
}

Test(recorder, selection_is_inherited_and_signals_bring_registers)
{
	struct run run = {0};
	const struct kp_ev_syscall *call;
	const struct kp_ev_signal_deliver *taken;
	const struct kp_pt_regs *regs;

	record_child(&run, fork_and_signal, (struct kp_recorder_options){.pid_cnt = 1});
	while ((call = next_of(&run, KP_EV_syscall)) && call->hdr.tid != run.told->tids[1])
		;
	cr_assert(call, "no call of the child");
	cr_expect_eq(call->seq, 1);
	rewind_run(&run);
	while ((taken = next_of(&run, KP_EV_signal_deliver)) && taken->hdr.tid != run.told->tids[1])
		;
	cr_assert(taken, "no signal");
	cr_expect_eq(taken->sig, SIGUSR1, "signal %d", taken->sig);
	cr_assert_geq(taken->data_len, sizeof(*regs) + 3 * sizeof(int));
	regs = (const void *)KP_TAIL(taken);
	cr_expect_neq(regs->ip, 0);
	cr_expect_eq(regs->cs, 0x33);
	cr_expect_eq(((const int *)(regs + 1))[0], SIGUSR1, "siginfo's number");
	cr_expect_gt(taken->seq, 2);
	done(&run);
}

/* --- the rest --- */

Test(recorder, command_status_and_first_call_after_the_image)
{
	struct run run = {0};
	struct kp_recorder_options options = {
		.groups = KP_GROUPS_ALL,
		.ring_len = 4u << 20,
		.argv = (char *[]){"/bin/sh", "-c", "exit 5", NULL},
	};
	const struct kp_ev_exec_image *image;
	const struct kp_ev_syscall *call;
	const struct kp_hdr *event;
	struct kp_err err = {""};
	uint32_t pid, seq = 0;

	strcpy(run.dir, "/tmp/kprobe-record-XXXXXX");
	cr_assert(mkdtemp(run.dir));
	options.dir = run.dir;
	cr_assert_eq(kp_recorder_run(&options, &run.result, &err), 0, "%s", err.text);
	cr_expect(run.result.command_ended && WEXITSTATUS(run.result.command_status) == 5);
	cr_assert_eq(kp_log_open(run.dir, NULL, &run.reader, &err), 0, "%s", err.text);
	image = next_of(&run, KP_EV_exec_image);
	cr_assert(image);
	pid = image->hdr.pid;
	while (kp_log_next(run.reader, &event, NULL) > 0) {
		call = (const void *)event;
		if (event->kind != KP_EV_syscall || event->pid != pid)
			continue;
		if (!seq)
			cr_expect(call->nr == SYS_execve && call->ret == 0,
				  "call %u follows the image", call->nr);
		else
			cr_expect_eq(call->seq, seq + 1);
		seq = call->seq;
	}
	cr_expect_gt(seq, 10);
	run.told = mmap(NULL, sizeof(*run.told), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	done(&run);
}

Test(recorder, only_the_wanted_groups)
{
	struct run run = {0};

	record_child(
		&run, call_sometimes,
		(struct kp_recorder_options){.groups = 1u << KP_GROUP_life | 1u << KP_GROUP_meta});
	cr_expect(next_of(&run, KP_EV_task_exit), "no life");
	for (int g = 0; g < KP_GROUP_CNT; g++)
		if (g != KP_GROUP_life && g != KP_GROUP_meta)
			cr_expect_eq(run.result.totals.produced[g], 0, "%s",
				     kp_group_name((unsigned)g));
	done(&run);
}

Test(recorder, a_process_that_is_not_there)
{
	struct kp_recorder_result result;
	struct kp_err err = {""};
	char dir[] = "/tmp/kprobe-record-XXXXXX", command[64];
	const pid_t pids[] = {0x3fffffff};
	struct kp_recorder_options options = {
		.groups = KP_GROUPS_ALL, .ring_len = 65536, .pids = pids, .pid_cnt = 1};

	cr_assert(mkdtemp(dir));
	options.dir = dir;
	cr_expect_eq(kp_recorder_run(&options, &result, &err), -ESRCH);
	cr_expect(strstr(err.text, "there is no process"), "%s", err.text);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

static void note_check(const char *what, enum kp_check_state state, const char *remedy, void *arg)
{
	int *cnt = arg;

	cnt[state]++;
	cr_expect(state == KP_CHECK_OK || *remedy, "%s has no remedy", what);
}

Test(recorder, check_of_this_machine)
{
	int cnt[3] = {0};

	cr_expect(kp_check_run(note_check, cnt));
	cr_expect_gt(cnt[KP_CHECK_OK], 20);
	cr_expect_eq(cnt[KP_CHECK_FAILED], 0);
}
