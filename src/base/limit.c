/* SPDX-License-Identifier: MIT
 * The bounds of reading and replaying; see limit.h.
 */
#include "base/limit.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB (1ull << 20)

const struct kp_limit kp_limits[KP_LIMIT_CNT] = {
#define LIMIT(id, unit, small, least, per_mib, what, remedy) \
	[KP_LIMIT_##id] = {KP_UNIT_##unit, small, least, per_mib, what, remedy},
#include "base/limits.def"
#undef LIMIT
};

uint64_t kp_limit_get(enum kp_limit_id id, uint64_t log_len)
{
	const struct kp_limit *limit = &kp_limits[id];
	uint64_t by_len = log_len / MIB * limit->per_mib;

	if (log_len < MIB)
		return limit->small;
	return by_len > limit->least ? by_len : limit->least;
}

void kp_limit_print(enum kp_unit unit, uint64_t value, char text[KP_LIMIT_TEXT_MAX])
{
	static const struct {
		uint64_t factor;
		const char *name;
	} sizes[] = {{1ull << 30, "GiB"}, {MIB, "MiB"}, {1ull << 10, "KiB"}, {1, "bytes"}};
	static const char *const names[] = {
		[KP_UNIT_SECONDS] = " s", [KP_UNIT_COUNT] = "", [KP_UNIT_TIMES] = " times"};
	size_t i = 0;

	if (unit != KP_UNIT_BYTES) {
		snprintf(text, KP_LIMIT_TEXT_MAX, "%" PRIu64 "%s", value, names[unit]);
		return;
	}
	while (value % sizes[i].factor)
		i++;
	snprintf(text, KP_LIMIT_TEXT_MAX, "%" PRIu64 " %s", value / sizes[i].factor, sizes[i].name);
}
