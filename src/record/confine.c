/* SPDX-License-Identifier: MIT
 * Giving up capabilities and calls; see confine.h.
 *
 * A call that is not in the list below fails with EPERM and is counted, by a signal: the kernel
 * counts nothing by itself, and a recorder that is killed for a call of a library's next version
 * records nothing.
 */
#include "record/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "log/folder.h"

/* --- capabilities --- */

static const unsigned char kept[] = {
	CAP_BPF,             /* the tier's steps load and attach, … */
	CAP_PERFMON,         /* … and programs read the kernel's data */
	CAP_SYS_PTRACE,      /* /proc of others: descriptors, executables */
	CAP_DAC_READ_SEARCH, /* the same */
	CAP_SYS_NICE,        /* of threads that begin later */
	CAP_NET_ADMIN,       /* the kernel's connection tracking */
};

static int set_capabilities(uint64_t bits)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)bits, (uint32_t)bits, 0},
		{(uint32_t)(bits >> 32), (uint32_t)(bits >> 32), 0}};

	return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

uint64_t kp_confine_capabilities(void)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &hdr, data) < 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

/* Whether we can write into the folder without a capability. */
static bool is_ours(const char *dir)
{
	struct kp_err why;
	struct stat st;
	int fd = -1;
	bool is = kp_folder_make(AT_FDCWD, dir, dir, &fd, &why) >= 0 && fstat(fd, &st) == 0 &&
		  st.st_uid == geteuid();

	if (fd >= 0)
		close(fd);
	return is;
}

static int drop_capabilities(const char *dir)
{
	uint64_t have = kp_confine_capabilities(), keep = 0;

	for (size_t i = 0; i < sizeof(kept); i++)
		keep |= 1ull << kept[i];
	/* It has what BPF and PERFMON are, where the bounding set lacks those. */
	if (~have & (1ull << CAP_BPF | 1ull << CAP_PERFMON))
		keep |= 1ull << CAP_SYS_ADMIN;
	if (!is_ours(dir))
		keep |= 1ull << CAP_DAC_OVERRIDE;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return set_capabilities(have & keep);
}

/* --- system calls --- */

enum { ANY = 0 };

/* One row for each call that may be made; if `arg` is not ANY, only with an argument (counted from
 * 1) that has all of `bits`, or, if bits is 0, equals `value`. */
static const struct allowed {
	uint16_t nr;
	uint8_t arg;
	uint32_t bits, value;
} allowed[] = {
#define CALL(name)                    \
	{                             \
		SYS_##name, ANY, 0, 0 \
	}
#define CALL_WITH(name, arg, bits)       \
	{                                \
		SYS_##name, arg, bits, 0 \
	}
#define CALL_IS(name, arg, value)         \
	{                                 \
		SYS_##name, arg, 0, value \
	}
	/* files */
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(pread64),
	CALL(pwrite64),
	CALL(preadv),
	CALL(pwritev),
	CALL(open),
	CALL(openat),
	CALL(openat2),
	CALL(close),
	CALL(close_range),
	CALL(stat),
	CALL(fstat),
	CALL(lstat),
	CALL(newfstatat),
	CALL(statx),
	CALL(statfs),
	CALL(fstatfs),
	CALL(lseek),
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(readlink),
	CALL(readlinkat),
	CALL(getdents64),
	CALL(getxattr),
	CALL(fcntl),
	CALL(flock),
	CALL(fsync),
	CALL(fdatasync),
	CALL(ftruncate),
	CALL(fallocate),
	CALL(fadvise64),
	CALL(mkdir),
	CALL(mkdirat),
	CALL(unlink),
	CALL(unlinkat),
	CALL(rename),
	CALL(renameat),
	CALL(renameat2),
	CALL(linkat),
	CALL(ioctl),
	CALL(inotify_init1),
	CALL(inotify_add_watch),
	CALL(inotify_rm_watch),
	/* waiting */
	CALL(poll),
	CALL(ppoll),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(eventfd2),
	CALL(pipe2),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	CALL(restart_syscall),
	/* what the kernel tells */
	CALL(bpf),
	CALL_IS(socket, 1, AF_NETLINK),
	CALL(bind),
	CALL(setsockopt),
	CALL(getsockname),
	CALL(sendto),
	CALL(sendmsg),
	CALL(recvfrom),
	CALL(recvmsg),
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(clock_adjtime),
	CALL(adjtimex),
	CALL(gettimeofday),
	CALL(time),
	CALL(uname),
	CALL(sysinfo),
	CALL(getrandom),
	/* memory and threads of its own */
	CALL(brk),
	CALL(mmap),
	CALL(mremap),
	CALL(munmap),
	CALL(mprotect),
	CALL(madvise),
	CALL_WITH(clone, 1, CLONE_THREAD),
	CALL(futex),
	CALL(set_robust_list),
	CALL(rseq),
	CALL(membarrier),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(getcpu),
	CALL(setpriority),
	CALL(prctl),
	CALL(prlimit64),
	CALL(setrlimit),
	CALL(getrlimit),
	CALL(getrusage),
	CALL(getpid),
	CALL(gettid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getpgrp),
	CALL(capget),
	/* signals and the end */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CALL(tgkill),
	CALL(exit),
	CALL(exit_group),
};
#define ALLOWED_CNT (sizeof(allowed) / sizeof(*allowed))

/* Calls of which libraries try the newer form first. */
static const uint16_t unknown[] = {SYS_clone3, 425 /* io_uring_setup */};
#define UNKNOWN_CNT (sizeof(unknown) / sizeof(*unknown))

#define ROW_LEN 5 /* instructions of a row at most */
#define STEP(code, k) BPF_STMT(code, k)
#define NR_AT offsetof(struct seccomp_data, nr)

struct code {
	struct sock_filter at[8 + ROW_LEN * (ALLOWED_CNT + UNKNOWN_CNT)];
	unsigned short len;
};

static void put(struct code *code, struct sock_filter instruction)
{
	code->at[code->len++] = instruction;
}

static void put_return(struct code *code, uint32_t what)
{
	put(code, (struct sock_filter)STEP(BPF_RET | BPF_K, what));
}

/* Skips `skip` instructions if the word that was loaded is not, or has not, this. */
static void put_unless(struct code *code, uint16_t test, uint32_t k, uint8_t skip)
{
	put(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | test, k, 0, skip));
}

static void put_allowed(struct code *code, const struct allowed *row)
{
	if (row->arg == ANY) {
		put_unless(code, BPF_JEQ, row->nr, 1);
		put_return(code, SECCOMP_RET_ALLOW);
		return;
	}
	put_unless(code, BPF_JEQ, row->nr, 4);
	put(code, (struct sock_filter)STEP(BPF_LD | BPF_W | BPF_ABS,
					   offsetof(struct seccomp_data, args[row->arg - 1])));
	put_unless(code, row->bits ? BPF_JSET : BPF_JEQ, row->bits ? row->bits : row->value, 1);
	put_return(code, SECCOMP_RET_ALLOW);
	put_return(code, SECCOMP_RET_TRAP);
}

static void make_filter(struct code *code)
{
	code->len = 0;
	put(code, (struct sock_filter)STEP(BPF_LD | BPF_W | BPF_ABS,
					   offsetof(struct seccomp_data, arch)));
	put(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0));
	put_return(code, SECCOMP_RET_TRAP);
	put(code, (struct sock_filter)STEP(BPF_LD | BPF_W | BPF_ABS, NR_AT));
	for (size_t i = 0; i < ALLOWED_CNT; i++)
		put_allowed(code, &allowed[i]);
	for (size_t i = 0; i < UNKNOWN_CNT; i++) {
		put_unless(code, BPF_JEQ, unknown[i], 1);
		put_return(code, SECCOMP_RET_ERRNO | ENOSYS);
	}
	put_return(code, SECCOMP_RET_TRAP);
}

static _Atomic uint64_t refused_cnt;
static _Atomic int refused_nr;

/* In the thread that made the call. */
static void on_refused(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	refused_nr = info->si_syscall;
	refused_cnt++;
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
}

uint64_t kp_confine_refused(int *ret_nr)
{
	*ret_nr = refused_nr;
	return refused_cnt;
}

static int drop_calls(void)
{
	struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct code code;
	struct sock_fprog program;

	make_filter(&code);
	program = (struct sock_fprog){code.len, code.at};
	if (sigaction(SIGSYS, &action, NULL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}

int kp_confine(const char *dir, struct kp_err *err)
{
	int r = drop_capabilities(dir);

	if (r < 0)
		return kp_err_sys(err, r, "cannot give up capabilities");
	r = drop_calls();
	return r < 0 ? kp_err_sys(err, r, "cannot have a filter for system calls") : 0;
}
