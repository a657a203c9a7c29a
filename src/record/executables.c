/* SPDX-License-Identifier: MIT
 * Programs by /proc/PID/exe (proc(5)); see executables.h.
 */
#include "record/executables.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/build_id.h"
#include "record/mounts.h"
#include "record/proc.h"

#define KNOWN_MAX 4096 /* then all are forgotten */
#define PATH_LEN_MAX 4095
#define HEX_LEN (2 * KP_BUILD_ID_MAX)
#define NS_PER_S 1000000000ull

struct kp_executable {
	struct kp_ev_executable ev; /* without a header */
	size_t len;
	char texts[]; /* path and build id, each ended by NUL */
};

static uint64_t key_of(uint32_t dev, uint64_t ino)
{
	return ino * 0x9e3779b97f4a7c15ull ^ dev;
}

static struct kp_executable *find(const struct kp_executables *executables, uint32_t dev,
				  uint64_t ino)
{
	const uint64_t *index = kp_map_get(&executables->index, key_of(dev, ino));
	struct kp_executable *known = index ? executables->known.at[*index] : NULL;

	return known && known->ev.dev == dev && known->ev.ino == ino ? known : NULL;
}

static void forget(struct kp_executables *executables)
{
	for (uint32_t i = 0; i < executables->known.cnt; i++)
		free(executables->known.at[i]);
	executables->known.cnt = 0;
	kp_map_done(&executables->index);
}

/* Keeps what is known of a file in the place of what was; without memory it is not kept. */
static void keep(struct kp_executables *executables, struct kp_executable *executable)
{
	uint64_t key = key_of(executable->ev.dev, executable->ev.ino), *index;

	if (executables->known.cnt == KNOWN_MAX)
		forget(executables);
	index = kp_map_upsert(&executables->index, key, executables->known.cnt);
	if (!index || KP_VEC_GROW(&executables->known) < 0) {
		free(executable);
		return;
	}
	if (*index < executables->known.cnt)
		free(executables->known.at[*index]);
	else
		executables->known.cnt++;
	executables->known.at[*index] = executable;
}

/* Whether a mount is of a file system that may hang. Numbers of mounts and of their namespaces are
 * used again as containers come and go: what was read before would tell of others. */
static bool is_foreign(uint32_t pid, uint64_t mount_id)
{
	struct kp_mounts mounts = {.mounts = {0}};
	struct kp_mount mount;
	bool is_known = kp_mounts_get(&mounts, pid, mount_id, &mount);

	kp_mounts_done(&mounts);
	return !is_known || mount.is_foreign;
}

/* Whether what is known of a file is so whenever it is asked. */
static bool is_lasting(const struct kp_executable *known)
{
	return known->ev.state == KP_EXE_ID || known->ev.state == KP_EXE_NO_ID;
}

/* Reads the build id as text; KP_EXE_. */
static uint32_t read_id(int path_fd, char ret_hex[HEX_LEN + 1])
{
	unsigned char id[KP_BUILD_ID_MAX];
	char name[64];
	int fd, len;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	len = fd < 0 ? -1 : kp_build_id_read(fd, id);
	if (fd >= 0)
		close(fd);
	for (int i = 0; i < len; i++)
		snprintf(ret_hex + (size_t)i * 2, 3, "%02x", id[i]);
	return len < 0 ? KP_EXE_NOT_READ : len ? KP_EXE_ID : KP_EXE_NO_ID;
}

static struct kp_executable *make(struct kp_ev_executable ev, const char *path, const char *hex)
{
	size_t path_len = strlen(path) + 1, hex_len = strlen(hex) + 1;
	struct kp_executable *executable = malloc(sizeof(*executable) + path_len + hex_len);

	if (!executable)
		return NULL;
	executable->ev = ev;
	executable->len = path_len + hex_len;
	memcpy(executable->texts, path, path_len);
	memcpy(executable->texts + path_len, hex, hex_len);
	return executable;
}

/* What the process's link says, from one open file, for the process may exec meanwhile; NULL: none,
 * or it is gone. Borrowed until the next. */
static const struct kp_executable *look(struct kp_executables *executables, uint32_t pid, int fd)
{
	char name[64], path[PATH_LEN_MAX + 1], hex[HEX_LEN + 1] = "";
	struct kp_ev_executable ev = {0};
	struct kp_executable *known;
	struct statx st;
	ssize_t len;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	len = readlink(name, path, PATH_LEN_MAX);
	if (len < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			     STATX_INO | STATX_MTIME | STATX_MNT_ID, &st))
		return NULL;
	path[len] = '\0';
	ev.dev = st.stx_dev_major << 20 | st.stx_dev_minor;
	ev.ino = st.stx_ino;
	ev.mtime_ns = (uint64_t)st.stx_mtime.tv_sec * NS_PER_S + st.stx_mtime.tv_nsec;
	known = find(executables, ev.dev, ev.ino);
	if (known && is_lasting(known) && known->ev.mtime_ns == ev.mtime_ns &&
	    !strcmp(known->texts, path))
		return known;
	ev.state = is_foreign(pid, st.stx_mnt_id) ? KP_EXE_NOT_ASKED : read_id(fd, hex);
	known = make(ev, path, hex);
	if (known)
		keep(executables, known);
	return find(executables, ev.dev, ev.ino);
}

void kp_executables_tell(struct kp_executables *executables, uint32_t pid,
			 const struct kp_ev_task_exec *exec, const struct kp_sink *sink)
{
	const struct kp_executable *found = NULL, *was = NULL;
	struct kp_ev_executable ev;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%u/exe", pid);
	fd = open(name, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		found = look(executables, pid, fd);
	if (exec && (!found || found->ev.ino != exec->ino)) { /* it has ended, or runs another */
		was = find(executables, exec->dev, exec->ino);
		found = was ? was : found;
	}
	if (found) {
		ev = found->ev;
		ev.hdr = (struct kp_hdr){.pid = pid, .tid = pid};
		kp_sink_put(sink, KP_EV_executable, &ev, sizeof(ev), found->texts, found->len);
	}
	if (fd >= 0)
		close(fd);
}

struct all {
	struct kp_executables *executables;
	const struct kp_sink *sink;
};

static void tell_one(const char *path, uint32_t pid, void *arg)
{
	const struct all *all = arg;

	(void)path;
	kp_executables_tell(all->executables, pid, NULL, all->sink);
}

void kp_executables_tell_all(struct kp_executables *executables, const struct kp_sink *sink)
{
	struct all all = {executables, sink};

	kp_proc_each_number("/proc", tell_one, &all);
}

void kp_executables_done(struct kp_executables *executables)
{
	forget(executables);
	KP_VEC_DONE(&executables->known);
}
