/* SPDX-License-Identifier: MIT
 * The subcommands, in the order of their use.
 */
#include "cli/commands.h"

const struct kp_command *const kp_commands[] = {
	&kp_command_record, &kp_command_dump, &kp_command_analyze, &kp_command_replay, NULL,
};
