/* SPDX-License-Identifier: MIT
 * One memory file per inode that the process maps; see files.h.
 */
#include "replay/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/doubt.h"
#include "replay/content.h"
#include "replay/engine.h"
#include "replay/lent.h"

#define DEV_ZERO (1u << 20 | 5) /* mem(4) */
/* linux/fs.h: flags of pwritev2 */
#define RWF_APPEND_BIT 0x10u
#define RWF_NOAPPEND_BIT 0x20u
/* Bytes that collapsed and inserted ranges may move in all: each call can move a whole file. */
#define MOVED_MAX (64ULL << 30)

struct file {
	uint64_t key;      /* kp_inode_key */
	uint64_t since_ns; /* first mapped */
	const char *path;
	uint32_t file_id; /* archived content from which it came, or that it was last seen to be */
	int fd;           /* the session's */
	bool shared;      /* mapped shared from a descriptor that may write */
};

struct kp_files {
	struct kp_session *session;
	KP_VEC(struct file) files;
	struct kp_map index;     /* key → index in files */
	struct kp_map read_only; /* descriptor → the same file opened for reading */
	KP_VEC(int) fds;         /* of read_only */
	struct kp_lent lent;
	uint32_t shared_cnt; /* mappings through which files are written */
	bool shares;
	uint64_t moved; /* by collapsed and inserted ranges */
	char doubt[512];
	char foreign[512];
};

/* --- doubts --- */

void kp_files_doubt(struct kp_files *files, const char *format, ...)
{
	va_list args;

	if (files->doubt[0])
		return;
	va_start(args, format);
	vsnprintf(files->doubt, sizeof files->doubt, format, args);
	va_end(args);
}

/* What another process wrote within the time in which the file was mapped, or NULL. */
static const struct kp_foreign *foreign_of(const struct kp_files *files, const struct file *file,
					   uint64_t key, uint64_t until_ns)
{
	const uint64_t *index = kp_map_get(&files->session->foreign_index, key);
	const struct kp_foreign *by = index ? &files->session->foreign.at[*index] : NULL;

	return by && by->last_ns >= file->since_ns && by->first_ns <= until_ns ? by : NULL;
}

const char *kp_files_get_doubt(struct kp_files *files, uint64_t until_ns)
{
	for (uint32_t i = 0; i < files->files.cnt; i++) {
		const struct file *file = &files->files.at[i];
		const struct kp_foreign *by = foreign_of(files, file, file->key, until_ns);
		const struct kp_foreign *cuts = foreign_of(files, file, KP_FOREIGN_PATH, until_ns);

		if (by)
			snprintf(files->foreign, sizeof files->foreign,
				 "process %u writes to '%s', which the process has mapped", by->pid,
				 file->path);
		else if (cuts && !files->foreign[0])
			snprintf(files->foreign, sizeof files->foreign,
				 "process %u truncates by a path what may be '%s', which the "
				 "process has mapped",
				 cuts->pid, file->path);
	}
	return files->foreign[0] ? files->foreign : files->doubt;
}

void kp_files_share(struct kp_files *files)
{
	files->shares = true;
}

bool kp_files_shares(const struct kp_files *files)
{
	return files->shares;
}

void kp_files_print_uncovered(const struct kp_files *files, struct kp_buf *out)
{
	uint32_t cnt = 0;
	const char *path = "";

	for (uint32_t i = 0; i < files->files.cnt; i++) {
		if (!files->files.at[i].shared)
			continue;
		path = cnt++ ? path : files->files.at[i].path;
	}
	if (!cnt)
		return;
	kp_buf_printf(out, "%swhat it stored through %u shared mapping%s of '%s'",
		      out->len ? "; " : "", files->shared_cnt, files->shared_cnt > 1 ? "s" : "",
		      path);
	if (cnt > 1)
		kp_buf_printf(out, " and %u other file%s", cnt - 1, cnt > 2 ? "s" : "");
}

/* --- begin and end --- */

static bool maps_read_only(const struct kp_step *step)
{
	return step->file && step->state && (step->call->arg3 & MAP_TYPE) != MAP_PRIVATE &&
	       (step->state->flags & O_ACCMODE) == O_RDONLY;
}

/* A second descriptor of an archived file, from which shared mappings cannot be made writable. */
static int open_read_only(struct kp_files *files, const struct kp_archived *archived)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", archived->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (KP_VEC_PUSH(&files->fds, fd) < 0) {
		close(fd);
		return -ENOMEM;
	}
	return kp_map_put(&files->read_only, archived->fd, fd);
}

/* For every content of the inodes of which the process maps one read-only and shared. */
static int open_all_read_only(struct kp_files *files)
{
	const struct kp_session *session = files->session;
	struct kp_map inodes = {0};
	int rc = 0;

	for (uint32_t i = 0; i < session->steps.cnt && rc == 0; i++) {
		const struct kp_step *step = &session->steps.at[i];
		const struct kp_archived *archived =
			step->call && maps_read_only(step)
				? kp_session_file(session, step->file->file_id)
				: NULL;

		if (archived)
			rc = kp_map_put(&inodes, archived->key, 1);
	}
	for (uint32_t i = 0; i < session->files.cnt && rc == 0; i++)
		if (session->files.at[i].fd >= 0 && kp_map_get(&inodes, session->files.at[i].key))
			rc = open_read_only(files, &session->files.at[i]);
	kp_map_done(&inodes);
	return rc;
}

int kp_files_new(struct kp_session *session, struct kp_files **ret_files, struct kp_err *err)
{
	struct kp_files *files = calloc(1, sizeof *files);
	int rc;

	if (!files)
		return kp_err_set(err, -ENOMEM, "out of memory");
	files->session = session;
	rc = open_all_read_only(files);
	if (rc < 0) {
		kp_files_free(files);
		return kp_err_sys(err, rc, "cannot open the mapped files");
	}
	*ret_files = files;
	return 0;
}

void kp_files_free(struct kp_files *files)
{
	if (!files)
		return;
	for (uint32_t i = 0; i < files->fds.cnt; i++)
		close(files->fds.at[i]);
	KP_VEC_DONE(&files->fds);
	KP_VEC_DONE(&files->lent.bytes);
	KP_VEC_DONE(&files->files);
	kp_map_done(&files->index);
	kp_map_done(&files->read_only);
	free(files);
}

size_t kp_files_fd_cnt(const struct kp_files *files)
{
	return files->fds.cnt;
}

const int *kp_files_fds(const struct kp_files *files)
{
	return files->fds.at;
}

/* --- mapping --- */

static struct file *find(const struct kp_files *files, uint64_t key)
{
	const uint64_t *index = kp_map_get(&files->index, key);

	return index ? &files->files.at[*index] : NULL;
}

static struct file *make(struct kp_files *files, uint64_t key, const struct kp_step *step,
			 const struct kp_archived *archived)
{
	struct file file = {.key = key,
			    .since_ns = step->call->hdr.time_ns,
			    .path = archived->path,
			    .file_id = archived->id,
			    .fd = archived->fd};

	if (KP_VEC_PUSH(&files->files, file) < 0 ||
	    kp_map_put(&files->index, key, files->files.cnt - 1) < 0)
		return NULL;
	return &files->files.at[files->files.cnt - 1];
}

static int is_inode(const struct kp_region *region, void *arg)
{
	const struct stat *st = arg;

	return region->ino == st->st_ino && region->dev == st->st_dev;
}

static bool is_mapped(const struct kp_tracee *tracee, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || kp_tracee_each_region(tracee, is_inode, &st);
}

/* A file that was seen before is mapped again, when it had this archived content. */
static int adopt(struct kp_files *files, const struct kp_tracee *tracee, struct file *file,
		 const struct kp_archived *archived)
{
	int rc = file->file_id == archived->id ? 1 : kp_content_equal(archived->fd, file->fd);

	file->file_id = archived->id;
	if (rc)
		return rc < 0 ? rc : 0;
	if (!is_mapped(tracee, file->fd)) {
		file->fd = archived->fd;
		return 0;
	}
	kp_files_doubt(files, "another process wrote to '%s' while the process had it mapped",
		       file->path);
	return kp_content_copy(archived->fd, file->fd);
}

/* The length that the kernel gave it is right, whoever else may have changed it. */
static int settle_length(struct kp_files *files, const struct file *file,
			 const struct kp_step *step)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size == step->state->len)
		return 0;
	kp_files_doubt(files,
		       "after call %u, '%s', which the process has mapped, has not the length that "
		       "the process gave it: another process changes it",
		       step->call->seq, file->path);
	return ftruncate(file->fd, (off_t)step->state->len) < 0 ? -errno : 0;
}

static int descriptor(struct kp_files *files, struct file *file, const struct kp_step *step)
{
	uint64_t type = step->call->arg3 & MAP_TYPE;
	const uint64_t *fd;

	if (type == MAP_PRIVATE)
		return file->fd;
	if (maps_read_only(step)) {
		fd = kp_map_get(&files->read_only, file->fd);
		return fd ? (int)*fd : file->fd;
	}
	file->shared = true;
	files->shared_cnt++;
	files->shares = true;
	return file->fd;
}

int kp_files_map(struct kp_files *files, const struct kp_tracee *tracee, const struct kp_step *step,
		 struct kp_err *err)
{
	const struct kp_archived *archived =
		step->file ? kp_session_file(files->session, step->file->file_id) : NULL;
	const uint64_t *index;
	struct file *file;
	uint64_t key;
	int rc;

	if (step->file && step->file->rdev == DEV_ZERO)
		return KP_FILE_ANON;
	if (!archived)
		return -ENODATA;
	key = step->state ? kp_inode_key(step->state->dev, step->state->ino) : archived->key;
	index = kp_map_get(&files->index, key);
	if (index) {
		file = &files->files.at[*index];
		rc = adopt(files, tracee, file, archived);
	} else {
		file = make(files, key, step, archived);
		rc = file ? 0 : -ENOMEM;
	}
	if (rc == 0 && step->state)
		rc = settle_length(files, file, step);
	if (rc < 0)
		return kp_err_sys(err, rc, "cannot hold '%s' in memory", archived->path);
	return descriptor(files, file, step);
}

/* --- changes by the process's calls --- */

static uint64_t write_begin(const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct kp_ev_file_state *state = step->state;
	const struct kp_syscall *row = kp_syscall_get(call->nr);
	int offset = kp_syscall_arg(row, KP_ARG_OFF),
	    flags = kp_syscall_flags_arg(row, KP_FLAGS_rwf);
	bool append = state->flags & O_APPEND;
	uint64_t args[6];

	kp_call_args(call, args);
	if (flags >= 0)
		append = args[flags] & RWF_APPEND_BIT ||
			 (append && !(args[flags] & RWF_NOAPPEND_BIT));
	if (offset < 0 || (flags >= 0 && args[offset] == UINT64_MAX))
		return state->pos - call->ret;
	/* Linux appends although an offset is given (pwrite(2), BUGS). */
	return append ? state->len - call->ret : args[offset];
}

bool kp_files_lends(struct kp_files *files, const struct kp_tracee *tracee,
		    const struct kp_step *step, const struct kp_ev_payload *payload)
{
	const struct kp_ev_file_state *state = step->state;
	const struct file *file = state && kp_payload_is_output(payload)
					  ? find(files, kp_inode_key(state->dev, state->ino))
					  : NULL;
	uint64_t begin = file ? write_begin(step) : 0;

	return file && kp_lent_note(&files->lent, tracee, file->fd, payload, begin,
				    begin + step->call->ret);
}

/* Writes a payload to the file at `at`. */
static int write_payload(struct kp_files *files, const struct file *file,
			 const struct kp_step *step, uint64_t at,
			 const struct kp_ev_payload *payload)
{
	int rc = kp_lent_write(&files->lent, file->fd, at, payload);

	if (rc == 0)
		return kp_content_write(file->fd, at, KP_TAIL(payload), payload->data_len);
	kp_files_doubt(files,
		       "call %u writes to '%s' from where the process has that part of it mapped, "
		       "and what came of it is not all in the log",
		       step->call->seq, file->path);
	return rc < 0 ? rc : 0;
}

static int apply_write(struct kp_files *files, const struct file *file, const struct kp_step *step,
		       const struct kp_ev_payload *const *payloads)
{
	uint64_t at = write_begin(step), end = at + step->call->ret;

	for (uint32_t i = 0; i < step->payload_cnt; i++) {
		const struct kp_ev_payload *payload = payloads[i];
		int rc;

		if (!kp_payload_is_output(payload) || payload->data_len > end - at)
			continue;
		rc = write_payload(files, file, step, at, payload);
		if (rc < 0)
			return rc;
		at += payload->data_len;
	}
	if (at != end)
		kp_files_doubt(files,
			       "call %u writes %llu bytes to '%s', which the process has mapped, "
			       "that are not in the log",
			       step->call->seq, (unsigned long long)(end - at), file->path);
	return 0;
}

static int apply_truncate(struct kp_files *files, const struct file *file,
			  const struct kp_step *step, const struct kp_ev_payload *const *payloads)
{
	(void)files;
	(void)payloads;
	return ftruncate(file->fd, (off_t)step->call->arg1) < 0 ? -errno : 0;
}

/* Opened with O_TRUNC: only a file that is empty afterwards brings its state. */
static int apply_open(struct kp_files *files, const struct file *file, const struct kp_step *step,
		      const struct kp_ev_payload *const *payloads)
{
	(void)files;
	(void)step;
	(void)payloads;
	return ftruncate(file->fd, 0) < 0 ? -errno : 0;
}

static int apply_fallocate(struct kp_files *files, const struct file *file,
			   const struct kp_step *step, const struct kp_ev_payload *const *payloads)
{
	const struct kp_ev_syscall *call = step->call;
	struct stat st;
	int rc;

	(void)payloads;
	if (call->arg1 & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) &&
	    fstat(file->fd, &st) == 0)
		files->moved += (uint64_t)st.st_blocks * 512;
	if (files->moved > MOVED_MAX)
		return -E2BIG;
	rc = kp_content_allocate(file->fd, (uint32_t)call->arg1, call->arg2, call->arg3);
	/* kp_call_changes_unseen knows of it */
	return rc == -EOPNOTSUPP ? 0 : rc;
}

static int apply_nothing(struct kp_files *files, const struct file *file,
			 const struct kp_step *step, const struct kp_ev_payload *const *payloads)
{
	(void)files;
	(void)file;
	(void)step;
	(void)payloads;
	return 0;
}

/* Calls that change a file in a way of their own; mmap changes none, and what an
 * ioctl changes is not seen. */
static const struct {
	uint16_t nr;
	int (*apply)(struct kp_files *files, const struct file *file, const struct kp_step *step,
		     const struct kp_ev_payload *const *payloads);
} changes[] = {
	{KP_NR_ftruncate, apply_truncate},
	{KP_NR_fallocate, apply_fallocate},
	{KP_NR_mmap, apply_nothing},
	{KP_NR_ioctl, apply_nothing},
};

/* Calls of which a file's state is recorded; kp_call_changes_unseen knows the others. */
static int apply(struct kp_files *files, const struct file *file, const struct kp_step *step,
		 const struct kp_ev_payload *const *payloads)
{
	const struct kp_syscall *row = kp_syscall_get(step->call->nr);

	if (kp_call_changes_unseen(step->call))
		kp_files_doubt(files,
			       "call %u (%s) changes '%s', which the process has mapped, in a way "
			       "that only the kernel saw",
			       step->call->seq, kp_syscall_name(step->call->nr), file->path);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		if (changes[i].nr == step->call->nr)
			return changes[i].apply(files, file, step, payloads);
	if (row && row->traits & KP_TRAIT_OPENS)
		return apply_open(files, file, step, payloads);
	for (int i = 0; row && i < KP_ARG_MAX; i++)
		if (kp_arg_is_output(&row->rule.args[i]))
			return apply_write(files, file, step, payloads);
	return 0;
}

/* Whether the path, whole or the end of one, may name the file; false also for "../name". */
static bool is_named(const struct file *file, const char *path)
{
	size_t len = strlen(path), whole = strlen(file->path);

	if (path[0] == '/' || len >= whole)
		return !strcmp(file->path, path);
	return file->path[whole - len - 1] == '/' && !strcmp(file->path + whole - len, path);
}

/*
 * truncate names its file by a path, which may lead anywhere by links, other names and the working
 * directory. If it is that of a mapped file, it is taken for it; a doubt remains in any case.
 */
static int apply_truncate_path(struct kp_files *files, const struct kp_step *step,
			       const struct kp_ev_payload *const *payloads)
{
	const char *path = step->payload_cnt && payloads[0]->data_len
				   ? (const char *)KP_TAIL(payloads[0])
				   : "";
	int rc = 0;

	if (files->files.cnt)
		kp_files_doubt(files,
			       "call %u truncates by a path what may be '%s', which the process "
			       "has mapped",
			       step->call->seq, files->files.at[files->files.cnt - 1].path);
	if (!*path || path[payloads[0]->data_len - 1])
		return 0;
	for (uint32_t i = 0; i < files->files.cnt && rc == 0; i++)
		if (is_named(&files->files.at[i], path))
			rc = apply_truncate(files, &files->files.at[i], step, payloads);
	return rc;
}

int kp_files_apply(struct kp_files *files, const struct kp_step *step,
		   const struct kp_ev_payload *const *payloads, struct kp_err *err)
{
	const struct kp_ev_file_state *state = step->state;
	struct file *file = state ? find(files, kp_inode_key(state->dev, state->ino)) : NULL;
	int rc;

	if (step->call->nr == KP_NR_truncate && step->call->ret == 0) {
		rc = apply_truncate_path(files, step, payloads);
		return rc < 0 ? kp_err_sys(err, rc, "cannot truncate as call %u did",
					   step->call->seq)
			      : 0;
	}
	if (!file)
		return 0;
	rc = apply(files, file, step, payloads);
	files->lent.bytes.cnt = 0;
	if (rc == -EBADMSG)
		return kp_err_set(
			err, rc,
			"call %u wrote to '%s' from where the process has that part of it "
			"mapped, and what came of it is another here",
			step->call->seq, file->path);
	if (rc == 0)
		rc = settle_length(files, file, step);
	return rc < 0 ? kp_err_sys(err, rc, "cannot change '%s' as call %u did", file->path,
				   step->call->seq)
		      : 0;
}
