/* SPDX-License-Identifier: MIT
 * Warnings about what cannot be replayed; see lint.h.
 */
#include "record/lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/map.h"
#include "event/unreplayable.h"

/* What a process is, as far as it was seen. */
enum { SEEN = 1, FORKED = 2 };

/* Payloads of the call of a task whose record comes next. Those of a task come in order from one
 * ring, but rings are read in turns. A task that takes another's place loses a warning at most. */
#define CALL_MAX 1024u

struct gathered {
	uint32_t tid;
	uint32_t seq;
	struct kp_call_bytes bytes;
};

struct kp_lint {
	struct kp_lint_options options;
	struct kp_map processes;         /* pid → SEEN, FORKED */
	struct kp_map told;              /* process and reason; process 0: to the user */
	struct gathered calls[CALL_MAX]; /* by tid */
};

int kp_lint_new(const struct kp_lint_options *options, struct kp_lint **ret_lint,
		struct kp_err *err)
{
	struct kp_lint *lint = calloc(1, sizeof(*lint));

	if (!lint)
		return kp_err_sys(err, -ENOMEM, "cannot start the recorder");
	lint->options = *options;
	*ret_lint = lint;
	return 0;
}

void kp_lint_free(struct kp_lint *lint)
{
	if (!lint)
		return;
	kp_map_done(&lint->processes);
	kp_map_done(&lint->told);
	free(lint);
}

/* Whether it is the first time; out of memory, it always is. */
static bool is_new(struct kp_lint *lint, uint32_t pid, const char *reason)
{
	uint64_t key = (uint64_t)pid << 32 | kp_crc32c(0, reason, strlen(reason));

	if (kp_map_get(&lint->told, key))
		return false;
	kp_map_put(&lint->told, key, 1);
	return true;
}

static void tell(struct kp_lint *lint, const struct kp_hdr *hdr, uint32_t nr, uint32_t seq,
		 const char *reason)
{
	struct kp_ev_replay_lint event = {.hdr = *hdr, .nr = nr, .seq = seq};
	char text[KP_REASON_LEN + 64];

	if (!is_new(lint, hdr->pid, reason))
		return;
	snprintf(text, sizeof(text), "process %u %s, which replay cannot serve", hdr->pid, reason);
	event.hdr.time_ns = 0;
	kp_sink_put(lint->options.sink, KP_EV_replay_lint, &event, sizeof(event), text,
		    strlen(text));
	if (is_new(lint, 0, reason))
		lint->options.warn(text, lint->options.arg);
}

/* What was gathered of this call; empty if nothing was. */
static struct kp_call_bytes *bytes_of(struct kp_lint *lint, uint32_t tid, uint32_t seq)
{
	struct gathered *call = &lint->calls[tid % CALL_MAX];

	if (call->tid != tid || call->seq != seq)
		*call = (struct gathered){.tid = tid, .seq = seq};
	return &call->bytes;
}

void kp_lint_selected(struct kp_lint *lint, const struct kp_hdr *event)
{
	const struct kp_ev_payload *payload = (const struct kp_ev_payload *)event;
	const struct kp_ev_syscall *call = (const struct kp_ev_syscall *)event;
	char reason[KP_REASON_LEN];

	if (event->kind == KP_EV_payload)
		kp_call_bytes_add(bytes_of(lint, event->tid, payload->seq), payload);
	if (event->kind != KP_EV_syscall)
		return;
	kp_map_upsert(&lint->processes, event->pid, SEEN);
	if (kp_call_unreplayable(call, bytes_of(lint, event->tid, call->seq), reason))
		tell(lint, event, call->nr, call->seq, reason);
}

/* A child that runs no program of its own: replay begins at an exec. */
static void at_exit(struct kp_lint *lint, const struct kp_ev_task_exit *event)
{
	uint64_t *process = kp_map_get(&lint->processes, event->hdr.pid);

	if (!process || !event->group_dead)
		return;
	if (*process & FORKED)
		tell(lint, &event->hdr, 0, 0, "was forked and ran no program of its own");
	*process = SEEN; /* the number may come again */
}

void kp_lint_life(struct kp_lint *lint, const struct kp_hdr *event)
{
	const struct kp_ev_task_fork *fork = (const struct kp_ev_task_fork *)event;
	uint64_t *process = kp_map_get(&lint->processes, event->pid);

	if (!process)
		return;
	switch (event->kind) {
	case KP_EV_task_fork:
		/* A vfork's child is served with its parent. */
		process = !fork->shares_memory
				  ? kp_map_upsert(&lint->processes, fork->child_pid, SEEN)
				  : NULL;
		if (process)
			*process |= FORKED;
		break;
	case KP_EV_task_exec:
		*process &= ~(uint64_t)FORKED;
		break;
	case KP_EV_task_exit:
		at_exit(lint, (const struct kp_ev_task_exit *)event);
		break;
	}
}
