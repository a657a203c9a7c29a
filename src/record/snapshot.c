/* SPDX-License-Identifier: MIT
 * Threads and descriptors from /proc (proc(5)); see snapshot.h.
 */
#include "record/snapshot.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cpuid.h"
#include "record/proc.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h */

struct scan {
	const struct kp_sink *sink;
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

static void put_fd(const char *path, uint32_t fd, void *arg)
{
	const struct scan *scan = arg;
	struct kp_ev_fd ev = {.hdr = {.pid = scan->pid, .tid = scan->pid}, .fd = fd};
	char name[128], target[4096];
	struct stat st;
	ssize_t len;

	snprintf(name, sizeof(name), "%s/%u", path, fd);
	len = readlink(name, target, sizeof(target));
	if (len < 0 || stat(name, &st) < 0)
		return;
	ev.ino = st.st_ino;
	ev.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	ev.obj = object_kind(name, st.st_mode);
	kp_sink_put(scan->sink, KP_EV_fd, &ev, sizeof(ev), target, (size_t)len);
}

static void put_process(const char *path, uint32_t pid, void *arg)
{
	struct scan scan = {arg, pid};
	char name[64];

	snprintf(name, sizeof(name), "%s/%u/task", path, pid);
	kp_proc_each_number(name, put_thread, &scan);
	if (pid == (uint32_t)getpid())
		return;
	snprintf(name, sizeof(name), "%s/%u/fd", path, pid);
	kp_proc_each_number(name, put_fd, &scan);
}

static void put_cpu(const struct kp_sink *sink)
{
	struct kp_ev_cpu_model ev = {.xcr0 = kp_cpuid_xcr0()};
	struct kp_cpuid table[KP_CPUID_MAX];
	size_t cnt = kp_cpuid_read(table);

	kp_sink_put(sink, KP_EV_cpu_model, &ev, sizeof(ev), table, cnt * sizeof(*table));
}

void kp_snapshot_write(const struct kp_sink *sink)
{
	put_cpu(sink);
	kp_proc_each_number("/proc", put_process, (void *)sink);
}
