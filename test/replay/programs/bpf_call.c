/* SPDX-License-Identifier: MIT
 * The bpf call, whose structs nobody follows: refused by name.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	long fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);

	printf("%d\n", fd >= 0);
	return 0;
}
