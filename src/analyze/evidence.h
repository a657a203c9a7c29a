/* SPDX-License-Identifier: MIT
 * Words for what the walk found: objects, causes, and the events that prove a step.
 */
#ifndef KP_ANALYZE_EVIDENCE_H
#define KP_ANALYZE_EVIDENCE_H

#include "analyze/report.h"

/* The device of a disk's or fault's object. */
uint32_t kp_evidence_dev(const struct kp_model *model, uint64_t obj);

/* Sets who->key and who->value to the object of a piece of this kind (kp_piece.obj). */
void kp_evidence_object(const struct kp_model *model, uint8_t kind, uint64_t obj,
			struct kp_arena *arena, struct kp_who *who);

/* "run queue on cpu 1 behind hog (pid 1234)"; own is the incident's thread. NULL: no memory. */
const char *kp_evidence_cause(const struct kp_cause *cause, const struct kp_who *own,
			      struct kp_arena *arena);

/* A bucket's `via` for people: what stands for no object is said in words. */
void kp_evidence_via(const char *via, struct kp_buf *out);

/* Lines about a piece and how it was reached, or about a wait; "" if none. NULL: no memory. */
const char *kp_evidence_piece(const struct kp_walk *walk, const struct kp_piece *piece,
			      struct kp_arena *arena);
const char *kp_evidence_wait(const struct kp_walk *walk, const struct kp_wait *wait,
			     struct kp_arena *arena);

/* "comm (pid 12)" or "comm (pid 12, tid 13)", and " in default/web-0/nginx". */
void kp_evidence_who(const struct kp_who *who, struct kp_buf *out);

/* Seconds of CLOCK_MONOTONIC with nine digits, by which the text report finds a time in evidence to
 * print it since the incident's begin. */
void kp_evidence_time(uint64_t t_ns, struct kp_buf *out);

#endif
