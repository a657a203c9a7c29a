/* SPDX-License-Identifier: MIT
 * Readings of the host's clocks taken together, by which analyze goes from wall clock to monotonic.
 */
#ifndef KP_RECORD_CLOCKS_H
#define KP_RECORD_CLOCKS_H

#include "record/sink.h"

/* Writes one `clock` event: the narrowest of a few bracketed readings. */
void kp_clocks_write(const struct kp_sink *sink);

#endif
