/* SPDX-License-Identifier: MIT
 *
 * The files that a replayed process maps, one memory file per inode: mapped shared where the
 * process mapped it shared, so that what it stores through one mapping is in the others, and
 * changed by its own calls as they are served.
 *
 * A file begins as the content that was archived when it was first mapped. Each later mapping has
 * an archived content of its own, which must be what the file has become here; where it is not,
 * another process writes to the file, and the archive is right.
 *
 * What the log cannot know of a file leaves a doubt: with one, a difference proves nothing.
 */
#ifndef KP_REPLAY_FILES_H
#define KP_REPLAY_FILES_H

#include "base/buf.h"
#include "replay/session.h"
#include "replay/tracee.h"

struct kp_files;

/* session is borrowed, and its archived files are changed. -errno with err. */
int kp_files_new(struct kp_session *session, struct kp_files **ret_files, struct kp_err *err);
void kp_files_free(struct kp_files *files);

/* Descriptors that must be open in the process at the same numbers, besides the session's files. */
size_t kp_files_fd_cnt(const struct kp_files *files);
const int *kp_files_fds(const struct kp_files *files);

/*
 * The descriptor from which a recorded mmap of a file is repeated; session is the one to which the
 * step belongs. KP_FILE_ANON: anonymous memory instead (/dev/zero). -ENODATA: the content is not in
 * the log.
 */
#define KP_FILE_ANON 1000000000
int kp_files_map(struct kp_files *files, const struct kp_tracee *tracee, const struct kp_step *step,
		 struct kp_err *err);

/*
 * Applies what a call that was just served changed in a file that was mapped. payloads are those of
 * the step.
 */
int kp_files_apply(struct kp_files *files, const struct kp_step *step,
		   const struct kp_ev_payload *const *payloads, struct kp_err *err);

/*
 * Whether a payload is what a call writes to a file from where the process has that very part of it
 * mapped: it was captured when the call had changed it, so that kp_files_apply compares it.
 */
bool kp_files_lends(struct kp_files *files, const struct kp_tracee *tracee,
		    const struct kp_step *step, const struct kp_ev_payload *payload);

/* The process has memory that a child by fork would share. */
void kp_files_share(struct kp_files *files);
bool kp_files_shares(const struct kp_files *files);

/* Remembers why a difference would prove nothing; the first reason counts. */
void kp_files_doubt(struct kp_files *files, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The doubt, or ""; until_ns is the time up to which the log was served. Also one that comes from
 * what other processes of the log wrote.
 */
const char *kp_files_get_doubt(struct kp_files *files, uint64_t until_ns);

/* Clauses about what the process gave away through its mappings, where nobody compares. */
void kp_files_print_uncovered(const struct kp_files *files, struct kp_buf *out);

#endif
