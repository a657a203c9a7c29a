/* SPDX-License-Identifier: MIT
 *
 * For the programs that are recorded and replayed: each prints whatever the kernel told it, so that
 * a replay that differs in one value shows.
 */
#ifndef SHOW_H
#define SHOW_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes a call and prints it with its result. */
#define TRY(call)                                                                  \
	({                                                                         \
		long try_ret = (long)(call);                                       \
		printf("%s = %ld%s%s\n", #call, try_ret, try_ret == -1 ? " " : "", \
		       try_ret == -1 ? strerror(errno) : "");                      \
		try_ret;                                                           \
	})

static inline void hex(const char *name, const void *data, size_t len)
{
	const unsigned char *p = data;

	printf("%s:", name);
	for (size_t i = 0; i < len; i++)
		printf(" %02x", p[i]);
	printf("\n");
}

#endif
