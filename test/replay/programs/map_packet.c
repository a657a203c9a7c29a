/* SPDX-License-Identifier: MIT
 * A ring that the kernel fills: AF_PACKET's.
 */
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "show.h"

int main(void)
{
	struct tpacket_req ring = {4096, 1, 2048, 2};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	void *page;

	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) < 0)
		return 1;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	hex("ring", page, 16);
	return 0;
}
