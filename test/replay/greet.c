/* SPDX-License-Identifier: MIT
 * Writes three lines to a file, the middle one from GREETING, and ends. Two builds with different
 * greetings of the same length differ in one byte.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
}

int main(void)
{
	int fd = open("greetings", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	say(fd, "first line\n");
	say(1, "on the terminal\n");
	say(fd, GREETING "\n");
	say(fd, "last line\n");
	return fd < 0;
}
