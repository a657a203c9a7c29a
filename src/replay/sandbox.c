/* SPDX-License-Identifier: MIT
 *
 * The place where a replayed process lives: behind the walls of walls.h, with ptrace from before
 * its first instruction. It runs no system call that the replayer does not let it run.
 *
 * The process is the second one of its pid namespace: the first has no default action for signals,
 * and a replayed crash needs it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/tracee.h"
#include "replay/walls.h"

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

/* What the new process says before it goes on: what it is behind, or why it is not. */
struct hello {
	unsigned missing; /* KP_WALL_ */
	int error;        /* errno, or 0 */
};

/* In the new process, before exec; only async-signal-safe calls. Never returns. */
static void become_tracee(const struct kp_spawn *spawn, int sock, struct hello *hello)
{
	sigset_t none;
	char byte;

	hello->error = kp_walls_limits(spawn->nobody);
	for (int sig = 1; sig < 65; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	syscall(SYS_close_range, 0u, ~0u, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < spawn->fd_cnt; i++)
		fcntl(spawn->fds[i], F_SETFD, 0);
	/* The kernel adds our pid as the receiver sees it; the answer comes when ptrace is on. */
	if (send(sock, hello, sizeof *hello, 0) != sizeof *hello || recv(sock, &byte, 1, 0) != 1)
		_exit(EPIPE);
	if (!kp_walls_filter(spawn->filter))
		syscall(SYS_execveat, spawn->exe_fd, "", spawn->argv, spawn->envp, AT_EMPTY_PATH);
	_exit(errno);
}

/* The first process of the sandbox: waits for its user id, makes the tracee, and stays. */
static void become_init(const struct kp_spawn *spawn, int sock, unsigned missing)
{
	struct hello hello = {.missing = missing};
	char byte;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	if (recv(sock, &byte, 1, 0) != 1)
		_exit(1);
	/* Without a mount namespace of its own only Landlock may do it. */
	hello.missing |= kp_walls_root(spawn->libraries, !(missing & KP_WALL_NAMESPACES));
	pid = fork();
	if (pid == 0)
		become_tracee(spawn, sock, &hello);
	close(sock);
	if (pid < 0)
		_exit(1);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	_exit(0);
}

static bool write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	bool done;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

/*
 * The replayer's id is 0 there; where it is root, nobody's is nobody's. Both may be refused: the
 * process then has the overflow id, which it never sees.
 */
static void map_id(pid_t pid, const char *name, unsigned id)
{
	char text[64];

	snprintf(text, sizeof text, "0 %u 1\n%u %u 1\n", id, KP_NOBODY, KP_NOBODY);
	if (id == 0 && write_file(pid, name, text))
		return;
	snprintf(text, sizeof text, "0 %u 1", id);
	write_file(pid, name, text);
}

static void map_ids(pid_t pid)
{
	if (geteuid() != 0)
		write_file(pid, "setgroups", "deny");
	map_id(pid, "uid_map", geteuid());
	map_id(pid, "gid_map", getegid());
}

/* Receives the new process's words and its pid; 0 if the other side is gone. */
static pid_t receive_hello(int sock, struct hello *ret_hello)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {ret_hello, sizeof *ret_hello};
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
	head = n == sizeof *ret_hello ? CMSG_FIRSTHDR(&msg) : NULL;
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS)
		memcpy(&cred, CMSG_DATA(head), sizeof cred);
	return cred.pid;
}

/* Seizes the process and brings it to the exit of its exec. */
static int seize(struct kp_tracee *tracee, const struct kp_spawn *spawn, int sock,
		 struct kp_err *err)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESECCOMP |
			     PTRACE_O_EXITKILL;
	struct kp_stop stop;
	int rc;

	if (ptrace(PTRACE_SEIZE, tracee->pid, 0, options) < 0)
		return kp_err_sys(err, -errno,
				  "cannot trace the sandboxed process (check "
				  "/proc/sys/kernel/yama/ptrace_scope and seccomp policy)");
	tracee->alive = true;
	rc = kp_watchdog_new(tracee->pid, &spawn->limits, &tracee->watchdog, err);
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

/* Refuses to go on with fewer walls than the caller accepts. */
static int check_walls(const struct kp_spawn *spawn, const struct hello *hello, struct kp_err *err)
{
	char names[96];

	if (hello->error)
		return kp_err_sys(err, -hello->error, "cannot lock up the sandboxed process");
	if (!(hello->missing & ~spawn->may_miss))
		return 0;
	kp_walls_name(hello->missing, names, sizeof names);
	return kp_err_set(
		err, -ENOTSUP,
		"this machine refuses the sandbox %s (see user_namespaces(7), "
		"user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; or "
		"be root); with --unsafe it is done without, behind a seccomp list alone",
		names);
}

/* The sandbox's first process is there: brings the second one to the exit of its exec. */
static int start(struct kp_tracee *tracee, const struct kp_spawn *spawn, int sock,
		 struct kp_err *err)
{
	struct hello hello = {0};
	int rc;

	if (send(sock, "i", 1, MSG_NOSIGNAL) == 1)
		tracee->pid = receive_hello(sock, &hello);
	if (tracee->pid <= 0)
		return kp_err_set(err, -EAGAIN, "the sandbox's first process ended early");
	tracee->missing_walls = hello.missing;
	rc = check_walls(spawn, &hello, err);
	return rc < 0 ? rc : seize(tracee, spawn, sock, err);
}

int kp_tracee_spawn(struct kp_tracee *tracee, const struct kp_spawn *spawn, struct kp_err *err)
{
	int sock[2], one = 1, rc;
	unsigned missing;
	bool user;

	memset(tracee, 0, sizeof(*tracee));
	tracee->mem_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return kp_err_sys(err, -errno, "cannot make a socket pair");
	setsockopt(sock[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	tracee->init_pid = kp_walls_clone(&user, &missing);
	if (tracee->init_pid == 0) {
		close(sock[0]);
		become_init(spawn, sock[1], missing);
	}
	close(sock[1]);
	if (tracee->init_pid < 0) {
		rc = kp_err_sys(err, -errno, "cannot start the sandbox");
		tracee->init_pid = 0;
	} else {
		if (user)
			map_ids(tracee->init_pid);
		rc = start(tracee, spawn, sock[0], err);
	}
	close(sock[0]);
	return rc;
}

void kp_tracee_done(struct kp_tracee *tracee)
{
	int status;

	tracee->end = kp_watchdog_fired(tracee->watchdog);
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
