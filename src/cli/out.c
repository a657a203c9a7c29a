/* SPDX-License-Identifier: MIT
 *
 * The only place from which kprobe's own text leaves it; scripts/check-layers.sh proves that. What
 * passes is shown by base/text.h, so no control character of a log, a trace or an argument gets
 * out. Not text of ours, and not here: what a replayed program wrote (src/cli/replay.c).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

static void say(const char *lead, const char *format, va_list args)
{
	struct kp_buf line = {0};
	char *text = NULL;

	kp_buf_puts(&line, lead);
	if (vasprintf(&text, format, args) >= 0)
		kp_text_puts(&line, text);
	kp_buf_putc(&line, '\n');
	if (!line.failed)
		fwrite(line.data, 1, line.len, stderr);
	free(text);
	kp_buf_done(&line);
}

void kp_cli_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("kprobe: ", format, args);
	va_end(args);
}

void kp_cli_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
}

void kp_cli_progress(const char *text)
{
	struct kp_buf line = {0};

	kp_text_puts(&line, text);
	if (!line.failed)
		fprintf(stderr, "\r%s\033[K\r", line.data);
	kp_buf_done(&line);
}

void kp_cli_lines(const struct kp_buf *text)
{
	struct kp_buf out = {0};

	if (text->len)
		kp_text_lines(&out, text->data, text->len, false);
	if (out.len && !out.failed)
		fwrite(out.data, 1, out.len, stderr);
	kp_buf_done(&out);
}

void kp_cli_error(const struct kp_err *err)
{
	kp_cli_say("%s", err->text);
}

int kp_cli_usage(const struct kp_command *command, const struct kp_err *err)
{
	kp_cli_error(err);
	kp_cli_line("Try 'kprobe %s --help'.", command->name);
	return KP_EXIT_USAGE;
}

int kp_cli_write(const char *path, const struct kp_buf *text, struct kp_err *err)
{
	bool is_stdout = !path || !strcmp(path, "-");
	const char *name = is_stdout ? "standard output" : path;
	struct kp_buf out = {0};
	FILE *file = stdout;
	int code = 0;

	if (text->failed) /* before a file is emptied for it */
		return kp_err_set(err, -ENOMEM, "out of memory");
	if (!is_stdout)
		file = fopen(path, "we");
	if (!file)
		return kp_err_sys(err, -errno, "cannot write to %s", name);
	if (text->len)
		kp_text_lines(&out, text->data, text->len, kp_cli_color(file));
	if (out.failed)
		code = kp_err_set(err, -ENOMEM, "out of memory");
	else if (fwrite(out.data, 1, out.len, file) != out.len || fflush(file) != 0)
		code = kp_err_sys(err, -errno, "cannot write to %s", name);
	if (!is_stdout && fclose(file) != 0 && !code)
		code = kp_err_sys(err, -errno, "cannot write to %s", name);
	kp_buf_done(&out);
	return code;
}

int kp_cli_finish(struct kp_buf *text)
{
	struct kp_err err = {""};
	int code = kp_cli_write(NULL, text, &err);

	kp_buf_done(text);
	if (code < 0 && code != -EPIPE)
		kp_cli_error(&err);
	return code < 0 && code != -EPIPE ? KP_EXIT_FAILED : KP_EXIT_OK;
}
