/* SPDX-License-Identifier: MIT
 * The name nearest to a word, by the letters that are to be added, left out, changed or swapped.
 */
#include <string.h>

#include "cli/cli.h"

#define WORD_MAX 40u

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Distance with swaps of neighbours (optimal string alignment). */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b_len; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]),
				       least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

void kp_nearest_init(struct kp_nearest *nearest, const char *word, size_t len)
{
	*nearest = (struct kp_nearest){.word = word, .len = len};
	/* A third of the letters may be wrong, two in any case but not all. */
	nearest->distance = len / 3 + 1 > 3 ? len / 3 + 1 : 3;
	nearest->distance = least(nearest->distance, len);
}

void kp_nearest_try(struct kp_nearest *nearest, const char *name)
{
	size_t len = strlen(name), d;

	if (len > WORD_MAX || nearest->len > WORD_MAX)
		return;
	d = distance(nearest->word, nearest->len, name, len);
	if (d < nearest->distance) {
		nearest->best = name;
		nearest->distance = d;
	}
}
