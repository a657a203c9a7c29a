/* SPDX-License-Identifier: MIT
 * Values of options: sizes, durations, numbers, moments.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/wall.h"
#include "cli/cli.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"", 1},           {"B", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30},
	{"T", 1ull << 40}, {0},
};

static const struct unit time_units[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", 1000000},
	{"s", 1000000000},
	{"", 1000000000},
	{"m", 60000000000},
	{"h", 3600000000000},
	{"d", 86400000000000},
	{0},
};

static int parse_unit(const char *text, const struct unit *units, const char *example,
		      uint64_t *ret_value, struct kp_err *err)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && !errno)
		for (const struct unit *u = units; u->name; u++)
			if (!strcasecmp(end, u->name) && number <= UINT64_MAX / u->factor) {
				*ret_value = number * u->factor;
				return 0;
			}
	return kp_err_set(err, -EINVAL, "'%s' is not of the form %s", text, example);
}

int kp_parse_size(const char *text, uint64_t *ret_bytes, struct kp_err *err)
{
	return parse_unit(text, size_units, "4096, 64K, 16M or 2G", ret_bytes, err);
}

int kp_parse_duration(const char *text, uint64_t *ret_ns, struct kp_err *err)
{
	return parse_unit(text, time_units, "500us, 100ms, 5s, 10m or 2h", ret_ns, err);
}

int kp_parse_u64(const char *text, uint64_t *ret_value, struct kp_err *err)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno)
		return kp_err_set(err, -EINVAL, "'%s' is not a whole number", text);
	*ret_value = number;
	return 0;
}

int kp_parse_u32(const char *text, uint32_t *ret_value, struct kp_err *err)
{
	uint64_t number;
	int r = kp_parse_u64(text, &number, err);

	if (r >= 0 && number > UINT32_MAX)
		r = kp_err_set(err, -EINVAL, "'%s' is not between 0 and %u", text, UINT32_MAX);
	if (r >= 0)
		*ret_value = (uint32_t)number;
	return r;
}

int kp_parse_u32_list(const char *list, int (*add)(uint32_t number, void *arg), void *arg,
		      struct kp_err *err)
{
	char *copy = strdup(list), *rest = NULL, *word;
	int r = copy ? 0 : kp_err_set(err, -ENOMEM, "out of memory");
	uint32_t number;

	if (copy && !copy[strspn(copy, ",")])
		r = kp_err_set(err, -EINVAL, "no number is given");
	for (word = copy; r >= 0 && (word = strtok_r(word, ",", &rest)); word = NULL) {
		r = kp_parse_u32(word, &number, err);
		if (r >= 0 && (r = add(number, arg)) < 0)
			kp_err_sys(err, r, r == -E2BIG ? "'%s' is one too many" : "'%s'", word);
	}
	free(copy);
	return r;
}

int kp_parse_time(const char *text, uint64_t *ret_realtime_ns, struct kp_err *err)
{
	if (kp_wall_read(text, ret_realtime_ns))
		return 0;
	return kp_err_set(err, -EINVAL,
			  "'%s' is neither RFC 3339 (2026-11-24T03:00:00.5Z) nor seconds since the "
			  "epoch",
			  text);
}

/* --- the same as setters of options --- */

int kp_set_flag(const char *value, void *target, struct kp_err *err)
{
	(void)value;
	(void)err;
	*(bool *)target = true;
	return 0;
}

int kp_set_text(const char *value, void *target, struct kp_err *err)
{
	if (!*value)
		return kp_err_set(err, -EINVAL, "the value is empty");
	*(const char **)target = value;
	return 0;
}

int kp_set_u32(const char *value, void *target, struct kp_err *err)
{
	return kp_parse_u32(value, target, err);
}

int kp_set_u64(const char *value, void *target, struct kp_err *err)
{
	return kp_parse_u64(value, target, err);
}

int kp_set_size(const char *value, void *target, struct kp_err *err)
{
	return kp_parse_size(value, target, err);
}

int kp_set_duration(const char *value, void *target, struct kp_err *err)
{
	return kp_parse_duration(value, target, err);
}

int kp_set_time(const char *value, void *target, struct kp_err *err)
{
	return kp_parse_time(value, target, err);
}
