/* SPDX-License-Identifier: MIT
 * Priority of the calling thread; see priority.h.
 */
#include "record/priority.h"

#include <sys/resource.h>
#include <unistd.h>

void kp_priority_raise(int nice)
{
	/* Linux keeps nice values per thread (setpriority(2), NOTES). Without CAP_SYS_NICE it
	 * stays. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), nice);
}
