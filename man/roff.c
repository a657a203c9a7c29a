/* SPDX-License-Identifier: MIT
 * Text as roff.
 */
#include <stdio.h>

#include "generate.h"

void man_roff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		if (*text == '.' && text[1] == ' ') {
			puts(".");
			text++;
		} else if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
}
