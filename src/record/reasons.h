/* SPDX-License-Identifier: MIT
 *
 * What this kernel calls the reasons for which it drops packets and resets connections: their
 * numbers are its own, so the log carries the names. They are in its type information (BTF).
 */
#ifndef KP_RECORD_REASONS_H
#define KP_RECORD_REASONS_H

#include "base/buf.h"
#include "record/sink.h"

/* Zero-initialised: nothing is known. */
struct kp_reasons {
	struct kp_buf names[KP_REASON_CNT]; /* each ended by NUL, from 0 on */
};

/* Reads what the kernel has: one without these enumerations has no names. 0 or -ENOMEM. */
int kp_reasons_read(struct kp_reasons *reasons);

/* Writes a `reason_names` event for each enumeration that there is. */
void kp_reasons_put(const struct kp_reasons *reasons, const struct kp_sink *sink);

void kp_reasons_done(struct kp_reasons *reasons);

#endif
