/* SPDX-License-Identifier: MIT
 * One process of a log, made ready for replay; see session.h.
 */
#include "replay/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limit.h"
#include "kprobe/log_format.h"

#define USER_END 0x7ffffffff000ULL
/* The 64-bit segments of user space (arch/x86/include/asm/segment.h). */
#define USER_CS 0x33
#define USER_DS 0x2b

void kp_session_init(struct kp_session *session, uint32_t pid)
{
	memset(session, 0, sizeof(*session));
	session->pid = pid;
	session->objects_fd = -1;
	kp_fds_init(&session->fds);
}

void kp_session_done(struct kp_session *session)
{
	for (uint32_t i = 0; i < session->images.cnt; i++) {
		KP_VEC_DONE(&session->images.at[i].maps);
		KP_VEC_DONE(&session->images.at[i].memory);
	}
	kp_session_drop_files(session);
	if (session->objects_fd >= 0)
		close(session->objects_fd);
	for (uint32_t i = 0; i < session->children.cnt; i++) {
		kp_session_done(session->children.at[i]);
		free(session->children.at[i]);
	}
	KP_VEC_DONE(&session->children);
	KP_VEC_DONE(&session->made);
	KP_VEC_DONE(&session->steps);
	KP_VEC_DONE(&session->payloads);
	KP_VEC_DONE(&session->images);
	KP_VEC_DONE(&session->file_maps);
	KP_VEC_DONE(&session->foreign);
	kp_map_done(&session->foreign_index);
	kp_map_done(&session->image_index);
	kp_map_done(&session->child_index);
	kp_arena_done(&session->arena);
}

void kp_session_refuse(struct kp_session *session, const char *format, ...)
{
	va_list args;

	if (session->refusal[0])
		return;
	va_start(args, format);
	vsnprintf(session->refusal, sizeof(session->refusal), format, args);
	va_end(args);
}

bool kp_session_take(struct kp_session *session, uint64_t len)
{
	struct kp_session *owner = session->parent ? session->parent : session;
	char text[KP_LIMIT_TEXT_MAX];

	owner->held += len < UINT64_MAX - owner->held ? len : UINT64_MAX - owner->held;
	if (!owner->held_max || owner->held <= owner->held_max)
		return true;
	kp_limit_print(KP_UNIT_BYTES, owner->held_max, text);
	kp_session_refuse(owner, "the log unpacks to more than %s for this process; %s", text,
			  kp_limits[KP_LIMIT_HELD].remedy);
	return false;
}

void kp_session_add_masked(struct kp_session *session, uint64_t len, uint32_t seq)
{
	struct kp_session *owner = session->parent ? session->parent : session;

	if (owner != session) /* a child has its maker's memory while that call lasts */
		seq = session->maker ? session->maker->seq : 0;
	if (!len)
		return;
	if (!owner->masked || seq < owner->masked_seq)
		owner->masked_seq = seq;
	owner->masked += len;
}

bool kp_session_is_full(const struct kp_session *session)
{
	const struct kp_session *owner = session->parent ? session->parent : session;

	return owner->held_max && owner->held > owner->held_max;
}

uint64_t kp_inode_key(uint32_t dev, uint64_t ino)
{
	/* Steps of MurmurHash3's finalizer, which is one to one in ino. */
	uint64_t key = ino;

	key = (key ^ key >> 33) * 0xff51afd7ed558ccdULL;
	key = (key ^ key >> 33 ^ (uint64_t)dev << 32 ^ dev) * 0xc4ceb9fe1a85ec53ULL;
	return key ^ key >> 33;
}

static const void *keep(struct kp_session *session, const struct kp_hdr *event)
{
	/* With its row in a list, which may have twice the rows that it needs. */
	void *copy = NULL;

	if (kp_session_take(session, event->size + 2 * sizeof(struct kp_step)))
		copy = kp_arena_alloc(&session->arena, event->size);
	if (copy)
		memcpy(copy, event, event->size);
	return copy;
}

static int add_call(struct kp_session *session, const struct kp_ev_syscall *call)
{
	struct kp_step step = {.image = UINT32_MAX, .payload = session->pending};
	uint32_t from = session->pending;

	if (!call->seq)
		return 0; /* not recorded for replay */
	step.call = keep(session, &call->hdr);
	if (!step.call)
		return -ENOMEM;
	if (session->pending_state && session->pending_state->seq == call->seq)
		step.state = session->pending_state;
	session->pending_state = NULL;
	step.payload_cnt = session->payloads.cnt - from;
	for (uint32_t i = from; i < session->payloads.cnt; i++)
		if (session->payloads.at[i]->seq != call->seq)
			kp_session_refuse(session,
					  "bytes of call %u stand before the record of call %u",
					  session->payloads.at[i]->seq, call->seq);
	session->pending = session->payloads.cnt;
	return KP_VEC_PUSH(&session->steps, step);
}

static int add_deliver(struct kp_session *session, const struct kp_hdr *event)
{
	struct kp_step step = {.image = UINT32_MAX, .payload = session->pending};

	step.deliver = keep(session, event);
	return step.deliver ? KP_VEC_PUSH(&session->steps, step) : -ENOMEM;
}

static int add_payload(struct kp_session *session, const struct kp_hdr *event)
{
	const struct kp_ev_payload *payload = keep(session, event);

	return payload ? KP_VEC_PUSH(&session->payloads, payload) : -ENOMEM;
}

/* Registers that a 64-bit program can begin with; the kernel takes no others. */
static bool can_begin(const struct user_regs_struct *regs)
{
	const uint64_t selectors[] = {regs->ds, regs->es, regs->fs, regs->gs};

	for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++)
		if (selectors[i] > UINT16_MAX || (selectors[i] && (selectors[i] & 3) != 3))
			return false;
	return regs->cs == USER_CS && regs->ss == USER_DS && regs->rip < USER_END &&
	       regs->rsp < USER_END && regs->fs_base < USER_END && regs->gs_base < USER_END;
}

static int add_image(struct kp_session *session, const struct kp_ev_exec_image *event)
{
	struct kp_image image = {.number = event->image,
				 .time_ns = event->hdr.time_ns,
				 .brk = event->brk,
				 .auxv = event->auxv,
				 .stack_limit = event->stack_limit};

	if (event->data_len != sizeof(image.regs)) {
		kp_session_refuse(session, "image %u has no registers", event->image);
		return 0;
	}
	memcpy(&image.regs, KP_TAIL(event), sizeof(image.regs));
	if (!can_begin(&image.regs))
		kp_session_refuse(session,
				  "image %u has registers with which no 64-bit program begins",
				  event->image);
	if (kp_map_get(&session->image_index, event->image)) {
		kp_session_refuse(session, "the log has two images of number %u", event->image);
		return 0;
	}
	if (!kp_session_take(session, 4 * sizeof(image)))
		return 0;
	if (KP_VEC_PUSH(&session->images, image) < 0)
		return -ENOMEM;
	return kp_map_put(&session->image_index, event->image, session->images.cnt - 1);
}

static struct kp_image *find_image(struct kp_session *session, uint32_t number)
{
	const uint64_t *index = kp_map_get(&session->image_index, number);

	return index ? &session->images.at[*index] : NULL;
}

static int add_map(struct kp_session *session, const struct kp_ev_exec_map *event)
{
	struct kp_image *image = find_image(session, event->image);
	struct kp_image_map map = {event->start,   event->end,    event->offset, event->prot,
				   event->file_id, event->shared, NULL};

	if (!image || !kp_session_take(session, event->data_len + 2 * sizeof(map)))
		return 0;
	if (image->maps.cnt == KP_MAX_MAPPINGS) {
		kp_session_refuse(session, "image %u has more than %d mappings; %s", event->image,
				  KP_MAX_MAPPINGS, kp_limits[KP_LIMIT_MAPPINGS].remedy);
		return 0;
	}
	if ((event->start | event->end | event->offset) & 4095 || event->start >= event->end)
		kp_session_refuse(session, "image %u has a mapping that cannot be", event->image);
	map.path = kp_arena_strndup(&session->arena, (const char *)KP_TAIL(event), event->data_len);
	return map.path ? KP_VEC_PUSH(&image->maps, map) : -ENOMEM;
}

static int add_memory(struct kp_session *session, const struct kp_ev_memory *event)
{
	struct kp_image *image = find_image(session, event->image);
	struct kp_image_memory memory = {.addr = event->addr, .len = event->data_len};
	const struct kp_ev_memory *copy;

	if (!image)
		return 0;
	if (event->addr > USER_END || event->data_len > USER_END - event->addr)
		kp_session_refuse(session, "image %u has memory outside of user space",
				  event->image);
	copy = keep(session, &event->hdr);
	if (!copy)
		return -ENOMEM;
	memory.data = KP_TAIL(copy);
	kp_session_add_masked(session, event->masked, 0);
	return KP_VEC_PUSH(&image->memory, memory);
}

static int add_foreign(struct kp_session *session, uint64_t key, const struct kp_hdr *event)
{
	const uint64_t *index = kp_map_get(&session->foreign_index, key);
	struct kp_foreign foreign = {event->time_ns, event->time_ns, event->pid};
	struct kp_foreign *known;

	if (!index) {
		if (KP_VEC_PUSH(&session->foreign, foreign) < 0)
			return -ENOMEM;
		return kp_map_put(&session->foreign_index, key, session->foreign.cnt - 1);
	}
	known = &session->foreign.at[*index];
	if (foreign.first_ns < known->first_ns)
		known->first_ns = foreign.first_ns;
	if (foreign.last_ns > known->last_ns)
		known->last_ns = foreign.last_ns;
	return 0;
}

/* Another process may have changed a file. Mapping and opening change nothing but by O_TRUNC. */
static int add_others(struct kp_session *session, const struct kp_hdr *event)
{
	const struct kp_ev_file_state *state = (const struct kp_ev_file_state *)event;
	const struct kp_ev_syscall *call = (const struct kp_ev_syscall *)event;

	if (event->kind == KP_EV_file_state && state->nr != KP_NR_mmap)
		return add_foreign(session, kp_inode_key(state->dev, state->ino), event);
	if (event->kind == KP_EV_syscall && call->nr == KP_NR_truncate && !call->ret)
		return add_foreign(session, KP_FOREIGN_PATH, event);
	return 0;
}

static int add_fork(struct kp_session *session, const struct kp_ev_task_fork *event)
{
	struct kp_child child = {event->child_pid, event->seen_tid, event->hdr.time_ns};

	if (event->hdr.pid != session->pid) {
		if (event->child_pid == session->pid && !session->images.cnt)
			session->own_pid = event->own_tid;
		return 0;
	}
	if (event->child_pid == session->pid) {
		session->threads |= session->images.cnt > 0;
		return 0;
	}
	return kp_session_take(session, 2 * sizeof(child)) ? KP_VEC_PUSH(&session->made, child) : 0;
}

/*
 * Whether an event is of another process that had the number later. A process that ran no program
 * of its own makes room for it.
 */
static bool is_anothers(struct kp_session *session, const struct kp_hdr *event)
{
	if (!session->exit || event->time_ns <= session->exit->hdr.time_ns ||
	    event->kind == KP_EV_replay_lint)
		return false;
	if (session->images.cnt || session->maker) {
		session->reused = true;
		return true;
	}
	session->exit = NULL;
	session->steps.cnt = session->payloads.cnt = session->pending = 0;
	session->made.cnt = 0;
	return false;
}

/*
 * Whether this loss could have changed the process's stream: what is recorded of selected tasks,
 * and what the recorder itself says, rather than what the rest of the node did.
 */
static bool loss_matters(const struct kp_ev_lost *lost)
{
	if (lost->lost_stream == KP_LOST_ANYWHERE)
		return lost->lost_group == KP_GROUP_syscall ||
		       lost->lost_group == KP_GROUP_payload || lost->lost_group == KP_GROUP_signal;
	return KP_STREAM_IS(lost->lost_stream, KP_STREAM_SELECTED) ||
	       lost->lost_group == KP_GROUP_meta;
}

static int add_lint(struct kp_session *session, const struct kp_ev_replay_lint *event)
{
	/* An image that could not be had is nothing to begin from. */
	if (event->nr == KP_NR_execve && !event->seq)
		kp_session_refuse(session, "%.*s", (int)event->data_len,
				  (const char *)KP_TAIL(event));
	if (!session->lint)
		session->lint = keep(session, &event->hdr);
	return session->lint ? 0 : -ENOMEM;
}

/* Events of the process itself; those of other threads of it would be unreplayable anyhow. */
static int add_own(struct kp_session *session, const struct kp_hdr *event)
{
	const struct kp_ev_file_map *file_map;

	if (event->tid != session->pid && event->kind != KP_EV_task_exit)
		return 0;
	if (is_anothers(session, event))
		return 0;
	session->last_ns = event->time_ns;
	switch (event->kind) {
	case KP_EV_syscall:
		return add_call(session, (const struct kp_ev_syscall *)event);
	case KP_EV_payload:
		return add_payload(session, event);
	case KP_EV_signal_deliver:
		return add_deliver(session, event);
	case KP_EV_exec_image:
		return add_image(session, (const struct kp_ev_exec_image *)event);
	case KP_EV_file_map:
		file_map = keep(session, event);
		return file_map ? KP_VEC_PUSH(&session->file_maps, file_map) : -ENOMEM;
	case KP_EV_file_state:
		session->pending_state = keep(session, event);
		return session->pending_state ? 0 : -ENOMEM;
	case KP_EV_task_exit:
		if (!((const struct kp_ev_task_exit *)event)->group_dead)
			return 0;
		session->exit = keep(session, event);
		return session->exit ? 0 : -ENOMEM;
	case KP_EV_replay_lint:
		return add_lint(session, (const struct kp_ev_replay_lint *)event);
	case KP_EV_command:
		session->command = keep(session, event);
		return 0;
	}
	return 0;
}

/* What the recorder wrote beside the events. Numbers of files and images begin anew in each run. */
static int add_recorders(struct kp_session *session, const struct kp_hdr *event)
{
	switch (event->kind) {
	case KP_EV_file_info:
		return kp_session_add_file(session, (const struct kp_ev_file_info *)event);
	case KP_EV_file_object:
		kp_session_end_file(session, (const struct kp_ev_file_object *)event);
		return 0;
	case KP_EV_exec_map:
		return add_map(session, (const struct kp_ev_exec_map *)event);
	case KP_EV_memory:
		return add_memory(session, (const struct kp_ev_memory *)event);
	case KP_EV_lost:
		if (loss_matters((const struct kp_ev_lost *)event))
			session->lost += ((const struct kp_ev_lost *)event)->count;
		return 0;
	case KP_EV_record_stats:
		session->ended = true;
		return 0;
	}
	return 0;
}

/* A recorder starts a command: what it says from here on is of another run than what was before. */
static void begin_run(struct kp_session *session)
{
	if (session->images.cnt) {
		session->over = true;
		return;
	}
	kp_session_drop_files(session);
	session->lost = 0;
	session->ended = false;
}

int kp_session_add(struct kp_session *session, const struct kp_hdr *event, struct kp_err *err)
{
	int rc = 0;

	if (kp_session_is_full(session))
		return 0;
	if (event->kind == KP_EV_command)
		begin_run(session);
	if (!session->over)
		rc = add_recorders(session, event);
	switch (event->kind) {
	case KP_EV_cpu_model:
		if (!session->cpu)
			session->cpu = keep(session, event);
		break;
	case KP_EV_task_fork:
		rc = add_fork(session, (const struct kp_ev_task_fork *)event);
		break;
	default:
		if (rc == 0 && event->pid == session->pid)
			rc = add_own(session, event);
		else if (rc == 0)
			rc = add_others(session, event);
	}
	if (kp_session_is_full(session))
		return 0;
	return rc == -ENOMEM ? kp_err_set(err, rc, "out of memory while reading the log") : rc;
}

struct kp_session *kp_session_add_child(struct kp_session *session, uint32_t pid)
{
	struct kp_session *child = NULL;
	const uint64_t *older;

	if (kp_session_take(session, 2 * sizeof(*child)))
		child = malloc(sizeof(*child));
	if (!child)
		return NULL;
	kp_session_init(child, pid);
	child->parent = session;
	older = kp_map_get(&session->child_index, pid);
	child->older = older ? session->children.at[*older] : NULL;
	if (KP_VEC_PUSH(&session->children, child) < 0) {
		free(child);
		return NULL;
	}
	if (kp_map_put(&session->child_index, pid, session->children.cnt - 1) < 0)
		return NULL;
	return child;
}
