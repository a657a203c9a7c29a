/* SPDX-License-Identifier: MIT
 * A filter's signal while it is blocked and has a handler: the kernel ends the process.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

static void on_sys(int sig)
{
	_exit(sig);
}

int main(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {4, code};
	sigset_t set;

	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGSYS, on_sys);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	TRY(sigprocmask(SIG_BLOCK, &set, NULL));
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
	TRY(syscall(SYS_getppid));
	return 0;
}
