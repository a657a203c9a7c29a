/* SPDX-License-Identifier: MIT
 * Reading JSON into cJSON's tree, with the one thing that cJSON does not say: why not.
 */
#ifndef KP_LOG_JSON_H
#define KP_LOG_JSON_H

#include <cJSON.h>
#include <stddef.h>

/* 0 and a tree that the caller deletes; -EBADMSG: it is no JSON; -ENOMEM. */
int kp_log_json_read(const char *text, size_t len, cJSON **ret_root);

#endif
