/* SPDX-License-Identifier: MIT
 *
 * Command mode; see command.h.
 *
 * The calls to be seen first are held by a seccomp filter (filter.h) and served by a thread
 * (watch.h), which also waits for the ends of the processes: as the subreaper of what we run, we
 * are the parent of whatever loses its own.
 *
 * The filter stays with the processes for their life, and without a listener it would make the held
 * calls fail. A process of ours sees to it if the recorder dies; if it ends in order, it ends them.
 */
#include "record/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/archive.h"
#include "record/family.h"
#include "record/filter.h"
#include "record/priority.h"
#include "record/proc.h"
#include "record/thread.h"
#include "record/watch.h"

/* Between two attempts to end what is left. */
#define KILL_MS 10

/* Processes that kp_command_left names. */
#define NAMES_MAX 5

/* Bytes of the arguments that the command event keeps. */
#define ARGV_MAX 16384

#define SECOND_NS 1000000000ull

struct kp_command_run {
	struct kp_command_options options;
	char path[4096]; /* the executable that argv[0] names */
	pthread_t thread;
	sem_t started; /* posted when pid or start_error is set */
	int start_error;
	int go[2]; /* sockets: the child sends the listener, and waits for a byte before its exec */
	struct sigaction chld; /* as it was found */
	pid_t pid;

	int wake;               /* eventfd: the tracing thread is to look up */
	_Atomic bool hold;      /* wanted by kp_command_hold */
	_Atomic bool ending;    /* what is left is to be killed */
	_Atomic bool has_ended; /* the command; its status is set */
	_Atomic pid_t keeper;
	int status; /* the command's wait status */

	/* Of the tracing thread alone. */
	struct kp_watch watch; /* its listener is -1 when nobody is under the filter any more */
	int keeper_life;
};

/* The eventfd of the one command that runs, for the handler. */
static _Atomic int wake_fd = -1;

/* --- the child, before its exec --- */

/* The filter comes first: once the caller has selected the process, what it does is recorded. */
static _Noreturn void run_child(struct kp_command_run *run, const sigset_t *mask)
{
	char byte;
	int error;

	close(run->go[1]);
	kp_filter_install(run->go[0]);
	if (read(run->go[0], &byte, 1) != 1)
		_exit(127);
	if (run->options.process)
		kp_process_restore(run->options.process);
	sigaction(SIGCHLD, &run->chld, NULL);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
	execv(run->path, run->options.argv);
	error = errno;
	/* The file itself was there when it was looked for. */
	dprintf(STDERR_FILENO, "kprobe: cannot run %s: %s\n", run->path,
		error == ENOENT ? "its interpreter is not there (a script's first line, or ld.so)"
		: error == ENOEXEC ? "neither an executable nor a script with a '#!' line"
				   : strerror(error));
	_exit(error == ENOENT ? 127 : 126);
}

/* --- the tracing thread --- */

/* Looks for children that have ended and seized tasks that have stopped. */
static void serve_waits(struct kp_command_run *run)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		if (WIFSTOPPED(status)) {
			kp_watch_stop(&run->watch, tid, status);
			continue;
		}
		kp_watch_forget(&run->watch, tid);
		if (tid == run->pid) {
			run->status = status;
			run->has_ended = true;
		}
	}
}

static void on_child(int sig)
{
	int saved = errno;
	uint64_t one = 1;

	(void)sig;
	if (write(wake_fd, &one, sizeof(one)) < 0) /* its counter is full: awake enough */
		errno = saved;
	errno = saved;
}

static int begin(struct kp_command_run *run)
{
	struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
	sigset_t mask;

	wake_fd = run->wake;
	sigaction(SIGCHLD, &action, &run->chld);
	/* What the command leaves becomes our child, to be found and to be reaped. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, SIGINT);
	sigdelset(&mask, SIGTERM);
	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (run->pid == 0)
		run_child(run, &mask);
	close(run->go[0]);
	run->go[0] = -1;
	run->watch.listener = kp_filter_receive(run->go[1]);
	if (run->watch.listener >= 0)
		return 0;
	kill(run->pid, SIGKILL);
	waitpid(run->pid, NULL, 0);
	return run->watch.listener;
}

static void finish(struct kp_command_run *run)
{
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	sigaction(SIGCHLD, &run->chld, NULL);
	wake_fd = -1;
}

static void kill_left(struct kp_command_run *run)
{
	struct kp_family family;

	if (kp_family_find(run->keeper, &family) < 0)
		return;
	for (uint32_t i = 0; i < family.pids.cnt; i++)
		kill(family.pids.at[i], SIGKILL);
	kp_family_done(&family);
}

static void start_keeper(struct kp_command_run *run)
{
	run->keeper = kp_filter_keep(run->watch.listener, &run->keeper_life);
	if (run->keeper < 0)
		run->options.on_warning(run->options.arg,
					"no process can be made that keeps the command alive if "
					"the recorder is killed");
	run->watch.except = run->keeper;
}

static void drop_listener(struct kp_command_run *run)
{
	close(run->watch.listener);
	run->watch.listener = -1;
}

/* Serves what comes until the command has ended and no process is left under the filter. */
static void serve_all(struct kp_command_run *run)
{
	struct pollfd fds[] = {{.fd = run->wake, .events = POLLIN}, {.events = POLLIN}};
	uint64_t cnt;

	while (!run->has_ended || run->watch.listener >= 0) {
		fds[1].fd = run->watch.listener;
		if (poll(fds, 2, run->ending ? KILL_MS : -1) < 0)
			continue;
		if (run->ending)
			kill_left(run);
		if (fds[0].revents && read(run->wake, &cnt, sizeof(cnt)) > 0)
			serve_waits(run);
		kp_watch_hold(&run->watch, run->hold && !run->ending);
		if (run->watch.listener >= 0 && fds[1].revents & POLLIN)
			kp_watch_call(&run->watch);
		else if (run->watch.listener >= 0 && fds[1].revents & POLLHUP)
			drop_listener(run);
	}
	/* What is left are zombies, and the keeper, which ends now. */
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

/* The copies of mapped files end before the recording does, which is told if it takes long. */
static void await_copies(struct kp_command_run *run)
{
	char text[128];
	uint32_t files;
	uint64_t len;

	if (kp_archive_wait(run->watch.archive, SECOND_NS))
		return;
	len = kp_archive_left(run->watch.archive, &files);
	snprintf(text, sizeof(text), "still copying %u file%s that were mapped (%" PRIu64 " MiB)",
		 files, files == 1 ? "" : "s", len >> 20);
	run->options.on_warning(run->options.arg, text);
	while (!kp_archive_wait(run->watch.archive, SECOND_NS))
		;
}

static void *trace_thread(void *arg)
{
	struct kp_command_run *run = arg;

	run->start_error = begin(run);
	sem_post(&run->started);
	if (run->start_error >= 0) {
		/* After the fork: the command does not inherit it. */
		kp_priority_raise(KP_NICE_AT_ONCE);
		start_keeper(run);
		serve_all(run);
		await_copies(run);
		run->options.on_end(run->options.arg, run->status);
	}
	finish(run);
	return NULL;
}

/* --- the interface --- */

static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : -ENOEXEC;
	return S_ISREG(st.st_mode) && !access(path, X_OK) ? 0 : -ENOEXEC;
}

/*
 * What argv[0] names, searched in PATH as execvp does. -ENOENT: it is not found; -ENOEXEC: what it
 * names cannot be executed.
 */
static int find_program(const char *name, char *ret_path, size_t cap)
{
	const char *at = getenv("PATH");
	int error = -ENOENT, r;
	size_t len;

	snprintf(ret_path, cap, "%s", name);
	if (strchr(name, '/'))
		return check_file(name);
	for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *name && *at;
	     at += len + (at[len] == ':')) {
		len = strcspn(at, ":");
		snprintf(ret_path, cap, "%.*s%s%s", (int)len, at, len ? "/" : "./", name);
		r = check_file(ret_path);
		if (r == 0)
			return 0;
		error = r == -ENOEXEC ? r : error;
	}
	return error;
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

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void discard(struct kp_command_run *run)
{
	close_fd(run->go[0]);
	close_fd(run->go[1]);
	close_fd(run->wake);
	close_fd(run->watch.listener);
	close_fd(run->keeper_life);
	kp_archive_free(run->watch.archive);
	sem_destroy(&run->started);
	kp_watch_done(&run->watch);
	free(run);
}

int kp_command_start(const struct kp_command_options *options, struct kp_command_run **ret_run,
		     pid_t *ret_pid, struct kp_err *err)
{
	struct kp_command_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run) {
		kp_objects_free(options->objects);
		return kp_err_sys(err, -ENOMEM, "cannot run %s", options->argv[0]);
	}
	run->options = *options;
	run->watch = (struct kp_watch){
		.sink = options->sink, .on_warning = options->on_warning, .arg = options->arg};
	run->go[0] = run->go[1] = run->watch.listener = run->keeper_life = run->wake = -1;
	sem_init(&run->started, 0, 0);
	r = kp_archive_new(options->sink, options->objects, options->is_masked, &run->watch.archive,
			   err);
	if (r < 0) {
		discard(run);
		return r;
	}
	r = find_program(options->argv[0], run->path, sizeof(run->path));
	if (r < 0) {
		discard(run);
		return kp_err_set(err, r,
				  r == -ENOENT
					  ? "cannot run '%s': command not found"
					  : "cannot run '%s': it is no file that may be executed",
				  options->argv[0]);
	}
	run->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run->wake < 0)
		r = -errno;
	if (r >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, run->go) < 0)
		r = -errno;
	if (r >= 0)
		r = kp_thread_start(&run->thread, "kp-command", trace_thread, run);
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
		return kp_err_sys(
			err, r, "cannot run %s under a seccomp filter%s", options->argv[0],
			r == -EBUSY ? " (kprobe itself runs under one with a listener)" : "");
	}
	put_command(run);
	*ret_run = run;
	*ret_pid = run->pid;
	return 0;
}

static void wake(struct kp_command_run *run)
{
	uint64_t one = 1;

	if (write(run->wake, &one, sizeof(one)) < 0)
		return; /* its counter is full: awake enough */
}

void kp_command_go(struct kp_command_run *run)
{
	/* A failed write shows as the command's end: it reads end of file and exits 127. */
	if (send(run->go[1], "", 1, MSG_NOSIGNAL) != 1)
		kp_command_kill(run, SIGKILL);
}

void kp_command_hold(struct kp_command_run *run, bool hold)
{
	if (run->hold == hold)
		return;
	run->hold = hold;
	wake(run);
}

void kp_command_kill(struct kp_command_run *run, int sig)
{
	struct kp_family family;

	if (!run->has_ended) {
		kill(run->pid, sig);
		return;
	}
	if (kp_family_find(run->keeper, &family) < 0)
		return;
	for (uint32_t i = 0; i < family.pids.cnt; i++)
		kill(family.pids.at[i], sig);
	kp_family_done(&family);
}

bool kp_command_has_ended(struct kp_command_run *run)
{
	return run->has_ended;
}

size_t kp_command_left(struct kp_command_run *run, char *ret_names, size_t cap)
{
	struct kp_family family;
	struct kp_proc_stat stat;
	size_t cnt = 0, len = 0;
	char path[64];

	*ret_names = '\0';
	if (kp_family_find(run->keeper, &family) < 0)
		return 0;
	for (uint32_t i = 0; i < family.pids.cnt; i++) {
		snprintf(path, sizeof(path), "/proc/%d/stat", family.pids.at[i]);
		if (!kp_proc_stat(path, &stat) || stat.state == 'Z')
			continue;
		if (cnt < NAMES_MAX && len < cap)
			len += (size_t)snprintf(ret_names + len, cap - len, "%s%.*s (%d)",
						cnt ? ", " : "", KP_COMM_LEN, stat.comm,
						family.pids.at[i]);
		else if (cnt == NAMES_MAX && len < cap)
			len += (size_t)snprintf(ret_names + len, cap - len, ", ...");
		cnt++;
	}
	kp_family_done(&family);
	return cnt;
}

void kp_command_end(struct kp_command_run *run)
{
	run->ending = true;
	if (!run->has_ended)
		kill(run->pid, SIGKILL);
	kill_left(run); /* here too: the thread may stand before a file that does not answer */
	wake(run);
}

uint64_t kp_command_copied(struct kp_command_run *run)
{
	return kp_archive_copied(run->watch.archive);
}

uint64_t kp_command_written(struct kp_command_run *run)
{
	return kp_archive_written(run->watch.archive);
}

int kp_command_error(struct kp_command_run *run, struct kp_err *ret_err)
{
	return kp_archive_error(run->watch.archive, ret_err);
}

void kp_command_free(struct kp_command_run *run)
{
	if (!run)
		return;
	kp_command_end(run);
	pthread_join(run->thread, NULL);
	discard(run);
}
