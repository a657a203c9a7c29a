/* SPDX-License-Identifier: MIT
 * The thread that knows names; see identity.h.
 */
#include "record/identity.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/kinds.h"
#include "record/cgroups.h"
#include "record/executables.h"
#include "record/proc.h"
#include "record/thread.h"

/* Bytes of events that may wait: some thousand, as many as a life ring has. */
#define QUEUE_LEN (256u << 10)
#define STOP_WAIT_NS 2000000000ull

struct queue {
	unsigned char *data;
	size_t len;
};

struct kp_identity {
	struct kp_identity_options options;
	struct kp_set kinds; /* that are looked at */
	pthread_t thread;
	int wake_fd;

	/* shared, under the lock */
	pthread_mutex_t lock;
	struct queue waiting;
	uint64_t segment;
	uint64_t dropped; /* events for which the queue had no room */
	bool is_stopping;

	/* the thread's own */
	struct queue taken;
	uint64_t told_segment;
	bool has_told_drop, has_told_error;
	struct kp_executables executables;
	struct kp_pods pods;
	struct kp_wanted_list wanted;
	KP_VEC(pid_t) chosen;     /* processes to be selected */
	bool is_choice_due;       /* tasks may be in groups that were chosen lately */
	bool are_pods_due;        /* there may be new names */
	bool are_groups_unjudged; /* a pod became wanted after its groups were seen */
};

static void warn_once(struct kp_identity *id, bool *has_told, const char *text)
{
	if (!*has_told)
		id->options.warn(text, id->options.arg);
	*has_told = true;
}

/* --- choice for replay --- */

static void choose_process(struct kp_identity *id, uint32_t pid, const char *comm)
{
	if (pid != (uint32_t)getpid() && kp_wanted_comm(&id->wanted, comm))
		KP_VEC_PUSH(&id->chosen, (pid_t)pid);
}

static void choose_cgroup(struct kp_identity *id, const struct kp_cgroup_key *key, const char *path,
			  size_t len)
{
	struct kp_err err;

	if (!id->wanted.cnt || !kp_wanted_cgroup(&id->wanted, path, len))
		return;
	if (kp_probes_choose_cgroup(id->options.probes, key, &err) < 0)
		warn_once(id, &id->has_told_error, err.text);
	id->is_choice_due = true;
}

static void on_pod(const struct kp_pod *pod, void *arg)
{
	struct kp_identity *id = arg;

	id->are_groups_unjudged |= kp_wanted_pod(&id->wanted, pod);
}

static void judge_group(const struct kp_cgroup_key *key, const char *path, void *arg)
{
	choose_cgroup(arg, key, path, strlen(path));
}

static void judge_thread(const char *path, uint32_t tid, void *arg)
{
	struct kp_proc_stat stat;
	uint32_t pid = (uint32_t)strtoul(path + sizeof("/proc/") - 1, NULL, 10);
	char name[96];

	snprintf(name, sizeof(name), "%s/%u/stat", path, tid);
	if (kp_proc_stat(name, &stat))
		choose_process(arg, pid, stat.comm);
}

static void judge_process(const char *path, uint32_t pid, void *arg)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/%u/task", path, pid);
	kp_proc_each_number(name, judge_thread, arg);
}

/* Hands what was chosen to the probes, whose programs then look at each task. */
static void select_chosen(struct kp_identity *id)
{
	struct kp_err err;

	if (id->are_groups_unjudged)
		kp_cgroups_each(judge_group, id);
	id->are_groups_unjudged = false;
	if (!id->chosen.cnt && !id->is_choice_due)
		return;
	if (kp_probes_select(id->options.probes, id->chosen.at, id->chosen.cnt, &err) < 0)
		warn_once(id, &id->has_told_error, err.text);
	id->chosen.cnt = 0;
	id->is_choice_due = false;
}

static void tell_missing(struct kp_identity *id)
{
	char text[512];

	for (size_t i = 0; i < id->wanted.cnt; i++) {
		if (id->wanted.found[i])
			continue;
		snprintf(text, sizeof(text),
			 "nothing matches --%s '%.300s' yet; what comes later will be recorded",
			 kp_wanted_option(id->wanted.at[i].by), id->wanted.at[i].text);
		id->options.notice(text, id->options.arg);
	}
}

/* Those that live already. */
static void choose_first(struct kp_identity *id)
{
	if (!id->wanted.cnt)
		return;
	id->are_groups_unjudged = true;
	if (kp_wanted_has(&id->wanted, KP_WANTED_COMM))
		kp_proc_each_number("/proc", judge_process, id);
	select_chosen(id);
	tell_missing(id);
}

/* --- what is told --- */

static void tell_group(const struct kp_cgroup_key *key, const char *path, void *arg)
{
	struct kp_identity *id = arg;
	struct kp_ev_cgroup ev = {.cgroup = key->cgroup, .hierarchy = key->hierarchy};

	kp_sink_put(id->options.sink, KP_EV_cgroup, &ev, sizeof(ev), path, strlen(path));
}

/* The kernel's words on who each task is, which are whole events. */
static void tell_tasks(struct kp_identity *id)
{
	_Alignas(8) unsigned char data[16384];
	const struct kp_hdr *event;
	struct kp_err err;
	size_t len = 0, at;
	ssize_t n;
	int fd = kp_probes_open_tasks(id->options.probes, &err);

	if (fd < 0) {
		warn_once(id, &id->has_told_error, err.text);
		return;
	}
	while ((n = read(fd, data + len, sizeof(data) - len)) > 0) {
		len += (size_t)n;
		for (at = 0; len - at >= sizeof(*event); at += event->size) {
			event = (const struct kp_hdr *)(data + at);
			if (event->size > len - at)
				break;
			id->options.sink->put(id->options.sink->arg, event);
		}
		len -= at;
		memmove(data, data + at, len);
	}
	close(fd);
}

static void tell_pods(struct kp_identity *id)
{
	id->are_pods_due = false;
	kp_pods_tell(&id->pods, id->options.tells ? id->options.sink : NULL);
}

/* A segment says by itself who everybody is. */
static void tell_all(struct kp_identity *id)
{
	kp_pods_forget(&id->pods);
	tell_pods(id);
	if (!id->options.tells)
		return;
	kp_cgroups_each(tell_group, id);
	tell_tasks(id);
	kp_executables_tell_all(&id->executables, id->options.sink);
}

/* --- what happens --- */

static void on_cgroup(struct kp_identity *id, const struct kp_ev_cgroup *ev)
{
	const struct kp_cgroup_key key = {.cgroup = ev->cgroup, .hierarchy = ev->hierarchy};
	const char *path = (const char *)KP_TAIL(ev);
	struct kp_container of;

	if (ev->what == KP_CGROUP_REMOVED)
		return;
	id->are_pods_due |= kp_container_parse(path, ev->data_len, &of);
	choose_cgroup(id, &key, path, ev->data_len);
}

/* Of a process whose threads are all moved the probes were told the leader only. */
static void on_attach(struct kp_identity *id, const struct kp_ev_cgroup_attach *ev)
{
	const struct kp_cgroup_key key = {.cgroup = ev->cgroup, .hierarchy = ev->hierarchy};

	id->is_choice_due |= kp_probes_has_chosen(id->options.probes, &key);
}

static void look_at(struct kp_identity *id, const struct kp_hdr *event)
{
	const struct kp_ev_task_exec *exec = (const struct kp_ev_task_exec *)event;

	switch (event->kind) {
	case KP_EV_task_exec:
		if (id->options.tells)
			kp_executables_tell(&id->executables, event->pid, exec, id->options.sink);
		choose_process(id, event->pid, exec->comm);
		break;
	case KP_EV_task_rename:
		choose_process(id, event->pid, ((const struct kp_ev_task_rename *)event)->comm);
		break;
	case KP_EV_cgroup:
		on_cgroup(id, (const struct kp_ev_cgroup *)event);
		break;
	case KP_EV_cgroup_attach:
		on_attach(id, (const struct kp_ev_cgroup_attach *)event);
		break;
	}
}

static void look_at_taken(struct kp_identity *id)
{
	const struct kp_hdr *event;

	for (size_t at = 0; at < id->taken.len; at += event->size) {
		event = (const struct kp_hdr *)(id->taken.data + at);
		look_at(id, event);
	}
	id->taken.len = 0;
	if (id->are_pods_due)
		tell_pods(id);
	select_chosen(id);
}

/* --- the thread --- */

static void clear_wakes(const struct kp_identity *id)
{
	uint64_t cnt;

	if (read(id->wake_fd, &cnt, sizeof(cnt)) < 0) /* there are none */
		return;
}

/* Waits for work and takes it; false: it is the last. */
static bool take(struct kp_identity *id, uint64_t *ret_segment)
{
	struct pollfd fds[] = {{id->wake_fd, POLLIN, 0}, {id->pods.fd, POLLIN, 0}};
	struct queue empty;
	uint64_t dropped;
	bool goes_on;

	poll(fds, 2, -1);
	clear_wakes(id);
	id->are_pods_due |= fds[1].revents & POLLIN;
	pthread_mutex_lock(&id->lock);
	empty = id->taken;
	id->taken = id->waiting;
	id->waiting = empty;
	*ret_segment = id->segment;
	dropped = id->dropped;
	goes_on = !id->is_stopping;
	pthread_mutex_unlock(&id->lock);
	if (dropped)
		warn_once(id, &id->has_told_drop,
			  "programs are started faster than their files can be looked at: of some "
			  "the log lacks the program's build id");
	return goes_on;
}

static void *run(void *arg)
{
	struct kp_identity *id = arg;
	bool goes_on = true, is_first = true;
	uint64_t segment = id->told_segment;

	while (goes_on) {
		goes_on = take(id, &segment);
		if (segment != id->told_segment)
			tell_all(id);
		id->told_segment = segment;
		if (is_first)
			choose_first(id);
		is_first = false;
		look_at_taken(id);
	}
	return NULL;
}

static void free_identity(struct kp_identity *id)
{
	kp_wanted_done(&id->wanted);
	kp_pods_done(&id->pods);
	kp_executables_done(&id->executables);
	KP_VEC_DONE(&id->chosen);
	free(id->taken.data);
	free(id->waiting.data);
	if (id->wake_fd >= 0)
		close(id->wake_fd);
	pthread_mutex_destroy(&id->lock);
	free(id);
}

static int init(struct kp_identity *id, const struct kp_identity_options *options)
{
	static const struct kp_set none;

	id->options = *options;
	id->segment = id->told_segment = UINT64_MAX;
	id->kinds = KP_KINDS(KP_EV_task_exec, KP_EV_cgroup);
	if (options->wanted_cnt) {
		struct kp_set more = KP_KINDS(KP_EV_task_rename, KP_EV_cgroup_attach);

		kp_set_join(&id->kinds, &more);
	}
	if (!options->tells && !options->wanted_cnt)
		id->kinds = none;
	pthread_mutex_init(&id->lock, NULL);
	kp_pods_init(&id->pods, options->pod_logs);
	id->pods.on_pod = on_pod;
	id->pods.arg = id;
	id->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (id->wake_fd < 0)
		return -errno;
	id->taken.data = malloc(QUEUE_LEN);
	id->waiting.data = malloc(QUEUE_LEN);
	if (!id->taken.data || !id->waiting.data)
		return -ENOMEM;
	return kp_wanted_init(&id->wanted, options->wanted, options->wanted_cnt);
}

int kp_identity_start(const struct kp_identity_options *options, struct kp_identity **ret_identity,
		      struct kp_err *err)
{
	struct kp_identity *id = calloc(1, sizeof(*id));
	int error = id ? init(id, options) : -ENOMEM;

	if (error >= 0)
		error = kp_thread_start(&id->thread, "kp-identity", run, id);
	if (error >= 0) {
		*ret_identity = id;
		return 0;
	}
	if (id)
		free_identity(id);
	return kp_err_sys(err, error, "cannot start the thread that reads names");
}

void kp_identity_put(struct kp_identity *id, const struct kp_hdr *event)
{
	if (!id || !kp_set_has(&id->kinds, event->kind))
		return;
	pthread_mutex_lock(&id->lock);
	if (event->size <= QUEUE_LEN - id->waiting.len) {
		memcpy(id->waiting.data + id->waiting.len, event, event->size);
		id->waiting.len += event->size;
	} else {
		id->dropped++;
	}
	pthread_mutex_unlock(&id->lock);
}

static void wake(const struct kp_identity *id)
{
	const uint64_t one = 1;

	/* It can only fail when it would wait, for the thread to read what is there. */
	if (write(id->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void kp_identity_turn(struct kp_identity *id, uint64_t segment)
{
	bool is_due;

	if (!id)
		return;
	pthread_mutex_lock(&id->lock);
	is_due = id->waiting.len || segment != id->segment;
	id->segment = segment;
	pthread_mutex_unlock(&id->lock);
	if (is_due)
		wake(id);
}

bool kp_identity_stop(struct kp_identity *id)
{
	struct timespec until = kp_cond_until(STOP_WAIT_NS);

	if (!id)
		return true;
	pthread_mutex_lock(&id->lock);
	id->is_stopping = true;
	pthread_mutex_unlock(&id->lock);
	wake(id);
	if (pthread_clockjoin_np(id->thread, NULL, CLOCK_MONOTONIC, &until))
		return false;
	free_identity(id);
	return true;
}
