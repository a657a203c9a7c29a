/* SPDX-License-Identifier: MIT
 * How two builds meet a signal; see reaction.h.
 */
#include "replay/reaction.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/doubt.h"
#include "event/syscall.h"
#include "replay/engine.h"

#define SIG_CNT 64
#define BIT(sig) (1ull << ((sig)-1))

static uint64_t read_set(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

int kp_reactions_read(const struct kp_tracee *tracee, struct kp_reactions *ret_reactions)
{
	char path[64], status[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/status", tracee->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, status, sizeof status - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	status[n] = '\0';
	*ret_reactions = (struct kp_reactions){.ignored = read_set(status, "\nSigIgn:"),
					       .handled = read_set(status, "\nSigCgt:"),
					       .blocked = read_set(status, "\nSigBlk:")};
	return 0;
}

/* The first 8 bytes that the process gave with an argument. */
static bool given(const struct kp_session *session, const struct kp_step *step, int arg,
		  uint64_t *ret_word)
{
	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *p = session->payloads.at[step->payload + i];

		if (p->arg != arg || p->dir != KP_DIR_IN || p->data_len < sizeof *ret_word)
			continue;
		memcpy(ret_word, KP_TAIL(p), sizeof *ret_word);
		return true;
	}
	return false;
}

static void set_action(struct kp_reactions *reactions, int sig, uint64_t handler)
{
	if (sig < 1 || sig > SIG_CNT)
		return;
	reactions->ignored &= ~BIT(sig);
	reactions->handled &= ~BIT(sig);
	if (handler == 1)
		reactions->ignored |= BIT(sig);
	else if (handler > 1)
		reactions->handled |= BIT(sig);
}

static void set_mask(struct kp_reactions *reactions, int how, uint64_t set)
{
	switch (how) {
	case SIG_BLOCK:
		reactions->blocked |= set;
		break;
	case SIG_UNBLOCK:
		reactions->blocked &= ~set;
		break;
	case SIG_SETMASK: /* so a handler is left for good */
		reactions->blocked = set;
		reactions->depth = 0;
		break;
	}
	reactions->blocked &= ~(BIT(SIGKILL) | BIT(SIGSTOP));
}

void kp_reactions_apply(struct kp_reactions *reactions, const struct kp_session *session,
			const struct kp_step *step)
{
	uint64_t word;

	if (step->deliver) {
		reactions->depth += step->deliver->handler > 1;
		if (step->deliver->handler > 1 && step->deliver->sa_flags & SA_RESETHAND)
			set_action(reactions, step->deliver->sig, 0);
		return;
	}
	if (step->call->nr == KP_NR_rt_sigreturn)
		reactions->depth -= reactions->depth > 0;
	if (step->call->ret)
		return;
	if (step->call->nr == KP_NR_rt_sigaction && given(session, step, 1, &word))
		set_action(reactions, (int)step->call->arg0, word);
	if (step->call->nr == KP_NR_rt_sigprocmask && given(session, step, 1, &word))
		set_mask(reactions, (int)step->call->arg0, word);
}

enum kp_reaction kp_reaction_to(const struct kp_reactions *reactions, int sig)
{
	if (sig < 1 || sig > SIG_CNT)
		return KP_REACTION_NONE;
	if (reactions->blocked & BIT(sig) && !reactions->depth)
		return KP_REACTION_BLOCKED;
	if (reactions->handled & BIT(sig))
		return KP_REACTION_HANDLER;
	return reactions->ignored & BIT(sig) || kp_signal_ends_nobody(sig) ? KP_REACTION_NONE
									   : KP_REACTION_DIES;
}

uint64_t kp_reactions_deadly(const struct kp_reactions *one, const struct kp_reactions *other)
{
	uint64_t set = 0;

	for (int sig = 1; sig <= SIG_CNT; sig++)
		if (kp_reaction_to(one, sig) == KP_REACTION_DIES &&
		    kp_reaction_to(other, sig) != KP_REACTION_DIES)
			set |= BIT(sig);
	return set;
}

const char *kp_reaction_name(enum kp_reaction reaction)
{
	static const char *const names[] = {
		[KP_REACTION_DIES] = "ends the process",
		[KP_REACTION_NONE] = "is ignored",
		[KP_REACTION_HANDLER] = "has a handler",
		[KP_REACTION_BLOCKED] = "is blocked",
	};

	return names[reaction];
}

const char *kp_reaction_signal_name(int sig)
{
	static char number[24];
	const char *name = kp_signal_name(sig);

	snprintf(number, sizeof number, "signal %d", sig);
	return name ? name : number;
}

/* The signal of a call that failed: of a pipe that nobody reads, of a file that is too long. */
static int of_failure(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	int flags = row ? kp_syscall_flags_arg(row, KP_FLAGS_msg) : -1;
	uint64_t args[6];

	kp_call_args(call, args);
	if (call->ret == -EPIPE)
		return flags >= 0 && args[flags] & MSG_NOSIGNAL ? 0 : SIGPIPE;
	return call->ret == -EFBIG ? SIGXFSZ : 0;
}

bool kp_reaction_sends(unsigned nr)
{
	const struct kp_syscall *row = kp_syscall_get(nr);

	return row && row->traits & KP_TRAIT_CHANGES && kp_syscall_arg(row, KP_ARG_SIG) > 0;
}

/* Who gets it stands before the signal: a process, a thread, or who has a descriptor. */
int kp_reaction_signal(const struct kp_ev_syscall *call, uint32_t own_pid)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	uint64_t args[6];
	int sig, who;

	if (call->ret < 0)
		return of_failure(call);
	if (!kp_reaction_sends(call->nr))
		return 0;
	kp_call_args(call, args);
	sig = kp_syscall_arg(row, KP_ARG_SIG);
	who = (int)args[sig - 1];
	if (row->rule.args[sig - 1].type == KP_ARG_FD)
		return 0;
	/* kill also its group, and everybody */
	return (uint32_t)who == own_pid || (call->nr == KP_NR_kill && who <= 0) ? (int)args[sig]
										: 0;
}
