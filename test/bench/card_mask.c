/* SPDX-License-Identifier: MIT
 * What looking for card numbers costs: nanoseconds a kilobyte beside a copy of the same bytes.
 */
#include <string.h>

#include "base/card.h"
#include "bench.h"

#define LEN (1u << 20)
#define ROUNDS 50

enum load { LOAD_ZERO, LOAD_RANDOM, LOAD_TEXT, LOAD_DIGITS, LOAD_GROUPS, LOAD_NUMBERS, LOAD_CNT };

static const struct {
	const char *name, *text; /* repeated; NULL: made by hand */
} loads[] = {
	[LOAD_ZERO] = {"zeros", NULL},
	[LOAD_RANDOM] = {"random bytes", NULL},
	[LOAD_TEXT] = {"HTTP and JSON",
		       "POST /payments HTTP/1.1\r\nHost: ledger:8080\r\nContent-Length: 61\r\n\r\n"
		       "{\"id\":4017,\"amount\":12050,\"at\":1732700000123,\"from\":\"DE89\"}"},
	[LOAD_DIGITS] = {"digits, no end", "4111111111111111"},
	[LOAD_GROUPS] = {"groups, the worst", "4111 "},
	[LOAD_NUMBERS] = {"card numbers", "4111111111111111,"},
};

static void fill(unsigned char *data, enum load load)
{
	size_t len = loads[load].text ? strlen(loads[load].text) : 0;

	memset(data, 0, LEN);
	for (size_t i = 0; i < LEN && load != LOAD_ZERO; i++)
		data[i] = len ? (unsigned char)loads[load].text[i % len] : (unsigned char)rand();
}

int main(void)
{
	unsigned char *from = malloc(LEN), *to = malloc(LEN);
	uint64_t begin, copy, both;

	must(from && to, "malloc");
	pin(0);
	for (enum load load = 0; load < LOAD_CNT; load++) {
		copy = both = UINT64_MAX;
		fill(from, load);
		for (int i = 0; i < ROUNDS; i++) {
			begin = now_ns();
			memcpy(to, from, LEN);
			__asm__ volatile("" ::"r"(to) : "memory");
			copy = now_ns() - begin < copy ? now_ns() - begin : copy;
			begin = now_ns();
			kp_card_mask(to, LEN, 0);
			both = now_ns() - begin < both ? now_ns() - begin : both;
		}
		printf("%-18s copy %6.1f ns/KB, masking %8.1f ns/KB (x%.1f, %.0f MB/s)\n",
		       loads[load].name, (double)copy / (LEN / 1000.0),
		       (double)both / (LEN / 1000.0), (double)both / (double)copy,
		       LEN * 1000.0 / (double)both);
	}
	free(from);
	free(to);
	return 0;
}
