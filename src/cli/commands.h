/* SPDX-License-Identifier: MIT
 * What each subcommand's file defines.
 */
#ifndef KP_CLI_COMMANDS_H
#define KP_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct kp_command kp_command_record;
extern const struct kp_command kp_command_dump;
extern const struct kp_command kp_command_analyze;
extern const struct kp_command kp_command_replay;

#endif
