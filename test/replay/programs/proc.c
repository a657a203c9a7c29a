/* SPDX-License-Identifier: MIT
 * What /proc says of the process itself.
 */
#include <fcntl.h>
#include <unistd.h>

#include "show.h"

static void show(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	printf("== %s\n", path);
	if (fd < 0) {
		printf("%s\n", strerror(errno));
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	close(fd);
}

int main(void)
{
	show("/proc/self/maps");
	show("/proc/self/stat");
	show("/proc/self/status");
	show("/proc/self/cmdline");
	show("/proc/uptime");
	show("/proc/meminfo");
	show("/proc/loadavg");
	show("/proc/sys/kernel/random/uuid");
	show("/sys/devices/system/cpu/online");
	return 0;
}
