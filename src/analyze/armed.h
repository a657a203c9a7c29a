/* SPDX-License-Identifier: MIT
 *
 * Whose timer ended a wait. Somebody else may have set a timerfd in the middle of it: what came
 * before is then no sleep. For waits that an interrupt's timer ended.
 */
#ifndef KP_ANALYZE_ARMED_H
#define KP_ANALYZE_ARMED_H

#include "analyze/rules.h"

/* Whether it may be a timerfd of which the log does not tell when it was set: calls have no records
 * there, and no timeout of the call itself fits. */
bool kp_armed_is_unknown(const struct kp_blocked *b);

/* The last time in the wait when another task set a timerfd that may be the one; NULL: none. */
const struct kp_arming *kp_armed_in(const struct kp_model *m, const struct kp_blocked *b);

#endif
