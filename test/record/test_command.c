/* SPDX-License-Identifier: MIT
 * Command mode without probes: images, archived files, statuses, stops.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "event/event.h"
#include "record/command.h"

struct seen {
	int cnt[KP_EV_END];
	int invalid;
	uint32_t crc_wanted, crc; /* of the archived files together */
	int status;
	sem_t ended;
};

static void put(void *arg, const struct kp_hdr *event)
{
	struct seen *seen = arg;
	const struct kp_ev_file_info *info = (const void *)event;
	const struct kp_ev_file_data *data = (const void *)event;

	seen->invalid += kp_event_validate(event, event->size, NULL) < 0;
	seen->cnt[event->kind]++;
	if (event->kind == KP_EV_file_info) {
		cr_expect_eq(seen->crc, seen->crc_wanted, "content differs from its checksum");
		seen->crc_wanted = info->crc32c;
		seen->crc = 0;
	}
	if (event->kind == KP_EV_file_data)
		seen->crc = kp_crc32c(seen->crc, KP_TAIL(data), data->data_len);
}

static void ended(void *arg, int status)
{
	struct seen *seen = arg;

	seen->status = status;
	sem_post(&seen->ended);
}

static struct seen run(char *const *argv)
{
	struct seen seen = {0};
	struct kp_sink sink = {put, &seen};
	struct kp_command_options options = {argv, &sink, ended, &seen};
	struct kp_command_run *command;
	struct kp_err err = {""};
	pid_t pid;

	sem_init(&seen.ended, 0, 0);
	cr_assert_eq(kp_command_start(&options, &command, &pid, &err), 0, "%s", err.text);
	kp_command_go(command);
	while (sem_wait(&seen.ended) < 0)
		;
	kp_command_free(command);
	cr_assert_eq(seen.invalid, 0);
	cr_assert_eq(seen.crc, seen.crc_wanted);
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
	struct kp_command_options options = {argv, &sink, ended, NULL};
	struct kp_command_run *command;
	struct kp_err err = {""};
	pid_t pid;

	cr_assert_eq(kp_command_start(&options, &command, &pid, &err), -ENOENT);
	cr_assert(strstr(err.text, "/nonexistent/program"));
}
