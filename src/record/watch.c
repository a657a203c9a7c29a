/* SPDX-License-Identifier: MIT
 *
 * Held calls, stops, and the hold; see watch.h.
 *
 * A task that is about to exec is seized, so that it stops at the exec's end for its image, and
 * interrupted, so that it stops as well when the exec fails; at either stop it is let go. One that
 * a debugger traces already is not ours to seize: it runs as it is, its image is missing in the
 * log, and that is said.
 */
#include "record/watch.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "record/family.h"
#include "record/filter.h"
#include "record/image.h"
#include "record/proc.h"

/* A held task's children are held too, from their first moment on. */
#define HOLD_OPTIONS \
	(PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

/* Looks for new tasks while all are being held. */
#define HOLD_ROUNDS 8

/* Data of an event stop: the upper half of the wait status. */
#define STOP_EVENT(status) ((status) >> 16)

/* What is told: kp_watch.told. */
enum why { PRIVILEGE = 1, TRACED = 2, SECCOMP = 4, CONTENT = 8, LISTENER = 16, DEVICE = 32 };

/* --- the set of seized tasks --- */

static struct kp_seized *find_tracee(struct kp_watch *watch, pid_t tid)
{
	for (uint32_t i = 0; i < watch->tracees.cnt; i++)
		if (watch->tracees.at[i].tid == tid)
			return &watch->tracees.at[i];
	return NULL;
}

static void remove_tracee(struct kp_watch *watch, pid_t tid)
{
	struct kp_seized *tracee = find_tracee(watch, tid);

	if (tracee)
		*tracee = watch->tracees.at[--watch->tracees.cnt];
}

/* 0 or a negative errno: -EPERM for one whom somebody else traces. */
static int seize(struct kp_watch *watch, pid_t tid, long options)
{
	if (find_tracee(watch, tid))
		return 0;
	if (KP_VEC_GROW(&watch->tracees) < 0)
		return -ENOMEM;
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) < 0)
		return -errno;
	watch->tracees.at[watch->tracees.cnt++] = (struct kp_seized){.tid = tid};
	return 0;
}

static void let_go(struct kp_watch *watch, struct kp_seized *tracee)
{
	ptrace(PTRACE_DETACH, tracee->tid, NULL, (void *)(long)tracee->sig);
	remove_tracee(watch, tracee->tid);
}

/* --- stops --- */

/* A number of /proc/TID/status; `other` when it is not told. */
static unsigned long status_of(pid_t tid, const char *name, unsigned long other)
{
	char path[64], text[4096], *at;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	len = kp_proc_read(path, text, sizeof(text) - 1);
	text[len] = '\0';
	at = strstr(text, name);
	return at ? strtoul(at + strlen(name), NULL, 10) : other;
}

/* Thread group of a task; the tid itself when it is gone. */
static pid_t group_of(pid_t tid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, 0);

	if (fd < 0) /* only a leader has one, and it costs less to ask so */
		return (pid_t)status_of(tid, "\nTgid:", (unsigned long)tid);
	close(fd);
	return tid;
}

static void lint(struct kp_watch *watch, pid_t pid, uint32_t nr, const char *text)
{
	struct kp_ev_replay_lint ev = {.hdr = {.pid = (uint32_t)pid, .tid = (uint32_t)pid},
				       .nr = nr};

	kp_sink_put(watch->sink, KP_EV_replay_lint, &ev, sizeof(ev), text, strlen(text));
}

/* Into the log, and the first of its kind to the user: replay will have to refuse or may differ. */
static void tell(struct kp_watch *watch, enum why why, pid_t pid, uint32_t nr, const char *format,
		 ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lint(watch, pid, nr, text);
	if (!(watch->told & why))
		watch->on_warning(watch->arg, text);
	watch->told |= why;
}

/* Privilege that the program would have got, had nobody watched: who is not root cannot have a
 * filter but by giving up all that programs may gain. */
static void check_privilege(struct kp_watch *watch, pid_t pid)
{
	char link[64], path[4096], caps[64];
	struct stat st;
	ssize_t len;

	if (!geteuid())
		return;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (stat(link, &st) < 0)
		return;
	if (!(st.st_mode & S_ISUID && st.st_uid != geteuid()) &&
	    getxattr(link, "security.capability", caps, sizeof(caps)) <= 0)
		return;
	len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	tell(watch, PRIVILEGE, pid, SYS_execve,
	     "process %d runs %.128s without the privilege that the file gives: only root can "
	     "record it with that",
	     pid, path);
}

static void at_exec(struct kp_watch *watch, pid_t pid)
{
	struct kp_err err = {""};
	unsigned long old_tid = 0;
	int r;

	if (!ptrace(PTRACE_GETEVENTMSG, pid, NULL, &old_tid) && (pid_t)old_tid != pid)
		remove_tracee(watch, (pid_t)old_tid);
	r = kp_image_write(watch->sink, watch->archive, pid, ++watch->image_cnt, &err);
	if (r < 0)
		lint(watch, pid, SYS_execve, err.text);
	else if (r > 0)
		tell(watch, CONTENT, pid, SYS_execve,
		     "a file of which the program of process %d consists cannot be read (the "
		     "capability SYS_ADMIN or CHECKPOINT_RESTORE may help): replay cannot serve it",
		     pid);
	check_privilege(watch, pid);
}

/* Devices that are often there and cannot be mapped (mem(4)), and /dev/zero, which is served. */
static bool is_harmless(dev_t dev)
{
	switch (minor(dev)) {
	case 3: /* null */
	case 5: /* zero */
	case 7: /* full */
	case 8: /* random */
	case 9: /* urandom */
		return major(dev) == 1;
	}
	return false;
}

/* What is mapped is no file whose content is kept. Returns the device that it is instead, kernel
 * encoding; 0: it is none. */
static uint32_t no_content(struct kp_watch *watch, uint32_t pid, const char *link)
{
	char path[4096];
	struct stat st;
	ssize_t len;

	if (stat(link, &st) < 0)
		return 0;
	len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		if (S_ISBLK(st.st_mode) || !is_harmless(st.st_rdev))
			tell(watch, DEVICE, (pid_t)pid, SYS_mmap,
			     "process %u maps the device %.128s, whose memory is not kept: replay "
			     "refuses it, unless it fails",
			     pid, path);
		return major(st.st_rdev) << 20 | minor(st.st_rdev);
	}
	if (S_ISREG(st.st_mode))
		tell(watch, CONTENT, (pid_t)pid, SYS_mmap,
		     "process %u mapped %.128s, which is not kept since it %s: replay refuses it",
		     pid, path,
		     (uint64_t)st.st_blocks * 512 > KP_ARCHIVE_FILE_MAX ? "has more than 1 GiB"
									: "cannot be read");
	return 0;
}

/* Whether stores by this map change the file. */
static bool is_shared_and_writable(uint32_t prot, uint32_t flags)
{
	return prot & PROT_WRITE &&
	       ((flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE);
}

/* Handles one stop of a seized task, or of a child that a held one made. */
void kp_watch_stop(struct kp_watch *watch, pid_t tid, int status)
{
	struct kp_seized *tracee;

	if (STOP_EVENT(status) == PTRACE_EVENT_EXEC)
		at_exec(watch, tid);
	tracee = find_tracee(watch, tid);
	if (!tracee && KP_VEC_PUSH(&watch->tracees, ((struct kp_seized){.tid = tid})) < 0) {
		ptrace(PTRACE_DETACH, tid, NULL, NULL);
		return;
	}
	tracee = find_tracee(watch, tid);
	tracee->stopped = true;
	tracee->sig = STOP_EVENT(status) ? 0 : WSTOPSIG(status); /* else on its way to it */
	if (!watch->holding)
		let_go(watch, tracee);
}

/* --- the hold --- */

struct seizing {
	struct kp_watch *watch;
	bool is_new; /* one that was not there before */
};

static void hold_task(const char *path, uint32_t tid, void *arg)
{
	struct seizing *seizing = arg;

	(void)path;
	if (find_tracee(seizing->watch, (pid_t)tid) ||
	    seize(seizing->watch, (pid_t)tid, HOLD_OPTIONS) < 0)
		return;
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	seizing->is_new = true;
}

/* Stops all recorded tasks; those that are made meanwhile are found by looking again. */
static void hold_all(struct kp_watch *watch)
{
	struct seizing seizing = {.watch = watch, .is_new = true};
	struct kp_family family;
	char path[64];

	for (int round = 0; seizing.is_new && round < HOLD_ROUNDS; round++) {
		seizing.is_new = false;
		if (kp_family_find(watch->except, &family) < 0)
			return;
		for (uint32_t i = 0; i < family.pids.cnt; i++) {
			snprintf(path, sizeof(path), "/proc/%d/task", family.pids.at[i]);
			kp_proc_each_number(path, hold_task, &seizing);
		}
		kp_family_done(&family);
	}
}

/* Those that have not stopped yet are let go when they do. */
static void release_all(struct kp_watch *watch)
{
	for (uint32_t i = watch->tracees.cnt; i-- > 0;)
		if (watch->tracees.at[i].stopped)
			let_go(watch, &watch->tracees.at[i]);
}

void kp_watch_hold(struct kp_watch *watch, bool hold)
{
	if (watch->holding == hold)
		return;
	watch->holding = hold;
	if (hold)
		hold_all(watch);
	else
		release_all(watch);
}

/* --- held calls --- */

/* A file is about to be mapped. */
static void on_mmap(struct kp_watch *watch, const struct kp_held_call *call)
{
	struct kp_ev_file_map ev = {
		.hdr = {.pid = (uint32_t)group_of(call->tid), .tid = (uint32_t)call->tid},
		.len = call->args[1],
		.prot = (uint32_t)call->args[2],
		.flags = (uint32_t)call->args[3],
		.fd = (uint32_t)call->args[4],
		.offset = call->args[5]};
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", call->tid, (int)call->args[4]);
	ev.file_id =
		kp_archive_pin(watch->archive, link, is_shared_and_writable(ev.prot, ev.flags));
	if (!ev.file_id)
		ev.rdev = no_content(watch, ev.hdr.pid, link);
	kp_sink_put_fixed(watch->sink, KP_EV_file_map, &ev, sizeof(ev));
	kp_filter_go_on(watch->listener, call);
}

/* The task's image cannot be had. */
static void tell_unseized(struct kp_watch *watch, const struct kp_held_call *call)
{
	pid_t pid = group_of(call->tid);
	unsigned long tracer = status_of(call->tid, "\nTracerPid:", 0);

	if (tracer)
		tell(watch, TRACED, pid, (uint32_t)call->nr,
		     "process %d is traced by process %lu: what it runs cannot be replayed", pid,
		     tracer);
	else
		tell(watch, TRACED, pid, (uint32_t)call->nr,
		     "process %d cannot be stopped at its exec (CAP_SYS_PTRACE is missing): what "
		     "it "
		     "runs cannot be replayed",
		     pid);
}

/*
 * The image is written at the exec's end (at_exec). The interrupt must not come before the call
 * goes on: it would take the call back.
 */
static void on_exec(struct kp_watch *watch, const struct kp_held_call *call)
{
	int r = seize(watch, call->tid, PTRACE_O_TRACEEXEC);

	if (r == -EPERM)
		tell_unseized(watch, call);
	kp_filter_go_on(watch->listener, call);
	if (r >= 0)
		ptrace(PTRACE_INTERRUPT, call->tid, NULL, NULL);
}

/* What our own filter is to the program: nothing. Its own ones may forbid what it does only because
 * it is recorded. */
static void on_seccomp(struct kp_watch *watch, const struct kp_held_call *call)
{
	pid_t pid = group_of(call->tid);

	if (call->nr == SYS_prctl && call->args[0] == PR_GET_SECCOMP &&
	    status_of(call->tid, "\nSeccomp_filters:", 1) == 1) {
		kp_filter_answer(watch->listener, call, 0);
		return;
	}
	if (call->nr == SYS_seccomp && call->args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		tell(watch, LISTENER, pid, (uint32_t)call->nr,
		     "process %d cannot have a seccomp listener while it is recorded: EBUSY", pid);
	else if (call->nr == SYS_seccomp || call->args[0] == PR_SET_SECCOMP)
		tell(watch, SECCOMP, pid, (uint32_t)call->nr,
		     "process %d forbids itself system calls by seccomp; recorded, it has no vDSO, "
		     "and ends if it forbids clock_gettime or gettimeofday",
		     pid);
	kp_filter_go_on(watch->listener, call);
}

void kp_watch_call(struct kp_watch *watch)
{
	struct kp_held_call call;

	if (!kp_filter_next(watch->listener, &call))
		return;
	switch (call.nr) {
	case SYS_mmap:
		on_mmap(watch, &call);
		return;
	case SYS_execve:
	case SYS_execveat:
		on_exec(watch, &call);
		return;
	default:
		on_seccomp(watch, &call);
	}
}

void kp_watch_forget(struct kp_watch *watch, pid_t tid)
{
	remove_tracee(watch, tid);
}

void kp_watch_done(struct kp_watch *watch)
{
	KP_VEC_DONE(&watch->tracees);
}
