/* SPDX-License-Identifier: MIT
 * Ioctls whose structs lead to more bytes: extents of a file, interfaces, mappings; those that give
 * a struct of another length than their number says.
 */
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

struct procmap {
	unsigned long size, flags, addr, start, end, vma_flags, page, offset, inode;
	unsigned major, minor, name_len, id_len;
	unsigned long name, id;
};
#define PROCMAP _IOWR('f', 17, struct procmap)

static void extents(void)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extents[8];
	} map = {.head = {.fm_length = ~0UL, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 8}};
	char block[8192] = "data";
	int fd = open("extents.bin", O_RDWR | O_CREAT | O_TRUNC, 0600);

	TRY(pwrite(fd, block, sizeof block, 0));
	TRY(pwrite(fd, block, sizeof block, 1 << 20));
	if (TRY(ioctl(fd, FS_IOC_FIEMAP, &map)))
		return;
	printf("mapped: %u\n", map.head.fm_mapped_extents);
	for (unsigned i = 0; i < map.head.fm_mapped_extents && i < 8; i++)
		printf("%llu %llu %llu %x\n", map.extents[i].fe_logical, map.extents[i].fe_physical,
		       map.extents[i].fe_length, map.extents[i].fe_flags);
	map.head.fm_extent_count = 0;
	TRY(ioctl(fd, FS_IOC_FIEMAP, &map));
	printf("counted: %u\n", map.head.fm_mapped_extents);
}

static void interfaces(void)
{
	struct ifreq list[16], one;
	struct ifconf conf = {.ifc_len = sizeof list, .ifc_req = list};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	TRY(ioctl(fd, SIOCGIFCONF, &conf));
	for (int i = 0; i < conf.ifc_len / (int)sizeof *list; i++) {
		printf("%s\n", list[i].ifr_name);
		hex("address", &list[i].ifr_addr, sizeof list[i].ifr_addr);
	}
	conf = (struct ifconf){.ifc_len = 0};
	TRY(ioctl(fd, SIOCGIFCONF, &conf));
	printf("length: %d\n", conf.ifc_len);
	strcpy(one.ifr_name, "lo");
	TRY(ioctl(fd, SIOCGIFHWADDR, &one));
	hex("hardware", &one.ifr_hwaddr, sizeof one.ifr_hwaddr);
	TRY(ioctl(fd, SIOCGIFMTU, &one));
	printf("mtu: %d\n", one.ifr_mtu);
}

static void mappings(void)
{
	char name[256] = "", id[64];
	struct procmap map = {.size = sizeof map,
			      .addr = (unsigned long)mappings,
			      .name = (unsigned long)name,
			      .name_len = sizeof name,
			      .id = (unsigned long)id,
			      .id_len = sizeof id};
	int fd = open("/proc/self/maps", O_RDONLY);

	if (TRY(ioctl(fd, PROCMAP, &map)))
		return;
	printf("%lx-%lx %lx inode %lu name %s (%u)\n", map.start, map.end, map.vma_flags, map.inode,
	       name, map.name_len);
	hex("id", id, map.id_len);
}

int main(void)
{
	struct ifreq tun = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "kptest%d"};
	int fd = open("/dev/net/tun", O_RDWR), from;
	uid_t owner = 77;

	extents();
	interfaces();
	mappings();
	if (TRY(ioctl(fd, TUNSETIFF, &tun)) == 0) {
		printf("tun: %s\n", tun.ifr_name);
		TRY(ioctl(fd, TUNGETIFF, &tun));
		printf("tun: %s %x\n", tun.ifr_name, tun.ifr_flags);
	}
	fd = open("/proc/self/ns/user", O_RDONLY);
	TRY(ioctl(fd, NS_GET_OWNER_UID, &owner));
	printf("owner: %u\n", owner);
	TRY(ioctl(fd, NS_GET_NSTYPE, 0x12345678UL));
	from = open("extents.bin", O_RDONLY);
	fd = open("clone.bin", O_RDWR | O_CREAT, 0600);
	TRY(ioctl(fd, FICLONE, from));
	return 0;
}
