/* SPDX-License-Identifier: MIT
 *
 * Where the descriptors of two builds lead; see opened.h. Both have the same number for what a call
 * gave, since recorded results are served; what the other build left out shows in its table alone.
 */
#include "replay/opened.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/syscall.h"
#include "replay/engine.h"

#define CLOSE_RANGE_CLOEXEC_BIT 4u
#define STANDARD_CNT 3u

/* A call and whose table it changes. */
struct act {
	const struct kp_session *session;
	const struct kp_step *step;
	struct kp_opened_place *table;
	uint64_t args[6];
	uint32_t file; /* that it opened */
};

struct kp_opened *kp_opened_new(void)
{
	struct kp_opened *opened = calloc(1, sizeof *opened);

	if (!opened)
		return NULL;
	if (kp_vec_reserve((void **)&opened->files.at, &opened->files.cap, KP_OPENED_MAX,
			   sizeof *opened->files.at) < 0) {
		kp_opened_free(opened);
		return NULL;
	}
	memset(opened->files.at, 0, KP_OPENED_MAX * sizeof *opened->files.at);
	opened->files.cnt = KP_OPENED_MAX;
	for (uint32_t fd = 0; fd < KP_OPENED_MAX; fd++)
		opened->then[fd].file = opened->own[fd].file = fd + 1;
	return opened;
}

void kp_opened_free(struct kp_opened *opened)
{
	if (opened)
		free(opened->files.at);
	free(opened);
}

struct kp_opened_file *kp_opened_file(const struct kp_opened *opened, uint64_t fd)
{
	uint32_t number = (uint32_t)fd;
	uint32_t file = number < KP_OPENED_MAX ? opened->then[number].file : 0;

	return file ? &opened->files.at[file - 1] : NULL;
}

static void put(const struct act *act, uint64_t fd, uint32_t file, bool cloexec)
{
	if ((uint32_t)fd < KP_OPENED_MAX)
		act->table[(uint32_t)fd] = (struct kp_opened_place){file, cloexec};
}

/* All sets of flags have the same bit, but that of memfd_create. */
static bool asks_cloexec(const struct act *act)
{
	const struct kp_syscall *row = kp_syscall_get(act->step->call->nr);
	uint64_t flag = act->step->call->nr == KP_NR_memfd_create ? MFD_CLOEXEC : O_CLOEXEC;

	for (int i = 0; i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == KP_ARG_FLAGS && act->args[i] & flag)
			return true;
	return false;
}

static void copy(const struct act *act, uint64_t from, bool cloexec)
{
	uint32_t number = (uint32_t)from;

	if (number == (uint32_t)act->step->call->ret)
		return;
	put(act, (uint64_t)act->step->call->ret,
	    number < KP_OPENED_MAX ? act->table[number].file : 0, cloexec);
}

static void set_cloexec(const struct act *act, bool cloexec)
{
	if ((uint32_t)act->args[0] < KP_OPENED_MAX)
		act->table[(uint32_t)act->args[0]].cloexec = cloexec;
}

static void close_range_apply(const struct act *act)
{
	uint32_t last = (uint32_t)act->args[1];

	for (uint32_t fd = (uint32_t)act->args[0]; fd <= last && fd < KP_OPENED_MAX; fd++) {
		if (act->args[2] & CLOSE_RANGE_CLOEXEC_BIT)
			act->table[fd].cloexec = true;
		else
			act->table[fd].file = 0;
	}
}

static void fcntl_apply(const struct act *act)
{
	switch ((int)act->args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		copy(act, act->args[0], (int)act->args[1] == F_DUPFD_CLOEXEC);
		break;
	case F_SETFD:
		set_cloexec(act, act->args[2] & FD_CLOEXEC);
		break;
	}
}

/* Two descriptors at once stand in the process's memory. */
static void pair_apply(const struct act *act)
{
	int fds[2];

	for (uint32_t i = 0; i < act->step->payload_cnt; i++) {
		const struct kp_ev_payload *p = act->session->payloads.at[act->step->payload + i];

		if (p->dir != KP_DIR_OUT || p->data_len != sizeof fds)
			continue;
		memcpy(fds, KP_TAIL(p), sizeof fds);
		put(act, (uint64_t)fds[0], act->file, asks_cloexec(act));
		put(act, (uint64_t)fds[1], act->file + 1, asks_cloexec(act));
	}
}

static void apply(const struct act *act)
{
	const struct kp_ev_syscall *call = act->step->call;
	const struct kp_syscall *row = kp_syscall_get(call->nr);

	switch (call->nr) {
	case KP_NR_close:
		put(act, act->args[0], 0, false);
		return;
	case KP_NR_close_range:
		close_range_apply(act);
		return;
	case KP_NR_fcntl:
		fcntl_apply(act);
		return;
	case KP_NR_ioctl:
		if ((uint32_t)act->args[1] == FIOCLEX || (uint32_t)act->args[1] == FIONCLEX)
			set_cloexec(act, (uint32_t)act->args[1] == FIOCLEX);
		return;
	case KP_NR_pipe:
	case KP_NR_pipe2:
	case KP_NR_socketpair:
		pair_apply(act);
		return;
	}
	if (row->traits & KP_TRAIT_DUPS)
		copy(act, act->args[kp_syscall_arg(row, KP_ARG_FD)], asks_cloexec(act));
	else if (row->result == KP_RESULT_FD)
		put(act, (uint64_t)call->ret, act->file, asks_cloexec(act));
}

/* Linux closes the descriptor even when close reports an error. */
static bool took_effect(const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;

	return call && kp_syscall_get(call->nr) && !kp_call_was_refused(call) &&
	       (kp_call_succeeded(call) || call->nr == KP_NR_close);
}

/* Two new files, of which a call takes as many as it opens. */
static int add_files(struct kp_opened *opened, const struct act *act)
{
	const struct kp_syscall *row = kp_syscall_get(act->step->call->nr);
	struct kp_call_bytes bytes = kp_session_call_bytes(act->session, act->step);
	bool opens = row->traits & KP_TRAIT_OPENS;
	uint64_t flags = opens ? kp_call_open_flags(act->step->call, &bytes) : O_RDWR;
	struct kp_opened_file file = {.known = opens,
				      .appends = flags & O_APPEND,
				      .reads_only = (flags & O_ACCMODE) == O_RDONLY};

	if (kp_vec_reserve((void **)&opened->files.at, &opened->files.cap, opened->files.cnt + 2,
			   sizeof file) < 0)
		return -ENOMEM;
	opened->files.at[opened->files.cnt++] = file;
	opened->files.at[opened->files.cnt++] = file;
	return 0;
}

static bool makes_files(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);

	return (row->result == KP_RESULT_FD && !(row->traits & KP_TRAIT_DUPS)) ||
	       call->nr == KP_NR_pipe || call->nr == KP_NR_pipe2 || call->nr == KP_NR_socketpair;
}

/* Whether a call that succeeded moved the place in its first descriptor's file, or took of it. */
static bool moves(const struct kp_ev_syscall *call)
{
	switch (call->nr) {
	case KP_NR_preadv2:
	case KP_NR_pwritev2:
		return (int64_t)call->arg3 == -1;
	case KP_NR_recvfrom:
		return !(call->arg3 & MSG_PEEK);
	case KP_NR_recvmsg:
		return !(call->arg2 & MSG_PEEK);
	case KP_NR_read:
	case KP_NR_readv:
	case KP_NR_write:
	case KP_NR_writev:
	case KP_NR_lseek:
		return true;
	}
	return false;
}

static bool seeks_to(const struct kp_ev_syscall *call)
{
	return call->nr == KP_NR_lseek && (int)call->arg2 != SEEK_CUR;
}

/* The place to which the kernel moves by itself, or in a folder, is not told. */
static void lose_places(struct kp_opened *opened, const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	struct kp_opened_file *file;
	uint64_t args[6];

	kp_call_args(call, args);
	for (int i = 0; i < KP_ARG_MAX; i++) {
		file = row->rule.args[i].type == KP_ARG_FD ? kp_opened_file(opened, args[i]) : NULL;
		if (file)
			file->known = false;
	}
}

static void move_both(struct kp_opened *opened, const struct kp_ev_syscall *call)
{
	struct kp_opened_file *file = kp_opened_file(opened, call->arg0);

	if (kp_syscall_has(call->nr, KP_TRAIT_KERNEL_COPIES) || call->nr == KP_NR_getdents ||
	    call->nr == KP_NR_getdents64)
		lose_places(opened, call);
	if (file && call->nr == KP_NR_fcntl && call->arg1 == F_SETFL)
		file->appends = call->arg2 & O_APPEND;
	if (!file || !moves(call))
		return;
	if (seeks_to(call)) {
		file->lag = 0;
		file->lost = false;
		file->moved = NULL;
	}
	file->known |= call->nr == KP_NR_lseek;
	file->offset = call->nr == KP_NR_lseek ? (uint64_t)call->ret : file->offset + call->ret;
	file->known &= !file->appends || call->nr == KP_NR_lseek;
}

static void move_then(struct kp_opened *opened, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	struct kp_opened_file *file = kp_opened_file(opened, call->arg0);
	int64_t by = call->ret;

	if (!file || !moves(call))
		return;
	if (call->nr == KP_NR_lseek && file->known)
		by = call->ret - (int64_t)file->offset;
	else if (call->nr == KP_NR_lseek)
		by = seeks_to(call) ? 0 : (int64_t)call->arg1;
	file->lost |= seeks_to(call) && !file->known;
	file->known |= call->nr == KP_NR_lseek;
	file->offset = call->nr == KP_NR_lseek ? (uint64_t)call->ret : file->offset + by;
	file->lag -= by;
	file->moved = step;
}

int kp_opened_made(struct kp_opened *opened, const struct kp_session *session,
		   const struct kp_step *step, const uint64_t own[6])
{
	struct act act = {.session = session, .step = step, .table = opened->then};

	if (!took_effect(step))
		return 0;
	kp_call_args(step->call, act.args);
	act.file = opened->files.cnt + 1;
	if (makes_files(step->call) && add_files(opened, &act) < 0)
		return -ENOMEM;
	move_both(opened, step->call);
	apply(&act);
	act.table = opened->own;
	memcpy(act.args, own, sizeof act.args);
	apply(&act);
	return 0;
}

int kp_opened_left_out(struct kp_opened *opened, const struct kp_session *session,
		       const struct kp_step *step, uint32_t *ret_fd)
{
	struct kp_opened_place before[KP_OPENED_MAX];
	struct act act = {.session = session, .step = step, .table = opened->then};

	*ret_fd = KP_OPENED_ALL;
	if (!took_effect(step))
		return 0;
	memcpy(before, opened->then, sizeof before);
	kp_call_args(step->call, act.args);
	act.file = opened->files.cnt + 1;
	if (makes_files(step->call) && add_files(opened, &act) < 0)
		return -ENOMEM;
	move_then(opened, step);
	apply(&act);
	for (uint32_t fd = KP_OPENED_MAX; fd-- > 0;) {
		if (before[fd].file == opened->then[fd].file &&
		    before[fd].cloexec == opened->then[fd].cloexec)
			continue;
		opened->left_out[fd] = step;
		if (!opened->then[fd].file && opened->own[fd].file)
			*ret_fd = fd;
	}
	return 0;
}

const struct kp_step *kp_opened_differs(const struct kp_opened *opened, uint64_t fd)
{
	uint32_t number = (uint32_t)fd;

	if (number >= KP_OPENED_MAX || opened->then[number].file == opened->own[number].file)
		return NULL;
	return opened->left_out[number];
}

const struct kp_step *kp_opened_moved(const struct kp_opened *opened, uint64_t fd)
{
	const struct kp_opened_file *file = kp_opened_file(opened, fd);

	return file && (file->lag || file->lost) ? file->moved : NULL;
}

const struct kp_step *kp_opened_other_number(const struct kp_opened *opened,
					     const struct kp_step *step)
{
	const struct kp_syscall *row = kp_syscall_get(step->call->nr);
	uint32_t number = (uint32_t)step->call->ret;

	if (!took_effect(step) || row->result != KP_RESULT_FD || step->call->nr == KP_NR_dup2 ||
	    step->call->nr == KP_NR_dup3)
		return NULL;
	for (uint32_t fd = 0; fd < STANDARD_CNT && fd <= number; fd++)
		if (fd == number ? opened->own[fd].file && !opened->then[fd].file
				 : !opened->own[fd].file && opened->then[fd].file)
			return opened->left_out[fd];
	return NULL;
}
