/* SPDX-License-Identifier: MIT
 * Programs, containers and pods of processes; see origin.h.
 */
#include "event/origin.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/text.h"
#include "base/vec.h"
#include "event/event.h"

#define NONE UINT32_MAX
/* A stranger's log may have more of everything than a node ever had: the rest stays without. */
#define TEXT_LEN_MAX (16u << 20)
#define GROUPS_MAX 262144u
#define PROCESSES_MAX 524288u
#define RUNS_MAX (2 * PROCESSES_MAX)
#define HISTORY_MAX 1024 /* runs of one process that are looked back at */
#define NAMES_MAX 262144u
#define GROUPS_OF 4 /* a process */
#define TEXTS_MAX 5 /* of one event */
#define SHORT_ID 12 /* digits, as docker prints them */

struct program {
	const char *exe, *build_id;
	uint64_t ino;
	uint32_t dev;
};

struct group {
	struct kp_container of;
	uint64_t number;
	uint32_t hierarchy;
};

struct name {
	char of[KP_CONTAINER_ID_LEN + 1]; /* a pod's UID or a container's id */
	const char *space, *pod, *container;
};

/* What a process runs from a time on. */
struct run {
	uint64_t t_ns;
	uint32_t program; /* NONE: not known (yet) */
	uint32_t older;
};

struct process {
	struct {
		uint64_t number;
		uint32_t hierarchy;
	} groups[GROUPS_OF];
	uint32_t newest; /* run */
};

struct kp_origins {
	struct kp_arena arena;
	size_t text_len;
	struct kp_map program_index; /* file → index in programs, and so on */
	struct kp_map group_index;
	struct kp_map name_index;
	struct kp_map process_index;
	KP_VEC(struct program) programs;
	KP_VEC(struct group) groups;
	KP_VEC(struct name) names;
	KP_VEC(struct process) processes;
	KP_VEC(struct run) runs;
};

static uint64_t mix(uint64_t number, uint32_t other)
{
	return (number ^ (uint64_t)other << 40) * 0x9e3779b97f4a7c15ull;
}

static uint64_t hash(const char *text)
{
	uint64_t key = 14695981039346656037u; /* FNV-1a */

	for (; *text; text++)
		key = (key ^ (unsigned char)*text) * 1099511628211u;
	return key;
}

/* Place of a key in a list: 1: it is new, and its element, behind the last, is the caller's to
 * append; 0: it is there; -ENOMEM; or -ENOSPC: there are too many. */
static int place(struct kp_map *map, uint64_t key, uint32_t cnt, uint32_t max, uint32_t *ret_index)
{
	uint64_t *index = kp_map_get(map, key);

	if (!index && cnt >= max)
		return -ENOSPC;
	if (!index && kp_map_put(map, key, cnt) < 0)
		return -ENOMEM;
	*ret_index = index ? (uint32_t)*index : cnt;
	return !index;
}

/* What is too much is left out. */
static int settle(int error)
{
	return error == -ENOSPC ? 0 : error;
}

/* --- texts --- */

/* The texts of an event's data, each ended by NUL; false: there are not so many. */
static bool split(const char *data, uint32_t len, const char *texts[TEXTS_MAX], unsigned cnt)
{
	const char *end = data + len;

	for (unsigned i = 0; i < cnt; i++) {
		const char *nul = data < end ? memchr(data, '\0', (size_t)(end - data)) : NULL;

		if (!nul)
			return false;
		texts[i] = data;
		data = nul + 1;
	}
	return true;
}

/* A copy; NULL: there is none to keep. */
static const char *keep(struct kp_origins *o, const char *text)
{
	size_t len = strlen(text);

	if (!len || len > TEXT_LEN_MAX - o->text_len)
		return NULL;
	o->text_len += len;
	return kp_arena_strndup(&o->arena, text, len);
}

/* --- programs --- */

static int process_at(struct kp_origins *o, uint32_t pid, uint32_t *ret_index)
{
	const struct process fresh = {.newest = NONE};
	int r = place(&o->process_index, pid, o->processes.cnt, PROCESSES_MAX, ret_index);

	return r > 0 ? KP_VEC_PUSH(&o->processes, fresh) : r;
}

/* Forgets all but what each process ran last, or, without memory, nothing. */
static void forget_history(struct kp_origins *o)
{
	struct run *kept = calloc(o->processes.cnt + 1, sizeof(*kept));
	uint32_t cnt = 0;

	for (uint32_t i = 0; kept && o->runs.at && i < o->processes.cnt; i++) {
		uint32_t *newest = &o->processes.at[i].newest;

		if (*newest == NONE)
			continue;
		kept[cnt] = o->runs.at[*newest];
		kept[cnt].older = NONE;
		*newest = cnt++;
	}
	if (kept && o->runs.at) {
		memcpy(o->runs.at, kept, cnt * sizeof(*kept));
		o->runs.cnt = cnt;
	}
	free(kept);
}

/* The process runs this program from here on. */
static int push_run(struct kp_origins *o, uint32_t pid, uint64_t t_ns, uint32_t program)
{
	uint32_t index;
	int r = process_at(o, pid, &index);
	struct run run = {.t_ns = t_ns, .program = program};

	if (r < 0)
		return settle(r);
	if (o->runs.cnt >= RUNS_MAX)
		forget_history(o);
	if (o->runs.cnt >= RUNS_MAX)
		return -ENOMEM;
	assert(o->processes.at && index < o->processes.cnt); /* process_at has made it */
	run.older = o->processes.at[index].newest;
	if (KP_VEC_PUSH(&o->runs, run) < 0)
		return -ENOMEM;
	o->processes.at[index].newest = o->runs.cnt - 1;
	return 0;
}

static uint32_t find_program(const struct kp_origins *o, uint32_t dev, uint64_t ino)
{
	const uint64_t *index = kp_map_get(&o->program_index, mix(ino, dev));
	const struct program *p = index ? &o->programs.at[*index] : NULL;

	return p && p->dev == dev && p->ino == ino ? (uint32_t)*index : NONE;
}

static const struct process *find_process(const struct kp_origins *o, uint32_t pid)
{
	const uint64_t *index = kp_map_get(&o->process_index, pid);

	return index ? &o->processes.at[*index] : NULL;
}

static const struct run *find_run(const struct kp_origins *o, uint32_t pid, uint64_t t_ns)
{
	const struct process *process = find_process(o, pid);
	const struct run *run = NULL;
	uint32_t i = process ? process->newest : NONE;

	for (int looked = 0; i != NONE && looked < HISTORY_MAX; i = run->older, looked++) {
		run = &o->runs.at[i];
		if (run->t_ns <= t_ns)
			break;
	}
	return run;
}

static int on_fork(struct kp_origins *o, const struct kp_ev_task_fork *ev)
{
	const struct run *run = find_run(o, ev->hdr.pid, ev->hdr.time_ns);

	if (ev->child_pid == ev->hdr.pid)
		return 0;
	return push_run(o, ev->child_pid, ev->hdr.time_ns, run ? run->program : NONE);
}

static int on_exec(struct kp_origins *o, const struct kp_ev_task_exec *ev)
{
	return push_run(o, ev->hdr.pid, ev->hdr.time_ns, find_program(o, ev->dev, ev->ino));
}

/* Comes after the exec that it tells of, if that was seen. */
static int on_executable(struct kp_origins *o, const struct kp_ev_executable *ev)
{
	const struct process *process;
	const char *texts[TEXTS_MAX];
	struct program program = {.dev = ev->dev, .ino = ev->ino};
	struct run *last;
	uint32_t index;
	int r;

	if (!split((const char *)KP_TAIL(ev), ev->data_len, texts, 2))
		return 0;
	index = find_program(o, ev->dev, ev->ino);
	if (index == NONE || strcmp(o->programs.at[index].exe, texts[0]) != 0) {
		program.exe = keep(o, texts[0]);
		program.build_id = keep(o, texts[1]);
		if (!program.exe)
			return o->arena.failed ? -ENOMEM : 0;
		index = o->programs.cnt;
		if (KP_VEC_PUSH(&o->programs, program) < 0 ||
		    kp_map_put(&o->program_index, mix(ev->ino, ev->dev), index) < 0)
			return -ENOMEM;
	}
	process = find_process(o, ev->hdr.pid);
	last = process && process->newest != NONE ? &o->runs.at[process->newest] : NULL;
	r = 0;
	if (last && last->program == NONE)
		last->program = index;
	else if (!last || last->program != index)
		r = push_run(o, ev->hdr.pid, ev->hdr.time_ns, index);
	return r;
}

/* --- control groups --- */

static int on_cgroup(struct kp_origins *o, const struct kp_ev_cgroup *ev)
{
	struct group group = {.number = ev->cgroup, .hierarchy = ev->hierarchy};
	bool is_container = kp_container_parse((const char *)KP_TAIL(ev), ev->data_len, &group.of);
	uint64_t key = mix(ev->cgroup, ev->hierarchy);
	uint32_t index;
	int r;

	if (ev->what == KP_CGROUP_REMOVED || (!is_container && !kp_map_get(&o->group_index, key)))
		return 0;
	r = place(&o->group_index, key, o->groups.cnt, GROUPS_MAX, &index);
	if (r > 0)
		return KP_VEC_PUSH(&o->groups, group);
	if (!r)
		o->groups.at[index] = group;
	return settle(r);
}

static int on_task_cgroup(struct kp_origins *o, const struct kp_ev_task_cgroup *ev)
{
	struct process *process;
	uint32_t index;
	int r;

	if (ev->hdr.tid != ev->hdr.pid) /* threads are where their process is */
		return 0;
	r = process_at(o, ev->hdr.pid, &index);
	if (r < 0)
		return settle(r);
	process = &o->processes.at[index];
	process->groups[0].number = ev->cgroup;
	process->groups[0].hierarchy = 0;
	process->groups[1].number = ev->cpu_cgroup;
	process->groups[1].hierarchy = ev->cpu_hierarchy;
	process->groups[2].number = ev->memory_cgroup;
	process->groups[2].hierarchy = ev->memory_hierarchy;
	process->groups[3].number = ev->named_cgroup;
	process->groups[3].hierarchy = ev->named_hierarchy;
	return 0;
}

static int on_attach(struct kp_origins *o, const struct kp_ev_cgroup_attach *ev)
{
	const uint64_t *index = kp_map_get(&o->process_index, ev->target_pid);
	struct process *process = index ? &o->processes.at[*index] : NULL;

	for (int i = 0; process && i < GROUPS_OF && ev->target_pid == ev->target_tid; i++)
		if (process->groups[i].hierarchy == ev->hierarchy)
			process->groups[i].number = ev->cgroup;
	return 0;
}

static const struct kp_container *find_container(const struct kp_origins *o, uint32_t pid)
{
	const struct process *process = find_process(o, pid);
	const struct group *group;

	for (int i = 0; process && i < GROUPS_OF; i++) {
		const uint64_t *index =
			kp_map_get(&o->group_index,
				   mix(process->groups[i].number, process->groups[i].hierarchy));

		group = index ? &o->groups.at[*index] : NULL;
		if (group && group->number == process->groups[i].number &&
		    group->hierarchy == process->groups[i].hierarchy &&
		    (group->of.id[0] || group->of.pod_uid[0]))
			return &group->of;
	}
	return NULL;
}

/* --- names --- */

static int add_name(struct kp_origins *o, const char *of, const char *const texts[TEXTS_MAX],
		    const char *container)
{
	struct name name = {.space = NULL};
	uint32_t index;
	int r;

	if (!*of || strlen(of) >= sizeof(name.of) || kp_map_get(&o->name_index, hash(of)))
		return 0; /* a pod keeps its name, and so does a container */
	memcpy(name.of, of, strlen(of) + 1);
	name.space = keep(o, texts[0]);
	name.pod = keep(o, texts[1]);
	name.container = container ? keep(o, container) : NULL;
	if (o->arena.failed)
		return -ENOMEM;
	r = place(&o->name_index, hash(of), o->names.cnt, NAMES_MAX, &index);
	return r > 0 ? KP_VEC_PUSH(&o->names, name) : settle(r);
}

static int on_pod(struct kp_origins *o, const struct kp_ev_pod *ev)
{
	const char *texts[TEXTS_MAX];

	if (!split((const char *)KP_TAIL(ev), ev->data_len, texts, 3))
		return 0;
	return add_name(o, texts[2], texts, NULL);
}

static int on_container(struct kp_origins *o, const struct kp_ev_container *ev)
{
	const char *texts[TEXTS_MAX];

	if (!split((const char *)KP_TAIL(ev), ev->data_len, texts, 5))
		return 0;
	return add_name(o, texts[4], texts, texts[3]);
}

static const struct name *find_name(const struct kp_origins *o, const char *of)
{
	const uint64_t *index = *of ? kp_map_get(&o->name_index, hash(of)) : NULL;

	return index && !strcmp(o->names.at[*index].of, of) ? &o->names.at[*index] : NULL;
}

/* --- the interface --- */

struct kp_origins *kp_origins_new(void)
{
	return calloc(1, sizeof(struct kp_origins));
}

int kp_origins_add(struct kp_origins *o, const struct kp_hdr *event)
{
	switch (event->kind) {
	case KP_EV_task_fork:
		return on_fork(o, (const void *)event);
	case KP_EV_task_exec:
		return on_exec(o, (const void *)event);
	case KP_EV_executable:
		return on_executable(o, (const void *)event);
	case KP_EV_cgroup:
		return on_cgroup(o, (const void *)event);
	case KP_EV_cgroup_attach:
		return on_attach(o, (const void *)event);
	case KP_EV_task_cgroup:
		return on_task_cgroup(o, (const void *)event);
	case KP_EV_pod:
		return on_pod(o, (const void *)event);
	case KP_EV_container:
		return on_container(o, (const void *)event);
	}
	return 0;
}

struct kp_origin kp_origins_get(const struct kp_origins *o, uint32_t pid, uint64_t t_ns)
{
	const struct run *run = find_run(o, pid, t_ns);
	struct kp_origin origin = {.of = find_container(o, pid)};
	const struct name *name = NULL;

	if (run && run->program != NONE) {
		origin.exe = o->programs.at[run->program].exe;
		origin.build_id = o->programs.at[run->program].build_id;
	}
	if (origin.of)
		name = find_name(o, origin.of->id);
	if (origin.of && !name)
		name = find_name(o, origin.of->pod_uid);
	if (name) {
		origin.space = name->space;
		origin.pod = name->pod;
		origin.container = name->container;
	}
	return origin;
}

void kp_origin_print(const struct kp_origin *origin, struct kp_buf *out)
{
	if (!origin->of)
		return;
	if (origin->space && origin->pod) {
		kp_text_puts(out, origin->space);
		kp_buf_putc(out, '/');
		kp_text_puts(out, origin->pod);
	} else if (origin->of->pod_uid[0]) {
		kp_buf_printf(out, "pod %s", origin->of->pod_uid);
	}
	if (origin->container) {
		kp_buf_putc(out, '/');
		kp_text_puts(out, origin->container);
	} else if (origin->of->id[0]) {
		kp_buf_printf(out, "%scontainer %.*s", origin->of->pod_uid[0] ? " " : "", SHORT_ID,
			      origin->of->id);
	}
}

void kp_origins_free(struct kp_origins *o)
{
	if (!o)
		return;
	kp_arena_done(&o->arena);
	kp_map_done(&o->program_index);
	kp_map_done(&o->group_index);
	kp_map_done(&o->name_index);
	kp_map_done(&o->process_index);
	KP_VEC_DONE(&o->programs);
	KP_VEC_DONE(&o->groups);
	KP_VEC_DONE(&o->names);
	KP_VEC_DONE(&o->processes);
	KP_VEC_DONE(&o->runs);
	free(o);
}
