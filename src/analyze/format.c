/* SPDX-License-Identifier: MIT
 * The formats of a report; see format.h.
 */
#include "analyze/format.h"

#include <string.h>

static void put_json(const struct kp_report *report, bool color, struct kp_buf *out)
{
	(void)color;
	kp_report_json(report, false, out);
}

static void put_json_line(const struct kp_report *report, bool color, struct kp_buf *out)
{
	(void)color;
	kp_report_json(report, true, out);
}

const struct kp_format kp_formats[] = {
#define FORMAT(name, print, is_json, doc) {#name, print, is_json},
#include "analyze/formats.def"
#undef FORMAT
	{0},
};

const struct kp_format *kp_format_find(const char *name)
{
	for (const struct kp_format *f = kp_formats; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}
