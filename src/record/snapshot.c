/* SPDX-License-Identifier: MIT
 * Threads and descriptors from /proc (proc(5)); see snapshot.h.
 */
#include "record/snapshot.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h */

/* Calls fn for each entry of a folder that is a number. */
static void each_number(const char *path, void (*fn)(const char *path, uint32_t number, void *arg),
			void *arg)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			fn(path, (uint32_t)strtoul(entry->d_name, NULL, 10), arg);
	closedir(dir);
}

/* Reads up to cap bytes of a small file; length, or 0. */
static size_t read_small(const char *path, char *data, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while (len < cap && (n = read(fd, data + len, cap - len)) > 0)
		len += (size_t)n;
	close(fd);
	return len;
}

/* Fills what /proc/PID/task/TID/stat tells; false if it is gone. */
static bool read_stat(const char *path, struct kp_ev_task *ev)
{
	char text[2048], *open_paren, *close_paren;
	size_t len = read_small(path, text, sizeof(text) - 1), name_len;
	uint64_t start_ticks = 0;
	unsigned flags = 0;
	char state = '?';

	text[len] = '\0';
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')'); /* the name may hold anything */
	if (!open_paren || !close_paren)
		return false;
	name_len = (size_t)(close_paren - open_paren - 1);
	memcpy(ev->comm, open_paren + 1, name_len < KP_COMM_LEN ? name_len : KP_COMM_LEN - 1);
	if (sscanf(close_paren + 1,
		   " %c %u %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &state, &ev->ppid, &flags, &start_ticks) != 4)
		return false;
	ev->state = (unsigned char)state;
	ev->kthread = !!(flags & PF_KTHREAD);
	ev->start_ns = start_ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

struct scan {
	const struct kp_sink *sink;
	uint32_t pid;
};

static void put_thread(const char *path, uint32_t tid, void *arg)
{
	const struct scan *scan = arg;
	struct kp_ev_task ev = {.hdr = {.pid = scan->pid, .tid = tid}};
	char name[128], cmdline[4096];
	size_t len = 0;

	snprintf(name, sizeof(name), "%s/%u/stat", path, tid);
	if (!read_stat(name, &ev))
		return;
	if (tid == scan->pid) {
		snprintf(name, sizeof(name), "/proc/%u/cmdline", tid);
		len = read_small(name, cmdline, sizeof(cmdline));
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
	each_number(name, put_thread, &scan);
	if (pid == (uint32_t)getpid())
		return;
	snprintf(name, sizeof(name), "%s/%u/fd", path, pid);
	each_number(name, put_fd, &scan);
}

void kp_snapshot_write(const struct kp_sink *sink)
{
	each_number("/proc", put_process, (void *)sink);
}
