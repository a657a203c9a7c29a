/* SPDX-License-Identifier: MIT
 *
 * What another build's calls stand on: where its descriptors lead and from which place, and how it
 * meets signals. A call that changes nothing by itself, and that the build leaves out, may so
 * change what a later one does; there it is compared.
 */
#ifndef KP_REPLAY_CARRIED_H
#define KP_REPLAY_CARRIED_H

#include "replay/engine.h"
#include "replay/reaction.h"

struct kp_carried;

/* The build is about to make its own first call; all steps before engine->at were the loader's. */
int kp_carried_new(struct kp_engine *engine, struct kp_carried **ret_carried);
void kp_carried_free(struct kp_carried *carried);

/*
 * The build makes the call of the step at index, and left out those between the last one and it:
 * whether the call can do the same. Returns as the engine's functions do.
 */
int kp_carried_check(struct kp_carried *carried, uint32_t index, const uint64_t own[6]);
/* The call has been served. */
int kp_carried_apply(struct kp_carried *carried, uint32_t index, const uint64_t own[6]);

/* The build has set how it meets signals. */
void kp_carried_set_signals(struct kp_carried *carried);

/* The process ends: tells what it left out that had an effect by itself. */
void kp_carried_end(struct kp_carried *carried);

/* What the build would do with a recorded signal that comes now. */
enum kp_reaction kp_carried_reaction(struct kp_carried *carried, int sig);

#endif
