/* SPDX-License-Identifier: MIT
 * Wall clock times as people write them; see wall.h.
 */
#include "base/wall.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ".123" → 123000000; digits past the ninth are dropped. Advances *at behind the digits. */
static uint64_t parse_fraction(const char **at)
{
	uint64_t ns = 0, scale = 100000000;

	if (**at != '.' || !isdigit((unsigned char)(*at)[1]))
		return 0;
	for ((*at)++; isdigit((unsigned char)**at); (*at)++, scale /= 10)
		ns += (uint64_t)(**at - '0') * scale;
	return ns;
}

/* "Z", "+02:00", "-0530" or "" (UTC) → seconds east; false if it is none of these. */
static bool parse_zone(const char *text, long *ret_east)
{
	int hours, minutes, used = 0;

	*ret_east = 0;
	if (!*text || !strcmp(text, "Z") || !strcmp(text, "z"))
		return true;
	if ((*text != '+' && *text != '-') ||
	    (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 &&
	     sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &used) != 2) ||
	    text[1 + used] || hours > 23 || minutes > 59 || hours < 0 || minutes < 0)
		return false;
	*ret_east = (hours * 60L + minutes) * 60 * (*text == '-' ? -1 : 1);
	return true;
}

/* Whether the calendar has this day: timegm would take 30 February as 2 March. */
static bool is_day(const struct tm *tm)
{
	struct tm day = {.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday};

	timegm(&day);
	return day.tm_mon == tm->tm_mon && day.tm_mday == tm->tm_mday;
}

static bool read_rfc3339(const char *text, uint64_t *ret_realtime_ns)
{
	struct tm tm = {0};
	const char *at = strptime(text, "%Y-%m-%d", &tm);
	uint64_t ns;
	time_t seconds;
	long east;

	if (!at || (*at != 'T' && *at != 't' && *at != ' ') || !is_day(&tm))
		return false;
	at = strptime(at + 1, "%H:%M:%S", &tm);
	if (!at)
		return false;
	ns = parse_fraction(&at);
	if (!parse_zone(at, &east))
		return false;
	seconds = timegm(&tm) - east;
	if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / 1000000000 - 1)
		return false;
	*ret_realtime_ns = (uint64_t)seconds * 1000000000 + ns;
	return true;
}

bool kp_wall_read(const char *text, uint64_t *ret_realtime_ns)
{
	unsigned long long seconds;
	const char *at;
	char *end;
	uint64_t ns;

	if (read_rfc3339(text, ret_realtime_ns))
		return true;
	errno = 0;
	seconds = strtoull(text, &end, 10);
	at = end;
	ns = parse_fraction(&at);
	if (!isdigit((unsigned char)*text) || *at || errno || seconds > UINT64_MAX / 1000000000 - 1)
		return false;
	*ret_realtime_ns = seconds * 1000000000 + ns;
	return true;
}
