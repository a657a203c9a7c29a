/* SPDX-License-Identifier: MIT
 * The walls around a replayed process; see walls.h.
 */
#include "replay/walls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OTHER_NAMESPACES \
	(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
/* Where the libraries' root is mounted for a moment. */
#define LIBRARIES "libraries"

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
/* linux/mount.h, which does not go together with sys/mount.h */
#define ATTR_RDONLY 0x1ull
#define ATTR_NOSUID 0x2ull
#define ATTR_NODEV 0x4ull
struct attributes {
	uint64_t set, clear, propagation, user_fd;
};

void kp_walls_name(unsigned walls, char *text, size_t cap)
{
	snprintf(text, cap, "%s%s%s",
		 walls & KP_WALL_NAMESPACES ? "pid, network and IPC namespaces" : "",
		 walls == (KP_WALL_NAMESPACES | KP_WALL_ROOT) ? ", " : "",
		 walls & KP_WALL_ROOT ? "an empty root" : "");
}

pid_t kp_walls_clone(bool *ret_user, unsigned *ret_missing)
{
	static const unsigned long tries[] = {CLONE_NEWUSER | OTHER_NAMESPACES, OTHER_NAMESPACES,
					      CLONE_NEWUSER | CLONE_NEWPID, 0};
	pid_t pid = -1;

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		*ret_user = tries[i] & CLONE_NEWUSER;
		*ret_missing =
			(tries[i] & OTHER_NAMESPACES) == OTHER_NAMESPACES ? 0 : KP_WALL_NAMESPACES;
		pid = syscall(SYS_clone, tries[i] | SIGCHLD, 0, 0, 0, 0);
		if (pid >= 0 ||
		    (errno != EPERM && errno != ENOSPC && errno != EINVAL && errno != EUSERS))
			return pid;
	}
	return pid;
}

/* --- the root --- */

/* An empty file system over some folder; the process stands in it. */
static int enter_tmpfs(void)
{
	static const char *const folders[] = {"/tmp", "/proc", "/dev", "/sys", "/run", "/usr"};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (!mount("none", folders[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			   "size=64k,nr_inodes=16,mode=0755"))
			return chdir(folders[i]);
	return -1;
}

/* The machine's files below the folder at which the process stands; it then stands in them. */
static int enter_libraries(void)
{
	static const char *const hidden[] = {LIBRARIES "/proc", LIBRARIES "/sys", LIBRARIES "/dev",
					     LIBRARIES "/run"};
	struct attributes attributes = {.set = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV};

	if (mkdir(LIBRARIES, 0755) < 0 || mount("/", LIBRARIES, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -1;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (mount("none", hidden[i], "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=0755") <
			    0 &&
		    errno != ENOENT)
			return -1;
	if (syscall(SYS_mount_setattr, AT_FDCWD, LIBRARIES, AT_RECURSIVE, &attributes,
		    sizeof attributes) < 0)
		return -1;
	return chdir(LIBRARIES);
}

/* The folder at which the process stands becomes its root, and the old one is nowhere. */
static int become_root(void)
{
	if (!syscall(SYS_pivot_root, ".", "."))
		return umount2(".", MNT_DETACH) < 0 ? -1 : chdir("/");
	/* In a chroot there is nothing to pivot; no descriptor leads back from this one either. */
	return chroot(".") < 0 ? -1 : chdir("/");
}

static int deny_files(void)
{
	/* Every right of the first version of Landlock (Linux 5.13). */
	struct landlock_ruleset_attr attr = {.handled_access_fs = (1ull << 13) - 1};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	int rc;

	if (fd < 0)
		return -1;
	rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!rc)
		rc = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return rc;
}

static bool make_root(bool libraries)
{
	const unsigned long closed = MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || enter_tmpfs() < 0)
		return false;
	if (libraries && enter_libraries() < 0)
		return false;
	return !become_root() && (libraries || !mount(NULL, "/", NULL, closed, NULL));
}

unsigned kp_walls_root(bool libraries, bool mounts)
{
	if ((mounts && make_root(libraries)) || (!libraries && !deny_files()))
		return 0;
	return KP_WALL_ROOT;
}

/* --- rights and limits --- */

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) < 0 ? errno : 0;
}

/* A root without capabilities, or in a namespace without nobody, has to stay what it is. */
static int become_nobody(void)
{
	const unsigned id = KP_NOBODY;

	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return errno == EPERM ? 0 : errno;
	if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return errno == EINVAL ? 0 : errno;
	return 0;
}

int kp_walls_limits(bool nobody)
{
	static const struct {
		int resource;
		rlim_t value;
	} limits[] = {{RLIMIT_CORE, 0},    {RLIMIT_FSIZE, 0},    {RLIMIT_NPROC, 1},
		      {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_SIGPENDING, 64},
		      {RLIMIT_RTPRIO, 0},  {RLIMIT_NICE, 0}};
	int rc = 0;

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit limit = {limits[i].value, limits[i].value};

		setrlimit(limits[i].resource, &limit);
	}
	if (nobody)
		rc = become_nobody();
	if (!rc)
		rc = drop_capabilities();
	if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = errno;
	/* A change of ids takes it away. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return rc;
}

int kp_walls_filter(const struct kp_filter *filter)
{
	struct sock_fprog program = {filter->len, (struct sock_filter *)filter->code};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? errno : 0;
}
