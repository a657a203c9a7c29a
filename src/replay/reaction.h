/* SPDX-License-Identifier: MIT
 *
 * How two builds meet a signal: with which action, and whether they block it. The recorded build's
 * by its calls, another build's by what its kernel says of it.
 */
#ifndef KP_REPLAY_REACTION_H
#define KP_REPLAY_REACTION_H

#include "replay/session.h"
#include "replay/tracee.h"

/* What becomes of a signal that comes. */
enum kp_reaction {
	KP_REACTION_DIES,
	KP_REACTION_NONE, /* it is ignored, or stops the process */
	KP_REACTION_HANDLER,
	KP_REACTION_BLOCKED,
};

/* Bit n - 1 for signal n. */
struct kp_reactions {
	uint64_t ignored, handled, blocked;
	uint32_t depth; /* handlers that run: they block what they like */
};

/* A process's as they are; 0 or a negative errno. */
int kp_reactions_read(const struct kp_tracee *tracee, struct kp_reactions *ret_reactions);

/* What a recorded step changes. */
void kp_reactions_apply(struct kp_reactions *reactions, const struct kp_session *session,
			const struct kp_step *step);

/* The signals that end one process, but not another. */
uint64_t kp_reactions_deadly(const struct kp_reactions *one, const struct kp_reactions *other);

enum kp_reaction kp_reaction_to(const struct kp_reactions *reactions, int sig);
/* "ends by", … */
const char *kp_reaction_name(enum kp_reaction reaction);

/* "SIGHUP", or "signal 34" in a static buffer. */
const char *kp_reaction_signal_name(int sig);

/* Whether it is a call that sends a signal. */
bool kp_reaction_sends(unsigned nr);

/*
 * The signal that a recorded call sent to its own process, or got by failing; 0: none. own_pid: the
 * process's number as it knows itself.
 */
int kp_reaction_signal(const struct kp_ev_syscall *call, uint32_t own_pid);

#endif
