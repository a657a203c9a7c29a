/* SPDX-License-Identifier: MIT
 * Events of a file system, by descriptors.
 */
#include <fcntl.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct fanotify_event_metadata events[8];
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	ssize_t n;

	TRY(fd >= 0);
	TRY(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "input.txt"));
	close(open("input.txt", O_RDONLY));
	n = read(fd, events, sizeof events);
	printf("events: %zd\n", n > 0 ? n / (ssize_t)sizeof *events : n);
	for (int i = 0; i < n / (ssize_t)sizeof *events; i++)
		printf("%llx by itself: %d\n", events[i].mask, events[i].pid == getpid());
	return 0;
}
