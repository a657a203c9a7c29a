/* SPDX-License-Identifier: MIT
 * Follows descriptors 1 and 2 through a process's calls; see fds.h.
 *
 * A new descriptor can only get a number that was closed before, so calls that make one need no
 * attention.
 */
#include "replay/fds.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/syscall.h"
#include "event/unreplayable.h"

#define CLOSE_RANGE_CLOEXEC_BIT 4u

void kp_fds_init(struct kp_fds *fds)
{
	memset(fds, 0, sizeof(*fds));
	fds->stream[1] = 1;
	fds->stream[2] = 2;
}

int kp_fds_stream(const struct kp_fds *fds, uint64_t fd)
{
	uint32_t number = (uint32_t)fd;

	return number < KP_FDS_MAX ? fds->stream[number] : 0;
}

static void copy(struct kp_fds *fds, uint64_t from, uint64_t to, bool cloexec)
{
	uint32_t number = (uint32_t)to;

	if (number >= KP_FDS_MAX)
		return;
	fds->stream[number] = kp_fds_stream(fds, from);
	fds->cloexec[number] = cloexec;
}

/* A descriptor's number; -1: one that is not followed, or no number. */
static int number_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return *end || number >= KP_FDS_MAX ? -1 : (int)number;
}

/* The number of the descriptor that a path names, or -1. */
static int named_descriptor(const char *path, uint32_t pid)
{
	static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
	char own[32];
	const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", own};

	snprintf(own, sizeof own, "/proc/%u/fd/", pid);
	for (int i = 0; i < 3; i++)
		if (!strcmp(path, names[i]))
			return i;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		size_t len = strlen(folders[i]);

		if (!strncmp(path, folders[i], len) && isdigit((unsigned char)path[len]))
			return number_of(path + len);
	}
	return -1;
}

void kp_fds_opened(struct kp_fds *fds, const char *path, uint32_t pid, uint64_t fd, bool cloexec)
{
	int from = named_descriptor(path, pid);

	if (from >= 0)
		copy(fds, (uint64_t)from, fd, cloexec);
}

static void dup_apply(struct kp_fds *fds, const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	const uint64_t args[KP_ARG_MAX] = {call->arg0, call->arg1, call->arg2};
	int flags = kp_syscall_flags_arg(row, KP_FLAGS_cloexec);
	uint64_t from = args[kp_syscall_arg(row, KP_ARG_FD)];

	/* dup2 of a descriptor onto itself changes nothing. */
	if ((uint32_t)from != (uint32_t)call->ret)
		copy(fds, from, (uint64_t)call->ret, flags >= 0 && args[flags] & O_CLOEXEC);
}

static void exec_apply(struct kp_fds *fds)
{
	for (int fd = 0; fd < KP_FDS_MAX; fd++)
		if (fds->cloexec[fd])
			fds->stream[fd] = fds->cloexec[fd] = 0;
}

static void close_range_apply(struct kp_fds *fds, const struct kp_ev_syscall *call)
{
	uint32_t last = (uint32_t)call->arg1;

	for (uint32_t fd = (uint32_t)call->arg0; fd <= last && fd < KP_FDS_MAX; fd++) {
		if (call->arg2 & CLOSE_RANGE_CLOEXEC_BIT)
			fds->cloexec[fd] = true;
		else
			fds->stream[fd] = 0;
	}
}

static void fcntl_apply(struct kp_fds *fds, const struct kp_ev_syscall *call)
{
	switch (call->arg1) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		copy(fds, call->arg0, call->ret, call->arg1 == F_DUPFD_CLOEXEC);
		break;
	case F_SETFD:
		if ((uint32_t)call->arg0 < KP_FDS_MAX)
			fds->cloexec[(uint32_t)call->arg0] = call->arg2 & FD_CLOEXEC;
		break;
	}
}

void kp_fds_apply(struct kp_fds *fds, const struct kp_ev_syscall *call)
{
	/* Linux closes the descriptor even when close reports an error. */
	if (call->nr == KP_NR_close && (uint32_t)call->arg0 < KP_FDS_MAX &&
	    !kp_call_was_refused(call))
		fds->stream[(uint32_t)call->arg0] = 0;
	if (call->ret < 0 || kp_call_was_refused(call))
		return;
	if (kp_syscall_has(call->nr, KP_TRAIT_DUPS))
		dup_apply(fds, call);
	else if (kp_call_is_exec(call))
		exec_apply(fds);
	else if (call->nr == KP_NR_fcntl)
		fcntl_apply(fds, call);
	else if (call->nr == KP_NR_close_range)
		close_range_apply(fds, call);
}
