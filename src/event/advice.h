/* SPDX-License-Identifier: MIT
 * What an advice of madvise(2) does to memory's contents.
 */
#ifndef KP_EVENT_ADVICE_H
#define KP_EVENT_ADVICE_H

#include <stdint.h>

enum kp_advice { KP_ADVICE_KEEPS, KP_ADVICE_CHANGES, KP_ADVICE_BREAKS };

/* Those that are not known break it. */
enum kp_advice kp_advice_effect(uint32_t number);

#endif
