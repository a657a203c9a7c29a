/* SPDX-License-Identifier: MIT
 *
 * Bytes that a call writes to a file from where the process has that very part of it mapped. They
 * were captured when the call had changed them; so they are written from the replayed file itself,
 * as the kernel did, and compared then.
 */
#ifndef KP_REPLAY_LENT_H
#define KP_REPLAY_LENT_H

#include "base/vec.h"
#include "event/event.h"
#include "replay/tracee.h"

struct kp_lent_bytes {
	const struct kp_ev_payload *payload;
	uint64_t from; /* their place in the file */
};

/* Those of the call that is being served. */
struct kp_lent {
	KP_VEC(struct kp_lent_bytes) bytes;
};

/* Whether the payload is so, in a call that writes the bytes from begin to end of the file fd. */
bool kp_lent_note(struct kp_lent *lent, const struct kp_tracee *tracee, int fd,
		  const struct kp_ev_payload *payload, uint64_t begin, uint64_t end);

/* 1: written; 0: it was not noted; -EBADMSG: it came out otherwise than in the recording. */
int kp_lent_write(const struct kp_lent *lent, int fd, uint64_t at,
		  const struct kp_ev_payload *payload);

#endif
