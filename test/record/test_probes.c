/* SPDX-License-Identifier: MIT
 * Each kind of event is provoked by a child and found in the log with what it must say.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>

#include "probes_run.h"

#define SLEEP_MS 30
#define STATE_ESTABLISHED 1
#define STATE_SYN_SENT 2
#define TIMER_SOFTIRQ 1

TestSuite(probes, .init = need_probes, .timeout = 60);

static uint32_t kernel_dev(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

/* --- life --- */

static void live(struct told *told)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NAME, "renamed");
		execl("/bin/sh", "sh", "-c", "exit 3", NULL);
		_exit(1);
	}
	told->tids[1] = (uint32_t)pid;
	waitpid(pid, NULL, 0);
}

Test(probes, life)
{
	struct run run = {0};
	const struct kp_ev_task_fork *forked;
	const struct kp_ev_task_rename *renamed;
	const struct kp_ev_task_exec *exec;
	const struct kp_ev_task_exit *ended;

	record_child(&run, live, (struct kp_recorder_options){0});
	while ((forked = next_of(&run, KP_EV_task_fork)) && forked->child_tid != run.told->tids[1])
		;
	cr_assert(forked, "no fork");
	cr_expect_eq(forked->hdr.pid, run.told->tids[0]);
	cr_expect_eq(forked->child_pid, run.told->tids[1]);
	while ((renamed = next_of(&run, KP_EV_task_rename)) &&
	       renamed->hdr.pid != run.told->tids[1])
		;
	cr_assert(renamed, "no rename");
	cr_expect_str_eq(renamed->comm, "renamed");
	while ((exec = next_of(&run, KP_EV_task_exec)) && exec->hdr.pid != run.told->tids[1])
		;
	cr_assert(exec, "no exec");
	cr_expect_str_eq(exec->comm, "sh");
	cr_expect_eq(exec->data_len, strlen("/bin/sh"));
	cr_expect(!memcmp(KP_TAIL(exec), "/bin/sh", exec->data_len));
	while ((ended = next_of(&run, KP_EV_task_exit)) && ended->hdr.pid != run.told->tids[1])
		;
	cr_assert(ended, "no exit");
	cr_expect_eq(ended->exit_code, 3 << 8);
	cr_expect_eq(ended->group_dead, 1);
	done(&run);
}

/* --- scheduling --- */

static void talk_by_pipe(struct told *told)
{
	int there[2];
	char byte;
	pid_t pid;

	if (pipe(there) || (pid = fork()) < 0)
		_exit(1);
	if (!pid) {
		if (read(there[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	told->tids[1] = (uint32_t)pid;
	sleep_ms(SLEEP_MS);
	if (write(there[1], "", 1) != 1)
		_exit(1);
	waitpid(pid, NULL, 0);
}

Test(probes, pipe_wakeup_comes_from_the_writer)
{
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;
	const struct kp_ev_sched_wakeup_new *born;

	record_child(&run, talk_by_pipe, (struct kp_recorder_options){0});
	while ((born = next_of(&run, KP_EV_sched_wakeup_new)) &&
	       born->target_tid != run.told->tids[1])
		;
	cr_assert(born, "no first wakeup");
	cr_expect_eq(born->hdr.tid, run.told->tids[0]);
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       waking->target_tid != run.told->tids[1])
		;
	cr_assert(waking, "no wakeup");
	cr_expect_eq(waking->hdr.tid, run.told->tids[0]);
	cr_expect_eq(waking->ctx & KP_CTX_IRQ, 0, "ctx %x", waking->ctx);
	done(&run);
}

static void sleep_on_timer(struct told *told)
{
	told->times[0] = mono_ns();
	sleep_ms(SLEEP_MS);
	told->times[1] = mono_ns();
}

Test(probes, timer_wakeup_names_its_due_time)
{
	const uint64_t asked = SLEEP_MS * 1000000ull;
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;
	const struct kp_ev_sched_switch *left;

	record_child(&run, sleep_on_timer, (struct kp_recorder_options){0});
	while ((left = next_of(&run, KP_EV_sched_switch)) &&
	       (left->hdr.tid != run.told->tids[0] || left->hdr.time_ns < run.told->times[0] ||
		!(left->prev_state & KP_TASK_INTERRUPTIBLE)))
		;
	cr_assert(left, "it did not sleep");
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       (waking->target_tid != run.told->tids[0] ||
		waking->hdr.time_ns < run.told->times[0] + asked))
		;
	cr_assert(waking, "no wakeup");
	cr_expect_eq(waking->ctx, KP_CTX_HARDIRQ | KP_CTX_TIMER, "ctx %x", waking->ctx);
	cr_expect(waking->obj >= run.told->times[0] + asked && waking->obj <= waking->hdr.time_ns,
		  "due %ld ns after the begin", (long)(waking->obj - run.told->times[0]));
	done(&run);
}

/* What waits in the kernel's own time has a timer of the softirq. */
static void wait_for_nobody(struct told *told)
{
	const struct timeval limit = {.tv_usec = SLEEP_MS * 1000};
	int fds[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ||
	    setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		_exit(1);
	told->times[0] = mono_ns();
	if (recv(fds[0], &byte, 1, 0) != -1 || errno != EAGAIN)
		_exit(1);
	told->times[1] = mono_ns();
}

Test(probes, a_softirqs_timer_is_no_waker)
{
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;

	record_child(&run, wait_for_nobody, (struct kp_recorder_options){0});
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       !(waking->target_tid == run.told->tids[0] &&
		 waking->hdr.time_ns > run.told->times[0]))
		;
	cr_assert(waking, "no wakeup");
	cr_expect_lt(waking->hdr.time_ns, run.told->times[1]);
	cr_expect_eq(waking->ctx & ~KP_CTX_TIMER, KP_CTX_SOFTIRQ, "ctx %x", waking->ctx);
	cr_expect_eq(waking->softirq, TIMER_SOFTIRQ);
	done(&run);
}

static void move(struct told *told)
{
	cpu_set_t set;

	(void)told;
	for (int cpu = 0; cpu < 2; cpu++) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			_exit(1);
	}
}

Test(probes, migration)
{
	struct run run = {0};
	const struct kp_ev_sched_migrate *moved;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		cr_skip_test("needs two CPUs");
	record_child(&run, move, (struct kp_recorder_options){0});
	while ((moved = next_of(&run, KP_EV_sched_migrate)) &&
	       !(moved->target_tid == run.told->tids[0] && moved->orig_cpu == 0 &&
		 moved->dest_cpu == 1))
		;
	cr_assert(moved, "no migration from CPU 0 to 1");
	done(&run);
}

/* --- TCP --- */

/* A server waits in read(), its client sends after a while. */
static void talk_by_tcp(struct told *told)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	char byte;
	pid_t pid;

	if (bind(listener, (void *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &len))
		_exit(1);
	told->ports[0] = ntohs(address.sin_port);
	pid = fork();
	if (!pid) {
		fd = accept(listener, NULL, NULL);
		_exit(read(fd, &byte, 1) != 1);
	}
	told->tids[1] = (uint32_t)pid;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (void *)&address, len) || getsockname(fd, (void *)&address, &len))
		_exit(1);
	told->ports[1] = ntohs(address.sin_port);
	sleep_ms(SLEEP_MS);
	told->times[0] = mono_ns();
	if (write(fd, "", 1) != 1)
		_exit(1);
	waitpid(pid, NULL, 0);
}

Test(probes, tcp_wakeup_names_the_receiving_socket)
{
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;
	const struct kp_ev_syscall *sent;
	uint32_t loopback = htonl(INADDR_LOOPBACK);

	record_child(&run, talk_by_tcp, (struct kp_recorder_options){0});
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       (waking->target_tid != run.told->tids[1] ||
		waking->hdr.time_ns < run.told->times[0]))
		;
	cr_assert(waking, "no wakeup");
	cr_expect_eq(waking->ctx, KP_CTX_SOFTIRQ | KP_CTX_NET, "ctx %x", waking->ctx);
	cr_expect_eq(waking->softirq, 3);
	cr_expect_eq(v4_of(sock_of(&run, waking)->laddr), loopback);
	cr_expect_eq(v4_of(sock_of(&run, waking)->raddr), loopback);
	cr_expect_eq(sock_of(&run, waking)->lport, run.told->ports[0]);
	cr_expect_eq(sock_of(&run, waking)->rport, run.told->ports[1]);
	rewind_run(&run);
	while ((sent = next_of(&run, KP_EV_syscall)) &&
	       !(sent->hdr.tid == run.told->tids[0] && sent->nr == SYS_write &&
		 sent->obj == KP_OBJ_tcp))
		;
	cr_assert(sent, "no record of the write");
	cr_expect_eq(sock_of(&run, sent)->lport, run.told->ports[1]);
	cr_expect_eq(sock_of(&run, sent)->rport, run.told->ports[0]);
	cr_expect_eq(v4_of(sock_of(&run, sent)->laddr), loopback);
	cr_expect_neq(sock_of(&run, sent)->netns, 0);
	done(&run);
}

Test(probes, tcp_states)
{
	struct run run = {0};
	const struct kp_ev_tcp_state *state;

	record_child(&run, talk_by_tcp, (struct kp_recorder_options){0});
	while ((state = next_of(&run, KP_EV_tcp_state)) &&
	       !(state->oldstate == STATE_SYN_SENT && state->newstate == STATE_ESTABLISHED &&
		 sock_of(&run, state)->rport == run.told->ports[0]))
		;
	cr_assert(state, "no SYN_SENT to ESTABLISHED");
	cr_expect_eq(sock_of(&run, state)->lport, run.told->ports[1]);
	cr_expect_neq(sock_of(&run, state)->netns, 0);
	done(&run);
}

/* Drops what the client sends for a while, so that it sends again; in a network of its own, whose
 * packets nobody else counts. */
static void talk_over_loss(struct told *told)
{
	if (unshare(CLONE_NEWNET) ||
	    system("ip link set lo up && iptables -w -A INPUT -i lo -p tcp --tcp-flags PSH PSH "
		   "-m statistic --mode nth --every 2 --packet 0 -j DROP"))
		_exit(1);
	talk_by_tcp(told);
}

Test(probes, tcp_retransmission)
{
	struct run run = {0};
	const struct kp_ev_tcp_retransmit *again;

	if (system("iptables -w -L INPUT -n >/dev/null 2>&1"))
		cr_skip_test("needs iptables");
	record_child(&run, talk_over_loss, (struct kp_recorder_options){0});
	while ((again = next_of(&run, KP_EV_tcp_retransmit)) &&
	       sock_of(&run, again)->rport != run.told->ports[0])
		;
	cr_assert(again, "no retransmission");
	cr_expect_eq(sock_of(&run, again)->lport, run.told->ports[1]);
	cr_expect_eq(again->len, 1);
	cr_expect_eq(again->state, STATE_ESTABLISHED);
	done(&run);
}

/* --- files and disk --- */

static void write_to_disk(struct told *told)
{
	char path[] = "/var/tmp/kprobe-sync-XXXXXX";
	int fd = mkstemp(path);
	struct stat st;

	if (fd < 0 || write(fd, "ledger", 6) != 6 || fdatasync(fd) || fstat(fd, &st))
		_exit(1);
	told->inos[0] = st.st_ino;
	told->inos[1] = kernel_dev(st.st_dev);
	unlink(path);
}

Test(probes, file_sync_and_block_requests)
{
	struct run run = {0};
	const struct kp_ev_file_sync *synced;
	const struct kp_ev_block_complete *complete;
	const struct kp_ev_block_issue *issue;
	uint64_t rq;

	if (system("df -t ext4 /var/tmp >/dev/null 2>&1"))
		cr_skip_test("needs ext4 at /var/tmp");
	record_child(&run, write_to_disk, (struct kp_recorder_options){0});
	while ((synced = next_of(&run, KP_EV_file_sync)) && synced->hdr.tid != run.told->tids[0])
		;
	cr_assert(synced, "no file sync");
	cr_expect_eq(synced->ino, run.told->inos[0]);
	cr_expect_eq(synced->dev, run.told->inos[1]);
	cr_expect_eq(synced->datasync, 1);
	cr_expect_eq(synced->ret, 0);
	cr_expect_lt(synced->entry_ns, synced->hdr.time_ns);
	rewind_run(&run);
	while ((issue = next_of(&run, KP_EV_block_issue)) && !issue->len)
		;
	cr_assert(issue, "no request went to the device");
	rq = issue->rq;
	while ((complete = next_of(&run, KP_EV_block_complete)) && complete->rq != rq)
		;
	cr_assert(complete, "the request was not completed");
	cr_expect_eq(complete->error, 0);
	done(&run);
}

/* The map with this name of process pid, by its number in the process's descriptors; -1: none. */
static int map_by_name(pid_t pid, const char *name)
{
	struct bpf_map_info info;
	char path[64], line[128];
	unsigned id;
	int fd;

	for (int i = 0; i < 512; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, i);
		FILE *file = fopen(path, "re");

		for (id = 0; file && fgets(line, sizeof(line), file);)
			sscanf(line, "map_id: %u", &id);
		if (file)
			fclose(file);
		fd = id ? bpf_map_get_fd_by_id(id) : -1;
		uint32_t len = sizeof(info);

		memset(&info, 0, sizeof(info));
		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
		    strcmp(info.name, name) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* Syncs a file while the map of what has begun is full. */
static void sync_without_room(struct told *told)
{
	char path[] = "/var/tmp/kprobe-test-XXXXXX";
	int map = map_by_name(getppid(), "spans"), fd = mkstemp(path);
	uint64_t value[2] = {0};
	uint32_t key[2] = {1u << 30, 7};

	(void)told;
	if (map < 0 || fd < 0)
		_exit(1);
	unlink(path);
	while (bpf_map_update_elem(map, key, value, BPF_ANY) == 0)
		key[0]++;
	if (write(fd, path, sizeof(path)) != (ssize_t)sizeof(path) || fsync(fd) < 0)
		_exit(2);
}

Test(probes, what_has_no_room_for_its_begin_is_counted)
{
	const struct kp_ev_lost *lost;
	struct run run = {0};
	struct statfs fs;

	if (statfs("/var/tmp", &fs) < 0 || fs.f_type != EXT4_SUPER_MAGIC)
		cr_skip_test("/var/tmp is not on ext4");
	record_child(&run, sync_without_room, (struct kp_recorder_options){0});
	cr_expect_geq(run.result.totals.lost[KP_GROUP_sync], 1);
	cr_expect_eq(run.result.totals.produced[KP_GROUP_sync],
		     run.result.totals.stored[KP_GROUP_sync] +
			     run.result.totals.lost[KP_GROUP_sync]);
	while ((lost = next_of(&run, KP_EV_lost)) && lost->lost_group != KP_GROUP_sync)
		;
	cr_expect(lost, "the log does not tell");
	done(&run);
}

Test(probes, block_wakeup_names_its_request)
{
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;
	const struct kp_ev_block_complete *complete;
	uint64_t rq;

	record_child(&run, write_to_disk, (struct kp_recorder_options){0});
	while ((waking = next_of(&run, KP_EV_sched_waking)) && !(waking->ctx & KP_CTX_BLOCK))
		;
	cr_assert(waking, "no wakeup by a block request");
	cr_expect_neq(waking->ctx & KP_CTX_IRQ, 0);
	rq = waking->obj;
	rewind_run(&run);
	while ((complete = next_of(&run, KP_EV_block_complete)) && complete->rq != rq)
		;
	cr_expect(complete, "the request of the wakeup is not known");
	done(&run);
}

/* --- signals --- */

static volatile sig_atomic_t caught;

static void on_usr1(int sig)
{
	caught = sig;
}

static void take_signal(struct told *told)
{
	pid_t pid;

	signal(SIGUSR1, on_usr1);
	pid = fork();
	if (!pid) {
		while (!caught)
			sleep_ms(1000);
		_exit(0);
	}
	told->tids[1] = (uint32_t)pid;
	sleep_ms(SLEEP_MS);
	kill(pid, SIGUSR1);
	waitpid(pid, NULL, 0);
}

Test(probes, signals)
{
	struct run run = {0};
	const struct kp_ev_signal_generate *sent;
	const struct kp_ev_signal_deliver *taken;
	const struct kp_ev_syscall *back;

	record_child(&run, take_signal, (struct kp_recorder_options){0});
	while ((sent = next_of(&run, KP_EV_signal_generate)) &&
	       !(sent->target_pid == run.told->tids[1] && sent->sig == SIGUSR1))
		;
	cr_assert(sent, "no signal sent");
	cr_expect_eq(sent->hdr.tid, run.told->tids[0]);
	cr_expect_eq(sent->result, 0);
	cr_expect_eq(sent->ctx & KP_CTX_IRQ, 0);
	while ((taken = next_of(&run, KP_EV_signal_deliver)) &&
	       !(taken->hdr.pid == run.told->tids[1] && taken->sig == SIGUSR1))
		;
	cr_assert(taken, "no signal taken");
	cr_expect_eq(taken->handler, (uint64_t)(uintptr_t)on_usr1);
	cr_expect_eq(taken->data_len, 0);
	while ((back = next_of(&run, KP_EV_syscall)) && back->hdr.tid != run.told->tids[1])
		;
	cr_assert(back, "no call after the handler");
	while (back && !(back->hdr.tid == run.told->tids[1] && back->nr == SYS_rt_sigreturn))
		back = next_of(&run, KP_EV_syscall);
	cr_expect(back, "rt_sigreturn is not recorded as such");
	done(&run);
}

/* Its own timer's, which an interrupt sends whoever runs. */
static void alarm_itself(struct told *told)
{
	const struct itimerval soon = {.it_value.tv_usec = SLEEP_MS * 1000};

	(void)told;
	signal(SIGALRM, on_usr1);
	if (setitimer(ITIMER_REAL, &soon, NULL))
		_exit(1);
	while (!caught)
		sleep_ms(1000);
}

Test(probes, a_timers_signal_is_the_interrupts)
{
	struct run run = {0};
	const struct kp_ev_signal_generate *sent;

	record_child(&run, alarm_itself, (struct kp_recorder_options){0});
	while ((sent = next_of(&run, KP_EV_signal_generate)) &&
	       !(sent->target_pid == run.told->tids[0] && sent->sig == SIGALRM))
		;
	cr_assert(sent, "no signal sent");
	cr_expect_neq(sent->ctx & KP_CTX_IRQ, 0, "ctx %x", sent->ctx);
	done(&run);
}

/* --- system calls, interrupts --- */

static void make_calls(struct told *told)
{
	struct stat st;
	int fds[2];
	char byte;

	syscall(SYS_getppid);
	if (pipe(fds) || write(fds[1], "x", 1) != 1 || read(fds[0], &byte, 1) != 1 ||
	    fstat(fds[0], &st))
		_exit(1);
	told->inos[0] = st.st_ino;
	told->addr = (uint64_t)(uintptr_t)&byte;
	told->times[0] = mono_ns();
	sleep_ms(SLEEP_MS); /* blocks: its entry goes by the task's storage */
	close(-1);
}

/* What a call makes is its object, by whichever call. */
static void make_descriptors(struct told *told)
{
	int fds[2], pidfd;
	struct stat st;

	if (pipe(fds) || fstat(fds[1], &st))
		_exit(1);
	told->inos[0] = st.st_ino;
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	dup(fds[0]);
	syscall(SYS_pidfd_getfd, pidfd, fds[1], 0);
	syscall(SYS_fanotify_init, 0, 0);
	close(fds[0]);
}

Test(probes, objects_of_new_descriptors)
{
	static const struct {
		unsigned nr;
		uint8_t obj;
	} expected[] = {
		{KP_NR_pidfd_open, KP_OBJ_anon},
		{KP_NR_dup, KP_OBJ_pipe},
		{KP_NR_pidfd_getfd, KP_OBJ_pipe},
		{KP_NR_fanotify_init, KP_OBJ_anon},
	};
	struct run run = {0};
	const struct kp_ev_syscall *call;

	record_child(&run, make_descriptors, (struct kp_recorder_options){0});
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		while ((call = next_of(&run, KP_EV_syscall)) &&
		       !(call->hdr.tid == run.told->tids[0] && call->nr == expected[i].nr))
			;
		cr_assert(call, "no call %u", expected[i].nr);
		if (call->ret <
		    0) /* pidfd_open makes a file of pidfs since 6.9, of a kind of its own */
			continue;
		cr_expect(call->obj == expected[i].obj ||
				  (call->nr == KP_NR_pidfd_open && call->obj == KP_OBJ_file),
			  "%u: %u", call->nr, call->obj);
		if (expected[i].obj == KP_OBJ_pipe)
			cr_expect_eq(call->ino, run.told->inos[0]);
	}
	done(&run);
}

Test(probes, system_calls)
{
	struct run run = {0};
	const struct kp_ev_syscall *call;

	record_child(&run, make_calls, (struct kp_recorder_options){0});
	while ((call = next_of(&run, KP_EV_syscall)) &&
	       !(call->hdr.tid == run.told->tids[0] && call->nr == SYS_getppid))
		;
	cr_assert(call, "no getppid");
	cr_expect_eq(call->ret, getpid());
	cr_expect_eq(call->obj, KP_OBJ_none);
	cr_expect_eq(call->seq, 0);
	cr_expect_eq(call->flags, 0);
	while ((call = next_of(&run, KP_EV_syscall)) &&
	       !(call->hdr.tid == run.told->tids[0] && call->nr == SYS_read))
		;
	cr_assert(call, "no read");
	cr_expect_eq(call->ret, 1);
	cr_expect_eq(call->arg1, run.told->addr);
	cr_expect_eq(call->arg2, 1);
	cr_expect_eq(call->obj, KP_OBJ_pipe);
	cr_expect_eq(call->ino, run.told->inos[0]);
	while ((call = next_of(&run, KP_EV_syscall)) &&
	       !(call->hdr.tid == run.told->tids[0] && call->nr == SYS_clock_nanosleep))
		;
	cr_assert(call, "no nanosleep");
	cr_expect_eq(call->flags, 0);
	cr_expect_geq(call->hdr.time_ns - call->entry_ns, SLEEP_MS * 1000000ull);
	cr_expect_geq(call->entry_ns, run.told->times[0]);
	while ((call = next_of(&run, KP_EV_syscall)) &&
	       !(call->hdr.tid == run.told->tids[0] && call->nr == SYS_close))
		;
	cr_assert(call, "no close");
	cr_expect_eq(call->ret, -EBADF);
	done(&run);
}

Test(probes, interrupts_and_clocks)
{
	struct run run = {0};
	const struct kp_ev_irq_sum *sum;
	const struct kp_ev_clock *clocks;
	const struct kp_hdr *slow;

	record_child(&run, write_to_disk, (struct kp_recorder_options){.irq_threshold_ns = 1});
	while ((sum = next_of(&run, KP_EV_irq_sum)) && sum->vector != 3)
		;
	cr_assert(!sum || sum->count);
	rewind_run(&run);
	cr_expect(next_of(&run, KP_EV_irq_sum), "no sums of interrupts");
	rewind_run(&run);
	slow = next_of(&run, KP_EV_softirq);
	cr_assert(slow, "no softirq over 1 ns");
	cr_expect_lt(((const struct kp_ev_softirq *)slow)->entry_ns, slow->time_ns);
	rewind_run(&run);
	cr_expect(next_of(&run, KP_EV_irq), "no interrupt over 1 ns");
	rewind_run(&run);
	clocks = next_of(&run, KP_EV_clock);
	cr_assert(clocks, "no clocks");
	cr_expect_lt(clocks->bracket_ns, 1000000000u);
	done(&run);
}
