/* SPDX-License-Identifier: MIT
 * Threads and descriptors from /proc (proc(5)); see snapshot.h.
 */
#include "record/snapshot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cpuid.h"
#include "record/mounts.h"
#include "record/proc.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h */

struct scan {
	const struct kp_sink *sink;
	struct kp_snapshot *snapshot;
	struct kp_mounts mounts;
	uint32_t pid;
};

static void put_thread(const char *path, uint32_t tid, void *arg)
{
	const struct scan *scan = arg;
	struct kp_ev_task ev = {.hdr = {.pid = scan->pid, .tid = tid}};
	struct kp_proc_stat stat;
	char name[128], cmdline[4096];
	size_t len = 0;

	snprintf(name, sizeof(name), "%s/%u/stat", path, tid);
	if (!kp_proc_stat(name, &stat))
		return;
	memcpy(ev.comm, stat.comm, sizeof(ev.comm));
	ev.ppid = stat.ppid;
	ev.state = (unsigned char)stat.state;
	ev.kthread = !!(stat.flags & PF_KTHREAD);
	ev.start_ns = stat.start_ns;
	if (tid == scan->pid) {
		snprintf(name, sizeof(name), "/proc/%u/cmdline", tid);
		len = kp_proc_read(name, cmdline, sizeof(cmdline));
	}
	kp_sink_put(scan->sink, KP_EV_task, &ev, sizeof(ev), cmdline, len);
	scan->snapshot->task_cnt++;
}

static uint32_t socket_kind(const char *path)
{
	char protocol[32] = "";

	/* sockfs names the protocol of a socket in this attribute (net/socket.c). */
	if (getxattr(path, "system.sockprotoname", protocol, sizeof(protocol) - 1) <= 0)
		return KP_OBJ_sock;
	return !strncmp(protocol, "TCP", 3)    ? KP_OBJ_tcp
	       : !strncmp(protocol, "UDP", 3)  ? KP_OBJ_udp
	       : !strncmp(protocol, "UNIX", 4) ? KP_OBJ_unix
					       : KP_OBJ_sock;
}

static uint32_t object_kind(const char *path, mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return KP_OBJ_file;
	case S_IFDIR:
		return KP_OBJ_dir;
	case S_IFCHR:
		return KP_OBJ_chr;
	case S_IFBLK:
		return KP_OBJ_blk;
	case S_IFIFO:
		return KP_OBJ_pipe;
	case S_IFSOCK:
		return socket_kind(path);
	default:
		return KP_OBJ_anon;
	}
}

/* Fields of /proc/PID/fdinfo/FD: what the kernel itself knows of an open file. */
struct fd_info {
	unsigned flags;
	uint64_t mount;
	uint64_t ino;
};

static bool read_fd_info(uint32_t pid, uint32_t fd, struct fd_info *ret)
{
	char path[64], text[512];
	const char *flags, *mount, *ino;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%u/fdinfo/%u", pid, fd);
	len = kp_proc_read(path, text, sizeof(text) - 1);
	text[len] = '\0';
	flags = strstr(text, "flags:");
	mount = strstr(text, "mnt_id:");
	ino = strstr(text, "ino:");
	return flags && mount && ino && sscanf(flags, "flags: %o", &ret->flags) == 1 &&
	       sscanf(mount, "mnt_id: %" SCNu64, &ret->mount) == 1 &&
	       sscanf(ino, "ino: %" SCNu64, &ret->ino) == 1;
}

/* Whether it was opened by a path; the others are objects of the kernel's own file systems. */
static bool has_path(const char *target, size_t len)
{
	return len && target[0] == '/' && !(len > 7 && !memcmp(target, "/memfd:", 7));
}

/*
 * Device, inode and kind of what a descriptor refers to; false: it is gone. What the kernel keeps
 * in its own memory is asked, but never to look up anything new (AT_STATX_DONT_SYNC).
 */
static bool identify(struct scan *scan, const char *name, bool has_name, struct kp_ev_fd *ev)
{
	struct kp_mount mount = {0};
	struct fd_info info = {0};
	struct statx st;

	if (has_name) {
		if (!read_fd_info(scan->pid, ev->fd, &info))
			return false;
		if (!kp_mounts_get(&scan->mounts, scan->pid, info.mount, &mount))
			mount.is_foreign = true;
	}
	if (mount.is_foreign) {
		ev->obj = info.flags & O_DIRECTORY ? KP_OBJ_dir : KP_OBJ_file;
		scan->snapshot->guessed_cnt++;
	} else if (!statx(AT_FDCWD, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
			  STATX_TYPE | STATX_INO, &st)) {
		ev->obj = object_kind(name, st.stx_mode);
	} else {
		return false;
	}
	ev->ino = has_name ? info.ino : st.stx_ino;
	ev->dev = has_name ? mount.dev : st.stx_dev_major << 20 | st.stx_dev_minor;
	return true;
}

static void put_fd(const char *path, uint32_t fd, void *arg)
{
	struct scan *scan = arg;
	struct kp_ev_fd ev = {.hdr = {.pid = scan->pid, .tid = scan->pid}, .fd = fd};
	char name[128], target[4096];
	ssize_t len;

	snprintf(name, sizeof(name), "%s/%u", path, fd);
	len = readlink(name, target, sizeof(target));
	if (len < 0 || !identify(scan, name, has_path(target, (size_t)len), &ev))
		return;
	kp_sink_put(scan->sink, KP_EV_fd, &ev, sizeof(ev), target, (size_t)len);
	scan->snapshot->fd_cnt++;
}

static void put_process(const char *path, uint32_t pid, void *arg)
{
	struct scan *scan = arg;
	char name[64];

	scan->pid = pid;
	scan->snapshot->at_pid = pid;
	snprintf(name, sizeof(name), "%s/%u/task", path, pid);
	kp_proc_each_number(name, put_thread, scan);
	if (pid == (uint32_t)getpid())
		return;
	snprintf(name, sizeof(name), "%s/%u/fd", path, pid);
	kp_proc_each_number(name, put_fd, scan);
}

static void put_cpu(const struct kp_sink *sink)
{
	struct kp_ev_cpu_model ev = {.xcr0 = kp_cpuid_xcr0()};
	struct kp_cpuid table[KP_CPUID_MAX];
	size_t cnt = kp_cpuid_read(table);

	kp_sink_put(sink, KP_EV_cpu_model, &ev, sizeof(ev), table, cnt * sizeof(*table));
}

static void put_end(const struct kp_sink *sink, const struct kp_snapshot *snapshot,
		    uint32_t hung_pid)
{
	struct kp_ev_snapshot ev = {
		.begun_ns = snapshot->begun_ns,
		.segment = snapshot->segment,
		.task_cnt = snapshot->task_cnt,
		.fd_cnt = snapshot->fd_cnt,
		.guessed_cnt = snapshot->guessed_cnt,
		.hung_pid = hung_pid,
	};

	kp_sink_put_fixed(sink, KP_EV_snapshot, &ev, sizeof(ev));
}

void kp_snapshot_write(const struct kp_sink *sink, struct kp_snapshot *snapshot)
{
	struct scan scan = {.sink = sink, .snapshot = snapshot};

	put_cpu(sink);
	kp_proc_each_number("/proc", put_process, &scan);
	put_end(sink, snapshot, 0);
	kp_mounts_done(&scan.mounts);
}

void kp_snapshot_give_up(const struct kp_sink *sink, const struct kp_snapshot *snapshot)
{
	put_end(sink, snapshot, snapshot->at_pid);
}
