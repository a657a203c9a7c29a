/* SPDX-License-Identifier: MIT
 * Requests to devices: terminals, sockets, files.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct winsize ws = {0};
	struct termios t;
	struct ifreq ifr = {.ifr_name = "lo"};
	char name[64], buf[16] = "";
	long version = 0;
	int m = TRY(posix_openpt(O_RDWR | O_NOCTTY)), s = -1, in = open("input.txt", O_RDONLY),
	    n = 0;

	TRY(ioctl(1, TCGETS, &t));
	TRY(ioctl(1, TIOCGWINSZ, &ws));
	if (m >= 0 && TRY(grantpt(m)) == 0 && TRY(unlockpt(m)) == 0 &&
	    TRY(ptsname_r(m, name, sizeof(name))) == 0) {
		printf("%s\n", name);
		s = TRY(open(name, O_RDWR | O_NOCTTY));
		ws = (struct winsize){24, 80, 0, 0};
		TRY(ioctl(m, TIOCSWINSZ, &ws));
		memset(&ws, 0, sizeof(ws));
		TRY(ioctl(s, TIOCGWINSZ, &ws));
		printf("%u x %u\n", ws.ws_row, ws.ws_col);
		TRY(tcgetattr(s, &t));
		printf("%x %x %x %x\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
		cfmakeraw(&t);
		TRY(tcsetattr(s, TCSANOW, &t));
		TRY(write(m, "typed", 5));
		TRY(ioctl(s, FIONREAD, &n));
		printf("%d\n", n);
		TRY(read(s, buf, 5));
		printf("[%s]\n", buf);
	}
	TRY(ioctl(in, FIONREAD, &n));
	printf("%d\n", n);
	TRY(ioctl(in, FS_IOC_GETVERSION, &version));
	TRY(ioctl(in, FS_IOC_GETFLAGS, &n));
	printf("%x\n", n);
	s = TRY(socket(AF_INET, SOCK_DGRAM, 0));
	TRY(ioctl(s, SIOCGIFFLAGS, &ifr));
	printf("%x\n", ifr.ifr_flags);
	TRY(ioctl(s, SIOCGIFINDEX, &ifr));
	printf("%d\n", ifr.ifr_ifindex);
	TRY(ioctl(in, FIONBIO, &(int){1}));
	TRY(ioctl(in, FIOCLEX));
	return 0;
}
