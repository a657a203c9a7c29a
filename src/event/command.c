/* SPDX-License-Identifier: MIT
 * commands.def as data; see command.h.
 */
#include "event/command.h"

#define KP_SYS_IN (1 << KP_DIR_IN)
#define KP_SYS_OUT (1 << KP_DIR_OUT)
#define RULE(...)           \
	{                   \
		__VA_ARGS__ \
	}
#define NONE RULE(.len = 0)
#define OWN RULE(.own = 1)
#define IN(n) RULE(.len = n, .dir = KP_SYS_IN)
#define OUT(n) RULE(.len = n, .dir = KP_SYS_OUT)
#define RESULT(arg) RULE(.cap = arg, .dir = KP_SYS_OUT)
#define REFUSE RULE(.refuse = 1)
#define OUT_TAIL(n, ...) RULE(.len = n, .dir = KP_SYS_OUT, .parts = {__VA_ARGS__})
#define OUT_MORE OUT_TAIL
#define PART(kind, at, count, most, width, unit)   \
	{                                          \
		kind, width, at, count, most, unit \
	}
#define TAIL(at, count, width, unit) PART(KP_PART_TAIL, at, count, KP_PART_ALL, width, unit)
#define TAIL_MOST(at, count, most, width, unit) PART(KP_PART_TAIL, at, count, most, width, unit)
#define BEHIND(at, count, width, unit) PART(KP_PART_BEHIND, at, count, KP_PART_ALL, width, unit)

static const struct kp_command commands[] = {
#define COMMAND(call, number, name, rule) {KP_NR_##call, number, #name, rule},
#define FAMILY(type, name)
#include "kprobe/commands.def"
#undef COMMAND
#undef FAMILY
};

/* Types of ioctls that have no row of their own. */
static const char *const families[256] = {
#define COMMAND(call, number, name, rule)
#define FAMILY(type, name) [type] = #name,
#include "kprobe/commands.def"
#undef COMMAND
#undef FAMILY
};

size_t kp_command_cnt(void)
{
	return sizeof commands / sizeof *commands;
}

const struct kp_command *kp_command_at(size_t index)
{
	return &commands[index];
}

/* The argument that is by the command, or -1. */
static int command_arg(const struct kp_syscall *row)
{
	for (int i = 0; row && i < KP_ARG_MAX; i++)
		if (row->rule.args[i].rule == KP_LEN_COMMAND)
			return i;
	return -1;
}

static const struct kp_command *find(unsigned nr, uint32_t number)
{
	for (size_t i = 0; i < kp_command_cnt(); i++)
		if (commands[i].nr == nr && commands[i].number == number)
			return &commands[i];
	return NULL;
}

bool kp_command_find(unsigned nr, const uint64_t args[KP_ARG_MAX], int64_t ret,
		     struct kp_command_rule *ret_rule, const char **ret_name)
{
	const struct kp_syscall *row = kp_syscall_get(nr);
	int arg = command_arg(row);
	const struct kp_command *command;
	uint32_t number;

	if (arg < 0)
		return false;
	number = (uint32_t)args[row->rule.args[arg].len_arg] & ~row->rule.args[arg].unit;
	command = find(nr, number);
	*ret_rule = (struct kp_command_rule){0};
	*ret_name = command ? command->name : NULL;
	if (command) {
		*ret_rule = command->rule;
	} else if (nr == KP_NR_ioctl) {
		*ret_rule = kp_command_encoded(number, args[arg]);
		*ret_name = families[number >> 8 & 0xff];
		/* A family's numbers without a buffer are as harmless as all others. */
		ret_rule->refuse |= *ret_name && ret_rule->dir;
	} else if (nr == KP_NR_prctl) {
		ret_rule->refuse = args[arg] >= KP_ADDRESS_MIN;
	}
	if (ret_rule->cap)
		ret_rule->len = (uint64_t)ret < args[ret_rule->cap] ? (uint32_t)ret
								    : (uint32_t)args[ret_rule->cap];
	return true;
}
