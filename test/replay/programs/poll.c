/* SPDX-License-Identifier: MIT
 * poll and ppoll, ready and not.
 */
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct timespec t = {0, 2000000};
	struct pollfd p[3] = {
		{.events = POLLIN}, {.events = POLLOUT}, {.fd = 99, .events = POLLIN}};
	sigset_t none;
	int fds[2];

	TRY(pipe(fds));
	p[0].fd = fds[0];
	p[1].fd = fds[1];
	TRY(poll(p, 1, 3));
	TRY(poll(p, 3, -1));
	printf("%x %x %x\n", p[0].revents, p[1].revents, p[2].revents);
	TRY(write(fds[1], "a", 1));
	TRY(poll(p, 2, 1000));
	printf("%x %x\n", p[0].revents, p[1].revents);
	sigemptyset(&none);
	TRY(close(fds[1]));
	TRY(ppoll(p, 1, &t, &none));
	printf("%x\n", p[0].revents);
	TRY(poll(NULL, 0, 1));
	return 0;
}
