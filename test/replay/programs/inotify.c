/* SPDX-License-Identifier: MIT
 * inotify: what happened to a folder.
 */
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[4096];
	int fd = TRY(inotify_init1(IN_NONBLOCK)), wd, f;
	long n;

	wd = TRY(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE));
	TRY(read(fd, buf, sizeof(buf)));
	f = TRY(open("seen", O_WRONLY | O_CREAT, 0600));
	TRY(write(f, "x", 1));
	TRY(rename("seen", "seen2"));
	TRY(unlink("seen2"));
	n = TRY(read(fd, buf, sizeof(buf)));
	for (long i = 0; i < n;) {
		struct inotify_event *e = (void *)(buf + i);

		printf("wd %d mask %x cookie %u %s\n", e->wd, e->mask, e->cookie,
		       e->len ? e->name : "");
		i += (long)sizeof(*e) + e->len;
	}
	TRY(inotify_rm_watch(fd, wd));
	TRY(inotify_rm_watch(fd, 77));
	return 0;
}
