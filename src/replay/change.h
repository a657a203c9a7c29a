/* SPDX-License-Identifier: MIT
 * What another build changes, against what the recorded one changed; see other.c.
 */
#ifndef KP_REPLAY_CHANGE_H
#define KP_REPLAY_CHANGE_H

#include "replay/engine.h"

/*
 * Whether the call, in its row's words, gave something away or changed what others see: another
 * build may not leave it out.
 */
bool kp_change_was_made(const struct kp_session *session, const struct kp_step *step);

/*
 * The build makes the call of step, with the arguments own: numbers and bytes that are part of a
 * change must be equal, else the verdict is DIVERGED. What concerns the process alone and differs,
 * and what the log does not have, is added to what the verdict does not cover.
 */
int kp_change_check(struct kp_engine *engine, const struct kp_step *step, const uint64_t own[6]);

#endif
