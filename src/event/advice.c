/* SPDX-License-Identifier: MIT
 *
 * madvise(2), by asm-generic/mman-common.h up to Linux 6.18. What makes or drops contents is run
 * again: it goes on behind holes, and fails all the same. What a page is before the kernel needs
 * memory (MADV_FREE) it is assumed to stay.
 */
#include "event/advice.h"

#include <stddef.h>

static const struct {
	uint32_t number;
	enum kp_advice effect;
} advices[] = {
	{0, KP_ADVICE_KEEPS},     /* NORMAL */
	{1, KP_ADVICE_KEEPS},     /* RANDOM */
	{2, KP_ADVICE_KEEPS},     /* SEQUENTIAL */
	{3, KP_ADVICE_KEEPS},     /* WILLNEED */
	{4, KP_ADVICE_CHANGES},   /* DONTNEED */
	{8, KP_ADVICE_KEEPS},     /* FREE */
	{9, KP_ADVICE_CHANGES},   /* REMOVE */
	{10, KP_ADVICE_KEEPS},    /* DONTFORK */
	{11, KP_ADVICE_KEEPS},    /* DOFORK */
	{12, KP_ADVICE_KEEPS},    /* MERGEABLE */
	{13, KP_ADVICE_KEEPS},    /* UNMERGEABLE */
	{14, KP_ADVICE_KEEPS},    /* HUGEPAGE */
	{15, KP_ADVICE_KEEPS},    /* NOHUGEPAGE */
	{16, KP_ADVICE_KEEPS},    /* DONTDUMP */
	{17, KP_ADVICE_KEEPS},    /* DODUMP */
	{18, KP_ADVICE_KEEPS},    /* WIPEONFORK: children are replayed on their own */
	{19, KP_ADVICE_KEEPS},    /* KEEPONFORK */
	{20, KP_ADVICE_KEEPS},    /* COLD */
	{21, KP_ADVICE_KEEPS},    /* PAGEOUT */
	{22, KP_ADVICE_KEEPS},    /* POPULATE_READ */
	{23, KP_ADVICE_CHANGES},  /* POPULATE_WRITE: private copies of a file's pages */
	{24, KP_ADVICE_CHANGES},  /* DONTNEED_LOCKED */
	{25, KP_ADVICE_KEEPS},    /* COLLAPSE */
	{100, KP_ADVICE_BREAKS},  /* HWPOISON */
	{101, KP_ADVICE_KEEPS},   /* SOFT_OFFLINE */
	{102, KP_ADVICE_CHANGES}, /* GUARD_INSTALL */
	{103, KP_ADVICE_CHANGES}, /* GUARD_REMOVE */
};

enum kp_advice kp_advice_effect(uint32_t number)
{
	for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
		if (advices[i].number == number)
			return advices[i].effect;
	return KP_ADVICE_BREAKS;
}
