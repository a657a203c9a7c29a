/* SPDX-License-Identifier: MIT
 * Warnings about what cannot be replayed; see lint.h.
 */
#include "record/lint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/crc32c.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/doubt.h"
#include "event/syscall.h"
#include "record/mapped.h"

/* What a process is, as far as it was seen. */
enum { SEEN = 1, FORKED = 2 };

/* Payloads of the call of a task whose record comes next. Those of a task come in order from one
 * ring, but rings are read in turns. A task that takes another's place loses a warning at most. */
#define CALL_MAX 1024u

struct gathered {
	uint32_t tid;
	uint32_t seq;
	struct kp_call_bytes bytes;
	bool has_file; /* that the call mapped or changed */
	struct kp_ev_file_state file;
};

/* The last truncate that any task began to tell of. */
struct truncated {
	uint32_t tid;
	uint32_t seq;
	char path[PATH_MAX];
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
	struct kp_map processes; /* pid → SEEN, FORKED */
	struct kp_map segments;  /* process and System V segment that it made */
	struct kp_mapped mapped;
	struct truncated truncated;
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
	kp_map_done(&lint->segments);
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

/* What comes of it. Behind what replay only cannot vouch for, it judges no difference. */
#define UNSERVED ", which replay cannot serve"
#define UNJUDGED "; replay cannot judge what differs behind that"

static void tell(struct kp_lint *lint, const struct kp_hdr *hdr, uint32_t nr, uint32_t seq,
		 const char *reason, const char *comes)
{
	struct kp_ev_replay_lint event = {.hdr = *hdr, .nr = nr, .seq = seq};
	char text[KP_REASON_LEN + 96];

	if (!is_new(lint, hdr->pid, reason))
		return;
	snprintf(text, sizeof(text), "process %u %s%s", hdr->pid, reason, comes);
	event.hdr.time_ns = 0;
	kp_sink_put(lint->options.sink, KP_EV_replay_lint, &event, sizeof(event), text,
		    strlen(text));
	if (is_new(lint, 0, reason))
		lint->options.warn(text, lint->options.arg);
}

/* What was gathered of this call; empty if nothing was. */
static struct gathered *gathered_of(struct kp_lint *lint, uint32_t tid, uint32_t seq)
{
	struct gathered *call = &lint->calls[tid % CALL_MAX];

	if (call->tid != tid || call->seq != seq) {
		call->tid = tid;
		call->seq = seq;
		call->bytes = (struct kp_call_bytes){0};
		call->has_file = false;
	}
	return call;
}

static void gather(struct kp_lint *lint, const struct kp_ev_payload *payload)
{
	struct truncated *truncated = &lint->truncated;
	const char *data = (const char *)KP_TAIL(payload);

	kp_call_bytes_add(&gathered_of(lint, payload->hdr.tid, payload->seq)->bytes, payload);
	if (payload->nr != KP_NR_truncate || !payload->data_len ||
	    payload->data_len > sizeof(truncated->path) || data[payload->data_len - 1])
		return;
	truncated->tid = payload->hdr.tid;
	truncated->seq = payload->seq;
	memcpy(truncated->path, data, payload->data_len);
}

/* --- files that are mapped --- */

static void tell_hits(struct kp_lint *lint, const struct kp_hdr *hdr, uint64_t ino,
		      const struct kp_mapped_hit *hits, int cnt)
{
	char reason[KP_REASON_LEN];

	for (int i = 0; i < cnt; i++) {
		struct kp_hdr of = *hdr;

		of.pid = of.tid = hits[i].mapper;
		snprintf(reason, sizeof(reason),
			 "has mapped a file (inode %llu) to which process %u writes",
			 (unsigned long long)ino, hits[i].writer);
		tell(lint, &of, 0, 0, reason, UNJUDGED);
	}
}

static void look_at_write(struct kp_lint *lint, const struct kp_ev_syscall *call, uint32_t dev,
			  uint64_t ino)
{
	struct kp_file_use by = {call->hdr.pid, call->hdr.time_ns};
	struct kp_mapped_hit hits[KP_MAPPERS_MAX];

	tell_hits(lint, &call->hdr, ino, hits, kp_mapped_write(&lint->mapped, dev, ino, by, hits));
}

/* A call on a descriptor whose file's state came before it. */
static void look_at_file(struct kp_lint *lint, const struct kp_ev_syscall *call,
			 const struct kp_ev_file_state *file)
{
	struct kp_file_use by = {call->hdr.pid, call->hdr.time_ns};
	struct kp_mapped_hit hits[KP_MAPPERS_MAX];
	char reason[KP_REASON_LEN];

	if (call->nr == KP_NR_mmap) {
		tell_hits(lint, &call->hdr, file->ino, hits,
			  kp_mapped_map(&lint->mapped, file->dev, file->ino, by, hits));
		return;
	}
	look_at_write(lint, call, file->dev, file->ino);
	if (!kp_call_changes_unseen(call) ||
	    !kp_mapped_by(&lint->mapped, file->dev, file->ino, call->hdr.pid))
		return;
	snprintf(reason, sizeof(reason),
		 "changed a file that it has mapped by %s, of which only the kernel saw the bytes",
		 kp_syscall_name(call->nr));
	tell(lint, &call->hdr, call->nr, call->seq, reason, UNJUDGED);
}

/* As the process sees its files; one that has ended already has none. */
static bool find_file(const struct kp_ev_syscall *call, const char *path, struct stat *st)
{
	char full[PATH_MAX + 64];

	snprintf(full, sizeof(full), "/proc/%u/%s/%s", call->hdr.pid, *path == '/' ? "root" : "cwd",
		 path);
	return stat(full, st) == 0 && S_ISREG(st->st_mode);
}

/* truncate names a file by its path alone: it is looked for, soon after, for those who map it. */
static void look_at_truncate(struct kp_lint *lint, const struct kp_ev_syscall *call)
{
	const struct truncated *truncated = &lint->truncated;
	struct stat st;

	if (truncated->tid == call->hdr.tid && truncated->seq == call->seq &&
	    find_file(call, truncated->path, &st))
		look_at_write(lint, call, major(st.st_dev) << 20 | minor(st.st_dev), st.st_ino);
}

/* --- System V segments --- */

static uint64_t segment_key(const struct kp_ev_syscall *call, uint64_t id)
{
	return (uint64_t)call->hdr.pid << 32 | (uint32_t)id;
}

/* A segment of which it is not known that it began as zeros. */
static void look_at_segment(struct kp_lint *lint, const struct kp_ev_syscall *call)
{
	uint64_t both = IPC_CREAT | IPC_EXCL, key = segment_key(call, (uint64_t)call->ret);
	bool made = call->arg0 == IPC_PRIVATE || (call->arg2 & both) == both;

	if (call->nr == KP_NR_shmat) {
		if (!kp_map_get(&lint->segments, segment_key(call, call->arg0)))
			tell(lint, &call->hdr, call->nr, call->seq,
			     "attached a System V segment that it did not make", UNSERVED);
		return;
	}
	if (!made && !kp_map_get(&lint->segments, key))
		tell(lint, &call->hdr, call->nr, call->seq,
		     "got a System V segment that may hold what another process left there",
		     UNJUDGED);
	if (made || call->arg1) /* out of memory, one is told of too much */
		kp_map_put(&lint->segments, key, 1);
}

/* --- calls and signals --- */

static void look_at_call(struct kp_lint *lint, const struct kp_ev_syscall *call)
{
	const struct gathered *gathered = gathered_of(lint, call->hdr.tid, call->seq);
	char reason[KP_REASON_LEN];

	kp_map_upsert(&lint->processes, call->hdr.pid, SEEN);
	if (kp_call_unreplayable(call, &gathered->bytes, reason))
		tell(lint, &call->hdr, call->nr, call->seq, reason, UNSERVED);
	else if (kp_call_doubtful(call, &gathered->bytes, reason))
		tell(lint, &call->hdr, call->nr, call->seq, reason, UNJUDGED);
	if (!kp_call_succeeded(call) || kp_call_was_refused(call))
		return;
	if (gathered->has_file)
		look_at_file(lint, call, &gathered->file);
	if (call->nr == KP_NR_truncate)
		look_at_truncate(lint, call);
	if (call->nr == KP_NR_shmget || call->nr == KP_NR_shmat)
		look_at_segment(lint, call);
}

static void look_at_signal(struct kp_lint *lint, const struct kp_ev_signal_deliver *deliver)
{
	char reason[KP_REASON_LEN];

	if (!kp_signal_is_between(deliver))
		return;
	snprintf(reason, sizeof(reason),
		 "took %s between two calls, at a place for which replay has to search",
		 kp_signal_text(deliver->sig));
	tell(lint, &deliver->hdr, 0, 0, reason, UNJUDGED);
}

void kp_lint_selected(struct kp_lint *lint, const struct kp_hdr *event)
{
	const struct kp_ev_file_state *state = (const struct kp_ev_file_state *)event;
	struct gathered *call;

	switch (event->kind) {
	case KP_EV_payload:
		gather(lint, (const struct kp_ev_payload *)event);
		break;
	case KP_EV_file_state:
		call = gathered_of(lint, event->tid, state->seq);
		call->file = *state;
		call->has_file = true;
		break;
	case KP_EV_syscall:
		look_at_call(lint, (const struct kp_ev_syscall *)event);
		break;
	case KP_EV_signal_deliver:
		look_at_signal(lint, (const struct kp_ev_signal_deliver *)event);
		break;
	}
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
		kp_mapped_forget(&lint->mapped,
				 (struct kp_file_use){life->hdr.pid, life->hdr.time_ns});
	} else if (life->group_dead) {
		if (*process & FORKED)
			tell(lint, &life->hdr, 0, 0, "was forked and ran no program of its own",
			     UNSERVED);
		kp_mapped_forget(&lint->mapped,
				 (struct kp_file_use){life->hdr.pid, life->hdr.time_ns});
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
