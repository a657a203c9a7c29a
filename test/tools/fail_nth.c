/* SPDX-License-Identifier: MIT
 *
 * Runs a command of which the Nth system call of a kind fails, as the kernel could have it fail any
 * day: a disk error, a full disk, a limit. Only calls of the command's own process count, in all
 * its threads, not those of its children. Works on static programs, and on those that trace others
 * themselves, since it is a seccomp filter that asks (seccomp_unotify(2)) and no tracer.
 *
 *   fail_nth CALL[,CALL...] ERRNO N[+] COUNT-FILE COMMAND [ARGUMENT...]
 *
 * N 0: none fails. N+: all fail from the Nth on. COUNT-FILE gets the number of calls that were
 * made. The status is the command's, 128 and the signal that ended it, or 200 when this program
 * failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event/syscall.h"

#define OWN_FAILURE 200
#define CALLS_MAX 16
#define TIDS_MAX 64
#define ERRORS_MAX 134

/* Shared with the child until it execs. */
struct shared {
	_Atomic int listener; /* 0: not yet */
};

struct state {
	unsigned calls[CALLS_MAX];
	unsigned call_cnt;
	int error;
	unsigned long nth;
	bool and_all_behind;
	unsigned long seen;
	pid_t pid;
	pid_t own[TIDS_MAX], foreign[TIDS_MAX]; /* threads known, and others' */
	unsigned own_cnt, foreign_cnt;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fail_nth: %s: %s\n", what, strerror(errno));
	_exit(OWN_FAILURE);
}

static void parse(struct state *state, char **argv)
{
	char *rest = NULL, *end;

	for (char *word = strtok_r(argv[1], ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		int nr = kp_syscall_find(word);

		errno = EINVAL;
		if (nr < 0 || state->call_cnt == CALLS_MAX)
			die(word);
		state->calls[state->call_cnt++] = (unsigned)nr;
	}
	for (int error = 1; error < ERRORS_MAX && !state->error; error++)
		if (kp_errno_name(error) && !strcmp(kp_errno_name(error), argv[2]))
			state->error = error;
	state->nth = strtoul(argv[3], &end, 10);
	state->and_all_behind = *end == '+';
	errno = EINVAL;
	if (!state->error)
		die(argv[2]);
}

static int install(const struct state *state)
{
	struct sock_filter code[CALLS_MAX + 6] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = {(unsigned short)(state->call_cnt + 6), code};
	unsigned at = 4;
	long fd;

	for (unsigned i = 0; i < state->call_cnt; i++)
		code[at++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, state->calls[i],
						     (unsigned char)(state->call_cnt - i), 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[at] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		     &program);
	if (fd < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			     &program);
	return (int)fd;
}

/* The listener's descriptor appears in our table, which the child shares until its exec. */
static pid_t start(const struct state *state, struct shared *shared, char **command)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	int fd;

	if (pid < 0)
		die("clone");
	if (pid)
		return pid;
	fd = install(state);
	shared->listener = fd < 0 ? -errno : fd;
	if (fd >= 0)
		execvp(command[0], command);
	_exit(127);
}

static bool is_among(const pid_t *tids, unsigned cnt, pid_t tid)
{
	for (unsigned i = 0; i < cnt; i++)
		if (tids[i] == tid)
			return true;
	return false;
}

/* Whether a thread is the command's own. */
static bool is_own(struct state *state, pid_t tid)
{
	char path[64];

	if (is_among(state->own, state->own_cnt, tid))
		return true;
	if (is_among(state->foreign, state->foreign_cnt, tid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task/%d", state->pid, tid);
	if (!access(path, F_OK)) {
		state->own[state->own_cnt++ % TIDS_MAX] = tid;
		return true;
	}
	state->foreign[state->foreign_cnt++ % TIDS_MAX] = tid;
	return false;
}

static void answer(struct state *state, int listener)
{
	struct seccomp_notif request = {0};
	struct seccomp_notif_resp response = {0};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return; /* it has gone */
	response.id = request.id;
	response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (is_own(state, (pid_t)request.pid)) {
		state->seen++;
		if (state->seen == state->nth ||
		    (state->and_all_behind && state->nth && state->seen > state->nth)) {
			response.flags = 0;
			response.error = -state->error;
		}
	}
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static int serve(struct state *state, int listener)
{
	struct pollfd poll_fd = {listener, POLLIN, 0};
	int status;

	for (;;) {
		poll_fd.revents = 0;
		if (poll(&poll_fd, 1, 20) > 0 && poll_fd.revents & POLLIN)
			answer(state, listener);
		else if (waitpid(state->pid, &status, WNOHANG) == state->pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct state state = {0};
	FILE *file;
	int status;

	if (argc < 6 || shared == MAP_FAILED) {
		fprintf(stderr,
			"usage: fail_nth CALL[,CALL...] ERRNO N[+] COUNT-FILE COMMAND...\n");
		return OWN_FAILURE;
	}
	parse(&state, argv);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	state.pid = start(&state, shared, argv + 5);
	while (!shared->listener)
		usleep(200);
	errno = -shared->listener;
	if (shared->listener < 0)
		die("seccomp");
	fcntl(shared->listener, F_SETFD, FD_CLOEXEC);
	status = serve(&state, shared->listener);
	file = fopen(argv[4], "we");
	if (!file || fprintf(file, "%lu\n", state.seen) < 0 || fclose(file))
		die(argv[4]);
	return status;
}
