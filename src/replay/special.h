/* SPDX-License-Identifier: MIT
 *
 * Calls with code of their own, by family. Each serves the step at which the process stands; see
 * the table in special.c for which and when.
 */
#ifndef KP_REPLAY_SPECIAL_H
#define KP_REPLAY_SPECIAL_H

#include "replay/engine.h"

/* Whether a call has code of its own here. */
bool kp_special_has(uint32_t nr);

/* memory.c */
int kp_special_mmap(struct kp_engine *engine, const struct kp_step *step);
int kp_special_munmap(struct kp_engine *engine, const struct kp_step *step);
int kp_special_mremap(struct kp_engine *engine, const struct kp_step *step);
int kp_special_brk(struct kp_engine *engine, const struct kp_step *step);
int kp_special_mprotect(struct kp_engine *engine, const struct kp_step *step);
int kp_special_madvise(struct kp_engine *engine, const struct kp_step *step);
int kp_special_lock(struct kp_engine *engine, const struct kp_step *step);
int kp_special_lock_all(struct kp_engine *engine, const struct kp_step *step);
int kp_special_mseal(struct kp_engine *engine, const struct kp_step *step);
int kp_special_limit(struct kp_engine *engine, const struct kp_step *step);

/* sysv.c */
int kp_special_shmget(struct kp_engine *engine, const struct kp_step *step);
int kp_special_shmat(struct kp_engine *engine, const struct kp_step *step);
int kp_special_shmdt(struct kp_engine *engine, const struct kp_step *step);

#endif
