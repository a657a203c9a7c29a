/* SPDX-License-Identifier: MIT
 *
 * Where the descriptors of two builds lead, and from which place in its file each goes on: those of
 * the recorded build, and those of another one that left out some of its calls.
 */
#ifndef KP_REPLAY_OPENED_H
#define KP_REPLAY_OPENED_H

#include "base/vec.h"
#include "replay/fds.h"
#include "replay/session.h"

#define KP_OPENED_ALL UINT32_MAX

/* An open file: what opening, or a call like pipe, makes. */
struct kp_opened_file {
	uint64_t offset; /* the recorded build's, if it is known */
	int64_t lag;     /* how far the other build's is ahead */
	bool known;
	bool lost;                   /* that cannot be told */
	bool appends;                /* writes do not go by the offset */
	bool reads_only;             /* it cannot be written */
	const struct kp_step *moved; /* the last call that moved it and was left out */
};

struct kp_opened {
	KP_VEC(struct kp_opened_file) files;
	struct kp_fds then, own;                    /* a file is 1 + its index in files */
	const struct kp_step *left_out[KP_FDS_MAX]; /* the last call, by which they differ */
};

/* Each descriptor leads somewhere, in both builds to the same. NULL: no memory. */
struct kp_opened *kp_opened_new(void);
void kp_opened_free(struct kp_opened *opened);

/* What a completed call changes in both builds; own: the other's arguments. 0 or -ENOMEM. */
int kp_opened_made(struct kp_opened *opened, const struct kp_session *session,
		   const struct kp_step *step, const uint64_t own[6]);

/*
 * … or in the recorded one alone. *ret_fd: a descriptor that it closed and the other build has
 * still; KP_OPENED_ALL: none.
 */
int kp_opened_left_out(struct kp_opened *opened, const struct kp_session *session,
		       const struct kp_step *step, uint32_t *ret_fd);

/* The call by whose omission a descriptor leads elsewhere in the other build; NULL: it does not. */
const struct kp_step *kp_opened_differs(const struct kp_opened *opened, uint64_t fd);

/* … by which it goes on at another place of its file. */
const struct kp_step *kp_opened_moved(const struct kp_opened *opened, uint64_t fd);

/* … by which the new descriptor that the call gives would have another number. */
const struct kp_step *kp_opened_other_number(const struct kp_opened *opened,
					     const struct kp_step *step);

/* Whether a call says by itself where in the file it works; preadv2 and its like need not. */
bool kp_opened_names_place(const struct kp_ev_syscall *call);

/* The open file of a descriptor of the recorded build; NULL: closed, or it is not followed. */
struct kp_opened_file *kp_opened_file(const struct kp_opened *opened, uint64_t fd);

#endif
