/* SPDX-License-Identifier: MIT
 *
 * Where the descriptors of two builds lead; see opened.h. Both have the same number for what a call
 * gave, since recorded results are served; what the other build left out shows in its table alone.
 */
#include "replay/opened.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/syscall.h"
#include "replay/engine.h"

#define STANDARD_CNT 3u

/* A call and whose table it changes. */
struct act {
	const struct kp_session *session;
	const struct kp_step *step;
	struct kp_fds *table;
	uint64_t args[6];
	uint32_t file; /* that it opened */
};

struct kp_opened *kp_opened_new(void)
{
	struct kp_opened *opened = calloc(1, sizeof *opened);

	if (!opened)
		return NULL;
	if (kp_vec_reserve((void **)&opened->files.at, &opened->files.cap, KP_FDS_MAX,
			   sizeof *opened->files.at) < 0) {
		kp_opened_free(opened);
		return NULL;
	}
	memset(opened->files.at, 0, KP_FDS_MAX * sizeof *opened->files.at);
	opened->files.cnt = KP_FDS_MAX;
	kp_fds_init(&opened->then);
	kp_fds_init(&opened->own);
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
	uint32_t file = number < KP_FDS_MAX ? opened->then.at[number].file : 0;

	return file ? &opened->files.at[file - 1] : NULL;
}

/* Two descriptors at once stand in the process's memory. */
static bool makes_pair(const struct kp_ev_syscall *call)
{
	return call->nr == KP_NR_pipe || call->nr == KP_NR_pipe2 || call->nr == KP_NR_socketpair;
}

static void put_pair(const struct act *act, bool cloexec)
{
	int fds[2];

	for (uint32_t i = 0; i < act->step->payload_cnt; i++) {
		const struct kp_ev_payload *p = act->session->payloads.at[act->step->payload + i];

		if (p->dir != KP_DIR_OUT || p->data_len != sizeof fds)
			continue;
		memcpy(fds, KP_TAIL(p), sizeof fds);
		kp_fds_put(act->table, (uint64_t)fds[0], act->file, cloexec);
		kp_fds_put(act->table, (uint64_t)fds[1], act->file + 1, cloexec);
	}
}

static bool makes_one(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);

	return row->result == KP_RESULT_FD && !(row->traits & KP_TRAIT_DUPS);
}

static void apply(const struct act *act)
{
	const struct kp_ev_syscall *call = act->step->call;
	bool cloexec = kp_fds_asks_cloexec(call->nr, act->args);

	kp_fds_apply_as(act->table, call, act->args);
	if (makes_pair(call))
		put_pair(act, cloexec);
	else if (makes_one(call))
		kp_fds_put(act->table, (uint64_t)call->ret, act->file, cloexec);
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
	return makes_one(call) || makes_pair(call);
}

bool kp_opened_names_place(const struct kp_ev_syscall *call)
{
	int offset = kp_syscall_arg(kp_syscall_get(call->nr), KP_ARG_OFF);
	uint64_t args[6];

	kp_call_args(call, args);
	return offset >= 0 && (int64_t)args[offset] != -1;
}

/* Whether a call that succeeded moved the place in its first descriptor's file, or took of it. */
static bool moves(const struct kp_ev_syscall *call)
{
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	int flags = kp_syscall_flags_arg(row, KP_FLAGS_msg);
	uint64_t args[6];

	if (call->nr == KP_NR_lseek)
		return true;
	if (row->result != KP_RESULT_BYTES || row->rule.args[0].type != KP_ARG_FD ||
	    !(row->traits & (KP_TRAIT_RECEIVES | KP_TRAIT_SENDS)) ||
	    row->traits & KP_TRAIT_KERNEL_COPIES)
		return false;
	kp_call_args(call, args);
	if (row->traits & KP_TRAIT_RECEIVES && flags >= 0 && args[flags] & MSG_PEEK)
		return false;
	return !kp_opened_names_place(call);
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
	struct act act = {.session = session, .step = step, .table = &opened->then};

	if (!took_effect(step))
		return 0;
	kp_call_args(step->call, act.args);
	act.file = opened->files.cnt + 1;
	if (makes_files(step->call) && add_files(opened, &act) < 0)
		return -ENOMEM;
	move_both(opened, step->call);
	apply(&act);
	act.table = &opened->own;
	memcpy(act.args, own, sizeof act.args);
	apply(&act);
	return 0;
}

int kp_opened_left_out(struct kp_opened *opened, const struct kp_session *session,
		       const struct kp_step *step, uint32_t *ret_fd)
{
	struct kp_fds before = opened->then;
	struct act act = {.session = session, .step = step, .table = &opened->then};

	*ret_fd = KP_OPENED_ALL;
	if (!took_effect(step))
		return 0;
	kp_call_args(step->call, act.args);
	act.file = opened->files.cnt + 1;
	if (makes_files(step->call) && add_files(opened, &act) < 0)
		return -ENOMEM;
	move_then(opened, step);
	apply(&act);
	for (uint32_t fd = KP_FDS_MAX; fd-- > 0;) {
		if (before.at[fd].file == opened->then.at[fd].file &&
		    before.at[fd].cloexec == opened->then.at[fd].cloexec)
			continue;
		opened->left_out[fd] = step;
		if (!opened->then.at[fd].file && opened->own.at[fd].file)
			*ret_fd = fd;
	}
	return 0;
}

const struct kp_step *kp_opened_differs(const struct kp_opened *opened, uint64_t fd)
{
	uint32_t number = (uint32_t)fd;

	if (number >= KP_FDS_MAX || opened->then.at[number].file == opened->own.at[number].file)
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
		if (fd == number ? opened->own.at[fd].file && !opened->then.at[fd].file
				 : !opened->own.at[fd].file && opened->then.at[fd].file)
			return opened->left_out[fd];
	return NULL;
}
