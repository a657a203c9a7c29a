/* SPDX-License-Identifier: MIT
 * Without a record for each system call: the calls in which tasks wait and wake each other, and
 * what goes through sockets.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "probes_run.h"

#define SLEEP_MS 30
#define WAITS (KP_GROUPS_ALL & ~(1u << KP_GROUP_syscall))
#define MESSAGE_LEN 3 /* the receiver wants them all, and is woken for each */

TestSuite(waits, .init = need_probes, .timeout = 60);

static uint64_t ino_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		_exit(1);
	return st.st_ino;
}

/* The next event of the kind that the task made. */
#define NEXT_BY(run, event, kind, by)                        \
	do {                                                 \
		do                                           \
			(event) = next_of(run, kind);        \
		while ((event) && (event)->hdr.tid != (by)); \
		cr_assert((event), #kind " is missing");     \
	} while (0)

static void talk(int fds[2], struct told *told)
{
	char bytes[MESSAGE_LEN];
	pid_t pid = fork();

	if (!pid) {
		if (recv(fds[0], bytes, MESSAGE_LEN, MSG_WAITALL) != MESSAGE_LEN ||
		    recv(fds[0], bytes, 1, 0) != 0)
			_exit(1);
		_exit(0);
	}
	told->tids[1] = (uint32_t)pid;
	told->inos[0] = ino_of(fds[0]);
	told->inos[1] = ino_of(fds[1]);
	for (int i = 0; i < MESSAGE_LEN; i++) {
		sleep_ms(SLEEP_MS);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
	}
	sleep_ms(SLEEP_MS);
	shutdown(fds[1], SHUT_WR);
	waitpid(pid, NULL, 0);
}

static void talk_by_unix(struct told *told)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		_exit(1);
	talk(fds, told);
}

static void talk_by_tcp(struct told *told)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fds[2];

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		_exit(1);
	told->ports[0] = ntohs(address.sin_port);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fds[1], (struct sockaddr *)&address, sizeof(address)))
		_exit(1);
	fds[0] = accept(listener, NULL, NULL);
	talk(fds, told);
}

Test(waits, a_wait_names_its_call_and_whether_it_is_the_same)
{
	struct run run = {0};
	const struct kp_ev_wait *wait;
	const struct kp_ev_sched_switch *left;

	record_child(&run, talk_by_unix, (struct kp_recorder_options){.groups = WAITS});
	for (int i = 0; i < MESSAGE_LEN; i++) {
		NEXT_BY(&run, wait, KP_EV_wait, run.told->tids[1]);
		cr_expect_eq(wait->nr, SYS_recvfrom);
		cr_expect_eq(wait->obj, KP_OBJ_unix);
		cr_expect_eq(wait->ino, run.told->inos[0]);
		cr_expect_eq(wait->arg2, MESSAGE_LEN);
		cr_expect_eq(wait->arg3, MSG_WAITALL);
		cr_expect_eq(wait->flags, i ? KP_WAITF_SAME : 0, "wait %d", i);
		NEXT_BY(&run, left, KP_EV_sched_switch, run.told->tids[1]);
		cr_expect_eq(left->hdr.time_ns, wait->hdr.time_ns);
	}
	NEXT_BY(&run, wait, KP_EV_wait, run.told->tids[1]);
	cr_expect_eq(wait->arg2, 1);
	cr_expect_eq(wait->flags, 0, "another call");
	cr_expect_eq(run.result.totals.stored[KP_GROUP_syscall], 0);
	done(&run);
}

Test(waits, a_wake_names_the_call_of_the_waker)
{
	struct run run = {0};
	const struct kp_ev_sched_waking *waking;

	record_child(&run, talk_by_unix, (struct kp_recorder_options){.groups = WAITS});
	do {
		NEXT_BY(&run, waking, KP_EV_sched_waking, run.told->tids[0]);
	} while (waking->target_tid != run.told->tids[1]);
	cr_expect_eq(waking->nr, SYS_write);
	cr_expect_eq(waking->fobj, KP_OBJ_unix);
	cr_expect_eq(waking->ino, run.told->inos[1]);
	done(&run);
}

Test(waits, bytes_of_a_unix_socket)
{
	struct run run = {0};
	const struct kp_ev_sock_send *sent;
	const struct kp_ev_sock_recv *received;

	record_child(&run, talk_by_unix, (struct kp_recorder_options){.groups = WAITS});
	NEXT_BY(&run, sent, KP_EV_sock_send, run.told->tids[0]);
	cr_expect_eq(sent->nr, SYS_write);
	cr_expect_eq(sent->obj, KP_OBJ_unix);
	cr_expect_eq(sent->len, 1);
	cr_expect_eq(sock_of(&run, sent)->ino, run.told->inos[1]);
	cr_expect_eq(sock_of(&run, sent)->peer_ino, run.told->inos[0]);
	NEXT_BY(&run, received, KP_EV_sock_recv, run.told->tids[1]);
	cr_expect_eq(received->nr, SYS_recvfrom);
	cr_expect_eq(received->len, MESSAGE_LEN);
	cr_expect_eq(sock_of(&run, received)->ino, run.told->inos[0]);
	cr_expect_eq(sock_of(&run, received)->peer_ino, run.told->inos[1]);
	NEXT_BY(&run, received, KP_EV_sock_recv, run.told->tids[1]);
	cr_expect_eq(received->len, 0, "the end");
	done(&run);
}

static void check_positions(uint32_t groups)
{
	struct run run = {0};
	const struct kp_ev_sock_send *sent;
	const struct kp_ev_sock_recv *received;
	uint32_t first = 0, last = 0, netns = 0;
	uint16_t lport = 0;

	record_child(&run, talk_by_tcp, (struct kp_recorder_options){.groups = groups});
	for (int i = 0; i < MESSAGE_LEN; i++) {
		NEXT_BY(&run, sent, KP_EV_sock_send, run.told->tids[0]);
		cr_expect_eq(sent->obj, KP_OBJ_tcp);
		cr_expect_eq(sock_of(&run, sent)->rport, run.told->ports[0]);
		first = i ? first : sent->tcp_seq - sent->len;
		last = sent->tcp_seq;
		lport = sock_of(&run, sent)->lport;
		netns = sock_of(&run, sent)->netns;
	}
	cr_expect_eq(last - first, MESSAGE_LEN);
	NEXT_BY(&run, received, KP_EV_sock_recv, run.told->tids[1]);
	cr_expect_eq(received->tcp_seq, last);
	cr_expect_eq(sock_of(&run, received)->lport, run.told->ports[0]);
	cr_expect_eq(sock_of(&run, received)->rport, lport);
	cr_expect_eq(sock_of(&run, received)->netns, netns);
	done(&run);
}

Test(waits, positions_in_a_tcp_stream)
{
	check_positions(WAITS);
}

Test(waits, a_record_for_each_call_leaves_the_positions)
{
	check_positions(KP_GROUPS_ALL);
}

Test(waits, the_log_says_the_tier)
{
	struct run run = {0};
	const struct kp_ev_tier *tier;

	record_child(&run, talk_by_unix, (struct kp_recorder_options){.groups = WAITS});
	tier = next_of(&run, KP_EV_tier);
	cr_assert(tier);
	cr_expect_eq(tier->tier, KP_TIER_waits);
	done(&run);
	run = (struct run){0};
	record_child(&run, talk_by_unix, (struct kp_recorder_options){0});
	tier = next_of(&run, KP_EV_tier);
	cr_assert(tier);
	cr_expect_eq(tier->tier, KP_TIER_calls);
	cr_expect_gt(run.result.totals.stored[KP_GROUP_syscall], 0);
	rewind_run(&run);
	cr_expect_null(next_of(&run, KP_EV_wait));
	done(&run);
}
