/* SPDX-License-Identifier: MIT
 * Arguments, environment and auxiliary vector; see startup.h.
 */
#include "replay/startup.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define WORD_MAX (1u << 20)
#define STRING_MAX (128u << 10)
#define AUXV_MAX 64

/* Bytes of the image at addr, as far as one piece of memory has them. */
static size_t image_bytes(const struct kp_image *image, uint64_t addr,
			  const unsigned char **ret_data)
{
	for (uint32_t i = 0; i < image->memory.cnt; i++) {
		const struct kp_image_memory *memory = &image->memory.at[i];

		if (addr >= memory->addr && addr - memory->addr < memory->len) {
			*ret_data = memory->data + (addr - memory->addr);
			return memory->len - (addr - memory->addr);
		}
	}
	return 0;
}

static bool image_read(const struct kp_image *image, uint64_t addr, void *data, size_t len)
{
	const unsigned char *from;

	while (len) {
		size_t n = image_bytes(image, addr, &from);

		if (!n)
			return false;
		n = n < len ? n : len;
		memcpy(data, from, n);
		data = (char *)data + n;
		addr += n;
		len -= n;
	}
	return true;
}

static char *image_string(const struct kp_image *image, struct kp_arena *arena, uint64_t addr)
{
	size_t len = 0;
	char *text, byte;

	while (len < STRING_MAX && image_read(image, addr + len, &byte, 1) && byte)
		len++;
	text = kp_arena_alloc(arena, len + 1);
	if (text)
		image_read(image, addr, text, len);
	return text;
}

/* A NULL-ended array of strings at *addr, which is moved behind it. */
static char **image_strings(const struct kp_image *image, struct kp_arena *arena, uint64_t *addr)
{
	uint64_t word = 0;
	uint32_t cnt = 0;
	char **list;

	while (cnt < WORD_MAX && image_read(image, *addr + cnt * 8, &word, 8) && word)
		cnt++;
	if (word)
		return NULL;
	list = kp_arena_alloc(arena, (cnt + 1) * sizeof(*list));
	for (uint32_t i = 0; list && i < cnt; i++) {
		image_read(image, *addr + i * 8, &word, 8);
		list[i] = image_string(image, arena, word);
		if (!list[i])
			return NULL;
	}
	*addr += (cnt + 1) * 8;
	return list;
}

int kp_startup_read(const struct kp_image *image, struct kp_startup *startup, struct kp_err *err)
{
	uint64_t addr = image->regs.rsp + 8, pair[2];

	memset(startup, 0, sizeof(*startup));
	startup->argv = image_strings(image, &startup->arena, &addr);
	startup->envp = startup->argv ? image_strings(image, &startup->arena, &addr) : NULL;
	if (!startup->envp)
		return kp_err_set(err, -ENODATA, "the recorded stack has no arguments");
	for (int i = 0; i < AUXV_MAX && image_read(image, addr, pair, sizeof pair); i++) {
		if (pair[0] == AT_NULL)
			break;
		if (pair[0] == AT_RANDOM)
			startup->has_random =
				image_read(image, pair[1], startup->random, sizeof startup->random);
		if (pair[0] == AT_BASE)
			startup->dynamic = pair[1];
		if (pair[0] == AT_EXECFN)
			startup->path = image_string(image, &startup->arena, pair[1]);
		addr += sizeof pair;
	}
	return 0;
}

void kp_startup_done(struct kp_startup *startup)
{
	kp_arena_done(&startup->arena);
}

int kp_startup_apply(const struct kp_startup *startup, struct kp_tracee *tracee,
		     uint64_t *ret_entry, struct kp_err *err)
{
	uint64_t addr = tracee->regs.rsp, word, pair[2], entry = 0, base = 0;
	const uint64_t ignore = AT_IGNORE;

	for (int nulls = 0; nulls < 2;) {
		addr += 8;
		if (kp_tracee_read(tracee, addr, &word, 8) != 8)
			return kp_err_set(err, -EFAULT, "the new program's stack is not readable");
		nulls += word == 0;
	}
	addr += 8;
	for (int i = 0; i < AUXV_MAX; i++, addr += sizeof pair) {
		if (kp_tracee_read(tracee, addr, pair, sizeof pair) != sizeof pair ||
		    pair[0] == AT_NULL)
			break;
		if (pair[0] == AT_SYSINFO_EHDR)
			kp_tracee_write(tracee, addr, &ignore, sizeof ignore);
		if (pair[0] == AT_RANDOM && startup->has_random)
			kp_tracee_write(tracee, pair[1], startup->random, sizeof startup->random);
		if (pair[0] == AT_ENTRY)
			entry = pair[1];
		if (pair[0] == AT_BASE)
			base = pair[1];
	}
	*ret_entry = base ? entry : 0;
	return 0;
}
