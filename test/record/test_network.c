/* SPDX-License-Identifier: MIT
 * What goes wrong on the way of packets is provoked by a child in a network of its own, whose
 * packets nobody else counts, and found in the log with what it must say.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "accounts.h"

#define WRITES 10
#define WRITE_LEN 1000 /* two do not fit into one segment */
#define LOST_MS 500    /* longer than the first two timeouts */
#define REST_MS 30

TestSuite(network, .init = need_probes, .timeout = 60);

static void need_iptables(void)
{
	need_probes();
	if (system("iptables -w -L INPUT -n >/dev/null 2>&1"))
		cr_skip_test("needs iptables");
}

static void must(bool is_true, const char *what)
{
	if (is_true)
		return;
	fprintf(stderr, "the child: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* A network with nothing but its loopback; the commands set it up further. */
static void own_network(const char *commands)
{
	must(!unshare(CLONE_NEWNET) && !system("ip link set lo up mtu 1500"),
	     "a network of its own");
	must(!system(commands), commands);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons(port)};
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	must(!getsockname(fd, (void *)&address, &len), "getsockname");
	return ntohs(address.sin_port);
}

/* Both ends of a connection; its ports are told: the server's, the client's. */
static void connect_pair(struct told *told, int *ret_client, int *ret_server)
{
	struct sockaddr_in address = loopback(0);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	must(!bind(listener, (void *)&address, sizeof(address)) && !listen(listener, 1), "listen");
	told->ports[0] = port_of(listener);
	address = loopback(told->ports[0]);
	*ret_client = socket(AF_INET, SOCK_STREAM, 0);
	must(!connect(*ret_client, (void *)&address, sizeof(address)), "connect");
	told->ports[1] = port_of(*ret_client);
	*ret_server = accept(listener, NULL, NULL);
	must(*ret_server >= 0, "accept");
	must(!setsockopt(*ret_client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), "TCP_NODELAY");
	close(listener);
}

static void write_all(int fd)
{
	static const char bytes[WRITE_LEN];

	for (int i = 0; i < WRITES; i++)
		must(write(fd, bytes, sizeof(bytes)) == WRITE_LEN, "write");
}

static void read_all(int fd)
{
	char bytes[WRITES * WRITE_LEN];

	must(recv(fd, bytes, sizeof(bytes), MSG_WAITALL) == sizeof(bytes), "recv");
}

/* --- retransmissions --- */

#define DROP_DATA "INPUT -i lo -p tcp --tcp-flags PSH PSH "

/* All is lost for a while: the probe comes first, then the timeouts, and behind them the rest. */
static void lose_all(struct told *told)
{
	int client, server;

	own_network("true");
	connect_pair(told, &client, &server);
	must(!system("iptables -w -A " DROP_DATA "-j DROP"), "iptables");
	write_all(client);
	sleep_ms(LOST_MS);
	must(!system("iptables -w -D " DROP_DATA "-j DROP"), "iptables");
	read_all(server);
}

/* One segment is lost, and those behind it tell that. */
static void lose_one(struct told *told)
{
	int client, server;

	own_network("iptables -w -A " DROP_DATA
		    "-m statistic --mode nth --every 1000 --packet 0 -j DROP");
	connect_pair(told, &client, &server);
	write_all(client);
	read_all(server);
}

/* The next retransmission of the child's client. */
static const struct kp_ev_tcp_retransmit *next_retransmit(struct run *run)
{
	const struct kp_ev_tcp_retransmit *again;

	while ((again = next_of(run, KP_EV_tcp_retransmit)) &&
	       sock_of(run, again)->lport != run->told->ports[1])
		;
	return again;
}

Test(network, retransmissions_tell_the_timeout_and_the_probe_before_it, .init = need_iptables)
{
	const struct kp_ev_tcp_retransmit *again;
	struct run run = {0};
	uint32_t first;

	record_child(&run, lose_all, (struct kp_recorder_options){0});
	again = next_retransmit(&run);
	cr_assert(again, "no retransmission");
	cr_expect_eq(again->why, KP_RETRANSMIT_tlp, "the first: %u", again->why);
	cr_expect_eq(again->icsk_retransmits, 0);
	cr_expect_eq(again->tcp_seq - again->tcp_una, (WRITES - 1) * WRITE_LEN,
		     "the probe is the last one");
	first = again->tcp_una;
	again = next_retransmit(&run);
	cr_assert(again, "no second retransmission");
	cr_expect_eq(again->why, KP_RETRANSMIT_rto, "the second: %u", again->why);
	cr_expect_eq(again->icsk_retransmits, 1);
	cr_expect_eq(again->tcp_seq, first);
	cr_expect_eq(again->cwnd, 1);
	cr_expect_gt(again->window, 0);
	cr_expect(again->srtt_us > 0 && again->srtt_us < again->rto_us);
	while ((again = next_retransmit(&run)) && again->why != KP_RETRANSMIT_loss)
		cr_expect_eq(again->why, KP_RETRANSMIT_rto, "a later one: %u", again->why);
	cr_assert(again, "nothing was sent again behind the timeouts");
	done(&run);
}

Test(network, retransmissions_tell_what_acknowledgements_made_them, .init = need_iptables)
{
	const struct kp_ev_tcp_retransmit *again;
	struct run run = {0};

	record_child(&run, lose_one, (struct kp_recorder_options){0});
	again = next_retransmit(&run);
	cr_assert(again, "no retransmission");
	cr_expect_eq(again->why, KP_RETRANSMIT_fast, "%u", again->why);
	cr_expect_eq(again->tcp_seq, again->tcp_una);
	cr_expect_eq(again->len, WRITE_LEN);
	done(&run);
}

/* --- connections that are not confirmed --- */

#define BACKLOG 2
#define AGAIN_MS 20000 /* the kernel waits a second */

/* Segments that this network has sent again. */
static unsigned sent_again(void)
{
	FILE *file = fopen("/proc/self/net/snmp", "re");
	char line[512];
	unsigned cnt = 0;

	must(file != NULL, "/proc/self/net/snmp");
	while (fgets(line, sizeof(line), file)) /* RetransSegs is the twelfth of Tcp's */
		sscanf(line, "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %u", &cnt);
	fclose(file);
	return cnt;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(!connect(fd, (void *)&address, sizeof(address)), "connect");
	return fd;
}

/* What confirms a connection is thrown away, but for data. */
static int listen_deaf(struct told *told)
{
	struct sockaddr_in address = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char command[128];

	must(!bind(fd, (void *)&address, sizeof(address)) && !listen(fd, BACKLOG), "listen");
	told->ports[0] = port_of(fd);
	snprintf(command, sizeof(command),
		 "iptables -w -A INPUT -p tcp --dport %u --tcp-flags SYN,PSH,ACK ACK -j DROP",
		 told->ports[0]);
	must(!system(command), command);
	return fd;
}

/* The last of those that fill the queue comes behind the one that finds it full: else that one's
 * begin would be thrown away too. */
static void fill_queue(struct told *told)
{
	uint64_t end_ns = mono_ns() + AGAIN_MS * 1000000ull;
	unsigned again;

	own_network("true");
	listen_deaf(told);
	for (int i = 0; i <= BACKLOG; i++) {
		if (i == BACKLOG)
			told->ports[1] = port_of(connect_to(told->ports[0]));
		must(write(connect_to(told->ports[0]), "x", 1) == 1, "write");
	}
	for (again = sent_again(); sent_again() == again; sleep_ms(REST_MS))
		must(mono_ns() < end_ns, "nothing was sent again");
}

Test(network, an_answer_to_a_connections_begin_is_sent_again, .init = need_iptables)
{
	const struct kp_ev_tcp_synack_retransmit *again;
	struct run run = {0};

	record_child(&run, fill_queue, (struct kp_recorder_options){0});
	while ((again = next_of(&run, KP_EV_tcp_synack_retransmit)) &&
	       !(again->lport == run.told->ports[0] && again->rport == run.told->ports[1]))
		;
	cr_assert(again, "no retransmission");
	cr_expect_eq(sock_of(&run, again)->lport, run.told->ports[0]);
	cr_expect_eq(sock_of(&run, again)->netns, again->netns);
	cr_expect_eq(v4_of(again->laddr), htonl(INADDR_LOOPBACK));
	cr_expect_eq(v4_of(again->raddr), htonl(INADDR_LOOPBACK));
	cr_expect_neq(again->tcp_seq, 0);
	cr_expect_eq(again->before, 0);
	cr_expect_eq(again->waiting, BACKLOG + 1);
	cr_expect_eq(again->waiting_max, BACKLOG);
	done(&run);
}

/* --- for which socket a task is woken --- */

static int bound_socket(struct told *told, uint32_t address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = address};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	must(fd >= 0 && !bind(fd, (void *)&at, sizeof(at)), "bind");
	told->ports[0] = port_of(fd);
	return fd;
}

static void send_datagram(uint32_t address, uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = address, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	must(sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)) == 1, "sendto");
}

static void receive_datagram(struct told *told, int fd)
{
	char byte;

	told->times[0] = mono_ns();
	must(recv(fd, &byte, 1, 0) == 1, "recv");
}

static void talk_by_udp(struct told *told)
{
	pid_t pid;
	int fd;

	own_network("true");
	fd = bound_socket(told, htonl(INADDR_LOOPBACK));
	pid = fork();
	if (!pid) {
		sleep_ms(REST_MS);
		send_datagram(htonl(INADDR_LOOPBACK), told->ports[0]);
		_exit(0);
	}
	receive_datagram(told, fd);
	waitpid(pid, NULL, 0);
}

/* The wake that ended the child's wait is for its socket, in this context. */
static void check_wake(void (*fn)(struct told *told), uint32_t ctx)
{
	const struct kp_ev_sched_waking *waking;
	struct run run = {0};

	record_child(&run, fn, (struct kp_recorder_options){0});
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       (waking->target_tid != run.told->tids[0] ||
		waking->hdr.time_ns < run.told->times[0]))
		;
	cr_assert(waking, "no wakeup");
	cr_expect_eq(waking->ctx, ctx, "ctx %x", waking->ctx);
	cr_expect_eq(sock_of(&run, waking)->obj, KP_OBJ_udp);
	cr_expect_eq(sock_of(&run, waking)->lport, run.told->ports[0]);
	done(&run);
}

static void need_data_ready(void)
{
	need_probes();
	if (!has_type("btf_trace_sk_data_ready"))
		cr_skip_test("needs Linux 6.2");
}

Test(network, a_wake_names_the_socket_of_a_datagram, .init = need_data_ready)
{
	check_wake(talk_by_udp, KP_CTX_SOFTIRQ | KP_CTX_NET);
}

/* --- threaded NAPI: a kernel thread instead of a softirq --- */

#define NEAR "10.77.0.1"
#define FAR "10.77.0.2"

static void set_feature(const char *device, uint32_t command, uint32_t value)
{
	struct ethtool_value feature = {.cmd = command, .data = value};
	struct ifreq request = {.ifr_data = (void *)&feature};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(request.ifr_name, device);
	must(!ioctl(fd, SIOCETHTOOL, &request), "SIOCETHTOOL");
	close(fd);
}

/*
 * Two devices, the far one in a network that the process made here has. The near one has its own
 * thread: it has NAPI for the sake of GRO, which serves what was sent without segmentation offload.
 */
static pid_t make_pair(const struct told *told)
{
	char command[128];
	int gate[2];
	pid_t pid;

	own_network("ip link add near type veth peer name far");
	set_feature("far", ETHTOOL_STSO, 0);
	set_feature("near", ETHTOOL_SGRO, 1);
	must(!pipe(gate), "pipe");
	pid = fork();
	if (!pid) {
		must(!unshare(CLONE_NEWNET), "the far network");
		must(write(gate[1], "", 1) == 1, "write");
		sleep_ms(10 * REST_MS);
		must(!system("ip addr add " FAR "/24 dev far && ip link set far up"), "far");
		sleep_ms(10 * REST_MS);
		send_datagram(inet_addr(NEAR), told->ports[0]);
		_exit(0);
	}
	must(read(gate[0], command, 1) == 1, "read");
	snprintf(command, sizeof(command), "ip link set far netns %d", pid);
	must(!system(command), command);
	must(!unshare(CLONE_NEWNS) && !system("mount -t sysfs sysfs /sys"), "sysfs");
	must(!system("ip addr add " NEAR "/24 dev near && ip link set near up && "
		     "echo 1 >/sys/class/net/near/threaded"),
	     "threaded NAPI");
	return pid;
}

static void receive_by_thread(struct told *told)
{
	pid_t pid = make_pair(told);

	receive_datagram(told, bound_socket(told, inet_addr(NEAR)));
	waitpid(pid, NULL, 0);
}

Test(network, a_thread_of_napi_is_no_waker, .init = need_data_ready)
{
	check_wake(receive_by_thread, KP_CTX_THREAD | KP_CTX_NET);
}

/* --- ksoftirqd: what the softirq has no time for --- */

#define FLOOD_MS 600

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

/* Datagrams by the thousand for nobody, and one now and then for the child. */
static void flood_and_send(uint16_t port)
{
	struct sockaddr_in nobody = loopback(1);
	uint64_t end_ns = mono_ns() + FLOOD_MS * 1000000ull;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	stay_on(1);
	for (unsigned i = 0; mono_ns() < end_ns; i++) {
		sendto(fd, "x", 1, 0, (void *)&nobody, sizeof(nobody));
		if (i % 1024 == 0)
			send_datagram(htonl(INADDR_LOOPBACK), port);
	}
}

/* CPU 0 serves what CPU 1 sends. */
static void receive_in_flood(struct told *told)
{
	const struct timeval limit = {.tv_usec = REST_MS * 1000};
	char byte;
	pid_t pid;
	int fd;

	own_network("true");
	must(!unshare(CLONE_NEWNS) && !system("mount -t sysfs sysfs /sys && "
					      "echo 1 >/sys/class/net/lo/queues/rx-0/rps_cpus"),
	     "receive packet steering");
	fd = bound_socket(told, htonl(INADDR_LOOPBACK));
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "SO_RCVTIMEO");
	pid = fork();
	if (!pid) {
		flood_and_send(told->ports[0]);
		_exit(0);
	}
	while (!waitpid(pid, NULL, WNOHANG))
		recv(fd, &byte, 1, 0);
}

/* The thread's number, as the log has it; 0: it does not. */
static uint32_t ksoftirqd(struct run *run)
{
	const struct kp_ev_task *task;

	while ((task = next_of(run, KP_EV_task)) && strcmp(task->comm, "ksoftirqd/0") != 0)
		;
	rewind_run(run);
	return task ? task->hdr.tid : 0;
}

Test(network, ksoftirqd_is_no_waker, .init = need_data_ready)
{
	const struct kp_ev_sched_waking *waking;
	struct run run = {0};
	uint32_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		cr_skip_test("needs two CPUs");
	record_child(
		&run, receive_in_flood,
		(struct kp_recorder_options){.groups = 1u << KP_GROUP_sched | 1u << KP_GROUP_life});
	thread = ksoftirqd(&run);
	cr_assert(thread, "no ksoftirqd/0 in the log");
	while ((waking = next_of(&run, KP_EV_sched_waking)) &&
	       !(waking->target_tid == run.told->tids[0] && waking->hdr.tid == thread &&
		 waking->ctx & KP_CTX_NET))
		;
	if (waking) {
		cr_expect_eq(waking->ctx, KP_CTX_SOFTIRQ | KP_CTX_NET, "ctx %x", waking->ctx);
		cr_expect_eq(sock_of(&run, waking)->lport, run.told->ports[0]);
	}
	done(&run);
	if (!waking)
		cr_skip_test("the flood left ksoftirqd nothing to do");
}

/* --- resets --- */

/* The server's process ends its connection without a farewell; nobody listens at the client's next
 * port. */
static void reset(struct told *told)
{
	const struct linger at_once = {.l_onoff = 1};
	struct sockaddr_in nobody = loopback(1);
	int client, server;

	own_network("true");
	connect_pair(told, &client, &server);
	must(!setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), "SO_LINGER");
	close(server);
	close(client);
	client = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(client, (void *)&nobody, sizeof(nobody)) < 0, "somebody listens");
	told->ports[2] = port_of(client);
}

/* The next reset of this direction with this port at this end. */
static const struct kp_ev_tcp_reset *next_reset(struct run *run, uint8_t dir, uint16_t lport)
{
	const struct kp_ev_tcp_reset *ev;

	rewind_run(run);
	while ((ev = next_of(run, KP_EV_tcp_reset)) && (ev->dir != dir || ev->lport != lport))
		;
	cr_assert(ev, "no reset of port %u", lport);
	cr_expect_eq(v4_of(ev->laddr), htonl(INADDR_LOOPBACK));
	cr_expect_eq(v4_of(ev->raddr), htonl(INADDR_LOOPBACK));
	cr_expect_neq(ev->netns, 0);
	return ev;
}

static void need_reset_without_socket(void)
{
	need_probes();
	if (!has_type("sk_rst_reason"))
		cr_skip_test("needs Linux 6.10");
}

Test(network, resets_are_told_at_both_ends)
{
	const struct kp_ev_tcp_reset *ev;
	struct run run = {0};

	record_child(&run, reset, (struct kp_recorder_options){0});
	ev = next_reset(&run, KP_PACKET_OUT, run.told->ports[0]);
	cr_expect_eq(ev->hdr.tid, run.told->tids[0], "who closed it sends it");
	cr_expect_eq(ev->rport, run.told->ports[1]);
	cr_expect_eq(sock_of(&run, ev)->obj, KP_OBJ_tcp);
	ev = next_reset(&run, KP_PACKET_IN, run.told->ports[1]);
	cr_expect_eq(ev->rport, run.told->ports[0]);
	cr_expect_eq(ev->state, TCP_ESTABLISHED);
	cr_expect_eq(ev->reason, KP_REASON_UNTOLD);
	cr_expect_eq(sock_of(&run, ev)->lport, run.told->ports[1]);
	done(&run);
}

Test(network, a_reset_without_a_socket_has_its_addresses, .init = need_reset_without_socket)
{
	const struct kp_ev_tcp_reset *ev;
	struct run run = {0};

	record_child(&run, reset, (struct kp_recorder_options){0});
	ev = next_reset(&run, KP_PACKET_OUT, 1);
	cr_expect_eq(ev->sock, 0);
	cr_expect_eq(ev->rport, run.told->ports[2]);
	cr_expect_str_eq(kp_names_reason(&run.names, &ev->hdr), "NO_SOCKET");
	done(&run);
}

/* --- closed windows --- */

/* The server reads nothing for a while, and then all. */
static void fill_window(struct told *told)
{
	static char bytes[65536];
	int client, server;
	ssize_t len, sent = 0;

	own_network("true");
	connect_pair(told, &client, &server);
	while ((len = send(client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		sent += len;
	sleep_ms(LOST_MS);
	told->times[0] = mono_ns();
	for (; sent > 0; sent -= len)
		must((len = recv(server, bytes, sizeof(bytes), 0)) > 0, "recv");
}

Test(network, a_window_closes_and_opens)
{
	const struct kp_ev_tcp_window *ev;
	struct run run = {0};

	record_child(&run, fill_window, (struct kp_recorder_options){0});
	while ((ev = next_of(&run, KP_EV_tcp_window)) &&
	       sock_of(&run, ev)->lport != run.told->ports[1])
		;
	cr_assert(ev, "no window closed");
	cr_expect_eq(ev->window, 0);
	cr_expect_gt(ev->waiting, 0);
	cr_expect_lt(ev->hdr.time_ns, run.told->times[0]);
	ev = next_of(&run, KP_EV_tcp_window);
	cr_assert(ev, "the window stayed closed");
	cr_expect_eq(sock_of(&run, ev)->lport, run.told->ports[1]);
	cr_expect_gt(ev->window, 1000, "scaled: %u", ev->window);
	cr_expect_gt(ev->hdr.time_ns, run.told->times[0]);
	done(&run);
}

/* The next change of the window that the child's server has. */
static const struct kp_ev_tcp_own_window *next_own_window(struct run *run)
{
	const struct kp_ev_tcp_own_window *ev;

	while ((ev = next_of(run, KP_EV_tcp_own_window)) &&
	       sock_of(run, ev)->lport != run->told->ports[0])
		;
	return ev;
}

Test(network, a_window_of_this_end_closes_and_opens)
{
	const struct kp_ev_tcp_own_window *ev;
	struct run run = {0};

	record_child(&run, fill_window, (struct kp_recorder_options){0});
	ev = next_own_window(&run);
	cr_assert(ev, "no window closed");
	cr_expect_eq(ev->window, 0);
	cr_expect_gt(ev->unread, 0);
	cr_expect_eq(sock_of(&run, ev)->rport, run.told->ports[1]);
	cr_expect_lt(ev->hdr.time_ns, run.told->times[0]);
	ev = next_own_window(&run);
	cr_assert(ev, "the window stayed closed");
	cr_expect_gt(ev->window, 1000, "scaled: %u", ev->window);
	cr_expect_gt(ev->hdr.time_ns, run.told->times[0]);
	for (bool is_open = true; (ev = next_own_window(&run)); is_open = !is_open)
		cr_expect_eq(!ev->window, is_open, "not every packet is a change");
	done(&run);
}

/* The server never reads; its connection goes away with its window closed. */
static void abandon_window(struct told *told)
{
	static const char bytes[65536];
	int client, server;

	own_network("true");
	connect_pair(told, &client, &server);
	while (send(client, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	sleep_ms(LOST_MS);
	close(server);
}

Test(network, a_window_that_stays_closed_is_told_once)
{
	struct run run = {0};

	record_child(&run, abandon_window, (struct kp_recorder_options){0});
	cr_expect_not_null(next_own_window(&run), "no window closed");
	cr_expect_null(next_own_window(&run));
	done(&run);
}

/* --- drops --- */

#define DATAGRAM_LEN 1000
#define REFUSED_PORT 7
#define NOBODYS_PORT 9

/* Datagrams for nobody, through a filter that lets none through, and more than a socket takes,
 * which is then closed with the rest unread. */
static void lose_datagrams(struct told *told)
{
	static const char bytes[DATAGRAM_LEN];
	struct sockaddr_in to = loopback(NOBODYS_PORT);
	int from, full, room = 1;

	own_network("iptables -w -A INPUT -p udp --dport 7 -j DROP");
	from = bound_socket(told, htonl(INADDR_LOOPBACK));
	told->ports[1] = told->ports[0];
	full = bound_socket(told, htonl(INADDR_LOOPBACK));
	must(!setsockopt(full, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), "SO_RCVBUF");
	must(sendto(from, "nobody", 6, 0, (void *)&to, sizeof(to)) == 6, "to nobody");
	to = loopback(REFUSED_PORT);
	must(sendto(from, "filter", 6, 0, (void *)&to, sizeof(to)) == 6, "to the filter");
	to = loopback(told->ports[0]);
	for (int i = 0; i < WRITES; i++)
		must(sendto(from, bytes, sizeof(bytes), 0, (void *)&to, sizeof(to)) == DATAGRAM_LEN,
		     "to a socket that is full");
	close(full);
}

static const struct kp_ev_packet_drop *next_drop(struct run *run, uint16_t dport)
{
	const struct kp_ev_packet_drop *ev;

	while ((ev = next_of(run, KP_EV_packet_drop)) && ev->dport != dport)
		;
	return ev;
}

static void check_drop(struct run *run, uint16_t dport, uint32_t len, const char *reason)
{
	const struct kp_ev_packet_drop *ev = next_drop(run, dport);
	const char *name = ev ? kp_names_reason(&run->names, &ev->hdr) : NULL;

	cr_assert(ev, "no drop: %s", reason);
	cr_expect_eq(ev->sport, run->told->ports[1]);
	cr_expect_eq(v4_of(ev->saddr), htonl(INADDR_LOOPBACK));
	cr_expect_eq(v4_of(ev->daddr), htonl(INADDR_LOOPBACK));
	cr_expect_eq(ev->protocol, IPPROTO_UDP);
	cr_expect_eq(ev->len, len);
	cr_expect_eq(ev->total_len, len + 28);
	cr_expect_neq(ev->netns, 0);
	cr_expect_neq(ev->location, 0);
	if (has_type("skb_drop_reason"))
		cr_expect_str_eq(name, reason);
	else
		cr_expect_eq(ev->reason, KP_REASON_UNTOLD);
}

Test(network, drops_have_the_kernels_reason, .init = need_iptables)
{
	struct run run = {0};
	unsigned cnt = 1;

	record_child(&run, lose_datagrams, (struct kp_recorder_options){0});
	check_drop(&run, NOBODYS_PORT, 6, "NO_SOCKET");
	check_drop(&run, REFUSED_PORT, 6, "NETFILTER_DROP");
	check_drop(&run, run.told->ports[0], DATAGRAM_LEN, "SOCKET_RCVBUFF");
	while (next_drop(&run, run.told->ports[0]))
		cnt++;
	cr_expect_lt(cnt, WRITES, "what was not read is no drop");
	cr_expect_eq(run.result.totals.produced[KP_GROUP_tcp],
		     run.result.totals.stored[KP_GROUP_tcp] + run.result.totals.lost[KP_GROUP_tcp]);
	done(&run);
}

#define FLOOD 100000

static void flood_nobody(struct told *told)
{
	struct sockaddr_in to = loopback(NOBODYS_PORT);
	int fd;

	own_network("true");
	fd = bound_socket(told, htonl(INADDR_LOOPBACK));
	for (int i = 0; i < FLOOD; i++)
		sendto(fd, "x", 1, 0, (void *)&to, sizeof(to));
}

Test(network, a_flood_of_drops_is_counted)
{
	struct run run = {0};

	record_child(&run, flood_nobody, (struct kp_recorder_options){.ring_len = 16384});
	cr_expect_geq(run.result.totals.produced[KP_GROUP_tcp], FLOOD);
	expect_accounts(&run, true);
	done(&run);
}

/* --- packets --- */

static void send_segments(struct told *told)
{
	int client, server;

	own_network("true");
	connect_pair(told, &client, &server);
	write_all(client);
	read_all(server);
}

/* All bytes of the client's stream go out and come in, each one after the other. */
static uint32_t follow_stream(struct run *run, uint8_t dir)
{
	const struct kp_ev_packet *ev;
	uint32_t next = 0, sum = 0;

	rewind_run(run);
	while ((ev = next_of(run, KP_EV_packet))) {
		if (ev->dir != dir || ev->sport != run->told->ports[1] || !ev->len)
			continue;
		cr_expect_eq(ev->dport, run->told->ports[0]);
		cr_expect_eq(ev->protocol, IPPROTO_TCP);
		cr_expect_eq(ev->ifindex, 1);
		cr_expect(ev->tcp_flags & 16, "ACK");
		cr_expect(!sum || ev->tcp_seq == next, "a gap of %d", (int)(ev->tcp_seq - next));
		cr_expect_eq(ev->total_len, ev->len + 52, "IP's header and TCP's with its time");
		if (dir == KP_PACKET_OUT)
			cr_expect_eq(sock_of(run, ev)->lport, run->told->ports[1]);
		next = ev->tcp_seq + ev->len;
		sum += ev->len;
	}
	return sum;
}

Test(network, packets_have_their_place_in_the_stream)
{
	struct run run = {0};

	record_child(&run, send_segments, (struct kp_recorder_options){0});
	cr_expect_eq(follow_stream(&run, KP_PACKET_OUT), WRITES * WRITE_LEN);
	cr_expect_eq(follow_stream(&run, KP_PACKET_IN), WRITES * WRITE_LEN);
	done(&run);
}
