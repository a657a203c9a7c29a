/* SPDX-License-Identifier: MIT
 *
 * The entries of kprobe-syscalls(7): what the table says of each call, in words.
 */
#include <stdio.h>

#include "event/command.h"
#include "event/syscall.h"
#include "generate.h"

static const char *const results[] = {
#define RESULT(kind, text) [KP_RESULT_##kind] = text,
#define TRAIT(name, text)
#include "kprobe/traits.def"
#undef RESULT
#undef TRAIT
};

static const char *const traits[] = {
#define RESULT(kind, text)
#define TRAIT(name, text) [KP_TRAIT_INDEX_##name] = text,
#include "kprobe/traits.def"
#undef RESULT
#undef TRAIT
};

static const char *const actions[] = {
	[KP_ACT_EMULATE] = "served",
	[KP_ACT_EXECUTE] = "executed",
	[KP_ACT_SPECIAL] = "special",
	[KP_ACT_REFUSE] = "refused",
};

/* "4096 bytes", "count bytes", "count times 8 bytes" */
static void times(const char *what, unsigned unit)
{
	printf("%s", what);
	if (unit != 1)
		printf(" times %u", unit);
	printf(" bytes");
}

/* How many bytes are recorded behind an argument. */
static void length(const struct kp_syscall *row, const struct kp_arg *arg)
{
	const char *by = row->arg_names[arg->len_arg];

	switch ((enum kp_len_rule)arg->rule) {
	case KP_LEN_FIXED:
		printf("%u bytes", arg->unit);
		break;
	case KP_LEN_ALWAYS:
		printf("%u bytes, of a failed call too", arg->unit);
		break;
	case KP_LEN_RET:
		times("result", arg->unit);
		break;
	case KP_LEN_ARG:
		times(by, arg->unit);
		break;
	case KP_LEN_BITS:
		printf("%s bits", by);
		break;
	case KP_LEN_PAGES:
		printf("a byte for each page of %s", by);
		break;
	case KP_LEN_U32AT:
		printf("the bytes that stand behind %s", by);
		break;
	case KP_LEN_STR:
		printf("text, of a failed call too");
		break;
	case KP_LEN_IOV:
		printf("%s vectors", by);
		break;
	case KP_LEN_MSG:
		printf("a message: header, name, vectors, control");
		break;
	case KP_LEN_MMSG:
		printf("the messages");
		break;
	case KP_LEN_COMMAND:
		printf("by %s", by);
		break;
	case KP_LEN_IF:
		printf("4 bytes, by %s", by);
		break;
	case KP_LEN_CLONE:
		printf("%s bytes, and where they lead", by);
		break;
	case KP_LEN_MSGBUF:
		printf("type and text of the message");
		break;
	case KP_LEN_NONE:
		break;
	}
}

static void recorded(const struct kp_syscall *row)
{
	int object = kp_syscall_object(row);
	const char *sep = " ";

	printf("Recorded:");
	if (object == KP_ARG_MAX)
		printf(" the object of the new descriptor");
	else if (object >= 0)
		printf(" the object of %s", row->arg_names[object]);
	if (object >= 0)
		sep = "; ";
	for (int i = 0; i < KP_ARG_MAX; i++) {
		const struct kp_arg *arg = &row->rule.args[i];

		if (arg->type == KP_ARG_FD && arg->dir) {
			printf("%show it left the file of %s", sep, row->arg_names[i]);
			sep = "; ";
		}
		if (arg->type != KP_ARG_BUF)
			continue;
		printf("%s%s %s, ", sep, arg->dir & 1 << KP_DIR_OUT ? "got" : "given",
		       row->arg_names[i]);
		length(row, arg);
		if (arg->dir & KP_ARG_FAILS && arg->rule != KP_LEN_COMMAND)
			printf(", of a failed call as it was left");
		sep = "; ";
	}
	printf("%s.\n", *sep == ' ' ? " no bytes and no object" : "");
}

static void known(const struct kp_syscall *row)
{
	const char *sep = "It ";

	for (int i = 0; i < KP_TRAIT_CNT; i++)
		if (row->traits & 1u << i) {
			printf("%s", sep);
			man_roff(traits[i]);
			sep = ";\nit ";
		}
	if (row->traits)
		printf(".\n");
}

/* The commands of a call that multiplexes which are not replayed. */
static void refused(unsigned nr)
{
	const char *before = "Not replayed if it succeeds: ";

	for (size_t i = 0; i < kp_command_cnt(); i++) {
		const struct kp_command *command = kp_command_at(i);

		if (command->nr != nr || !command->rule.refuse)
			continue;
		printf("%s%s", before, command->name);
		before = ", ";
	}
	if (before[0] == ',')
		printf(".\n");
}

void man_syscalls(void)
{
	printf(".Bl -tag -width Ds\n");
	for (unsigned nr = 0; nr < KP_SYSCALL_MAX; nr++) {
		const struct kp_syscall *row = kp_syscall_get(nr);

		if (!row)
			continue;
		printf(".It Fn %s", row->name);
		for (int i = 0; i < KP_ARG_MAX && row->arg_names[i]; i++)
			printf(" %s", row->arg_names[i]);
		printf("\nNumber %u", nr);
		if (row->i386 != KP_NR_NA)
			printf(", i386 %d", row->i386);
		printf("; %s.\nResult: ", actions[row->action]);
		man_roff(results[row->result]);
		printf(".\n");
		recorded(row);
		refused(nr);
		known(row);
	}
	printf(".El\n");
}
