/* SPDX-License-Identifier: MIT
 * How much memory this process has taken from malloc.
 */
#ifndef KP_BASE_HEAP_H
#define KP_BASE_HEAP_H

#include <stdint.h>

/* Bytes in use; costs some microseconds. 0 where malloc does not tell (sanitizers). */
uint64_t kp_heap_held(void);

#endif
