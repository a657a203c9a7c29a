/* SPDX-License-Identifier: MIT
 * A filter that leaves the answer to another process, which a recorded one cannot have.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog filter = {1, code};
	unsigned short sizes[3];

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, sizes) == 0)
		printf("%u %u %u\n", sizes[0], sizes[1], sizes[2]);
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		    &filter) > 0);
	return 0;
}
