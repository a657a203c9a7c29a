/* SPDX-License-Identifier: MIT
 *
 * What replay serves and cannot vouch for: memory or a mapped file changed in a way that is not in
 * the log, so that no difference behind it is proven. The one rule for the recorder, which says so
 * while it records, and for replay, which then refuses to judge.
 */
#ifndef KP_EVENT_DOUBT_H
#define KP_EVENT_DOUBT_H

#include "event/unreplayable.h"

/* EFAULT of a call that may have stored something before it came there. */
bool kp_call_tore(const struct kp_ev_syscall *call);

/* It opened its own memory as a file and may write there. */
bool kp_call_opens_own_memory(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes);

/* It changed the file behind its descriptor, if it is one, by bytes that only the kernel saw. */
bool kp_call_changes_unseen(const struct kp_ev_syscall *call);

/* Whether one of the first two is so, or it truncated what may be mapped; reason as in
 * kp_call_unreplayable. */
bool kp_call_doubtful(const struct kp_ev_syscall *call, const struct kp_call_bytes *bytes,
		      char reason[KP_REASON_LEN]);

/* Whether a signal by default ends no process: it is ignored, or stops it or lets it go on. */
bool kp_signal_ends_nobody(int sig);

/* A signal that ends nothing and runs nothing: ignored, or stop and continue (signal(7)). */
bool kp_signal_leaves_no_trace(const struct kp_ev_signal_deliver *deliver);

/* A fault of the program's own, which happens again by itself. */
bool kp_signal_is_fault(const struct kp_ev_signal_deliver *deliver);

/* It came between two calls, at a place that only its registers and stack name. */
bool kp_signal_is_between(const struct kp_ev_signal_deliver *deliver);

#endif
