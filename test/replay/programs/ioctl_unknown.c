/* SPDX-License-Identifier: MIT
 * An ioctl whose result leads to bytes that nobody kept: refused by name.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "show.h"

int main(void)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_name = "lo", .ifr_data = (void *)&info};

	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCETHTOOL, &request) == 0)
		printf("driver: %s\n", info.driver);
	request = (struct ifreq){.ifr_name = "eth0", .ifr_data = (void *)&info};
	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCETHTOOL, &request) == 0)
		printf("driver: %s\n", info.driver);
	return 0;
}
