/* SPDX-License-Identifier: MIT
 * Reading JSON; see json.h.
 */
#include "log/json.h"

#include <errno.h>

int kp_log_json_read(const char *text, size_t len, cJSON **ret_root)
{
	cJSON *root;

	errno = 0;
	root = cJSON_ParseWithLength(text, len);
	if (!root)
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	*ret_root = root;
	return 0;
}
