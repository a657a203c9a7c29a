/* SPDX-License-Identifier: MIT
 * Random bytes from every source.
 */
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	unsigned char buf[300];
	int fd = TRY(open("/dev/urandom", O_RDONLY));

	TRY(getrandom(buf, 32, 0));
	hex("getrandom", buf, 32);
	TRY(getrandom(buf, 300, GRND_NONBLOCK));
	hex("long", buf, 300);
	TRY(read(fd, buf, 16));
	hex("urandom", buf, 16);
	TRY(getentropy(buf, 8));
	hex("getentropy", buf, 8);
	hex("AT_RANDOM", (void *)getauxval(AT_RANDOM), 16);
	printf("addresses %p %p %p\n", (void *)main, (void *)buf, (void *)printf);
	TRY(getrandom(buf, 8, 0x1000));
	return 0;
}
