/* SPDX-License-Identifier: MIT
 *
 * The bounds within which a stranger's log is read and replayed, by the table in limits.def.
 */
#ifndef KP_BASE_LIMIT_H
#define KP_BASE_LIMIT_H

#include <stddef.h>
#include <stdint.h>

enum kp_limit_id {
#define LIMIT(id, unit, small, least, per_mib, what, remedy) KP_LIMIT_##id,
#include "base/limits.def"
#undef LIMIT
	KP_LIMIT_CNT
};

/* The value of a limit that is the same for all logs: KP_MAX_STREAMS. */
enum kp_limit_max {
#define LIMIT(id, unit, small, least, per_mib, what, remedy) KP_MAX_##id = (least),
#include "base/limits.def"
#undef LIMIT
};

enum kp_unit { KP_UNIT_BYTES, KP_UNIT_SECONDS, KP_UNIT_COUNT, KP_UNIT_TIMES };

struct kp_limit {
	enum kp_unit unit;
	uint64_t small, least, per_mib;
	const char *what;   /* is limited */
	const char *remedy; /* a clause */
};

extern const struct kp_limit kp_limits[KP_LIMIT_CNT];

/* The limit for a log of so many bytes, in its unit. */
uint64_t kp_limit_get(enum kp_limit_id id, uint64_t log_len);

/* "64 MiB", "15 s", "16384", "64 times". */
#define KP_LIMIT_TEXT_MAX 32
void kp_limit_print(enum kp_unit unit, uint64_t value, char text[KP_LIMIT_TEXT_MAX]);

#endif
