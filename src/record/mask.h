/* SPDX-License-Identifier: MIT
 *
 * Card numbers (base/card.h) in events on their way to the log. What is not recorded for replay has
 * texts that programs chose (names, paths, command lines), and in those they are always masked.
 * What is recorded for replay needs its bytes as they were: only a masker, of `record --mask`,
 * masks those, and says in each event how many.
 */
#ifndef KP_RECORD_MASK_H
#define KP_RECORD_MASK_H

#include "kprobe/event.h"

/* Masks what texts an event has. */
void kp_mask_texts(struct kp_hdr *event);

/* Follows streams of bytes through the events that hold their pieces. */
struct kp_masker;

/* NULL: out of memory. Events of one task must all come to one masker. */
struct kp_masker *kp_masker_new(void);

/*
 * Masks all that an event of what is recorded for replay has of the programs' bytes. A number that
 * calls on one descriptor of a process moved one after the other is followed, if they come in their
 * order; where an earlier call of the task has not come yet, what may be the end of a number is
 * masked too. What may be the begin of one is masked from its seventh digit on, since the call that
 * has the rest may come when this is on disk.
 */
void kp_masker_event(struct kp_masker *masker, struct kp_hdr *event);

/* NULL is fine. */
void kp_masker_free(struct kp_masker *masker);

#endif
