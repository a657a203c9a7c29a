/* SPDX-License-Identifier: MIT
 *
 * The place where a replayed process lives: own user, pid, mount, network, IPC and UTS namespaces
 * as far as the kernel grants them, no new privileges, no children, no core file, and ptrace from
 * before its first instruction. It runs no system call that the replayer does not let it run.
 *
 * The process is the second one of its pid namespace: the first has no default action for signals,
 * and a replayed crash needs it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/tracee.h"
#include "replay/watchdog.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif
#define EXEC_BUDGET_NS 20000000000ULL

int kp_stub_create(uint64_t address)
{
	static const unsigned char code[] = {0x0f, 0x05, 0xcc}; /* syscall; int3 */
	unsigned char page[4096] = {0};
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = address + KP_STUB_CODE,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr segment = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = address,
		.p_paddr = address,
		.p_filesz = sizeof page,
		.p_memsz = sizeof page,
		.p_align = sizeof page,
	};
	int fd, code_err;

	_Static_assert(sizeof header + sizeof segment <= KP_STUB_CODE, "the code needs room");
	memcpy(page, &header, sizeof header);
	memcpy(page + sizeof header, &segment, sizeof segment);
	memcpy(page + KP_STUB_CODE, code, sizeof code);
	fd = memfd_create("kprobe-stub", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, page, sizeof page) == sizeof page)
		return fd;
	code_err = -errno;
	close(fd);
	return code_err;
}

/* In the new process, before exec; only async-signal-safe calls. Never returns. */
static void become_tracee(const struct kp_spawn *spawn, int sock)
{
	struct rlimit one = {1, 1}, zero = {0, 0};
	sigset_t none;
	char byte = 'p';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &zero);
	setrlimit(RLIMIT_NPROC, &one);
	for (int sig = 1; sig < 65; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	syscall(SYS_close_range, 0u, ~0u, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < spawn->fd_cnt; i++)
		fcntl(spawn->fds[i], F_SETFD, 0);
	/* The kernel adds our pid as the receiver sees it; the answer comes when ptrace is on. */
	if (send(sock, &byte, 1, 0) != 1 || recv(sock, &byte, 1, 0) != 1)
		_exit(EPIPE);
	syscall(SYS_execveat, spawn->exe_fd, "", spawn->argv, spawn->envp, AT_EMPTY_PATH);
	_exit(errno);
}

/* The first process of the sandbox: waits for its user id, makes the tracee, and stays. */
static void become_init(const struct kp_spawn *spawn, int sock)
{
	char byte;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	if (recv(sock, &byte, 1, 0) != 1)
		_exit(1);
	pid = fork();
	if (pid == 0)
		become_tracee(spawn, sock);
	close(sock);
	if (pid < 0)
		_exit(1);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	_exit(0);
}

static void write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Refused for some users; the process then has the overflow id, which it never sees. */
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

static void map_ids(pid_t pid)
{
	char text[32];

	write_file(pid, "setgroups", "deny");
	snprintf(text, sizeof text, "0 %u 1", geteuid());
	write_file(pid, "uid_map", text);
	snprintf(text, sizeof text, "0 %u 1", getegid());
	write_file(pid, "gid_map", text);
}

/* Clones with as many namespaces as the kernel grants. Returns like fork. */
static pid_t clone_isolated(bool *ret_user)
{
	static const unsigned long tries[] = {
		CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
			CLONE_NEWUTS,
		CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
		CLONE_NEWUSER | CLONE_NEWPID,
		0,
	};
	pid_t pid = -1;

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		*ret_user = tries[i] & CLONE_NEWUSER;
		pid = syscall(SYS_clone, tries[i] | SIGCHLD, 0, 0, 0, 0);
		if (pid >= 0 ||
		    (errno != EPERM && errno != ENOSPC && errno != EINVAL && errno != EUSERS))
			return pid;
	}
	return pid;
}

/* Receives one byte and who sent it; 0 if the other side is gone. */
static pid_t receive_pid(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof control};
	struct cmsghdr *head;
	struct ucred cred = {0};
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	head = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS)
		memcpy(&cred, CMSG_DATA(head), sizeof cred);
	return cred.pid;
}

/* Seizes the process and brings it to the exit of its exec. */
static int seize(struct kp_tracee *tracee, int sock, struct kp_err *err)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	struct kp_stop stop;
	int rc;

	if (ptrace(PTRACE_SEIZE, tracee->pid, 0, options) < 0)
		return kp_err_sys(err, -errno,
				  "cannot trace the sandboxed process (check "
				  "/proc/sys/kernel/yama/ptrace_scope and seccomp policy)");
	tracee->alive = true;
	rc = kp_watchdog_new(tracee->pid, &tracee->watchdog, err);
	if (rc < 0)
		return rc;
	if (send(sock, "g", 1, MSG_NOSIGNAL) != 1)
		return kp_err_sys(err, -errno, "cannot start the sandboxed process");
	rc = kp_tracee_run(tracee, 0, 0, EXEC_BUDGET_NS, &stop, err);
	if (rc < 0)
		return rc;
	if (stop.kind != KP_STOP_EXEC)
		return kp_err_sys(err,
				  stop.kind == KP_STOP_EXITED && stop.status ? -stop.status : -EIO,
				  "cannot run the program in the sandbox");
	rc = kp_tracee_open_mem(tracee, err);
	if (rc < 0)
		return rc;
	rc = kp_tracee_run(tracee, PTRACE_SYSCALL, 0, EXEC_BUDGET_NS, &stop, err);
	if (rc == 0 && stop.kind != KP_STOP_SYSCALL)
		rc = kp_err_set(err, -EIO, "the sandboxed process ended before it began");
	return rc;
}

int kp_tracee_spawn(struct kp_tracee *tracee, const struct kp_spawn *spawn, struct kp_err *err)
{
	int sock[2], one = 1, rc;
	bool user;

	memset(tracee, 0, sizeof(*tracee));
	tracee->mem_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return kp_err_sys(err, -errno, "cannot make a socket pair");
	setsockopt(sock[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	tracee->init_pid = clone_isolated(&user);
	if (tracee->init_pid == 0) {
		close(sock[0]);
		become_init(spawn, sock[1]);
	}
	close(sock[1]);
	if (tracee->init_pid < 0) {
		rc = kp_err_sys(err, -errno, "cannot start the sandbox");
		tracee->init_pid = 0;
	} else {
		if (user)
			map_ids(tracee->init_pid);
		if (send(sock[0], "i", 1, MSG_NOSIGNAL) == 1)
			tracee->pid = receive_pid(sock[0]);
		rc = tracee->pid > 0
			     ? seize(tracee, sock[0], err)
			     : kp_err_set(err, -EAGAIN, "the sandbox's first process ended early");
	}
	close(sock[0]);
	return rc;
}

void kp_tracee_done(struct kp_tracee *tracee)
{
	int status;

	kp_watchdog_free(tracee->watchdog);
	tracee->watchdog = NULL;
	if (tracee->alive) {
		kill(tracee->pid, SIGKILL);
		while (waitpid(tracee->pid, &status, __WALL) > 0 && WIFSTOPPED(status))
			;
		tracee->alive = false;
	}
	if (tracee->init_pid > 0) {
		kill(tracee->init_pid, SIGKILL);
		waitpid(tracee->init_pid, NULL, 0);
		tracee->init_pid = 0;
	}
	if (tracee->pid && tracee->mem_fd >= 0)
		close(tracee->mem_fd);
	tracee->mem_fd = -1;
}
