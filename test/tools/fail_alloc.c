/* SPDX-License-Identifier: MIT
 *
 * Linked into a second kprobe (--wrap=malloc, calloc, realloc): the Nth allocation fails, whoever
 * asks, the C library and SQLite among them. Environment: KP_FAIL_ALLOC=N[+], 0 or none: none
 * fails, N+: all from the Nth on; KP_FAIL_COUNT=FILE gets the number of allocations. libuv aborts
 * when it has no memory for its table of descriptors, and nobody can help that: its own are left
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t cnt, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t cnt, size_t len);
void *__wrap_realloc(void *old, size_t len);

static _Atomic unsigned long seen;
static unsigned long nth;
static bool and_all_behind;

static __attribute__((constructor)) void begin(void)
{
	const char *text = getenv("KP_FAIL_ALLOC");
	char *end = "";

	nth = text ? strtoul(text, &end, 10) : 0;
	and_all_behind = *end == '+';
	uv_replace_allocator(__real_malloc, __real_realloc, __real_calloc, free);
	seen = 0;
}

static __attribute__((destructor)) void tell(void)
{
	const char *path = getenv("KP_FAIL_COUNT");
	char text[32];
	int fd, len = snprintf(text, sizeof(text), "%lu\n", (unsigned long)seen);

	fd = path ? open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	if (write(fd, text, (size_t)len) != len)
		unlink(path);
	close(fd);
}

static bool fails(void)
{
	unsigned long now = ++seen;

	if (!nth || (now != nth && !(and_all_behind && now > nth)))
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t len)
{
	return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t cnt, size_t len)
{
	return fails() ? NULL : __real_calloc(cnt, len);
}

void *__wrap_realloc(void *old, size_t len)
{
	return fails() ? NULL : __real_realloc(old, len);
}
