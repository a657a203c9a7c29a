/* SPDX-License-Identifier: MIT
 *
 * Command mode; see command.h.
 *
 * The command is seized, not attached, so that nothing stops it but what is asked for: exec, and a
 * seccomp filter that reports mmap of a file. Signals stop a traced task too; they are passed on at
 * once, and stops of the whole group are left to be stops (ptrace(2), PTRACE_LISTEN).
 *
 * The filter stays with the process for its life, and without a tracer it would make those mmaps
 * fail. So descendants are traced to their end, and PTRACE_O_EXITKILL ends them with the recorder.
 */
#include "record/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/archive.h"
#include "record/image.h"
#include "record/priority.h"
#include "record/proc.h"

#define TRACE_OPTIONS                                                                          \
	(PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

/* Data of an event stop: the upper half of the wait status. */
#define STOP_EVENT(status) ((status) >> 16)

/* Makes the tracing thread look up from waitpid. */
#define WAKE_SIGNAL SIGURG

/* Processes that kp_command_left names. */
#define NAMES_MAX 5

/* Bytes of the arguments that the command event keeps. */
#define ARGV_MAX 16384

#define SECOND_NS 1000000000ull

struct tracee {
	pid_t tid;
	bool parked; /* stopped because of kp_command_hold */
};

struct kp_command_run {
	struct kp_command_options options;
	struct kp_archive *archive;
	char path[4096]; /* the executable that argv[0] names */
	pthread_t thread;
	sem_t started; /* posted when pid or start_error is set */
	int start_error;
	int go[2]; /* the child waits for a byte here before its exec */
	pid_t pid;
	uint32_t image_cnt;
	int status; /* the command's wait status */

	_Atomic bool hold;    /* wanted by kp_command_hold */
	_Atomic bool holding; /* what the tracing thread has made of it */
	_Atomic bool ending;  /* whatever is traced is to be killed */

	pthread_mutex_t lock;   /* over what follows */
	bool has_ended;         /* the command; its status is set */
	struct tracee *tracees; /* those not yet reaped */
	size_t tracee_cnt;
	size_t tracee_cap;
};

/* --- the child, before its exec --- */

static int install_filter(void)
{
	const unsigned nr = offsetof(struct seccomp_data, nr);
	const unsigned arch = offsetof(struct seccomp_data, arch);
	const unsigned mmap_flags = offsetof(struct seccomp_data, args[3]);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
		/* rseq writes CPU numbers into memory whenever it likes: the C library does
		   without. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rseq, 5, 0),
		/* Bytes that only the kernel sees cannot be compared nor shown again; every
		   caller is ready for files of two file systems, and copies by itself. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_copy_file_range, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, mmap_flags),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 3),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return 0;
	/* Without CAP_SYS_ADMIN only a process that gains no privileges may have a filter. */
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static _Noreturn void run_child(struct kp_command_run *run, const sigset_t *mask)
{
	char byte;

	close(run->go[1]);
	if (read(run->go[0], &byte, 1) != 1)
		_exit(127);
	close(run->go[0]);
	if (run->options.process)
		kp_process_restore(run->options.process);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
	if (install_filter() < 0)
		dprintf(STDERR_FILENO, "kprobe: cannot install the seccomp filter: %s\n",
			strerror(errno));
	else
		execv(run->path, run->options.argv);
	dprintf(STDERR_FILENO, "kprobe: cannot run %s: %s\n", run->path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* --- the set of traced tasks --- */

static void add_tracee(struct kp_command_run *run, pid_t tid)
{
	size_t cap = run->tracee_cap ? run->tracee_cap * 2 : 64, i;
	struct tracee *tracees;

	pthread_mutex_lock(&run->lock);
	for (i = 0; i < run->tracee_cnt && run->tracees[i].tid != tid; i++)
		;
	if (i == run->tracee_cap) {
		tracees = realloc(run->tracees, cap * sizeof(*tracees));
		if (tracees) {
			run->tracees = tracees;
			run->tracee_cap = cap;
		}
	}
	if (i == run->tracee_cnt && i < run->tracee_cap)
		run->tracees[run->tracee_cnt++] = (struct tracee){.tid = tid};
	pthread_mutex_unlock(&run->lock);
}

static void remove_tracee(struct kp_command_run *run, pid_t tid)
{
	pthread_mutex_lock(&run->lock);
	for (size_t i = 0; i < run->tracee_cnt; i++)
		if (run->tracees[i].tid == tid)
			run->tracees[i] = run->tracees[--run->tracee_cnt];
	pthread_mutex_unlock(&run->lock);
}

/* --- stops --- */

/* Thread group of a task, from /proc/TID/status; the tid itself when that is gone. */
static pid_t group_of(pid_t tid)
{
	char path[64], line[256];
	int pid = tid;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return tid;
	while (fgets(line, sizeof(line), file) && sscanf(line, "Tgid: %d", &pid) != 1)
		;
	fclose(file);
	return pid;
}

static void lint(struct kp_command_run *run, pid_t pid, uint32_t nr, const char *text)
{
	struct kp_ev_replay_lint ev = {.hdr = {.pid = (uint32_t)pid, .tid = (uint32_t)pid},
				       .nr = nr};

	kp_sink_put(run->options.sink, KP_EV_replay_lint, &ev, sizeof(ev), text, strlen(text));
}

static void at_exec(struct kp_command_run *run, pid_t pid)
{
	struct kp_err err = {""};
	unsigned long old_tid = 0;

	if (!ptrace(PTRACE_GETEVENTMSG, pid, NULL, &old_tid) && (pid_t)old_tid != pid)
		remove_tracee(run, (pid_t)old_tid);
	if (kp_image_write(run->options.sink, run->archive, pid, ++run->image_cnt, &err) < 0)
		lint(run, pid, SYS_execve, err.text);
}

/* The device behind a path, kernel encoding; 0: it is none. */
static uint32_t device_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
		return 0;
	return major(st.st_rdev) << 20 | minor(st.st_rdev);
}

/* Whether stores by this map change the file. */
static bool is_shared_and_writable(uint32_t prot, uint32_t flags)
{
	return prot & PROT_WRITE &&
	       ((flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE);
}

/* The task is about to map a file; its arguments are in the registers (x86-64 ABI, A.2.1). */
static void at_mmap(struct kp_command_run *run, pid_t tid)
{
	struct kp_ev_file_map ev = {.hdr = {.tid = (uint32_t)tid}};
	struct user_regs_struct regs;
	char link[64];

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return;
	ev.hdr.pid = (uint32_t)group_of(tid);
	ev.len = regs.rsi;
	ev.prot = (uint32_t)regs.rdx;
	ev.flags = (uint32_t)regs.r10;
	ev.fd = (uint32_t)regs.r8;
	ev.offset = regs.r9;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", tid, (int)regs.r8);
	ev.file_id = kp_archive_pin(run->archive, link, is_shared_and_writable(ev.prot, ev.flags));
	if (!ev.file_id)
		ev.rdev = device_of(link);
	kp_sink_put_fixed(run->options.sink, KP_EV_file_map, &ev, sizeof(ev));
}

static bool is_stop_signal(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* Leaves a task in its stop while the command is held; false if it is not, or if the task is not in
 * the set, so that nobody would let it go on. */
static bool park(struct kp_command_run *run, pid_t tid)
{
	bool is_parked = false;

	if (!run->holding)
		return false;
	pthread_mutex_lock(&run->lock);
	for (size_t i = 0; i < run->tracee_cnt; i++)
		if (run->tracees[i].tid == tid)
			is_parked = run->tracees[i].parked = true;
	pthread_mutex_unlock(&run->lock);
	return is_parked;
}

/* Stops all tasks, or lets those that were stopped go on, when that has changed. */
static void apply_hold(struct kp_command_run *run)
{
	bool hold = run->hold;

	if (run->holding == hold)
		return;
	run->holding = hold;
	pthread_mutex_lock(&run->lock);
	for (size_t i = 0; i < run->tracee_cnt; i++) {
		struct tracee *tracee = &run->tracees[i];

		if (hold)
			ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL);
		else if (tracee->parked)
			ptrace(PTRACE_CONT, tracee->tid, NULL, NULL);
		tracee->parked = false;
	}
	pthread_mutex_unlock(&run->lock);
}

/* Handles one stop and lets the task go on. */
static void at_stop(struct kp_command_run *run, pid_t tid, int status)
{
	int sig = WSTOPSIG(status);

	add_tracee(run, tid);
	if (run->ending) { /* born behind kp_command_end's back */
		kill(tid, SIGKILL);
		return;
	}
	switch (STOP_EVENT(status)) {
	case 0: /* a signal on its way to the task */
		ptrace(PTRACE_CONT, tid, NULL, (void *)(long)sig);
		return;
	case PTRACE_EVENT_STOP:
		if (is_stop_signal(sig)) {
			ptrace(PTRACE_LISTEN, tid, NULL, NULL);
			return;
		}
		if (park(run, tid))
			return;
		break;
	case PTRACE_EVENT_EXEC:
		at_exec(run, tid);
		break;
	case PTRACE_EVENT_SECCOMP:
		at_mmap(run, tid);
		break;
	default: /* a new task: its own first stop follows */
		break;
	}
	ptrace(PTRACE_CONT, tid, NULL, NULL);
}

static void set_ended(struct kp_command_run *run, int status)
{
	pthread_mutex_lock(&run->lock);
	run->status = status;
	run->has_ended = true;
	pthread_mutex_unlock(&run->lock);
}

/*
 * Serves stops until no child and no traced task is left. A wake-up that comes between apply_hold
 * and waitpid is missed: whoever wants a hold changed repeats it.
 */
static void trace_all(struct kp_command_run *run)
{
	int status;
	pid_t tid;

	for (;;) {
		apply_hold(run);
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return;
		if (WIFSTOPPED(status)) {
			at_stop(run, tid, status);
			continue;
		}
		remove_tracee(run, tid);
		if (tid == run->pid)
			set_ended(run, status);
	}
}

/* --- the tracing thread --- */

static int begin(struct kp_command_run *run)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, SIGINT);
	sigdelset(&mask, SIGTERM);
	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (run->pid == 0)
		run_child(run, &mask);
	add_tracee(run, run->pid);
	close(run->go[0]);
	run->go[0] = -1;
	return ptrace(PTRACE_SEIZE, run->pid, NULL, (void *)(long)TRACE_OPTIONS) < 0 ? -errno : 0;
}

/* The copies of mapped files end before the recording does, which is told if it takes long. */
static void await_copies(struct kp_command_run *run)
{
	char text[128];
	uint32_t files;
	uint64_t len;

	if (kp_archive_wait(run->archive, SECOND_NS))
		return;
	len = kp_archive_left(run->archive, &files);
	snprintf(text, sizeof(text),
		 "waiting until %u files that were mapped are in the log (%" PRIu64 " MiB)", files,
		 len >> 20);
	run->options.on_warning(run->options.arg, text);
	while (!kp_archive_wait(run->archive, SECOND_NS))
		;
}

static void wake_up(int sig)
{
	(void)sig; /* it is enough that waitpid returns */
}

static void *trace_thread(void *arg)
{
	struct kp_command_run *run = arg;
	struct sigaction action = {.sa_handler = wake_up}; /* without SA_RESTART */

	sigaction(WAKE_SIGNAL, &action, NULL);
	run->start_error = begin(run);
	if (run->start_error < 0 && run->pid > 0) {
		kill(run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
	}
	sem_post(&run->started);
	if (run->start_error < 0)
		return NULL;
	kp_priority_raise(); /* after the fork: the command does not inherit it */
	trace_all(run);
	await_copies(run);
	run->options.on_end(run->options.arg, run->status);
	return NULL;
}

/* --- the interface --- */

/* What argv[0] names, searched in PATH as execvp does. */
static int find_program(const char *name, char *ret_path, size_t cap)
{
	const char *at = getenv("PATH");
	size_t len;

	if (strchr(name, '/')) {
		snprintf(ret_path, cap, "%s", name);
		return access(name, X_OK) < 0 ? -errno : 0;
	}
	for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at; at += len + (at[len] == ':')) {
		len = strcspn(at, ":");
		snprintf(ret_path, cap, "%.*s%s%s", (int)len, at, len ? "/" : "./", name);
		if (!access(ret_path, X_OK))
			return 0;
	}
	return -ENOENT;
}

static void put_command(const struct kp_command_run *run)
{
	struct kp_ev_command ev = {.hdr = {.pid = (uint32_t)run->pid, .tid = (uint32_t)run->pid}};
	char text[ARGV_MAX];
	size_t len = 0, n;

	for (char *const *word = run->options.argv; *word; word++) {
		n = strlen(*word) + 1;
		if (n > sizeof(text) - len)
			break;
		memcpy(text + len, *word, n);
		len += n;
	}
	kp_sink_put(run->options.sink, KP_EV_command, &ev, sizeof(ev), text, len);
}

static void discard(struct kp_command_run *run)
{
	for (int i = 0; i < 2; i++)
		if (run->go[i] >= 0)
			close(run->go[i]);
	kp_archive_free(run->archive);
	pthread_mutex_destroy(&run->lock);
	sem_destroy(&run->started);
	free(run->tracees);
	free(run);
}

int kp_command_start(const struct kp_command_options *options, struct kp_command_run **ret_run,
		     pid_t *ret_pid, struct kp_err *err)
{
	struct kp_command_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return kp_err_sys(err, -ENOMEM, "cannot run %s", options->argv[0]);
	run->options = *options;
	run->go[0] = run->go[1] = -1;
	pthread_mutex_init(&run->lock, NULL);
	sem_init(&run->started, 0, 0);
	r = find_program(options->argv[0], run->path, sizeof(run->path));
	if (r >= 0)
		r = kp_archive_new(options->archive_sink, &run->archive, err);
	if (r >= 0 && pipe2(run->go, O_CLOEXEC) < 0)
		r = -errno;
	if (r >= 0)
		r = -pthread_create(&run->thread, NULL, trace_thread, run);
	if (r < 0) {
		discard(run);
		return kp_err_sys(err, r, "cannot run %s", options->argv[0]);
	}
	while (sem_wait(&run->started) < 0)
		;
	if (run->start_error < 0) {
		r = run->start_error;
		pthread_join(run->thread, NULL);
		discard(run);
		return kp_err_sys(err, r, "cannot trace %s (is it allowed? CAP_SYS_PTRACE)",
				  options->argv[0]);
	}
	put_command(run);
	*ret_run = run;
	*ret_pid = run->pid;
	return 0;
}

void kp_command_go(struct kp_command_run *run)
{
	/* A failed write shows as the command's end: it reads end of file and exits 127. */
	if (write(run->go[1], "", 1) != 1)
		kp_command_kill(run, SIGKILL);
	close(run->go[1]);
	run->go[1] = -1;
}

/* Threads are not asked one by one: a signal is for a process. */
static void kill_tracees(struct kp_command_run *run, pid_t only, int sig)
{
	for (size_t i = 0; i < run->tracee_cnt; i++)
		if ((!only || run->tracees[i].tid == only) &&
		    (sig == SIGKILL || group_of(run->tracees[i].tid) == run->tracees[i].tid))
			kill(run->tracees[i].tid, sig);
}

void kp_command_hold(struct kp_command_run *run, bool hold)
{
	run->hold = hold;
	if (run->holding != hold)
		pthread_kill(run->thread, WAKE_SIGNAL);
}

void kp_command_kill(struct kp_command_run *run, int sig)
{
	pthread_mutex_lock(&run->lock);
	kill_tracees(run, run->has_ended ? 0 : run->pid, sig);
	pthread_mutex_unlock(&run->lock);
}

bool kp_command_has_ended(struct kp_command_run *run)
{
	bool has_ended;

	pthread_mutex_lock(&run->lock);
	has_ended = run->has_ended;
	pthread_mutex_unlock(&run->lock);
	return has_ended;
}

size_t kp_command_left(struct kp_command_run *run, char *ret_names, size_t cap)
{
	size_t cnt = 0, len = 0;
	struct kp_proc_stat stat;
	char path[64];

	*ret_names = '\0';
	pthread_mutex_lock(&run->lock);
	for (size_t i = 0; i < run->tracee_cnt; i++) {
		pid_t tid = run->tracees[i].tid;

		snprintf(path, sizeof(path), "/proc/%d/stat", tid);
		if (group_of(tid) != tid || !kp_proc_stat(path, &stat))
			continue;
		if (cnt < NAMES_MAX && len < cap)
			len += (size_t)snprintf(ret_names + len, cap - len, "%s%.*s (%d)",
						cnt ? ", " : "", KP_COMM_LEN, stat.comm, tid);
		else if (cnt == NAMES_MAX && len < cap)
			len += (size_t)snprintf(ret_names + len, cap - len, ", ...");
		cnt++;
	}
	pthread_mutex_unlock(&run->lock);
	return cnt;
}

void kp_command_end(struct kp_command_run *run)
{
	run->ending = true;
	pthread_mutex_lock(&run->lock);
	kill_tracees(run, 0, SIGKILL);
	pthread_mutex_unlock(&run->lock);
}

uint64_t kp_command_copied(struct kp_command_run *run)
{
	return kp_archive_copied(run->archive);
}

void kp_command_free(struct kp_command_run *run)
{
	if (!run)
		return;
	kp_command_end(run);
	pthread_join(run->thread, NULL);
	discard(run);
}
