/* SPDX-License-Identifier: MIT
 * The commands of calls that multiplex, as commands.def has them.
 */
#ifndef KP_EVENT_COMMAND_H
#define KP_EVENT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/syscall.h"
#include "kprobe/command.h"

struct kp_command {
	uint32_t nr; /* of the call */
	uint32_t number;
	const char *name;
	struct kp_command_rule rule;
};

/* The rows, by index. */
size_t kp_command_cnt(void);
const struct kp_command *kp_command_at(size_t index);

/*
 * The rule for the KP_LEN_COMMAND argument of a call that gave ret, its len worked out; *ret_name
 * is that of the command or of its family, NULL if it has none. False: the call does not multiplex.
 */
bool kp_command_find(unsigned nr, const uint64_t args[KP_ARG_MAX], int64_t ret,
		     struct kp_command_rule *ret_rule, const char **ret_name);

#endif
