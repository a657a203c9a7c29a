/* SPDX-License-Identifier: MIT
 * Files by their handles, and mounts by their numbers.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct {
		struct file_handle head;
		char room[128];
	} handle = {{.handle_bytes = 0}};
	int mount = -1, fd = open(".", O_RDONLY | O_DIRECTORY);

	TRY(name_to_handle_at(AT_FDCWD, "input.txt", &handle.head, &mount, 0));
	printf("needed: %u\n", handle.head.handle_bytes);
	handle.head.handle_bytes = sizeof handle.room;
	if (TRY(name_to_handle_at(AT_FDCWD, "input.txt", &handle.head, &mount, 0)))
		return 0;
	printf("type %d mount %d\n", handle.head.handle_type, mount);
	hex("handle", handle.room, handle.head.handle_bytes);
	fd = open_by_handle_at(fd, &handle.head, O_RDONLY);
	TRY(fd >= 0);
	TRY(read(fd, handle.room, 10));
	printf("%.10s\n", handle.room);
	return 0;
}
