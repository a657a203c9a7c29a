/* SPDX-License-Identifier: MIT
 * The filter and its listener; see filter.h.
 */
#include "record/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Later than 5.15: once a call is told, only a deadly signal takes it back (5.19), and the listener
 * is woken on the caller's CPU (6.6). */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* The kernel's structs may grow. */
union notif {
	struct seccomp_notif it;
	char room[512];
};
union resp {
	struct seccomp_notif_resp it;
	char room[256];
};

#define ARG(i) offsetof(struct seccomp_data, args[i])

/* One call after the other: what follows its number decides, or the next call is tried. */
#define CALL(nr, len) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, (len))
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define RETURN_IF(test, value, what) BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), 0, 1), RETURN(what)

static int set_filter(unsigned long flags)
{
	struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(offsetof(struct seccomp_data, nr)),
		/* rseq writes CPU numbers into memory whenever it likes: the C library does
		   without. */
		CALL(SYS_rseq, 1),
		RETURN(SECCOMP_RET_ERRNO | ENOSYS),
		/* Bytes that only the kernel sees cannot be compared nor shown again; every
		   caller is ready for files of two file systems, and copies by itself. */
		CALL(SYS_copy_file_range, 1),
		RETURN(SECCOMP_RET_ERRNO | EXDEV),
		CALL(SYS_mmap, 4),
		LOAD(ARG(3)),
		RETURN_IF(BPF_JSET, MAP_ANONYMOUS, SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_USER_NOTIF),
		CALL(SYS_prctl, 6),
		LOAD(ARG(0)),
		RETURN_IF(BPF_JEQ, PR_GET_SECCOMP, SECCOMP_RET_USER_NOTIF),
		RETURN_IF(BPF_JEQ, PR_SET_SECCOMP, SECCOMP_RET_USER_NOTIF),
		RETURN(SECCOMP_RET_ALLOW),
		CALL(SYS_seccomp, 4),
		LOAD(ARG(0)),
		RETURN_IF(BPF_JGT, SECCOMP_SET_MODE_FILTER, SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_USER_NOTIF),
		CALL(SYS_execve, 1),
		RETURN(SECCOMP_RET_USER_NOTIF),
		CALL(SYS_execveat, 1),
		RETURN(SECCOMP_RET_USER_NOTIF),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
}

static int make_listener(void)
{
	/* A filter that is no sandbox is no reason to slow speculation down (before 5.16). */
	const unsigned long always = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	int fd = set_filter(always | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	if (fd < 0 && errno == EINVAL)
		fd = set_filter(always);
	return fd;
}

/* The message: an error number, or 0 and the listener. */
struct message {
	int error;
	struct iovec iov;
	struct msghdr msg;
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
};

static void init_message(struct message *message)
{
	memset(message, 0, sizeof(*message));
	message->iov = (struct iovec){&message->error, sizeof(message->error)};
	message->msg.msg_iov = &message->iov;
	message->msg.msg_iovlen = 1;
	message->msg.msg_control = message->room;
	message->msg.msg_controllen = sizeof(message->room);
}

void kp_filter_install(int socket)
{
	struct message message;
	struct cmsghdr *cmsg;
	int fd = make_listener();

	init_message(&message);
	/* Without CAP_SYS_ADMIN only a process that gains no privileges may have a filter. */
	if (fd < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = make_listener();
	if (fd < 0) {
		message.error = errno;
		message.msg.msg_controllen = 0;
	} else {
		cmsg = CMSG_FIRSTHDR(&message.msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	/* What cannot be sent is an end of file to who receives. */
	if (sendmsg(socket, &message.msg, MSG_NOSIGNAL) < 0)
		shutdown(socket, SHUT_RDWR);
	if (fd >= 0)
		close(fd);
}

int kp_filter_receive(int socket)
{
	struct message message;
	struct cmsghdr *cmsg;
	ssize_t n;
	int fd;

	init_message(&message);
	while ((n = recvmsg(socket, &message.msg, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n != sizeof(message.error))
		return n < 0 ? -errno : -ESRCH;
	cmsg = CMSG_FIRSTHDR(&message.msg);
	if (message.error || !cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return message.error ? -message.error : -EMFILE;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return fd;
}

int kp_filter_next(int listener, struct kp_held_call *ret_call)
{
	union notif notif;

	memset(&notif, 0, sizeof(notif));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
		return 0;
	ret_call->id = notif.it.id;
	ret_call->tid = (pid_t)notif.it.pid;
	ret_call->nr = notif.it.data.nr;
	for (int i = 0; i < 6; i++)
		ret_call->args[i] = notif.it.data.args[i];
	return 1;
}

static void respond(int listener, uint64_t id, int64_t value, uint32_t flags)
{
	union resp resp;

	memset(&resp, 0, sizeof(resp));
	resp.it.id = id;
	resp.it.val = value;
	resp.it.flags = flags;
	/* ENOENT: its task was killed, or a signal took the call back and it comes again. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

void kp_filter_go_on(int listener, const struct kp_held_call *call)
{
	respond(listener, call->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

void kp_filter_answer(int listener, const struct kp_held_call *call, int64_t value)
{
	respond(listener, call->id, value, 0);
}

/* In the keeper, which has nothing but these two descriptors: a copy of ours would keep alive what
 * should end with us. The first poll lasts as long as the recorder. */
static _Noreturn void keep(int listener, int life)
{
	struct pollfd fds[] = {{.fd = listener}, {.fd = life}};
	struct kp_held_call call;

	prctl(PR_SET_NAME, "kprobe-keeper");
	for (int sig = 1; sig < _NSIG; sig++)
		signal(sig, SIG_DFL);
	setsid();
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents & POLLHUP)
			_exit(0);
		if (fds[1].revents & POLLHUP) {
			fds[1].fd = -1;
			fds[0].events = POLLIN;
		}
		if (fds[0].revents & POLLIN && kp_filter_next(listener, &call))
			kp_filter_go_on(listener, &call);
	}
}

pid_t kp_filter_keep(int listener, int *ret_fd)
{
	int life[2];
	pid_t pid;

	if (pipe2(life, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		pid = -errno;
		close(life[1]);
	} else if (pid == 0) {
		/* Beyond the two that take the place of standard input and output. */
		if (dup2(listener, 0) < 0 || dup2(life[0], 1) < 0 ||
		    syscall(SYS_close_range, 2, ~0u, 0) < 0)
			_exit(1);
		keep(0, 1);
	} else {
		*ret_fd = life[1];
	}
	close(life[0]);
	return pid;
}
