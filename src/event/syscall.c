/* SPDX-License-Identifier: MIT
 * How a call prints by its row.
 */
#include "event/syscall.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "event/command.h"
#include "event/flags.h"

const char *kp_syscall_name(unsigned nr)
{
	static _Thread_local char unknown[32];
	const struct kp_syscall *row = kp_syscall_get(nr);

	if (row)
		return row->name;
	if (nr >= KP_NR_VSYSCALL && nr < KP_NR_VSYSCALL + 3)
		snprintf(unknown, sizeof unknown, "vsyscall_%u", nr - KP_NR_VSYSCALL);
	else if (nr >= KP_NR_I386 && nr < KP_NR_I386 + KP_SYSCALL_MAX)
		snprintf(unknown, sizeof unknown, "i386_%u", nr - KP_NR_I386);
	else
		snprintf(unknown, sizeof unknown, "syscall_%d", (int)nr);
	return unknown;
}

const char *kp_errno_name(int number)
{
	switch (number) { /* the kernel's own, seen when a signal interrupts a call */
	case 512:
		return "ERESTARTSYS";
	case 513:
		return "ERESTARTNOINTR";
	case 514:
		return "ERESTARTNOHAND";
	case 516:
		return "ERESTART_RESTARTBLOCK";
	}
	return number > 0 ? strerrorname_np(number) : NULL;
}

const char *kp_signal_name(int number)
{
	static const char *const names[] = {
		NULL,       "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",  "SIGTRAP",   "SIGABRT",
		"SIGBUS",   "SIGFPE",  "SIGKILL",   "SIGUSR1", "SIGSEGV", "SIGUSR2",   "SIGPIPE",
		"SIGALRM",  "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",   "SIGTSTP",
		"SIGTTIN",  "SIGTTOU", "SIGURG",    "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
		"SIGWINCH", "SIGIO",   "SIGPWR",    "SIGSYS",
	};

	return number > 0 && (size_t)number < sizeof names / sizeof *names ? names[number] : NULL;
}

const char *kp_signal_text(int number)
{
	const char *name = kp_signal_name(number);

	return name ? name : "a real-time signal";
}

static void print_arg(const struct kp_arg *arg, uint64_t value, struct kp_buf *out)
{
	const char *name;

	switch ((enum kp_arg_type)arg->type) {
	case KP_ARG_FD:
		if ((int32_t)value == -100) {
			kp_buf_puts(out, "AT_FDCWD");
			return;
		}
		kp_buf_printf(out, "%" PRId32, (int32_t)value);
		return;
	case KP_ARG_INT:
	case KP_ARG_MS:
		/* An int in a 64-bit register may have a zero-extended negative value. */
		kp_buf_printf(out, "%" PRId64,
			      value >> 31 == 1 ? (int64_t)(int32_t)value : (int64_t)value);
		return;
	case KP_ARG_OFF:
		kp_buf_printf(out, "%" PRId64, (int64_t)value);
		return;
	case KP_ARG_UINT:
		kp_buf_printf(out, "%" PRIu64, value);
		return;
	case KP_ARG_OCT:
		kp_buf_printf(out, "%#" PRIo32, (uint32_t)value);
		return;
	case KP_ARG_FLAGS:
		kp_flags_print(arg->unit, value, out);
		return;
	case KP_ARG_SIG:
		name = kp_signal_name((int)value);
		if (name)
			kp_buf_puts(out, name);
		else
			kp_buf_printf(out, "%" PRId32, (int32_t)value);
		return;
	case KP_ARG_PTR:
	case KP_ARG_BUF:
		if (!value) {
			kp_buf_puts(out, "NULL");
			return;
		}
		break;
	case KP_ARG_NONE:
	case KP_ARG_HEX:
		break;
	}
	kp_buf_printf(out, "0x%" PRIx64, value);
}

/*
 * An argument that chooses among the commands of a call by name, bits that do not matter for the
 * choice behind it; false: it does not, or the command has no row in commands.def.
 */
static bool print_command(unsigned nr, const struct kp_syscall *row, unsigned i, uint64_t value,
			  struct kp_buf *out)
{
	const struct kp_command *command;
	uint32_t ignore = 0, rest;
	bool chooses = false;

	for (int j = 0; j < KP_ARG_MAX; j++)
		if (row->rule.args[j].rule == KP_LEN_COMMAND && row->rule.args[j].len_arg == i) {
			ignore = row->rule.args[j].unit;
			chooses = true;
		}
	rest = (uint32_t)value & ignore;
	for (size_t at = 0; chooses && at < kp_command_cnt(); at++) {
		command = kp_command_at(at);
		if (command->nr != nr || command->number != ((uint32_t)value & ~ignore))
			continue;
		kp_buf_puts(out, command->name);
		if (rest)
			kp_buf_putc(out, '|');
		if (rest && row->rule.args[i].type == KP_ARG_FLAGS)
			kp_flags_print_bits(row->rule.args[i].unit, rest, out);
		else if (rest)
			kp_buf_printf(out, "0x%" PRIx32, rest);
		return true;
	}
	return false;
}

unsigned kp_syscall_arg_cnt(unsigned nr)
{
	const struct kp_syscall *row = kp_syscall_get(nr);
	unsigned n = 0;

	if (!row)
		return KP_ARG_MAX;
	while (n < KP_ARG_MAX && row->arg_names[n])
		n++;
	return n;
}

void kp_call_texts_add(struct kp_call_texts *texts, const struct kp_ev_payload *payload)
{
	const struct kp_syscall *row = kp_syscall_get(payload->nr);
	const char *data = (const char *)KP_TAIL(payload);
	uint32_t len = payload->data_len;
	struct kp_call_text *text;

	if (!row || payload->arg >= KP_ARG_MAX || payload->dir != KP_DIR_IN || payload->offset ||
	    row->rule.args[payload->arg].rule != KP_LEN_STR)
		return;
	text = &texts->at[payload->arg];
	text->data = data;
	text->len = (uint32_t)strnlen(data, len < KP_CALL_TEXT_MAX ? len : KP_CALL_TEXT_MAX);
	text->cut = text->len == len || text->len == KP_CALL_TEXT_MAX;
}

void kp_syscall_print_args(unsigned nr, const uint64_t args[KP_ARG_MAX],
			   const struct kp_call_texts *texts, struct kp_buf *out)
{
	const struct kp_syscall *row = kp_syscall_get(nr);
	const struct kp_call_text *text;

	kp_buf_printf(out, "%s(", kp_syscall_name(nr));
	for (int i = 0; row && i < KP_ARG_MAX && row->arg_names[i]; i++) {
		text = texts && texts->at[i].data ? &texts->at[i] : NULL;
		kp_buf_printf(out, "%s%s ", i ? ", " : "", row->arg_names[i]);
		if (!text) {
			if (!print_command(nr, row, (unsigned)i, args[i], out))
				print_arg(&row->rule.args[i], args[i], out);
			continue;
		}
		kp_text_quote(out, text->data, text->len);
		if (text->cut)
			kp_buf_puts(out, "...");
	}
	kp_buf_putc(out, ')');
}

static void print_result(const struct kp_ev_syscall *event, struct kp_buf *out)
{
	const struct kp_syscall *row = kp_syscall_get(event->nr);
	bool is_address = row && row->result == KP_RESULT_ADDR;
	const char *name = NULL;

	if (event->ret < 0 && event->ret >= -4095)
		name = kp_errno_name((int)-event->ret);
	if (name)
		kp_buf_printf(out, " = %" PRId64 " %s", (int64_t)event->ret, name);
	else if (event->ret > INT32_MAX || event->ret < INT32_MIN || (event->ret > 0 && is_address))
		kp_buf_printf(out, " = 0x%" PRIx64, (uint64_t)event->ret);
	else
		kp_buf_printf(out, " = %" PRId64, (int64_t)event->ret);
}

void kp_syscall_print(const struct kp_ev_syscall *event, const struct kp_call_texts *texts,
		      struct kp_buf *out)
{
	uint64_t args[KP_ARG_MAX] = {event->arg0, event->arg1, event->arg2,
				     event->arg3, event->arg4, event->arg5};
	const struct kp_syscall *row = kp_syscall_get(event->nr);

	/* There an off_t has 32 bits, and comes extended by zeros. */
	for (int i = 0; row && event->flags & KP_SYSF_I386 && i < KP_ARG_MAX; i++)
		if (row->rule.args[i].type == KP_ARG_OFF)
			args[i] = (uint64_t)(int64_t)(int32_t)args[i];
	kp_syscall_print_args(event->nr, args, texts, out);
	print_result(event, out);
}
