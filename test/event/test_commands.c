/* SPDX-License-Identifier: MIT
 * commands.def against the kernel's headers as far as these have the names, and the rule of what
 * cannot be replayed.
 */
#include <asm/ioctls.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <linux/btrfs.h>
#include <linux/fb.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsmap.h>
#include <linux/fsverity.h>
#include <linux/hdreg.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/input.h>
#include <linux/kd.h>
#include <linux/loop.h>
#include <linux/nsfs.h>
#include <linux/nvme_ioctl.h>
#include <linux/perf_event.h>
#include <linux/serial.h>
#include <linux/sockios.h>
#include <linux/usbdevice_fs.h>
#include <linux/vt.h>
#include <sched.h>
#include <scsi/sg.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "event/command.h"
#include "event/unreplayable.h"

/* Names with the numbers that the headers give them, and the length of the struct. */
static const struct {
	const char *name;
	unsigned nr;
	unsigned long number;
	size_t len;
} known[] = {
#define IOCTL(name, len)                    \
	{                                   \
#name, SYS_ioctl, name, len \
	}
	IOCTL(FIBMAP, 4),
	IOCTL(FIGETBSZ, 4),
	IOCTL(FICLONE, 0),
	IOCTL(FIDEDUPERANGE, sizeof(struct file_dedupe_range)),
	IOCTL(FIFREEZE, 0),
	IOCTL(FS_IOC_FIEMAP, sizeof(struct fiemap)),
	IOCTL(FS_IOC_GETFSMAP, sizeof(struct fsmap_head)),
	IOCTL(FS_IOC_GET_ENCRYPTION_POLICY_EX, 8),
	IOCTL(FS_IOC_MEASURE_VERITY, sizeof(struct fsverity_digest)),
	IOCTL(FS_IOC_READ_VERITY_METADATA, sizeof(struct fsverity_read_metadata_arg)),
	IOCTL(BTRFS_IOC_TREE_SEARCH_V2, sizeof(struct btrfs_ioctl_search_args_v2)),
	IOCTL(BTRFS_IOC_SPACE_INFO, sizeof(struct btrfs_ioctl_space_args)),
	IOCTL(BTRFS_IOC_INO_PATHS, sizeof(struct btrfs_ioctl_ino_path_args)),
	IOCTL(BTRFS_IOC_LOGICAL_INO, sizeof(struct btrfs_ioctl_logical_ino_args)),
	IOCTL(BTRFS_IOC_LOGICAL_INO_V2, sizeof(struct btrfs_ioctl_logical_ino_args)),
	IOCTL(BTRFS_IOC_SEND, 0),
	IOCTL(TIOCGWINSZ, sizeof(struct winsize)),
	IOCTL(TIOCGSERIAL, sizeof(struct serial_struct)),
	IOCTL(TIOCGICOUNT, sizeof(struct serial_icounter_struct)),
	IOCTL(TIOCGRS485, sizeof(struct serial_rs485)),
	IOCTL(TIOCGPTPEER, 0),
	IOCTL(KDGKBENT, sizeof(struct kbentry)),
	IOCTL(KDGKBSENT, sizeof(struct kbsentry)),
	IOCTL(KDGKBDIACR, sizeof(struct kbdiacrs)),
	IOCTL(KDGKBDIACRUC, sizeof(struct kbdiacrsuc)),
	IOCTL(KDGETKEYCODE, sizeof(struct kbkeycode)),
	IOCTL(KDKBDREP, sizeof(struct kbd_repeat)),
	IOCTL(GIO_UNIMAP, sizeof(struct unimapdesc)),
	IOCTL(VT_GETMODE, sizeof(struct vt_mode)),
	IOCTL(VT_GETSTATE, sizeof(struct vt_stat)),
	IOCTL(FBIOGET_VSCREENINFO, sizeof(struct fb_var_screeninfo)),
	IOCTL(FBIOGET_FSCREENINFO, sizeof(struct fb_fix_screeninfo)),
	IOCTL(SIOCGIFCONF, sizeof(struct ifconf)),
	IOCTL(SIOCGIFHWADDR, sizeof(struct ifreq)),
	IOCTL(SIOCGARP, sizeof(struct arpreq)),
	IOCTL(SIOCGIFVLAN, sizeof(struct vlan_ioctl_args)),
	IOCTL(SIOCETHTOOL, 0),
	IOCTL(TUNSETIFF, sizeof(struct ifreq)),
	IOCTL(TUNGETIFF, sizeof(struct ifreq)),
	IOCTL(BLKGETSIZE, 8),
	IOCTL(BLKSSZGET, 4),
	IOCTL(BLKREPORTZONE, sizeof(struct blk_zone_report)),
	IOCTL(HDIO_GETGEO, sizeof(struct hd_geometry)),
	IOCTL(LOOP_GET_STATUS, sizeof(struct loop_info)),
	IOCTL(LOOP_GET_STATUS64, sizeof(struct loop_info64)),
	IOCTL(LOOP_CONFIGURE, sizeof(struct loop_config)),
	IOCTL(SG_IO, sizeof(struct sg_io_hdr)),
	IOCTL(SG_GET_SCSI_ID, sizeof(struct sg_scsi_id)),
	IOCTL(NVME_IOCTL_ADMIN_CMD, sizeof(struct nvme_passthru_cmd)),
	IOCTL(NVME_IOCTL_IO_CMD, sizeof(struct nvme_passthru_cmd)),
	IOCTL(NVME_IOCTL_ADMIN64_CMD, sizeof(struct nvme_passthru_cmd64)),
	IOCTL(EVIOCSFF, sizeof(struct ff_effect)),
	IOCTL(EVIOCGMASK, sizeof(struct input_mask)),
	IOCTL(USBDEVFS_CONTROL, sizeof(struct usbdevfs_ctrltransfer)),
	IOCTL(USBDEVFS_BULK, sizeof(struct usbdevfs_bulktransfer)),
	IOCTL(USBDEVFS_SUBMITURB, 0),
	IOCTL(USBDEVFS_REAPURB, 0),
	IOCTL(NS_GET_OWNER_UID, 4),
	IOCTL(PERF_EVENT_IOC_SET_BPF, 0),
	IOCTL(PERF_EVENT_IOC_QUERY_BPF, sizeof(struct perf_event_query_bpf)),
	{"F_GETLK", SYS_fcntl, F_GETLK, sizeof(struct flock)},
	{"F_OFD_SETLKW", SYS_fcntl, F_OFD_SETLKW, sizeof(struct flock)},
	{"PR_GET_NAME", SYS_prctl, PR_GET_NAME, 16},
	{"SEM_INFO", SYS_semctl, SEM_INFO, sizeof(struct seminfo)},
	{"IPC_STAT", SYS_semctl, IPC_STAT, sizeof(struct semid_ds)},
	{"IPC_STAT", SYS_shmctl, IPC_STAT, sizeof(struct shmid_ds)},
	{"SHM_INFO", SYS_shmctl, SHM_INFO, sizeof(struct shm_info)},
	{"IPC_INFO", SYS_shmctl, IPC_INFO, sizeof(struct shminfo)},
	{"IPC_STAT", SYS_msgctl, IPC_STAT, sizeof(struct msqid_ds)},
	{"MSG_INFO", SYS_msgctl, MSG_INFO, sizeof(struct msginfo)},
};

static const struct kp_command *row(unsigned nr, const char *name)
{
	for (size_t i = 0; i < kp_command_cnt(); i++)
		if (kp_command_at(i)->nr == nr && !strcmp(kp_command_at(i)->name, name))
			return kp_command_at(i);
	return NULL;
}

Test(commands, are_the_kernels)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const struct kp_command *command = row(known[i].nr, known[i].name);

		cr_assert(command, "%s", known[i].name);
		cr_expect_eq(command->number, (uint32_t)known[i].number, "%s", known[i].name);
		cr_expect_eq(command->rule.len, known[i].len, "%s: %u bytes, not %zu",
			     known[i].name, command->rule.len, known[i].len);
	}
}

Test(commands, are_there_once)
{
	for (size_t i = 0; i < kp_command_cnt(); i++)
		for (size_t k = i + 1; k < kp_command_cnt(); k++)
			cr_expect(kp_command_at(i)->nr != kp_command_at(k)->nr ||
					  kp_command_at(i)->number != kp_command_at(k)->number,
				  "%s and %s", kp_command_at(i)->name, kp_command_at(k)->name);
}

static const char *reason_of(struct kp_ev_syscall call, struct kp_call_bytes bytes)
{
	static char reason[KP_REASON_LEN];

	return kp_call_unreplayable(&call, &bytes, reason) ? reason : "";
}

#define REASON(...) reason_of((struct kp_ev_syscall){__VA_ARGS__}, (struct kp_call_bytes){0})

Test(unreplayable, is_said_by_name)
{
	cr_expect_str_eq(REASON(.nr = SYS_read, .ret = 4), "");
	cr_expect_str_eq(REASON(.nr = SYS_io_uring_setup, .ret = 3), "called io_uring_setup");
	cr_expect_str_eq(REASON(.nr = SYS_io_uring_setup, .ret = -1), "", "it failed");
	cr_expect_str_eq(REASON(.nr = 4 | KP_NR_I386, .ret = -1, .flags = KP_SYSF_I386),
			 "made a 32-bit call (int 0x80, or a program of 32 bits)");
	cr_expect_str_eq(REASON(.nr = SYS_write, .ret = 4, .flags = KP_SYSF_I386), "");
	cr_expect_str_eq(REASON(.nr = SYS_read, .ret = -512, .flags = KP_SYSF_I386),
			 "made a 32-bit call (int 0x80, or a program of 32 bits)");
	cr_expect_str_eq(REASON(.nr = SYS_ioctl, .arg1 = SIOCETHTOOL, .arg2 = 0x7000000),
			 "used ioctl SIOCETHTOOL");
	cr_expect_str_eq(REASON(.nr = SYS_ioctl, .arg1 = 0xc0406400, .arg2 = 0x7000000),
			 "used ioctl DRM");
	cr_expect_str_eq(REASON(.nr = SYS_ioctl, .arg1 = 0x7777, .arg2 = 0x7000000),
			 "used ioctl 0x7777, which has no row in the table");
	cr_expect_str_eq(REASON(.nr = SYS_ioctl, .arg1 = 0x7777, .arg2 = 1), "", "a number");
	cr_expect_str_eq(REASON(.nr = SYS_prctl, .arg0 = 9999, .arg1 = 0x7000000),
			 "used prctl 0x270f, which has no row in the table");
	cr_expect_str_eq(REASON(.nr = SYS_prctl, .arg0 = 9999, .arg1 = 1), "", "a number");
	cr_expect_str_eq(REASON(.nr = SYS_prctl, .arg0 = PR_SET_NAME, .arg1 = 0x7000000), "");
	cr_expect_str_eq(REASON(.nr = SYS_clone, .arg0 = CLONE_VM | CLONE_VFORK | 17), "");
	cr_expect_str_eq(REASON(.nr = SYS_clone, .arg0 = CLONE_VM | 17),
			 "started a child that shares its memory");
	cr_expect_str_eq(reason_of((struct kp_ev_syscall){.nr = SYS_clone3, .ret = 5},
				   (struct kp_call_bytes){.clone_flags = CLONE_VM | CLONE_THREAD}),
			 "started a thread and is multi-threaded");
	cr_expect_str_eq(
		REASON(.nr = SYS_mmap, .ret = 1 << 20, .arg3 = MAP_SHARED, .obj = KP_OBJ_file), "");
	cr_expect_str_eq(
		REASON(.nr = SYS_mmap, .ret = 1 << 20, .arg3 = MAP_SHARED, .obj = KP_OBJ_anon),
		"mapped memory of the kernel's own (a ring of perf_event, for one)");
	cr_expect_str_eq(REASON(.nr = SYS_mmap, .ret = 1 << 20, .obj = KP_OBJ_sock),
			 "mapped a socket's memory (a ring of AF_PACKET or AF_XDP, for one)");
	cr_expect_str_eq(
		REASON(.nr = SYS_mmap, .ret = 1 << 20, .arg3 = MAP_ANONYMOUS, .obj = KP_OBJ_sock),
		"", "the descriptor is none");
	cr_expect_str_eq(REASON(.nr = SYS_mmap, .ret = 0, .arg3 = MAP_ANONYMOUS),
			 "mapped memory at an address below 64 KiB");
	cr_expect_str_eq(REASON(.nr = SYS_read, .ret = 100 << 20, .flags = KP_SYSF_INCOMPLETE),
			 "called read with more bytes than are recorded of one call (64 MiB)");
	cr_expect_str_eq(
		reason_of((struct kp_ev_syscall){.nr = SYS_openat, .flags = KP_SYSF_INCOMPLETE},
			  (struct kp_call_bytes){.parameter_missing = true}),
		"");
}
