/* SPDX-License-Identifier: MIT
 * A file that gets shorter and longer while it is mapped, and faults behind its end.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "show.h"

static sigjmp_buf back;
static char *map, *copy;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	siglongjmp(back, 1 + (int)(((char *)info->si_addr - map) / 4096));
}

static void peek(const char *name, volatile char *at)
{
	int page = sigsetjmp(back, 1);

	if (!page)
		printf("%s: %d\n", name, *at);
	else
		printf("%s: SIGBUS\n", name);
}

static void look(const char *what)
{
	printf("%s\n", what);
	peek(" shared 10", map + 10);
	peek(" shared 5000", map + 5000);
	peek(" shared 9000", map + 9000);
	peek(" copy 10", copy + 10);
	peek(" copy 5000", copy + 5000);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	char block[8192];
	int fd = TRY(open("data", O_RDWR | O_CREAT, 0600));

	memset(block, 'b', sizeof block);
	TRY(write(fd, block, sizeof block));
	sigaction(SIGBUS, &action, NULL);
	map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	copy = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	copy[5001] = 'c';
	look("begin");
	TRY(ftruncate(fd, 100));
	look("cut");
	TRY(ftruncate(fd, 12000));
	look("longer");
	map[9000] = 'n';
	copy[5000] = 'd';
	TRY(close(TRY(open("data", O_WRONLY | O_TRUNC))));
	look("truncated by open");
	TRY(truncate("data", 6000));
	look("truncated by its path");
	TRY(pwrite(fd, "new", 3, 10));
	look("written");
	TRY(ftruncate(fd, 40000));
	strcpy(map + 39000, "grown");
	printf("%s\n", map + 39000);
	return 0;
}
