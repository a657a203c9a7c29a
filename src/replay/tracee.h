/* SPDX-License-Identifier: MIT
 *
 * The replayed process as ptrace has it: registers, memory, resuming and stopping, and system calls
 * run in it on the replayer's behalf. The process begins as a stub (one page: a system call
 * instruction and a breakpoint) in a sandbox, with every call stopped before it is run.
 *
 * Addresses and lengths may come from a damaged log: they are only ever used in the replayed
 * process.
 */
#ifndef KP_REPLAY_TRACEE_H
#define KP_REPLAY_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/err.h"
#include "replay/watchdog.h"

enum kp_stop_kind {
	KP_STOP_SYSCALL, /* at a call that will not be run (or at its exit, for injected ones) */
	KP_STOP_SIGNAL,  /* about to take the signal `sig`, info in `info` */
	KP_STOP_TRAP,    /* a step or a breakpoint of ours */
	KP_STOP_EXEC,
	KP_STOP_EXITED, /* status: the exit value */
	KP_STOP_KILLED, /* sig */
	KP_STOP_STUCK,  /* the watchdog killed it */
	KP_STOP_NOTICE, /* kp_tracee_run goes on by itself */
	KP_STOP_BARRED, /* at something that the sandbox does not let it do; `what` says which */
};

struct kp_stop {
	enum kp_stop_kind kind;
	int sig;
	int status;
	siginfo_t info;
	const char *what;
	bool i386; /* barred, unless the recorded call is of the i386 table too */
};

struct kp_filter;

struct kp_tracee {
	pid_t pid;
	pid_t init_pid; /* the sandbox's first process; its end ends everything in it */
	int mem_fd;     /* /proc/PID/mem */
	bool alive;
	struct user_regs_struct regs; /* as of the last stop; kp_tracee_flush writes changes */
	bool dirty;
	uint64_t changes; /* calls that ran in it so far, each of which may have changed its
			     mappings */
	uint64_t stub;    /* address of the stub's system call instruction; 0: no longer mapped */
	int read_error; /* negative errno: its memory could once not be read for another reason than
			 * that there is none */
	struct kp_watchdog *watchdog;
	enum kp_watch_end end;  /* after kp_tracee_done: whether the watchdog killed it */
	unsigned missing_walls; /* KP_WALL_ that the kernel refused */
};

struct kp_spawn {
	const int *fds; /* descriptors that the process keeps at the same numbers */
	size_t fd_cnt;
	int exe_fd;        /* program to run; the stub */
	char *const *argv; /* NULL: none */
	char *const *envp;
	const struct kp_filter *filter;
	struct kp_watch_limits limits;
	bool nobody;       /* a root's process: it is not to be root's */
	bool libraries;    /* it needs the machine's shared libraries */
	unsigned may_miss; /* KP_WALL_ without which it is run all the same */
};

/*
 * Starts the sandbox and the process and brings it to the exit of its exec. Errors: -ENOTSUP where
 * the kernel refuses walls, -EPERM and others where it forbids ptrace.
 */
int kp_tracee_spawn(struct kp_tracee *tracee, const struct kp_spawn *spawn, struct kp_err *err);

/* Kills the process and its sandbox. Fine for a zeroed or half-built tracee. */
void kp_tracee_done(struct kp_tracee *tracee);

/* A memfd with a static executable of one page at address: syscall; int3. Or -errno. */
int kp_stub_create(uint64_t address);
#define KP_STUB_CODE 0x78 /* offset of the code in its page */

/*
 * Bytes read, which may be fewer than len; 0 when the first is not readable. Whether that is
 * because there is no such memory stands in read_error.
 */
size_t kp_tracee_read(struct kp_tracee *tracee, uint64_t addr, void *data, size_t len);

/* All of it or -EFAULT. Respects the protection of pages, like the kernel does. */
int kp_tracee_write(const struct kp_tracee *tracee, uint64_t addr, const void *data, size_t len);

/* Likewise, but also through write protection. */
int kp_tracee_poke(const struct kp_tracee *tracee, uint64_t addr, const void *data, size_t len);

/*
 * Lets it run with a ptrace request (PTRACE_SYSEMU, PTRACE_SYSEMU_SINGLESTEP, PTRACE_SYSCALL) and a
 * signal to deliver (0: none), until it stops or ends. budget_ns of its own CPU time are allowed.
 */
int kp_tracee_run(struct kp_tracee *tracee, int request, int sig, uint64_t budget_ns,
		  struct kp_stop *ret_stop, struct kp_err *err);

/* Writes changed registers back. */
int kp_tracee_flush(struct kp_tracee *tracee, struct kp_err *err);

/*
 * Runs a call in the process, which stands at a system call stop or at an exec stop, and puts its
 * registers back. *ret_value is the call's result (negative errno). -ESRCH if the process died.
 */
int kp_tracee_inject(struct kp_tracee *tracee, long nr, const uint64_t args[6], int64_t *ret_value,
		     struct kp_err *err);

/* Replaces its program by the executable behind descriptor fd of the process, as after spawn. */
int kp_tracee_exec(struct kp_tracee *tracee, int fd, struct kp_err *err);

/* (Re)opens its memory, which is another after an exec. */
int kp_tracee_open_mem(struct kp_tracee *tracee, struct kp_err *err);

/*
 * Lets the call at which the process stands (or another number with its arguments) really run, and
 * stops at its exit. The registers are what the kernel made them.
 */
int kp_tracee_execute(struct kp_tracee *tracee, long nr, struct kp_err *err);

/* Makes it leave the stop by executing the same call again. */
void kp_tracee_restart(struct kp_tracee *tracee, uint64_t nr);

/* Stops it (KP_STOP_TRAP) before the instruction at addr is executed; 0: no longer. */
int kp_tracee_breakpoint(struct kp_tracee *tracee, uint64_t addr, struct kp_err *err);

/* One line of /proc/PID/maps. */
struct kp_region {
	uint64_t start, end, offset;
	uint64_t dev, ino; /* of the file, as stat tells them; 0: none */
	char perms[5];
	char name[256];
};

/* Calls fn for each mapping until it returns not 0; that value, or a negative errno. */
int kp_tracee_each_region(const struct kp_tracee *tracee,
			  int (*fn)(const struct kp_region *region, void *arg), void *arg);

#endif
