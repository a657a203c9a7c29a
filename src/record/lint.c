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
#include "base/vec.h"
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

/* What waits for its turn of an event of a process's life. */
struct life {
	struct kp_hdr hdr;
	uint32_t child_pid;  /* of a fork that copies its maker's memory; else 0 */
	uint32_t group_dead; /* of an exit */
};

struct kp_lint {
	struct kp_lint_options options;
	KP_VEC(struct life) life;
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
	KP_VEC_DONE(&lint->life);
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

/* Out of memory, a warning is lost. */
void kp_lint_life(struct kp_lint *lint, const struct kp_hdr *event)
{
	const struct kp_ev_task_fork *fork = (const struct kp_ev_task_fork *)event;
	const struct kp_ev_task_exit *end = (const struct kp_ev_task_exit *)event;
	struct life life = {.hdr = *event};

	if (event->kind == KP_EV_task_fork && !fork->shares_memory)
		life.child_pid = fork->child_pid; /* a vfork's child is served with its parent */
	else if (event->kind == KP_EV_task_exit)
		life.group_dead = end->group_dead;
	else if (event->kind != KP_EV_task_exec)
		return;
	(void)KP_VEC_PUSH(&lint->life, life);
}

/* Replay begins at an exec: a child that runs no program of its own has none. */
static void look_at(struct kp_lint *lint, const struct life *life)
{
	uint64_t *process = kp_map_get(&lint->processes, life->hdr.pid);

	if (!process)
		return;
	if (life->child_pid) {
		process = kp_map_upsert(&lint->processes, life->child_pid, SEEN);
		if (process)
			*process |= FORKED;
	} else if (life->hdr.kind == KP_EV_task_exec) {
		*process &= ~(uint64_t)FORKED;
	} else if (life->group_dead) {
		if (*process & FORKED)
			tell(lint, &life->hdr, 0, 0, "was forked and ran no program of its own");
		*process = SEEN; /* the number may come again */
	}
}

static int by_time(const void *a, const void *b)
{
	const struct life *one = a, *other = b;

	return (one->hdr.time_ns > other->hdr.time_ns) - (one->hdr.time_ns < other->hdr.time_ns);
}

void kp_lint_turn(struct kp_lint *lint, uint64_t until_ns)
{
	uint32_t cnt = 0;

	if (!lint->life.cnt)
		return;
	qsort(lint->life.at, lint->life.cnt, sizeof(*lint->life.at), by_time);
	while (cnt < lint->life.cnt && lint->life.at[cnt].hdr.time_ns <= until_ns)
		look_at(lint, &lint->life.at[cnt++]);
	lint->life.cnt -= cnt;
	memmove(lint->life.at, lint->life.at + cnt, lint->life.cnt * sizeof(*lint->life.at));
}
