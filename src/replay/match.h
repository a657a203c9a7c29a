/* SPDX-License-Identifier: MIT
 * Which recorded call answers a call of another build; see other.c.
 */
#ifndef KP_REPLAY_MATCH_H
#define KP_REPLAY_MATCH_H

#include "replay/engine.h"

/* Memory, signal actions and the like: run in the process and not matched. mmap by its flags. */
bool kp_match_runs_for_real(uint64_t nr, uint64_t flags);

/* What a build that leaves the call out does not do, for the verdict; NULL: it may. */
const char *kp_match_left_out(const struct kp_session *session, const struct kp_step *step);

/* The next recorded call that is matched at all, or signal; NULL at the end. */
const struct kp_step *kp_match_next(const struct kp_engine *engine);

/*
 * Index of the recorded call that answers nr(own…), or UINT32_MAX. *ret_skipped: the first call
 * before it that it may not leave out, or NULL.
 */
uint32_t kp_match_find(struct kp_engine *engine, uint64_t nr, const uint64_t own[6],
		       const struct kp_step **ret_skipped);

/* For a call that changes nothing: the nearest recorded one like it, or UINT32_MAX. */
uint32_t kp_match_repeat(struct kp_engine *engine, uint64_t nr, const uint64_t own[6]);

/* Whether the dynamic loader may really make the call at which the process stands. */
bool kp_match_loader_may(const struct kp_engine *engine);

/* Index of the first step behind the recorded dynamic loader. */
uint32_t kp_match_loader_end(const struct kp_session *session);

#endif
