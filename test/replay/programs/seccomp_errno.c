/* SPDX-License-Identifier: MIT
 * A filter that answers calls itself: with an error, with success, with a signal that is handled or
 * blocked.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

#define ANSWER(nr, action) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)

static void on_sys(int sig, siginfo_t *info, void *context)
{
	static const char text[] = "SIGSYS\n";

	if (write(1, text, sizeof text - 1) < 0 || info->si_syscall != SYS_getppid)
		_exit(1);
}

int main(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ANSWER(SYS_mkdir, SECCOMP_RET_ERRNO | ENOSPC),
		ANSWER(SYS_unlink, SECCOMP_RET_ERRNO),
		ANSWER(SYS_execve, SECCOMP_RET_ERRNO),
		ANSWER(SYS_munmap, SECCOMP_RET_ERRNO),
		ANSWER(SYS_getppid, SECCOMP_RET_TRAP),
		ANSWER(SYS_readlink, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof code / sizeof *code, code};
	struct sigaction action = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *argv[] = {"nothing", NULL};

	strcpy(page, "still there");
	setvbuf(stdout, NULL, _IONBF, 0);
	sigaction(SIGSYS, &action, NULL);
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
	TRY(mkdir("folder", 0700));
	TRY(unlink("input.txt"));
	TRY(syscall(SYS_execve, "/bin/true", argv, NULL));
	TRY(munmap(page, 4096));
	printf("%s\n", page);
	TRY(syscall(SYS_getppid) != 0);
	signal(SIGSYS, SIG_DFL);
	TRY(syscall(SYS_readlink, "/proc/self/exe", page, 100));
	printf("not reached\n");
	return 0;
}
