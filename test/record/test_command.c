/* SPDX-License-Identifier: MIT
 * Command mode without probes: images, archived files, statuses, stops.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "event/event.h"
#include "record/command.h"

/*
 * Stands before the C library's: whoever is about to wait can be made to lose the CPU first, which
 * is where a wake-up is missed.
 */
static _Atomic long late_ns;

pid_t waitpid(pid_t pid, int *status, int options)
{
	if (late_ns)
		nanosleep(&(struct timespec){.tv_nsec = late_ns}, NULL);
	return wait4(pid, status, options, NULL);
}

struct seen {
	int cnt[KP_EV_END];
	int invalid;
	char warning[512];      /* the last one */
	int states[5], written; /* of files */
	pthread_mutex_t lock;   /* the archive puts from a thread of its own */
	int files_open;
	int status;
	sem_t ended;
};

static void put(void *arg, const struct kp_hdr *event)
{
	struct seen *seen = arg;
	const struct kp_ev_file_object *end = (const void *)event;

	pthread_mutex_lock(&seen->lock);
	seen->invalid += kp_event_validate(event, event->size, NULL) < 0;
	seen->cnt[event->kind]++;
	if (event->kind == KP_EV_file_info)
		seen->files_open++;
	if (event->kind == KP_EV_file_object) {
		seen->files_open--;
		seen->states[end->state]++;
		seen->written += end->written;
		cr_expect_eq(end->data_len, end->state ? 0 : KP_OBJECT_HASH_LEN);
	}
	pthread_mutex_unlock(&seen->lock);
}

static void ended(void *arg, int status)
{
	struct seen *seen = arg;

	seen->status = status;
	sem_post(&seen->ended);
}

static void warned(void *arg, const char *text)
{
	struct seen *seen = arg;

	pthread_mutex_lock(&seen->lock);
	snprintf(seen->warning, sizeof(seen->warning), "%s", text);
	pthread_mutex_unlock(&seen->lock);
}

static char log_dir[] = "/var/tmp/kprobe-command-XXXXXX";

static void make_log(void)
{
	cr_assert(mkdtemp(log_dir));
	cr_assert_eq(chmod(log_dir, 0700), 0);
}

static void remove_log(void)
{
	char text[64];

	snprintf(text, sizeof(text), "rm -r %s", log_dir);
	cr_expect_eq(system(text), 0);
}

TestSuite(command, .init = make_log, .fini = remove_log);

static struct kp_objects *make_objects(void)
{
	int fd = open(log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct kp_objects *objects;
	struct kp_err err = {""};

	cr_assert_eq(kp_objects_make(fd, log_dir, &objects, &err), 0, "%s", err.text);
	close(fd);
	return objects;
}

/* Starts a command; sink and seen outlive it. */
static struct kp_command_run *start(char *const *argv, const struct kp_sink *sink,
				    struct seen *seen)
{
	struct kp_command_options options = {.argv = argv,
					     .sink = sink,
					     .objects = make_objects(),
					     .on_warning = warned,
					     .on_end = ended,
					     .arg = seen};
	struct kp_command_run *command;
	struct kp_err err = {""};
	pid_t pid;

	sem_init(&seen->ended, 0, 0);
	pthread_mutex_init(&seen->lock, NULL);
	cr_assert_eq(kp_command_start(&options, &command, &pid, &err), 0, "%s", err.text);
	kp_command_go(command);
	return command;
}

static struct seen run(char *const *argv)
{
	struct seen seen = {0};
	struct kp_sink sink = {put, &seen};
	struct kp_command_run *command = start(argv, &sink, &seen);

	while (sem_wait(&seen.ended) < 0)
		;
	kp_command_free(command);
	cr_assert_eq(seen.invalid, 0);
	cr_assert_eq(seen.files_open, 0);
	cr_assert_eq(seen.states[KP_FILE_WHOLE], seen.cnt[KP_EV_file_info]);
	return seen;
}

Test(command, exit_status_and_image)
{
	char *argv[] = {"sh", "-c", "exit 7", NULL};
	struct seen seen = run(argv);

	cr_assert(WIFEXITED(seen.status));
	cr_assert_eq(WEXITSTATUS(seen.status), 7);
	cr_assert_eq(seen.cnt[KP_EV_command], 1);
	cr_assert_eq(seen.cnt[KP_EV_exec_image], 1);
	cr_assert_gt(seen.cnt[KP_EV_exec_map], 5);
	cr_assert_gt(seen.cnt[KP_EV_memory], 0);
	cr_assert_gt(seen.cnt[KP_EV_file_map], 0);
	cr_assert_eq(seen.cnt[KP_EV_replay_lint], 0);
}

Test(command, death_by_signal)
{
	char *argv[] = {"sh", "-c", "kill -TERM $$", NULL};
	struct seen seen = run(argv);

	cr_assert(WIFSIGNALED(seen.status));
	cr_assert_eq(WTERMSIG(seen.status), SIGTERM);
}

Test(command, descendants_have_images_and_stops_are_stops)
{
	char *argv[] = {"sh", "-c",
			"sleep 0.3 & p=$!; kill -STOP $p; sleep 0.1;"
			"grep -q '^State:.[Tt]' /proc/$p/status || exit 9; kill -CONT $p; wait $p",
			NULL};
	struct seen seen = run(argv);

	cr_assert(WIFEXITED(seen.status));
	cr_assert_eq(WEXITSTATUS(seen.status), 0);
	cr_assert_eq(seen.cnt[KP_EV_exec_image], 4, "%d", seen.cnt[KP_EV_exec_image]);
}

Test(command, the_vdso_is_hidden_and_rseq_refused)
{
	char *argv[] = {"sh", "-c",
			"LD_SHOW_AUXV=1 /bin/true | grep -q AT_SYSINFO_EHDR && exit 1; exit 0",
			NULL};
	struct seen seen = run(argv);

	cr_assert_eq(WEXITSTATUS(seen.status), 0);
}

Test(command, what_is_not_there_is_said)
{
	char *argv[] = {"/nonexistent/program", NULL};
	struct kp_sink sink = {put, NULL};
	struct kp_command_options options = {
		.argv = argv, .sink = &sink, .objects = make_objects(), .on_end = ended};
	struct kp_command_run *command;
	struct kp_err err = {""};
	pid_t pid;

	cr_assert_eq(kp_command_start(&options, &command, &pid, &err), -ENOENT);
	cr_assert(strstr(err.text, "/nonexistent/program"));
}

/*
 * Each time the tracing thread is about to wait it loses the CPU for longer than the hold or
 * release takes to be said, as the recorder's timer says it: again and again, with what is wanted
 * now.
 */
Test(command, no_release_is_missed, .timeout = 60)
{
	char *argv[] = {"sh", "-c", "i=0; while [ $i -lt 40 ]; do /bin/true; i=$((i+1)); done",
			NULL};
	struct seen seen = {0};
	struct kp_sink sink = {put, &seen};
	struct kp_command_run *command = start(argv, &sink, &seen);
	unsigned turns = 0;

	late_ns = 2000000;
	for (; sem_trywait(&seen.ended) < 0; turns++) {
		kp_command_hold(command, turns % 16 < 4);
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
	late_ns = 0;
	kp_command_free(command);
	cr_assert_eq(seen.cnt[KP_EV_exec_image], 41, "%d", seen.cnt[KP_EV_exec_image]);
	cr_assert_gt(turns, 32);
}

/* A process is born at any moment of the end: nobody survives, and the end comes. */
Test(command, it_ends_whatever_is_born_meanwhile, .timeout = 60)
{
	char *argv[] = {"sh", "-c", "while :; do sleep 1000 & done", NULL};
	struct kp_sink sink;
	struct seen seen;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		struct kp_command_run *command;

		seen = (struct seen){0};
		sink = (struct kp_sink){put, &seen};
		command = start(argv, &sink, &seen);
		nanosleep(&(struct timespec){.tv_nsec = 30000000 + i * 1000000}, NULL);
		kp_command_free(command);
		pid = waitpid(-1, NULL, WNOHANG);
		cr_assert(pid < 0 && errno == ECHILD, "%d", pid);
	}
}

Test(command, what_it_left_is_named_and_has_its_signals)
{
	char *argv[] = {"sh", "-c", "sleep 1000 & sleep 1000 & exit 3", NULL};
	struct seen seen = {0};
	struct kp_sink sink = {put, &seen};
	struct kp_command_run *command = start(argv, &sink, &seen);
	char names[128];

	while (!kp_command_has_ended(command) ||
	       kp_command_left(command, names, sizeof(names)) != 2 || !strstr(names, "sleep ("))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	kp_command_kill(command, SIGTERM);
	while (sem_wait(&seen.ended) < 0)
		;
	kp_command_free(command);
	cr_assert_eq(WEXITSTATUS(seen.status), 3);
}

Test(command, seccomp_of_its_own_is_told_and_ours_is_not_seen)
{
	char *argv[] = {"python3", "-c",
			"import ctypes, struct\n"
			"c = ctypes.CDLL(None)\n"
			"assert c.prctl(21, 0, 0, 0, 0) == 0\n" /* PR_GET_SECCOMP */
			"allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, "
			"0x7fff0000))\n"
			"code = ctypes.create_string_buffer(struct.pack('H6xQ', 1, "
			"ctypes.addressof(allow)))\n"
			"assert c.prctl(22, 2, code, 0, 0) == 0\n" /* PR_SET_SECCOMP */
			"assert c.prctl(21, 0, 0, 0, 0) == 2\n",
			NULL};
	struct seen seen = run(argv);

	cr_assert(WIFEXITED(seen.status));
	cr_assert_eq(WEXITSTATUS(seen.status), 0);
	cr_assert_eq(seen.cnt[KP_EV_replay_lint], 1);
	cr_assert(strstr(seen.warning, "forbids itself system calls"), "%s", seen.warning);
}

Test(command, what_a_debugger_runs_is_told)
{
	char *argv[] = {"python3", "-c",
			"import ctypes, os\n"
			"child = os.fork()\n"
			"if child == 0:\n"
			"    ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n" /* PTRACE_TRACEME */
			"    os.execv('/bin/true', ['true'])\n"
			"status = os.waitpid(child, 0)[1]\n"
			"assert os.WIFSTOPPED(status)\n"
			"ctypes.CDLL(None).ptrace(7, child, 0, 0)\n" /* PTRACE_CONT */
			"assert os.waitpid(child, 0)[1] == 0\n",
			NULL};
	struct seen seen = run(argv);

	cr_assert_eq(WEXITSTATUS(seen.status), 0);
	cr_assert_eq(seen.cnt[KP_EV_replay_lint], 1);
	cr_assert(strstr(seen.warning, "is traced by process"), "%s", seen.warning);
}

/* As somebody who cannot give privilege: a program with a set-user-ID bit runs without. */
Test(command, privilege_that_is_not_given_is_told)
{
	char dir[] = "/var/tmp/kprobe-setuid-XXXXXX", path[64], text[320];
	char *argv[] = {path, NULL};
	struct seen seen;

	if (geteuid())
		cr_skip_test("only root can make such a program");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/true", dir);
	snprintf(text, sizeof(text), "cp /bin/true %s && chmod 4755 %s && chown 65534:65534 %s",
		 path, path, dir);
	cr_assert_eq(system(text), 0);
	cr_assert_eq(chown(log_dir, 65534, 65534), 0);
	cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_assert_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0); /* as if it had begun so */
	seen = run(argv);
	cr_expect_eq(unlink(path), 0);
	cr_expect_eq(rmdir(dir), 0);
	cr_assert_eq(WEXITSTATUS(seen.status), 0);
	cr_assert(strstr(seen.warning, "without the privilege"), "%s", seen.warning);
}

/* Signals have their stops, threads their lives: no tracer is seen by any of them. */
Test(command, nobody_is_traced)
{
	char *argv[] = {"python3", "-c",
			"import threading\n"
			"def look(): assert 'TracerPid:\\t0\\n' in "
			"open('/proc/thread-self/status').read()\n"
			"for i in range(20):\n"
			"    t = threading.Thread(target=look); t.start(); t.join()\n"
			"look()\n",
			NULL};
	struct seen seen = run(argv);

	cr_assert_eq(WEXITSTATUS(seen.status), 0);
	cr_assert_eq(seen.cnt[KP_EV_replay_lint], 0);
}
