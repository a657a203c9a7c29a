/* SPDX-License-Identifier: MIT
 * A ring that the kernel fills: perf_event's.
 */
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof attr,
				       .config = PERF_COUNT_SW_DUMMY,
				       .disabled = 1};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	unsigned *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	printf("version %u\n", page == MAP_FAILED ? 0 : page[0]);
	return page == MAP_FAILED;
}
