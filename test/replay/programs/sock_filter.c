/* SPDX-License-Identifier: MIT
 * A socket with a filter, which is read back in units of its own: refused by name.
 */
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct sock_filter code[2] = {BPF_STMT(BPF_RET | BPF_K, 100), BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog filter = {1, code};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = 2;

	TRY(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter));
	TRY(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &len));
	return 0;
}
