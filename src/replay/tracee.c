/* SPDX-License-Identifier: MIT
 * The verbs of ptrace; see tracee.h.
 */
#include "replay/tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* For calls that the replayer runs in the process; none of them computes. */
#define INJECT_BUDGET_NS 30000000000ULL
/* The system call instruction. */
#define SYSCALL_LEN 2

/*
 * /proc/PID/mem says EIO for memory that is not there and for a failure alike; process_vm_readv
 * says EFAULT for the one. 0: there is none, or it cannot be told.
 */
static size_t read_some(struct kp_tracee *tracee, uint64_t addr, void *data, size_t len)
{
	struct iovec local = {data, len}, remote = {(void *)addr, len};
	ssize_t n = pread(tracee->mem_fd, data, len, addr);

	if (n <= 0)
		n = process_vm_readv(tracee->pid, &local, 1, &remote, 1, 0);
	if (n < 0 && errno != EFAULT && !tracee->read_error)
		tracee->read_error = -errno;
	return n > 0 ? n : 0;
}

size_t kp_tracee_read(struct kp_tracee *tracee, uint64_t addr, void *data, size_t len)
{
	size_t done = 0, n = 1;

	while (done < len && n) {
		n = read_some(tracee, addr + done, (char *)data + done, len - done);
		done += n;
	}
	return done;
}

int kp_tracee_write(const struct kp_tracee *tracee, uint64_t addr, const void *data, size_t len)
{
	while (len) {
		struct iovec local = {(void *)data, len}, remote = {(void *)addr, len};
		ssize_t n = process_vm_writev(tracee->pid, &local, 1, &remote, 1, 0);

		if (n <= 0)
			return -EFAULT;
		data = (const char *)data + n;
		addr += n;
		len -= n;
	}
	return 0;
}

int kp_tracee_poke(const struct kp_tracee *tracee, uint64_t addr, const void *data, size_t len)
{
	while (len) {
		ssize_t n = pwrite(tracee->mem_fd, data, len, addr);

		if (n <= 0)
			return -EFAULT;
		data = (const char *)data + n;
		addr += n;
		len -= n;
	}
	return 0;
}

int kp_tracee_flush(struct kp_tracee *tracee, struct kp_err *err)
{
	if (!tracee->dirty)
		return 0;
	if (ptrace(PTRACE_SETREGS, tracee->pid, 0, &tracee->regs) < 0)
		return kp_err_sys(err, -errno, "cannot set the replayed process's registers");
	tracee->dirty = false;
	return 0;
}

/* A signal on its way to the process, or a trap of ours. */
static void decode_signal(const struct kp_tracee *tracee, struct kp_stop *stop)
{
	stop->kind = KP_STOP_SIGNAL;
	if (ptrace(PTRACE_GETSIGINFO, tracee->pid, 0, &stop->info) < 0)
		memset(&stop->info, 0, sizeof stop->info);
	/* Steps and breakpoints: TRAP_TRACE, TRAP_HWBKPT; a program's int3: SI_KERNEL. */
	if (stop->sig == SIGTRAP && stop->info.si_code != SI_KERNEL && stop->info.si_code > 0)
		stop->kind = KP_STOP_TRAP;
}

/* A call: the same number means another one in another ABI (int 0x80, x32). */
static void decode_call(const struct kp_tracee *tracee, struct kp_stop *stop)
{
	struct __ptrace_syscall_info info = {0};

	stop->kind = KP_STOP_SYSCALL;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof info, &info) < 0)
		info.arch = errno == ESRCH ? AUDIT_ARCH_X86_64 : 0; /* just killed */
	if (info.arch == AUDIT_ARCH_X86_64)
		return;
	stop->kind = KP_STOP_BARRED;
	stop->i386 = info.arch == AUDIT_ARCH_I386;
	stop->what = "makes a system call of the 32-bit ABI (int 0x80), which replay cannot serve";
}

static void decode_stop(const struct kp_tracee *tracee, int status, struct kp_stop *stop)
{
	stop->sig = WSTOPSIG(status);
	if (stop->sig == (SIGTRAP | 0x80)) {
		decode_call(tracee, stop);
		return;
	}
	switch (status >> 16) {
	case PTRACE_EVENT_STOP: /* a tracer is told of SIGCONT before the process takes it */
		stop->kind = KP_STOP_NOTICE;
		return;
	case PTRACE_EVENT_EXEC:
		stop->kind = KP_STOP_EXEC;
		return;
	case PTRACE_EVENT_SECCOMP:
		stop->kind = KP_STOP_BARRED;
		stop->what =
			"reads the time or the CPU in the vsyscall page, which replay cannot serve";
		return;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		stop->kind = KP_STOP_BARRED;
		stop->what = "makes another process, which the sandbox does not let it do";
		return;
	}
	decode_signal(tracee, stop);
}

/* Waits for the next stop or the end. 0, or a negative errno. */
static int wait_stop(struct kp_tracee *tracee, struct kp_stop *stop, struct kp_err *err)
{
	int status;

	while (waitpid(tracee->pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return kp_err_sys(err, -errno, "cannot wait for the replayed process");
	memset(stop, 0, sizeof(*stop));
	if (!WIFSTOPPED(status)) {
		tracee->alive = false;
		stop->kind = WIFEXITED(status) ? KP_STOP_EXITED : KP_STOP_KILLED;
		stop->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
		stop->sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		if (kp_watchdog_fired(tracee->watchdog) != KP_WATCH_RUNS)
			stop->kind = KP_STOP_STUCK;
		return 0;
	}
	decode_stop(tracee, status, stop);
	if (ptrace(PTRACE_GETREGS, tracee->pid, 0, &tracee->regs) < 0 && errno != ESRCH)
		return kp_err_sys(err, -errno, "cannot read the replayed process's registers");
	tracee->dirty = false;
	return 0;
}

int kp_tracee_run(struct kp_tracee *tracee, int request, int sig, uint64_t budget_ns,
		  struct kp_stop *ret_stop, struct kp_err *err)
{
	int rc = kp_tracee_flush(tracee, err);

	if (rc < 0)
		return rc;
	kp_watchdog_arm(tracee->watchdog, budget_ns);
	do {
		/* ESRCH: killed meanwhile; waiting says by what. */
		if (request && ptrace(request, tracee->pid, 0, sig) < 0 && errno != ESRCH)
			rc = kp_err_sys(err, -errno, "cannot resume the replayed process");
		else
			rc = wait_stop(tracee, ret_stop, err);
		sig = 0;
	} while (request && rc == 0 && ret_stop->kind == KP_STOP_NOTICE);
	kp_watchdog_disarm(tracee->watchdog);
	return rc;
}

/* Resumes until the process stands at the entry of call nr, which will run. */
static int run_to_entry(struct kp_tracee *tracee, uint64_t nr, struct kp_err *err)
{
	struct __ptrace_syscall_info info;
	struct kp_stop stop;

	/* The first stop may be the exit of the call that was held. */
	for (int i = 0; i < 3; i++) {
		int rc = kp_tracee_run(tracee, PTRACE_SYSCALL, 0, INJECT_BUDGET_NS, &stop, err);

		if (rc < 0)
			return rc;
		if (!tracee->alive)
			return kp_err_set(err, -ESRCH, "the replayed process died");
		if (stop.kind != KP_STOP_SYSCALL)
			return kp_err_set(err, -EIO,
					  "the replayed process took signal %d while the replayer "
					  "ran a call in it",
					  stop.sig);
		if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof info, &info) < 0)
			return kp_err_sys(err, -errno, "cannot ask for the call");
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		if (info.arch != AUDIT_ARCH_X86_64 || info.entry.nr != nr)
			return kp_err_set(
				err, -EIO,
				"the replayed process stands at another call than the one "
				"that was to be run in it");
		return 0;
	}
	return kp_err_set(err, -EIO, "the replayed process does not reach a call");
}

static int run_to_exit(struct kp_tracee *tracee, struct kp_err *err)
{
	struct kp_stop stop;
	int rc;

	do {
		rc = kp_tracee_run(tracee, PTRACE_SYSCALL, 0, INJECT_BUDGET_NS, &stop, err);
		if (rc < 0)
			return rc;
	} while (stop.kind == KP_STOP_EXEC);
	if (!tracee->alive)
		return kp_err_set(err, -ESRCH, "the replayed process died");
	if (stop.kind != KP_STOP_SYSCALL)
		return kp_err_set(err, -EIO, "a call run in the replayed process did not return");
	return 0;
}

void kp_tracee_restart(struct kp_tracee *tracee, uint64_t nr)
{
	tracee->regs.rip -= SYSCALL_LEN;
	tracee->regs.rax = nr;
	tracee->regs.orig_rax = -1;
	tracee->dirty = true;
}

/* Runs a call with other arguments; the registers are then the kernel's. */
static int call(struct kp_tracee *tracee, long nr, const uint64_t args[6], struct kp_err *err)
{
	struct user_regs_struct *regs = &tracee->regs;
	int rc;

	tracee->changes++;
	regs->rip = tracee->stub ? tracee->stub : regs->rip - SYSCALL_LEN;
	regs->rax = nr;
	regs->orig_rax = -1;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
	tracee->dirty = true;
	rc = run_to_entry(tracee, nr, err);
	return rc < 0 ? rc : run_to_exit(tracee, err);
}

int kp_tracee_inject(struct kp_tracee *tracee, long nr, const uint64_t args[6], int64_t *ret_value,
		     struct kp_err *err)
{
	struct user_regs_struct saved = tracee->regs;
	int rc = call(tracee, nr, args, err);

	if (rc < 0)
		return rc;
	*ret_value = (int64_t)tracee->regs.rax;
	tracee->regs = saved;
	tracee->dirty = true;
	return 0;
}

int kp_tracee_open_mem(struct kp_tracee *tracee, struct kp_err *err)
{
	char path[64];

	if (tracee->mem_fd >= 0)
		close(tracee->mem_fd);
	snprintf(path, sizeof path, "/proc/%d/mem", tracee->pid);
	tracee->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	return tracee->mem_fd < 0 ? kp_err_sys(err, -errno, "cannot open %s", path) : 0;
}

int kp_tracee_exec(struct kp_tracee *tracee, int fd, struct kp_err *err)
{
	/* An empty path below the stack's red zone. */
	uint64_t scratch = (tracee->regs.rsp - 1024) & ~7ULL, zero = 0;
	uint64_t args[6] = {fd, scratch, 0, 0, AT_EMPTY_PATH, 0};
	int rc = kp_tracee_write(tracee, scratch, &zero, sizeof zero);

	if (rc < 0)
		return kp_err_set(err, rc, "the replayed process has no stack");
	rc = call(tracee, SYS_execveat, args, err);
	if (rc == 0 && tracee->regs.rax)
		rc = kp_err_sys(err, (int)(int64_t)tracee->regs.rax,
				"cannot run the stub in the replayed process");
	return rc < 0 ? rc : kp_tracee_open_mem(tracee, err);
}

int kp_tracee_execute(struct kp_tracee *tracee, long nr, struct kp_err *err)
{
	int rc;

	tracee->changes++;
	kp_tracee_restart(tracee, nr);
	rc = run_to_entry(tracee, nr, err);
	return rc < 0 ? rc : run_to_exit(tracee, err);
}

int kp_tracee_breakpoint(struct kp_tracee *tracee, uint64_t addr, struct kp_err *err)
{
	const size_t dr0 = offsetof(struct user, u_debugreg[0]);
	const size_t dr7 = offsetof(struct user, u_debugreg[7]);

	/* Enable bit of breakpoint 0 with length and type 0: execution. */
	if (ptrace(PTRACE_POKEUSER, tracee->pid, dr7, 0) < 0 ||
	    (addr && (ptrace(PTRACE_POKEUSER, tracee->pid, dr0, addr) < 0 ||
		      ptrace(PTRACE_POKEUSER, tracee->pid, dr7, 1) < 0)))
		return kp_err_sys(err, -errno, "cannot set a hardware breakpoint");
	return 0;
}

int kp_tracee_each_region(const struct kp_tracee *tracee,
			  int (*fn)(const struct kp_region *region, void *arg), void *arg)
{
	char path[64], *line = NULL;
	size_t cap = 0;
	int rc = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/maps", tracee->pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!rc && getline(&line, &cap, file) > 0) {
		struct kp_region region = {0};
		unsigned major = 0, minor = 0;

		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %255[^\n]",
			   &region.start, &region.end, region.perms, &region.offset, &major, &minor,
			   &region.ino, region.name) < 4)
			continue;
		region.dev = makedev(major, minor);
		rc = fn(&region, arg);
	}
	free(line);
	fclose(file);
	return rc;
}
