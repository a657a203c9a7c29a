/* SPDX-License-Identifier: MIT
 * The calls with code of their own are those of which the table says so.
 */
#include <criterion/criterion.h>

#include "replay/special.h"

Test(special, are_the_rows_of_that_action)
{
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);
		bool ends = nr == KP_NR_exit || nr == KP_NR_exit_group;

		cr_expect_eq(row && row->action == KP_ACT_SPECIAL && !ends, kp_special_has(nr),
			     "%s", kp_syscall_name(nr));
	}
}
