/* SPDX-License-Identifier: MIT
 * A terminal of its own: sizes, modes, the slave by the master.
 */
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	struct winsize size = {40, 100, 0, 0}, got = {0};
	struct termios modes;
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, number = -1, on = 1;
	char text[64];

	TRY(master >= 0);
	TRY(unlockpt(master));
	TRY(ioctl(master, TIOCGPTN, &number));
	printf("number: %d\n", number);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	TRY(slave >= 0);
	TRY(ioctl(slave, TIOCSWINSZ, &size));
	TRY(ioctl(master, TIOCGWINSZ, &got));
	printf("%u x %u\n", got.ws_row, got.ws_col);
	TRY(tcgetattr(slave, &modes));
	cfmakeraw(&modes);
	TRY(tcsetattr(slave, TCSANOW, &modes));
	TRY(write(master, "typed\n", 6));
	TRY(ioctl(slave, FIONREAD, &number));
	printf("waiting: %d\n", number);
	TRY(read(slave, text, sizeof text));
	TRY(ioctl(master, TIOCPKT, &on));
	TRY(write(slave, "shown", 5));
	TRY(read(master, text, sizeof text));
	printf("%d %.5s\n", text[0], text + 1);
	TRY(tcflush(slave, TCIOFLUSH));
	TRY(ttyname_r(slave, text, sizeof text));
	printf("%s\n", text);
	return 0;
}
