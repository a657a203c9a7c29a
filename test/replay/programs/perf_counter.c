/* SPDX-License-Identifier: MIT
 * A counter of the kernel: opened, read, asked for its number.
 */
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof attr,
				       .config = PERF_COUNT_SW_CONTEXT_SWITCHES,
				       .disabled = 1};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	unsigned long value = 0;

	TRY(fd >= 0);
	TRY(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0x123456789UL));
	TRY(usleep(1000));
	TRY(read(fd, &value, sizeof value));
	printf("value: %lu\n", value);
	TRY(ioctl(fd, PERF_EVENT_IOC_ID, &value));
	printf("id: %lu\n", value);
	return 0;
}
