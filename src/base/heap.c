/* SPDX-License-Identifier: MIT
 * Memory in use; see heap.h.
 */
#include "base/heap.h"

#include <malloc.h>

uint64_t kp_heap_held(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}
