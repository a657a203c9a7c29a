/* SPDX-License-Identifier: MIT
 * Which events `kprobe dump` prints.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/dump.h"
#include "event/syscall.h"

/* Before the name of a call that is a group's or a kind's too (sync). */
#define CALL_PREFIX "syscall:"

static int unknown_name(const char *name, struct kp_err *err)
{
	struct kp_nearest nearest;

	kp_nearest_init(&nearest, name, strlen(name));
	for (unsigned i = 0; i < KP_EV_END; i++)
		if (kp_event_get(i))
			kp_nearest_try(&nearest, kp_event_get(i)->name);
	for (unsigned i = 0; i < KP_GROUP_CNT; i++)
		kp_nearest_try(&nearest, kp_group_name(i));
	for (unsigned i = 0; i < KP_SYSCALL_MAX; i++)
		if (kp_syscall_get(i))
			kp_nearest_try(&nearest, kp_syscall_name(i));
	return kp_err_set(err, -EINVAL,
			  "'%s' is no kind or group of events, nor a system call%s%s%s; "
			  "kprobe-events(7) lists them",
			  name, nearest.best ? ": did you mean '" : "",
			  nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
}

static int add_call(struct dump_filter *filter, const char *name, struct kp_err *err)
{
	int nr = kp_syscall_find(name);

	if (nr < 0)
		return unknown_name(name, err);
	filter->calls[nr / 64] |= 1ull << nr % 64;
	filter->has_calls = true;
	return 0;
}

/* A kind, all kinds of a group, or a call. */
static int add_kind(struct dump_filter *filter, const char *name, struct kp_err *err)
{
	const struct kp_event_desc *desc = kp_event_find(name);
	int group = kp_group_find(name);

	if (!strncmp(name, CALL_PREFIX, strlen(CALL_PREFIX)))
		return add_call(filter, name + strlen(CALL_PREFIX), err);
	if (!desc && group < 0)
		return add_call(filter, name, err);
	if (desc)
		kp_set_add(&filter->kinds, desc->kind);
	for (unsigned kind = 0; group >= 0 && kind < KP_EV_END; kind++) {
		desc = kp_event_get(kind);
		if (desc && desc->group == group)
			kp_set_add(&filter->kinds, kind);
	}
	return 0;
}

int dump_filter_add_kinds(struct dump_filter *filter, const char *list, struct kp_err *err)
{
	char *copy = strdup(list), *rest = NULL, *name;
	int r = copy ? 0 : kp_err_set(err, -ENOMEM, "out of memory");

	if (copy && !copy[strspn(copy, ",")])
		r = kp_err_set(err, -EINVAL, "no kind is given");
	for (name = copy; r >= 0 && (name = strtok_r(name, ",", &rest)); name = NULL)
		r = add_kind(filter, name, err);
	free(copy);
	return r;
}

struct kp_set dump_filter_kinds(const struct dump_filter *filter)
{
	struct kp_set kinds = filter->kinds;

	if (filter->has_calls)
		kp_set_add(&kinds, KP_EV_syscall);
	return kinds;
}

static bool has_id(const uint32_t *ids, uint32_t cnt, uint32_t id)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (ids[i] == id)
			return true;
	return !cnt;
}

static bool has_comm(const struct dump_filter *filter, const char *comm)
{
	char name[KP_COMM_LEN + 1] = "";

	if (comm)
		memcpy(name, comm, KP_COMM_LEN);
	for (uint32_t i = 0; i < filter->comms.cnt; i++)
		if (comm && !fnmatch(filter->comms.at[i], name, 0))
			return true;
	return !filter->comms.cnt;
}

/* By kind, or as one of the calls. */
static bool has_kind(const struct dump_filter *filter, const struct kp_hdr *event)
{
	unsigned nr;

	if (kp_set_has(&filter->kinds, event->kind))
		return true;
	if (kp_set_is_empty(&filter->kinds) && !filter->has_calls)
		return true;
	if (event->kind != KP_EV_syscall)
		return false;
	nr = ((const struct kp_ev_syscall *)event)->nr;
	return nr < KP_SYSCALL_MAX && filter->calls[nr / 64] >> nr % 64 & 1;
}

bool dump_filter_fits(const struct dump_filter *filter, const struct kp_hdr *event,
		      const char *comm)
{
	return has_kind(filter, event) && has_id(filter->pids.at, filter->pids.cnt, event->pid) &&
	       has_id(filter->tids.at, filter->tids.cnt, event->tid) && has_comm(filter, comm);
}

void dump_filter_done(struct dump_filter *filter)
{
	KP_VEC_DONE(&filter->pids);
	KP_VEC_DONE(&filter->tids);
	KP_VEC_DONE(&filter->comms);
}
