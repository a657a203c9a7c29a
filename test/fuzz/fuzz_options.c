/* SPDX-License-Identifier: MIT
 *
 * Fuzzer of the command line, the configuration file and what is said of them. The input is words
 * for the command line, each ended by a newline, up to a byte 0xff, then the text of a
 * configuration file. Whatever they are, the parse ends, operands are words that were given, and
 * what reaches the terminal has no control character but newlines.
 *
 *   fuzz_options CORPUS     (build with -DKP_FUZZ=ON and CC=clang)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"

#define WORDS_MAX 32

struct request {
	const char *text;
	const char *choice;
	const char *moment;
	bool flag;
	uint32_t number;
	uint64_t big;
	uint64_t size;
	uint64_t wait_ns;
	uint64_t time_ns;
};

static const struct kp_option options[] = {
	{'o', "output", "DIR", "text", .env = "KPROBE_OUTPUT", KP_TEXT(struct request, text)},
	{'f', "format", "FORMAT", "a choice", .values = "text|json|jsonl",
	 KP_TEXT(struct request, choice)},
	{0, "from", "TIME", "a moment", KP_MOMENT(struct request, moment)},
	{'s', "strict", NULL, "a flag", KP_FLAG(struct request, flag)},
	{'p', "pid", "PID", "a number", .repeat = true, KP_U32(struct request, number)},
	{'n', "count", "N", "a number", .least = "1", .most = "1000", KP_U64(struct request, big)},
	{0, "size", "SIZE", "a size", .least = "64K", .most = "1G", KP_SIZE(struct request, size)},
	{0, "sync", "TIME", "a duration", .least = "0", .most = "1h",
	 KP_DURATION(struct request, wait_ns)},
	{0, "deadline", "TIME", "a time", KP_TIME(struct request, time_ns)},
	{0},
};

static struct kp_command commands[] = {
	{.name = "trial", .summary = "a trial", .usage = "trial\n", .options = options},
	{.name = "trial",
	 .summary = "a trial",
	 .usage = "trial\n",
	 .options = options,
	 .stop_at_operand = true},
};

/* A file with this text, made anew each time, as KPROBE_CONFIG. */
static void configure(const uint8_t *text, size_t len)
{
	static int fd = -1;
	char path[64];

	if (fd < 0)
		fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, text, len, 0) != (ssize_t)len)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	setenv("KPROBE_CONFIG", path, 1);
}

static void check_said(const char *said, size_t len)
{
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = kp_text_plain(said + i, len - i);
		if (!n && said[i] != '\n')
			abort();
	}
}

static void check(const struct kp_command *command, char **argv, int argc)
{
	FILE *const streams[] = {stdout, stderr};
	struct request request = {.text = NULL};
	char *said = NULL, *words[WORDS_MAX + 2];
	size_t len = 0;
	int operands;

	memcpy(words, argv, sizeof(*argv) * (size_t)(argc + 1));
	stdout = stderr = open_memstream(&said, &len);
	if (!stdout)
		abort();
	operands = kp_cli_parse(command, argc, argv, &request);
	fclose(stdout);
	stdout = streams[0];
	stderr = streams[1];
	if (operands >= argc || operands < -1 - KP_EXIT_USAGE)
		abort();
	for (int i = 1, at = 1; i <= operands; i++, at++) {
		while (at < argc && words[at] != argv[i])
			at++;
		if (at == argc)
			abort();
	}
	if (operands >= 0 && (argv[operands + 1] || len))
		abort();
	if (operands >= 0 && request.size && (request.size < 65536 || request.size > 1 << 30))
		abort();
	check_said(said, len);
	free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = len ? memchr(data, 0xff, len) : NULL;
	size_t used = end ? (size_t)(end - data) : len;
	char *text = malloc(used + 1), *rest = text, *argv[WORDS_MAX + 2] = {"trial"};
	char *again[WORDS_MAX + 2];
	int argc = 1;

	if (!text)
		abort();
	memcpy(text, data, used);
	text[used] = '\0';
	configure(end ? end + 1 : data, end ? len - used - 1 : 0);
	while (rest && argc <= WORDS_MAX)
		argv[argc++] = strsep(&rest, "\n");
	argv[argc] = NULL;
	memcpy(again, argv, sizeof(again));
	check(&commands[0], argv, argc);
	check(&commands[1], again, argc);
	free(text);
	return 0;
}
