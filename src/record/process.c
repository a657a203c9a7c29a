/* SPDX-License-Identifier: MIT
 * Signals and limits of the recorder's process; see process.h.
 */
#include "record/process.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum use {
	END,             /* ends the recording in order */
	END_IF_ATTENDED, /* … unless it was ignored, or nobody attends to us */
	IGNORE,
};

/*
 * All signals of signal(7) that end or stop a process by default, but for those that tell of a
 * fault in the program (SIGSEGV and its kin, SIGABRT, SIGSYS, SIGTRAP), SIGKILL, and the stops that
 * a user asks for. SIGTTOU would stop us for a word on a terminal that is not ours at the moment.
 * Background jobs of shell scripts have SIGINT and SIGQUIT ignored, and are ended by them all the
 * same: only for SIGHUP is it a custom to survive it.
 */
static const struct {
	int sig;
	enum use use;
} signals[] = {
	{SIGINT, END},     {SIGTERM, END},    {SIGHUP, END_IF_ATTENDED}, {SIGQUIT, END},
	{SIGXCPU, END},    {SIGPWR, END},     {SIGPIPE, IGNORE},         {SIGXFSZ, IGNORE},
	{SIGUSR1, IGNORE}, {SIGUSR2, IGNORE}, {SIGALRM, IGNORE},         {SIGVTALRM, IGNORE},
	{SIGPROF, IGNORE}, {SIGIO, IGNORE},   {SIGSTKFLT, IGNORE},       {SIGTTOU, IGNORE},
};
#define SIGNAL_CNT (sizeof(signals) / sizeof(*signals))

static void save(struct kp_process *found, int sig)
{
	found->is_changed[sig] = !sigaction(sig, NULL, &found->actions[sig]);
}

static void ignore(struct kp_process *found, int sig)
{
	const struct sigaction action = {.sa_handler = SIG_IGN};

	save(found, sig);
	sigaction(sig, &action, NULL);
}

void kp_process_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void kp_process_prepare(struct kp_process *ret_found, bool has_command)
{
	memset(ret_found, 0, sizeof(*ret_found));
	ret_found->is_attended = has_command || has_terminal();
	getrlimit(RLIMIT_NOFILE, &ret_found->files);
	kp_process_raise_files();
	for (size_t i = 0; i < SIGNAL_CNT; i++)
		if (signals[i].use == IGNORE ||
		    (signals[i].use == END_IF_ATTENDED && !ret_found->is_attended))
			ignore(ret_found, signals[i].sig);
		else
			save(ret_found, signals[i].sig);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		ignore(ret_found, sig);
}

void kp_process_restore(const struct kp_process *found)
{
	for (int sig = 1; sig < _NSIG; sig++)
		if (found->is_changed[sig])
			sigaction(sig, &found->actions[sig], NULL);
	setrlimit(RLIMIT_NOFILE, &found->files);
}

int kp_process_end_signal(const struct kp_process *found, size_t i)
{
	for (size_t k = 0; k < SIGNAL_CNT; k++) {
		if (signals[k].use == IGNORE ||
		    (signals[k].use == END_IF_ATTENDED &&
		     (!found->is_attended || found->actions[signals[k].sig].sa_handler == SIG_IGN)))
			continue;
		if (!i--)
			return signals[k].sig;
	}
	return 0;
}
